"""Evaluation: how well a segmentation agrees with its reference."""

from otfsynth.evaluation.overlap import IGNORED, confusion_matrix, dice_per_label
from otfsynth.evaluation.result import EvaluationResult, ScoredCase

__all__ = ["IGNORED", "EvaluationResult", "ScoredCase", "confusion_matrix", "dice_per_label"]
