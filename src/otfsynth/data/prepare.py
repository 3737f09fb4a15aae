"""From a label map as it is on disk to what the synthesis engine reads: indices, distance to the brain, foreground."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from otfsynth.data.brain_distance import REACH_MM, encoded_brain_distance
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume, VolumeError, bounding_box, resample_labels_to_spacing, to_canonical

logger = logging.getLogger(__name__)

FOREGROUND_VOXELS = 4096
MAX_LABEL = 2**24
"""Above any label in use; larger values are measurements, not labels."""


@dataclass(frozen=True)
class PreparedMap:
    """A label map on the working grid.

    Args:
        indices: uint8 (x, y, z), RAS, generation-label indices: at least one voxel of background on every side and, but
            in maps of real scans, all within 16 mm of the brain.
        brain_distance: uint8 (x, y, z), see :func:`otfsynth.data.brain_distance.encoded_brain_distance`; 255 on the
            six faces.
        foreground: per target value from 1 on, int32 (n, 3) voxels, at most 4096 of them.
        affine: (4, 4) voxel of ``indices`` to RAS world millimetres.
        second, share, image, contrast, masked: of :class:`otfsynth.data.label_volume.LabelVolume`, where it has them.
    """

    indices: np.ndarray
    brain_distance: np.ndarray
    foreground: tuple[np.ndarray, ...]
    affine: np.ndarray
    second: np.ndarray | None = None
    share: np.ndarray | None = None
    image: np.ndarray | None = None
    contrast: str = ""
    masked: bool = False


def prepare(volume: Volume, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
    """Check a label map and bring it to the working grid.

    Args:
        volume: label values in any orientation and voxel size.
        scheme: what the values mean.
        spacing_mm: size of the cubic voxels of the working grid.

    Raises:
        VolumeError: not whole numbers, empty, or labels that the scheme does not list; names file, label and count.
    """
    indices, affine = to_canonical(to_indices(volume, scheme), volume.affine)
    indices, affine = resample_labels_to_spacing(indices, affine, spacing_mm)
    indices, affine = _with_room(indices, affine, spacing_mm)
    return trimmed(on_working_grid(indices, affine, volume.name, scheme, spacing_mm))


def on_working_grid(
    indices: np.ndarray, affine: np.ndarray, name: str, scheme: LabelScheme, spacing_mm: float
) -> PreparedMap:
    """What the engine reads of indices that are on the working grid, with one voxel of background on every side.

    Raises:
        VolumeError: no voxel of any target.
    """
    foreground = foreground_voxels(indices, scheme)
    if not any(len(voxels) for voxels in foreground):
        raise VolumeError(
            f"label map '{name}' holds no voxel of any target ({', '.join(scheme.target_names[1:])}) of scheme "
            f"'{scheme.name}'; choose the scheme that fits it, or leave the file out"
        )
    distance = encoded_brain_distance(scheme.brain_indices[indices], spacing_mm)
    for axis in range(3):  # a look-up beyond the map repeats its border, which therefore must count as far away
        distance[(slice(None),) * axis + ([0, -1],)] = 255
    return PreparedMap(indices, distance, foreground, affine)


def trimmed(prepared: PreparedMap) -> PreparedMap:
    """The map without what is neither labelled nor near the brain, but for a voxel of that on every side.

    Look-ups beyond a map find its border, background far from the brain: true of a map that holds all that is near.
    """
    kept = (prepared.indices != 0) | (prepared.brain_distance < 255)
    if prepared.second is not None and prepared.share is not None:
        kept |= (prepared.second != 0) & (prepared.share < 255)
    box = bounding_box(kept, 1)
    first = np.array([extent.start for extent in box], np.int32)
    affine = prepared.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    names = ("indices", "brain_distance", "second", "share")
    volumes = {name: getattr(prepared, name) for name in names}
    cropped: dict[str, Any]
    cropped = {name: np.ascontiguousarray(volume[box]) for name, volume in volumes.items() if volume is not None}
    foreground = tuple(voxels - first for voxels in prepared.foreground)
    return replace(prepared, foreground=foreground, affine=affine, **cropped)


def room_voxels(spacing_mm: float) -> int:
    """Voxels around what is labelled in which everything near the brain lies, and two that are far from it."""
    return math.ceil(REACH_MM / spacing_mm) + 2


def to_indices(volume: Volume, scheme: LabelScheme) -> np.ndarray:
    """Label values to label indices, uint8, in the orientation of ``volume``.

    Raises:
        VolumeError: not whole numbers, empty, or labels that the scheme does not list.
    """
    values = _whole_numbers(volume)
    low, high = int(values.min()), int(values.max())
    if low == 0 and high == 0:
        raise VolumeError(f"label map '{volume.name}' is empty: every voxel is 0; leave it out or export it again")
    if max(-low, high) >= MAX_LABEL:
        value = high if high >= MAX_LABEL else low
        raise VolumeError(f"label map '{volume.name}' holds the value {value}, which is no label; give a label map")
    table = np.full(high - min(low, 0) + 1, -1, np.int16)
    for index, label in enumerate(scheme.generation_labels):
        if label <= high:
            table[label - min(low, 0)] = index
    if low < 0:
        values = values - low
    counts = np.bincount(values.ravel(), minlength=table.size)
    unlisted = np.flatnonzero((counts > 0) & (table < 0))
    if unlisted.size:
        listing = ", ".join(f"{label + min(low, 0)} ({counts[label]} voxels)" for label in unlisted[:12])
        more = f" and {unlisted.size - 12} more" if unlisted.size > 12 else ""
        finding = f"label map '{volume.name}' holds label {listing}{more}, which scheme '{scheme.name}' does not list"
        if scheme.unlisted == "error":
            raise VolumeError(f"{finding}; add a row for it under labels.rows or set labels.unlisted=background")
        logger.warning("%s; painted as background", finding)
    table[table < 0] = 0
    return table.astype(np.uint8)[values]


def foreground_voxels(indices: np.ndarray, scheme: LabelScheme) -> tuple[np.ndarray, ...]:
    """Voxels on which patches may be centred, at most 4096 per target, the same ones at every call.

    Returns:
        Per target value from 1 on: int32 (n, 3), (0, 3) where the map lacks the target.
    """
    targets = scheme.target_table[indices]
    chosen = []
    for value in range(1, scheme.target_count):
        found = np.flatnonzero(targets == value)
        if found.size > FOREGROUND_VOXELS:
            found = np.sort(np.random.default_rng(value).choice(found, FOREGROUND_VOXELS, replace=False, shuffle=False))
        chosen.append(np.stack(np.unravel_index(found, indices.shape), axis=1).astype(np.int32))
    return tuple(chosen)


def _whole_numbers(volume: Volume) -> np.ndarray:
    values = volume.data
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            rounded = values.astype(np.int32)
        wrong = rounded != values  # NaN differs from every number
        if wrong.any():
            raise VolumeError(
                f"label map '{volume.name}' holds {int(wrong.sum())} values that are no whole numbers, such as "
                f"{values[wrong][0]:g}; give labels, not an image or probabilities"
            )
        return rounded
    return values.astype(np.int32, copy=False) if values.dtype.itemsize <= 4 else values.astype(np.int64)


def _with_room(indices: np.ndarray, affine: np.ndarray, spacing_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """What is not background, with room for all that is near the brain; three voxels of background of an empty map."""
    if not indices.any():
        return np.zeros((3, 3, 3), indices.dtype), affine
    box, room = bounding_box(indices != 0), room_voxels(spacing_mm)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array([extent.start - room for extent in box])
    return np.pad(indices[box], room), moved
