"""Evaluation: how well a segmentation matches its reference."""

from otfsynth.evaluation.overlap import confusion_matrix, dice_per_label
from otfsynth.evaluation.result import EvaluationResult, ScoredCase

__all__ = ["EvaluationResult", "ScoredCase", "confusion_matrix", "dice_per_label"]
