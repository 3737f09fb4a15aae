"""Inference: scans in, segmentations in the scans' own space out."""

from otfsynth.inference.predictor import Prediction, SlidingWindowPredictor
from otfsynth.inference.preparation import ImageError, prepare_image

__all__ = ["ImageError", "Prediction", "SlidingWindowPredictor", "prepare_image"]
