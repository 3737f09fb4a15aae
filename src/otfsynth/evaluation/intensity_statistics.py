"""Intensities of one brain by tissue, in units that do not depend on scanner, scale or reference.

A tissue's centre is its median, its spread 1.4826 times the median absolute deviation (the standard deviation, for a
normal distribution). The unit of everything is the spread of a brain that holds tissues in the fixed shares
:data:`BRAIN_SHARES`, so that a reference without sulcal CSF, or a large ventricle, does not move it; zero is that
brain's mean. A voxel that is exactly 0 was stripped or not imaged and counts to no tissue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from otfsynth.evaluation.image_quality import ImageQualityError
from otfsynth.volumes import bounding_box

TISSUES = ("GM", "WM", "CSF")
"""In the order of their values in a tissue map, from 1 on; 0 is everything else."""
BRAIN_SHARES = {"GM": 0.5, "WM": 0.35, "CSF": 0.15}
"""Round shares of an adult's intracranial volume."""
CONTRAST_PAIR = ("wm_minus_gm", "csf_minus_gm")
STATISTICS = (
    *(f"{tissue.lower()}_{part}" for tissue in TISSUES for part in ("mean", "spread")),
    *CONTRAST_PAIR,
    "gradient_boundary_per_mm",
    "gradient_inside_per_mm",
    "wm_noise",
    "wm_noise_ratio",
)
FEWEST_VOXELS = 100
"""Of a tissue, and of every other set of voxels that is measured."""
NORMAL_MAD = 1.4826


class Moments(NamedTuple):
    """Centre and spread of a set of intensities."""

    centre: float
    spread: float


def measure_intensities(image: np.ndarray, tissues: np.ndarray, spacing_mm: float, name: str) -> dict[str, float]:
    """All of :data:`STATISTICS` of one image.

    Args:
        image: (x, y, z) intensities, on cubic voxels.
        tissues: of the same shape; 0, or a position in :data:`TISSUES` plus 1.
        spacing_mm: edge of the voxels.
        name: of the image, for messages.

    Raises:
        ImageQualityError: a tissue is missing or too small, or all of the brain has one value.
    """
    image = np.nan_to_num(np.asarray(image, np.float32))
    tissues = np.where(image != 0, tissues, 0).astype(np.uint8)
    moments = tissue_moments(image, tissues, name)
    brain = brain_moments(moments)
    if not brain.spread > 0:
        raise ImageQualityError(f"'{name}' has the value {brain.centre:g} in all of the brain; it shows nothing")
    box = bounding_box(tissues > 0)
    normalised = (image[box] - brain.centre) / brain.spread
    found: list[float] = []
    for tissue in TISSUES:
        found += [(moments[tissue].centre - brain.centre) / brain.spread, moments[tissue].spread / brain.spread]
    found += tissue_contrasts(moments)
    found += gradients(normalised, tissues[box], spacing_mm)
    found += noise(normalised, tissues[box] == 1 + TISSUES.index("WM"))
    return dict(zip(STATISTICS, found, strict=True))


def tissue_moments(image: np.ndarray, tissues: np.ndarray, name: str = "image") -> dict[str, Moments]:
    """Median and robust spread of each tissue, in the image's own intensities.

    Raises:
        ImageQualityError: a tissue has fewer than :data:`FEWEST_VOXELS` voxels.
    """
    moments = {}
    for value, tissue in enumerate(TISSUES, start=1):
        values = image[tissues == value]
        if len(values) < FEWEST_VOXELS:
            raise ImageQualityError(f"'{name}' has {len(values)} voxels of {tissue}, too few to measure; leave it out")
        centre = float(np.median(values))
        moments[tissue] = Moments(centre, NORMAL_MAD * float(np.median(np.abs(values - centre))))
    return moments


def brain_moments(tissues: Mapping[str, Moments]) -> Moments:
    """Mean and standard deviation of a mixture of the tissues in the shares :data:`BRAIN_SHARES`."""
    centre = sum(share * tissues[name].centre for name, share in BRAIN_SHARES.items())
    variance = sum(
        share * (tissues[name].spread ** 2 + (tissues[name].centre - centre) ** 2)
        for name, share in BRAIN_SHARES.items()
    )
    return Moments(centre, math.sqrt(variance))


def tissue_contrasts(tissues: Mapping[str, Moments]) -> tuple[float, float]:
    """WM - GM and CSF - GM, each over the brain's spread."""
    spread = brain_moments(tissues).spread
    grey = tissues["GM"].centre
    return (tissues["WM"].centre - grey) / spread, (tissues["CSF"].centre - grey) / spread


def possible_contrasts(step: float = 0.05) -> np.ndarray:
    """All pairs that :func:`tissue_contrasts` can give, on a grid; what a test of being inside would pass by chance.

    They fill an ellipse, since the tissues' centres have at most the variance of the brain.

    Args:
        step: of the grid.

    Returns:
        (m, 2) pairs.
    """
    axis = np.arange(-4, 4 + step / 2, step)
    white, fluid = np.meshgrid(axis, axis, indexing="ij")
    shares = (BRAIN_SHARES["WM"], BRAIN_SHARES["CSF"])
    mean = shares[0] * white + shares[1] * fluid
    variance = shares[0] * white**2 + shares[1] * fluid**2 - mean**2
    return np.stack([white, fluid], axis=-1)[variance <= 1]


def gradients(image: np.ndarray, tissues: np.ndarray, spacing_mm: float) -> tuple[float, float]:
    """Mean magnitude of the gradient per mm, by central differences: beside another tissue, and inside of one.

    Only voxels whose six neighbours are tissue count, so that the edge of the brain does not. NaN where there are fewer
    than :data:`FEWEST_VOXELS`.
    """
    middle = tissues[_INNER]
    neighbours = [tissues[view] for view in _neighbour_views(1)]
    counted = middle > 0
    mixed = np.zeros_like(counted)
    for neighbour in neighbours:
        counted &= neighbour > 0
        mixed |= neighbour != middle
    squares = np.zeros(middle.shape, np.float32)
    views = _neighbour_views(1)
    for before, behind in zip(views[0::2], views[1::2], strict=True):
        squares += ((image[behind] - image[before]) / (2 * spacing_mm)) ** 2
    magnitudes = np.sqrt(squares)
    return _mean(magnitudes[counted & mixed]), _mean(magnitudes[counted & ~mixed])


def noise(image: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    """High-frequency noise of a homogeneous region, and how white it is.

    Both come from pseudo-residuals, a voxel minus the mean of its six neighbours (Coupé et al., Medical Image Analysis
    2010), once with adjacent voxels and once with those two steps away. The first number is the standard deviation that
    white noise would need for the former; the second is the ratio of both: 1 for white noise, below 1 where noise is
    smooth, as after interpolation or where texture outweighs noise. NaN where fewer than :data:`FEWEST_VOXELS` voxels
    have all of their neighbours in the region.
    """
    fine, coarse = (_pseudo_residual_spread(image, region, step) for step in (1, 2))
    return fine, fine / coarse if coarse > 0 else math.nan


def _pseudo_residual_spread(image: np.ndarray, region: np.ndarray, step: int) -> float:
    if min(image.shape) <= 2 * step:
        return math.nan
    middle = (slice(step, -step),) * 3
    inside = region[middle].copy()
    mean = np.zeros(inside.shape, np.float32)
    for view in _neighbour_views(step):
        inside &= region[view]
        mean += image[view] / 6
    residuals = (image[middle] - mean)[inside]
    if len(residuals) < FEWEST_VOXELS:
        return math.nan
    # The residual of white noise has 7/6 of its variance
    return NORMAL_MAD * math.sqrt(6 / 7) * float(np.median(np.abs(residuals)))


_INNER = (slice(1, -1),) * 3


def _neighbour_views(step: int) -> list[tuple[slice, ...]]:
    """Of all voxels that have them: the neighbours ``step`` voxels before and behind, axis by axis."""
    views = []
    for axis in range(3):
        for part in (slice(None, -2 * step), slice(2 * step, None)):
            view = [slice(step, -step)] * 3
            view[axis] = part
            views.append(tuple(view))
    return views


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) >= FEWEST_VOXELS else math.nan
