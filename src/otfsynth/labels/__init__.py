"""Label schemes: the meaning of the numbers in a label map."""

from otfsynth.labels.scheme import LabelScheme

__all__ = ["LabelScheme"]
