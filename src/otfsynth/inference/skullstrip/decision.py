"""Whether a scan still shows the head around the brain, by its background and the size of what lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from otfsynth.inference.skullstrip.stripper import finite
from otfsynth.volumes import bounding_box, spacing_of

LARGEST_BRAIN_ML = 2400.0
"""With its meninges and all fluid inside them; heads, even defaced and without neck, have 2700 and more."""
LEAST_BACKGROUND = 0.1
"""Share of voxels: a brain that fills its bounding box leaves almost half of it."""
CUT_SHARE = 0.25
"""Of the largest section of the object, at an edge of the field of view: brains end at the stem, heads at the neck."""
TOLERANCE = 0.002
"""Of the brightest voxels: what interpolation leaves around a brain that was resampled after stripping."""
WORKING_MM = 3.0


@dataclass(frozen=True)
class Decision:
    """Whether a scan needs skull-stripping, and why, in one sentence."""

    needed: bool
    reason: str


def has_skull(data: np.ndarray, affine: np.ndarray) -> Decision:
    """Look whether a scan shows more than a brain.

    A stripped scan has one value around one object no larger than a brain, which is not cut by the field of view. In
    doubt stripping is needed: a stripper leaves a bare brain nearly as it is, but a network for brains that is given a
    whole head fails. Heads of newborns are no larger than brains of adults and are therefore mistaken for them.

    Args:
        data: (x, y, z) intensities.
        affine: (4, 4) voxel index to RAS world millimetres.
    """
    background, tolerance = background_of(data)
    spacing_mm = spacing_of(affine)
    steps = np.maximum((WORKING_MM / spacing_mm).astype(int), 1)  # every so many voxels are enough to measure litres
    coarse = finite(data[tuple(slice(None, None, step) for step in steps)])
    outside = np.abs(coarse - background) <= tolerance
    share = float(outside.mean())
    if share == 1.0:
        return Decision(False, f"every voxel is {background:g}: there is nothing to strip")
    if share < LEAST_BACKGROUND:
        return Decision(
            True, f"no background of one value ({share:.0%} of the voxels are {background:g}): a whole head"
        )
    inside = _largest_object(~outside)
    size_ml = float(inside.sum() * np.prod(spacing_mm * steps) / 1000)
    seen = f"the background is {background:g} around one object of {size_ml / 1000:.2g} l"
    if size_ml > LARGEST_BRAIN_ML:
        return Decision(True, f"{seen}, which is more than a brain: a whole head")
    if _cut_share(inside) > CUT_SHARE:
        return Decision(True, f"{seen}, which the field of view cuts: perhaps a part of a head")
    return Decision(False, f"{seen}: taken as skull-stripped")


def stripped_mask(data: np.ndarray) -> np.ndarray:
    """Brain of a scan that is stripped already: what differs from its background, holes filled.

    Returns:
        bool (x, y, z).
    """
    background, tolerance = background_of(data)
    return np.asarray(ndimage.binary_fill_holes(np.abs(finite(data) - background) > tolerance))


def background_of(data: np.ndarray) -> tuple[float, float]:
    """The commonest value on the six faces of a scan, and how far from it a voxel may be to count as background."""
    faces = [finite(np.moveaxis(data, axis, 0)[edge]).ravel() for axis in range(3) for edge in (0, -1)]
    values, counts = np.unique(np.concatenate(faces), return_counts=True)
    background = float(values[counts.argmax()])
    contrast = np.abs(finite(data.ravel(order="K")[:: max(1, data.size // 500_000)]) - background)
    return background, TOLERANCE * float(np.percentile(contrast, 99))


def _largest_object(inside: np.ndarray) -> np.ndarray:
    """With what it encloses in any plane: where bone is 0, the scalp is a ring around the brain, open at the neck."""
    box = bounding_box(inside)
    filled = ndimage.binary_fill_holes(inside[box])
    for axis in range(3):
        for section, whole in zip(np.moveaxis(inside[box], axis, 0), np.moveaxis(filled, axis, 0), strict=True):
            whole |= ndimage.binary_fill_holes(section)  # a view: changes filled
    labels, _ = ndimage.label(filled)
    largest = np.zeros_like(inside)
    largest[box] = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    return largest


def _cut_share(inside: np.ndarray) -> float:
    """Largest section of the object on a face of the volume, as a share of its largest section along that axis."""
    shares = []
    for axis in range(3):
        sections = inside.sum(axis=tuple(other for other in range(3) if other != axis))
        shares.append(max(sections[0], sections[-1]) / max(sections.max(), 1))
    return float(max(shares))
