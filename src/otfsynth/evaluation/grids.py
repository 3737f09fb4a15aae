"""A prediction and its reference on one grid, the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.probabilities import probability_files, read_shares
from otfsynth.evaluation.targets import TargetMap
from otfsynth.volumes import (
    Grid,
    corner_distance_mm,
    read_volume,
    resample_to_grid,
    spacing_of,
    to_canonical,
)

SAME_PLACE = 0.05
"""Grids whose corners differ by less than this share of a voxel are one: rounding in headers."""


class GridError(InputError):
    """Prediction and reference can't be brought onto one grid; the message names both."""


@dataclass(frozen=True)
class LabelsOnGrid:
    """A label map of target values in RAS order.

    Args:
        labels: uint8 (x, y, z).
        grid: where its voxels are.
    """

    labels: np.ndarray
    grid: Grid

    @property
    def spacing_mm(self) -> np.ndarray:
        """Voxel size per axis, (3,)."""
        return spacing_of(self.grid.affine)


@dataclass(frozen=True)
class AlignedPair:
    """Two label maps on the reference's grid.

    Args:
        prediction: uint8 target values; 0 where they do not count.
        reference: the same, 255 where voxels do not count, be it in the reference or in the prediction.
        grid: of both.
        resampled: how the prediction came there: empty, ``prediction``, ``probabilities``, or ``labels`` where the
            probabilities beside it are not its own.
        outside: share of the reference's structures beyond the prediction's field of view, in [0, 1].
    """

    prediction: np.ndarray
    reference: np.ndarray
    grid: Grid
    resampled: str = ""
    outside: float = 0.0


def read_labels(path: Path, targets: TargetMap) -> LabelsOnGrid:
    """Read a label map, translate its labels and turn its axes to RAS; no voxel is interpolated.

    Raises:
        VolumeError, TargetError: the file can't be used; the message names it.
    """
    volume = read_volume(path)
    labels, affine = to_canonical(targets.apply(volume), volume.affine)
    x, y, z = labels.shape
    return LabelsOnGrid(labels, Grid((x, y, z), affine))


def read_reference(path: Path, targets: TargetMap, ignored: Path | None = None) -> LabelsOnGrid:
    """As :func:`read_labels`, with 255 where a mask is not 0; one on another grid gives its nearest voxel.

    Raises:
        VolumeError, TargetError: a file can't be used; the message names it.
    """
    reference = read_labels(path, targets)
    if ignored is None:
        return reference
    mask = read_volume(ignored)
    left_out = resample_to_grid((mask.data != 0).astype(np.uint8), mask.affine, reference.grid, order=0) > 0
    return LabelsOnGrid(np.where(left_out, np.uint8(IGNORED), reference.labels), reference.grid)


def align(
    path: Path,
    prediction: LabelsOnGrid,
    reference: LabelsOnGrid,
    resample: str,
    target_names: Sequence[str],
    ignore_outside: bool = False,
) -> AlignedPair:
    """Bring a prediction onto the reference's grid.

    Grids that differ in the order or direction of their axes alone are the same. Others are resampled in world
    coordinates, which must be the same scanner space for both; nothing is registered.

    Args:
        path: file of the prediction, beside which its ``_probseg`` files are.
        prediction: its labels.
        reference: what it is compared with.
        resample: ``none`` refuses; ``prediction`` takes the nearest label; ``probabilities`` resamples the
            ``_label-NAME_probseg`` files linearly and takes the likeliest; ``auto`` does so where they are there and
            the prediction is what they say: labels that were corrected, tidied or made anew win over them.
        target_names: names of the targets, background first.
        ignore_outside: leave out what lies beyond the prediction's field of view instead of counting it as missed.

    Raises:
        GridError: grids differ and ``resample`` is ``none``, probabilities are missing or those of other labels, or
            the two lie apart.
    """
    if same_grid(prediction.grid, reference.grid):
        return _counted(AlignedPair(prediction.labels, reference.labels, reference.grid))
    if resample == "none":
        raise GridError(
            f"'{path.name}' and what it is compared with are on different grids: "
            f"{describe_grid(prediction.grid)}, against {describe_grid(reference.grid)}; "
            "set resample=auto, or predict in that space"
        )
    labels, how = _moved(path, prediction, reference.grid, resample, target_names)
    seen = resample_to_grid(np.ones(prediction.grid.shape, np.uint8), prediction.grid.affine, reference.grid, 0) == 1
    structures = (reference.labels > 0) & (reference.labels != IGNORED)
    outside = 1.0 - float((structures & seen).sum()) / max(int(structures.sum()), 1)
    if structures.any() and outside == 1.0:
        raise GridError(
            f"'{path.name}' and what it is compared with do not overlap: {describe_grid(prediction.grid)}, against "
            f"{describe_grid(reference.grid)}; bring both into one scanner space"
        )
    target = np.where(seen, reference.labels, np.uint8(IGNORED)) if ignore_outside else reference.labels
    return _counted(AlignedPair(labels, target, reference.grid, how, outside))


def _counted(pair: AlignedPair) -> AlignedPair:
    """What a prediction leaves out is left out on both sides."""
    left_out = pair.prediction == IGNORED
    if not left_out.any():
        return pair
    reference = np.where(left_out, np.uint8(IGNORED), pair.reference)
    return replace(pair, prediction=np.where(left_out, np.uint8(0), pair.prediction), reference=reference)


def _moved(
    path: Path, prediction: LabelsOnGrid, grid: Grid, resample: str, target_names: Sequence[str]
) -> tuple[np.ndarray, str]:
    """Labels on another grid, and how they came there."""
    files = probability_files(path, target_names) if resample != "prediction" else {}
    shares = read_shares(files)
    if shares is not None and same_grid(shares.grid, prediction.grid) and shares.give(prediction.labels):
        return shares.likeliest_on(grid), "probabilities"
    if resample == "probabilities":
        lack = (
            "are not those of its labels, which were corrected, tidied or made anew since"
            if files
            else "are not beside it"
        )
        raise GridError(
            f"'{path.name}': the _label-{target_names[1]}_probseg files for resample=probabilities {lack}; "
            "predict with save_probabilities=true, or set resample=prediction"
        )
    labels = resample_to_grid(prediction.labels, prediction.grid.affine, grid, order=0)
    return labels, "labels" if files else "prediction"


def same_grid(one: Grid, other: Grid) -> bool:
    """Whether the voxels of two grids coincide, up to rounding in their headers."""
    if tuple(one.shape) != tuple(other.shape):
        return False
    return corner_distance_mm(one, other) < SAME_PLACE * float(spacing_of(other.affine).min())


def describe_grid(grid: Grid) -> str:
    """For messages: ``182x218x182 voxels of 1x1x1 mm, RAS, centre (0, -18, 18) mm``."""
    centre = grid.affine[:3, :3] @ ((np.asarray(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    shape = "x".join(str(size) for size in grid.shape)
    spacing = "x".join(f"{size:.3g}" for size in spacing_of(grid.affine))
    axes = "".join(nib.aff2axcodes(grid.affine))
    return f"{shape} voxels of {spacing} mm, {axes}, centre ({', '.join(f'{round(value)}' for value in centre)}) mm"
