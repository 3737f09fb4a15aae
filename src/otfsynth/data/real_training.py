"""Real scans in the mix: pairs of a scan and its label map, prepared together for the synthesis engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from otfsynth.config.data import DataConfig
from otfsynth.data.prepare import PreparedMap, on_working_grid, to_indices
from otfsynth.data.sources import file_fingerprint, subjects_of
from otfsynth.data.validation import ValidationListError, ValidationScan, find_pairs_of_files
from otfsynth.labels import LabelScheme
from otfsynth.volumes import (
    Volume,
    VolumeError,
    read_volume,
    resample_labels_to_spacing,
    resample_to_spacing,
    to_canonical,
)

BRIGHT = 250.0
"""Intensity of the scan's bright end: as bright as the brightest class of the random mixture."""
PERCENTILES = (0.5, 99.5)
"""Dark and bright end of a scan, percentiles of its voxels that are not 0."""
STEPS = 128
"""Stored numbers of one intensity; see ``cuda_kernels/real_image.h``."""
MASKED_SHARE = 0.05
"""A scan with more voxels that are exactly 0 was masked: no air is."""


@dataclass(frozen=True)
class RealPairSource:
    """A scan and its label map on disk."""

    scan: ValidationScan
    subject: str
    relabelled: Mapping[int, int] | None = None
    """Generation label of each label of the map; by default they are the scheme's own."""

    @property
    def name(self) -> str:
        """File name of the scan without its folder."""
        return self.scan.image.name

    def load(self) -> Volume:
        """The label map, with the values of the scheme."""
        return _relabelled(read_volume(self.scan.label), self.relabelled, self.scan.label)

    def fingerprint(self) -> str:
        """Changes whenever one of the files does, or what its labels mean."""
        files = [file_fingerprint(path) for path in (self.scan.image, self.scan.label)]
        return json.dumps(["real", *files, self.scan.contrast, sorted((self.relabelled or {}).items())])

    def prepare(self, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
        """Read both and bring them to the working grid.

        Raises:
            VolumeError: a file can't be used, or the two have different grids.
        """
        image = read_volume(self.scan.image, np.float32)
        labels = self.load()
        _check_one_grid(image, labels, self.scan)
        return replace(prepare_pair(image, labels, scheme, spacing_mm), contrast=self.scan.contrast)


def find_pairs(config: DataConfig, scheme: LabelScheme) -> list[RealPairSource]:
    """The pairs that ``data.real_training`` names.

    Raises:
        ValidationListError: nothing is there, or ``data.real_training_labels`` names targets that the scheme lacks.
    """
    assert config.real_training is not None
    option = "data.real_training"
    scans = find_pairs_of_files(Path(config.real_training).expanduser(), option)
    several = next((scan for scan in scans if scan.others), None)
    if several is not None:
        raise ValidationListError(
            f"{option}: '{several.name}' has {several.channels} images; give one for each label map"
        )
    missing = [path for scan in scans for path in (scan.image, scan.label) if not path.is_file()]
    if missing:
        listing = "\n".join(f"  '{path}' does not exist" for path in missing)
        raise ValidationListError(f"{option}={config.real_training} names files that are not there:\n{listing}")
    relabelled = generation_labels_of(config.real_training_labels, scheme) if config.real_training_labels else None
    told = subjects_of([scan.image for scan in scans], config.subject_pattern)
    return [RealPairSource(scan, scan.subject or own, relabelled) for scan, own in zip(scans, told, strict=True)]


def generation_labels_of(targets: Mapping[int, int], scheme: LabelScheme) -> dict[int, int]:
    """A generation label of the scheme for each label, by its target: the first one with that target.

    Raises:
        ValidationListError: the scheme lacks a target.
    """
    labels = {}
    for label, target in targets.items():
        if target not in scheme.target_labels:
            raise ValidationListError(
                f"data.real_training_labels gives label {label} the target {target}; scheme '{scheme.name}' has the "
                f"targets 0 to {scheme.target_count - 1} ({', '.join(scheme.target_names)})"
            )
        labels[label] = scheme.generation_labels[scheme.target_labels.index(target)]
    return {0: 0, **labels}


def prepare_pair(image: Volume, labels: Volume, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
    """A label map with its scan, both on the working grid and with their whole field of view.

    Args:
        image: float32 intensities of any scale.
        labels: label values on the same grid.
        scheme: what the values mean.
        spacing_mm: size of the cubic voxels of the working grid.

    Raises:
        VolumeError: the scan is empty, or the labels are not the scheme's.
    """
    values = np.nan_to_num(image.data, posinf=0.0, neginf=0.0)
    seen = _seen(values)
    masked = bool(1.0 - seen.mean() > MASKED_SHARE)
    scaled, _ = to_canonical(_scaled(values, seen, image.name), image.affine)
    indices, affine = to_canonical(to_indices(labels, scheme), image.affine)
    scaled, _ = resample_to_spacing(scaled, affine, spacing_mm)
    indices, affine = resample_labels_to_spacing(indices, affine, spacing_mm)
    affine = affine.copy()
    affine[:3, 3] -= affine[:3, :3].sum(axis=1)  # the border of one voxel
    prepared = on_working_grid(np.pad(indices, 1), affine, labels.name, scheme, spacing_mm)
    stored = np.pad(np.rint(STEPS * np.clip(scaled, 0, 65535 / STEPS)).astype(np.uint16), 1)
    return replace(prepared, image=stored, masked=masked)


def _seen(values: np.ndarray) -> np.ndarray:
    """What is not 0, and what it encloses: fluid that is exactly 0 was imaged."""
    return np.asarray(ndimage.binary_fill_holes(values != 0))


def _scaled(values: np.ndarray, seen: np.ndarray, name: str) -> np.ndarray:
    """The scan's dark end at 0, its bright end at :data:`BRIGHT`; exactly 0 is what was not seen, and nothing else."""
    used = values[values != 0]
    if used.size == 0 or used.min() == used.max():
        raise VolumeError(f"scan '{name}' is empty or constant; leave it out of data.real_training, or export it again")
    low, high = np.percentile(used, PERCENTILES)
    low = (
        min(float(low), 0.0) if values.min() < 0 else 0.0
    )  # magnitudes have their zero; others begin at their dark end
    scaled = BRIGHT * (values - low) / max(float(high) - low, 1e-12)
    return np.where(seen, np.maximum(scaled, 1.0 / STEPS), 0.0).astype(np.float32)


def _check_one_grid(image: Volume, labels: Volume, scan: ValidationScan) -> None:
    if image.data.shape != labels.data.shape:
        raise VolumeError(
            f"'{scan.image}' has {image.data.shape} voxels and its label map '{scan.label}' {labels.data.shape}; "
            "resample the label map to the scan's grid (nearest neighbour)"
        )
    if not np.allclose(image.affine, labels.affine, atol=1e-3):
        apart = np.abs(image.affine - labels.affine).max()
        raise VolumeError(
            f"'{scan.image}' and its label map '{scan.label}' lie at different places (their affines differ by up to "
            f"{apart:.3g}); resample the label map to the scan's grid (nearest neighbour)"
        )


def _relabelled(labels: Volume, table: Mapping[int, int] | None, path: Path) -> Volume:
    if table is None:
        return labels
    values, inverse = np.unique(np.rint(labels.data).astype(np.int64), return_inverse=True)
    unknown = [int(value) for value in values if int(value) not in table]
    if unknown:
        raise VolumeError(
            f"'{path}' holds labels {unknown} without a target; give them one in data.real_training_labels, e.g. "
            f"{{{unknown[0]}: 0}} for background"
        )
    mapped = np.array([table[int(value)] for value in values], np.int32)
    return replace(labels, data=mapped[inverse].reshape(labels.data.shape))
