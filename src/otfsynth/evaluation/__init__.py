"""Evaluation: how well a segmentation agrees with its reference."""

from otfsynth.evaluation.overlap import IGNORED, confusion_matrix, dice_per_label

__all__ = ["IGNORED", "confusion_matrix", "dice_per_label"]
