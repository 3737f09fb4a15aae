"""Signed distance to the surface of the brain, as far as skull-strip simulation looks (16 mm)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from otfsynth.volumes import bounding_box

REACH_MM = 16.0
CLOSING_MM = 4.0
CORE_DEPTH_MM = 10.0
CORE_GROWTH_MM = 18.0
CORE_SHARE = 0.2
UNITS_PER_MM = 8
SURFACE = 128


def encoded_brain_distance(brain: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Distance of every voxel centre to the brain's surface, in one byte.

    The surface is that of a skull-stripper's mask, a solid body: see :func:`solid_brain`. It lies half-way between the
    last voxel inside and the next one.

    Args:
        brain: bool (x, y, z).
        spacing_mm: size of the cubic voxels.

    Returns:
        uint8 (x, y, z): ``clamp(round(128 + 8 * distance_mm), 0, 255)``, outside positive; without a brain all 255.
    """
    encoded = np.full(brain.shape, 255, np.uint8)
    reach = int(np.ceil(REACH_MM / spacing_mm))
    if not brain.any():
        return encoded
    box = bounding_box(brain, reach + 1)
    solid = solid_brain(brain[box], spacing_mm)
    outside = np.sqrt(capped_squared_distance(solid, reach), dtype=np.float32)
    inside = np.sqrt(capped_squared_distance(~solid, reach), dtype=np.float32)
    signed = np.where(solid, 0.5 - inside, outside - 0.5) * np.float32(UNITS_PER_MM * spacing_mm)
    encoded[box] = np.clip(np.rint(signed + SURFACE), 0, 255).astype(np.uint8)
    return encoded


def solid_brain(brain: np.ndarray, spacing_mm: float) -> np.ndarray:
    """The brain as a skull-stripper would mask it.

    Closed by a ball of 4 mm and filled, so that sulci a label map leaves empty are inside. Then cut back to what lies
    within 18 mm of its core (what is deeper than 10 mm, largest piece), which drops the CSF around the spinal cord and
    specks of brain labels elsewhere; boxes keep their corners, and bodies without much of a core stay as they are.

    Args:
        brain: bool (x, y, z), with background around it unless it is cut off by the volume's edge.
        spacing_mm: size of the cubic voxels.

    Returns:
        bool (x, y, z).
    """
    solid = _closed(brain, spacing_mm)
    depth, growth = (max(round(distance / spacing_mm), 1) for distance in (CORE_DEPTH_MM, CORE_GROWTH_MM))
    core = capped_squared_distance(~solid, depth) > depth * depth
    pieces, count = ndimage.label(core)
    if count > 1:
        core = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    if core.sum() < CORE_SHARE * solid.sum():
        return solid
    return solid & (capped_squared_distance(core, growth) <= growth * growth)


def capped_squared_distance(mask: np.ndarray, reach: int) -> np.ndarray:
    """Squared Euclidean distance to the nearest voxel of ``mask``, exact up to ``reach`` voxels.

    One pass per axis takes the minimum over shifts by at most ``reach`` (Felzenszwalb and Huttenlocher 2012, with a
    window in place of the lower envelope): a fifth of the time of SciPy's unbounded transform at 16 voxels.

    Args:
        mask: bool (x, y, z).
        reach: largest distance of interest, voxels.

    Returns:
        uint16 (x, y, z); more than ``reach ** 2`` where no voxel of the mask is that near.
    """
    far = (reach + 1) ** 2
    squared = np.where(mask, 0, far).astype(np.uint16)
    for axis in range(3):
        squared = _windowed_minimum(squared, axis, reach)
    return squared


def _windowed_minimum(squared: np.ndarray, axis: int, reach: int) -> np.ndarray:
    source = np.ascontiguousarray(np.moveaxis(squared, axis, 0))
    nearest = source.copy()
    raised = np.empty_like(source)
    for shift in range(1, min(reach, source.shape[0] - 1) + 1):
        np.add(source, np.uint16(shift * shift), out=raised)
        np.minimum(nearest[shift:], raised[:-shift], out=nearest[shift:])
        np.minimum(nearest[:-shift], raised[shift:], out=nearest[:-shift])
    return np.moveaxis(nearest, 0, axis)


def _closed(brain: np.ndarray, spacing_mm: float) -> np.ndarray:
    radius = round(CLOSING_MM / spacing_mm)
    if radius == 0:
        return brain
    margin = radius + 1  # beyond the volume is air, also where the brain comes near its edge
    grown = capped_squared_distance(np.pad(brain, margin), radius) <= radius * radius
    regions, count = ndimage.label(~grown)
    open_air = np.zeros(count + 1, bool)
    for axis in range(3):
        open_air[np.unique(regions.take((0, -1), axis))] = True
    open_air[0] = False
    closed = capped_squared_distance(open_air[regions], radius) > radius * radius
    return closed[margin:-margin, margin:-margin, margin:-margin] | brain
