"""Label maps in, synthetic batches out."""

from otfsynth.data.bank import LabelBank
from otfsynth.data.dataset import SyntheticDataset
from otfsynth.data.loading import load_synthesizer

__all__ = ["LabelBank", "SyntheticDataset", "load_synthesizer"]
