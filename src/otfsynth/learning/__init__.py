"""Learning: losses, the training and validation steps, checkpoints, records, pictures, the trainer."""

from otfsynth.learning.module import SegmentationModule
from otfsynth.learning.signals import TrainingInterrupted
from otfsynth.learning.trainer import build_trainer, fit

__all__ = ["SegmentationModule", "TrainingInterrupted", "build_trainer", "fit"]
