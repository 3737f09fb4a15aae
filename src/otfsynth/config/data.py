"""Configuration of the data: label maps to synthesise from, and how they are prepared, kept and divided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from otfsynth.config import checks

SUBJECT_PATTERN = r"(sub-[A-Za-z0-9]+|OAS\d{5})"
"""BIDS subject labels and the subject identifiers of OASIS-3."""


@dataclass
class DataConfig:
    """Where label maps come from and how they reach the synthesis engine."""

    label_maps: str = "embedded"
    """A file, a folder, a glob, a ``.csv`` list with columns ``label_map[,subject]``, or ``embedded``. Maps
    hold labels, or probabilities: 4-D files (x, y, z, labels), or sets like ``*_label-GM_probseg.nii.gz``."""
    spacing_mm: float = 1.0
    """Working voxel size, the same along all axes; synthesis, training and inference share it."""
    validation_fraction: float = 0.2
    """Share of the subjects kept out of training; a subject is never on both sides."""
    validation_samples: int = 16
    """Number of fixed synthetic validation samples."""
    subject_pattern: str = SUBJECT_PATTERN
    """Regular expression searched in a map's path; its match names the subject, else the file's stem does."""
    bank_memory_gb: float = 4.0
    """Label maps larger than this in total stay in host memory and travel to the device when drawn (10**9 bytes)."""
    cache_dir: str | None = None
    """Prepared maps are kept here; by default in ``$OTFSYNTH_CACHE``, else in ``~/.cache/otfsynth``."""
    workers: int | None = None
    """Threads that prepare label maps; by default one per processor, at most 8."""
    patch_size: list[int] | None = None
    """Size of a training patch in voxels (x, y, z); by default what ``hardware`` proposes."""
    batch_size: int | None = None
    """Samples per training step and device; by default what ``hardware`` proposes."""
    real_validation: str | None = None
    """A folder or a ``.csv`` list with columns ``image,label[,contrast]`` of real scans to validate on.
    Images of several channels are separated by semicolons."""
    real_validation_labels: Any = None
    """Target of each label of those references, e.g. ``{1: 3, 2: 1, 9: 255}`` (255 leaves voxels out); by default the
    labels are the scheme's. (A mapping; declared as one, Hydra would refuse its keys as unknown.)"""
    real_training: str | None = None
    """Real scans in the mix: a folder or a ``.csv`` list as of ``real_validation``; label maps on the scans' grids."""
    real_training_probability: float = 0.2
    """Share of the samples whose intensities come from those scans; everything after the mixture is drawn as always."""
    real_training_labels: Any = None
    """Target of each label of those label maps, e.g. ``{1: 3, 2: 1}``; by default the labels are the scheme's."""

    def __post_init__(self) -> None:
        if not self.label_maps:
            raise checks.ConfigurationError(
                "data.label_maps is empty; give a file, folder, glob, CSV list or 'embedded'"
            )
        _check_between("data.spacing_mm", self.spacing_mm, 0.2, 8.0)
        _check_between("data.validation_fraction", self.validation_fraction, 0.0, 0.9)
        checks.check_at_least("data.validation_samples", self.validation_samples, 0)
        checks.check_positive("data.bank_memory_gb", self.bank_memory_gb)
        if self.workers is not None:
            checks.check_at_least("data.workers", self.workers, 1)
        if self.batch_size is not None:
            checks.check_at_least("data.batch_size", self.batch_size, 1)
        if self.patch_size is not None:
            if len(self.patch_size) != 3:
                raise checks.ConfigurationError(
                    f"data.patch_size={list(self.patch_size)} is not a size; give three numbers of voxels [x, y, z]"
                )
            for size in self.patch_size:
                _check_between("data.patch_size", size, 8, 1024)
        _check_label_targets("data.real_validation_labels", self.real_validation_labels)
        _check_label_targets("data.real_training_labels", self.real_training_labels)
        checks.check_probability("data.real_training_probability", self.real_training_probability)
        try:
            re.compile(self.subject_pattern)
        except re.error as error:
            raise checks.ConfigurationError(
                f"data.subject_pattern={self.subject_pattern} is no regular expression: {error}"
            ) from error


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise checks.ConfigurationError(f"{name}={value:g} is out of bounds; give a number from {low:g} to {high:g}")


def _check_label_targets(name: str, value: Any) -> None:
    numbers = [*value, *value.values()] if isinstance(value, dict) else []
    if value is not None and (not numbers or not all(isinstance(number, int) and number >= 0 for number in numbers)):
        raise checks.ConfigurationError(
            f"{name}={value} is no table of labels; give each one its target, e.g. {{1: 3, 2: 1}}"
        )
