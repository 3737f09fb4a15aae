"""The mid-sagittal plane of a head, and how the tissues divide between its two sides.

The plane is the one about which the picture of the brain mirrors itself best (Ardekani et al. 1997, IEEE TMI 16:947);
it comes from the intensities, so that a segmentation that fails on one side shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from otfsynth.volumes import spacing_of

WORKING_MM = 5.0
MOST_POINTS = 20_000
START_ANGLES_DEG = (-16.0, 0.0, 16.0)
"""Of the first guesses, about the vertical and about the front axis: heads lie straight to some 20 degrees."""
ANGLE_STEP_DEG, OFFSET_STEP_MM = 6.0, 6.0


@dataclass(frozen=True)
class Plane:
    """Points p of the world with ``normal . p = offset_mm``.

    Args:
        normal: (3,) unit vector to the patient's right.
        offset_mm: distance of the plane from the origin of the world.
        likeness: correlation of the brain with its mirror image, at most 1.
    """

    normal: np.ndarray
    offset_mm: float
    likeness: float


def midsagittal_plane(image: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> Plane:
    """Plane of best mirror symmetry.

    Args:
        image: (x, y, z) in RAS order, normalised inside the mask, 0 outside.
        mask: bool (x, y, z), not empty.
        affine: (4, 4) voxel index to RAS world millimetres.
    """
    steps = np.maximum(np.rint(WORKING_MM / spacing_of(affine)).astype(int), 1)
    stride = tuple(slice(None, None, step) for step in steps)
    # Inside the brain everything differs from the 0 outside, whatever the contrast: the outline counts, too
    picture = ndimage.gaussian_filter(np.where(mask, image + 3.0, np.float32(0)), steps / 2, truncate=3.0)[stride]
    grid_affine = affine @ np.diag([*steps, 1])
    voxels = np.argwhere(mask[stride])
    if len(voxels) < 10:
        voxels = np.argwhere(picture >= picture.max() / 2)
    voxels = voxels[:: -(-len(voxels) // MOST_POINTS)]
    points = voxels @ grid_affine[:3, :3].T + grid_affine[:3, 3]
    values = picture[tuple(voxels.T)]
    to_voxels = np.linalg.inv(grid_affine)
    centre, axes = points.mean(axis=0), grid_affine[:3, :3] / spacing_of(grid_affine)

    def unlikeness(parameters: np.ndarray) -> float:
        normal = _normal(parameters[0], parameters[1], axes)
        distances = (points - centre) @ normal - parameters[2]
        mirrored = points - 2 * distances[:, None] * normal
        places = (mirrored @ to_voxels[:3, :3].T + to_voxels[:3, 3]).T
        seen = ndimage.map_coordinates(picture, places, order=1, mode="constant")
        return -_correlation(values, seen)

    starts = [np.array([yaw, roll, 0.0]) for yaw in START_ANGLES_DEG for roll in START_ANGLES_DEG]
    start = min(starts, key=unlikeness)
    simplex = start + np.array([[0, 0, 0], [ANGLE_STEP_DEG, 0, 0], [0, ANGLE_STEP_DEG, 0], [0, 0, OFFSET_STEP_MM]])
    best = optimize.minimize(
        unlikeness, start, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-5}
    )
    normal = _normal(best.x[0], best.x[1], axes)
    return Plane(normal, float(normal @ centre + best.x[2]), float(-best.fun))


def side_volumes(labels: np.ndarray, affine: np.ndarray, plane: Plane, count: int) -> np.ndarray:
    """Voxels of every label on either side of a plane.

    A voxel that the plane cuts is divided by the distance of its centre.

    Args:
        labels: uint8 (x, y, z).
        affine: (4, 4) voxel index to RAS world millimetres.
        plane: divides left from right.
        count: number of labels.

    Returns:
        float64 (2, labels): left and right, in voxels.
    """
    slope = plane.normal @ affine[:3, :3]  # millimetres to the right of the plane, per voxel along each axis
    start = plane.normal @ affine[:3, 3] - plane.offset_mm
    width = np.abs(slope).sum()
    _, y, z = labels.shape
    across = slope[1] * np.arange(y)[:, None] + slope[2] * np.arange(z)
    totals = np.zeros((2, count))
    for index, section in enumerate(labels):  # a section at a time: the distances of a whole scan would be gigabytes
        present = section > 0
        if not present.any():
            continue
        right = np.clip(0.5 + (across[present] + slope[0] * index + start) / width, 0, 1)
        values = section[present]
        totals[1] += np.bincount(values, right, count)
        totals[0] += np.bincount(values, 1 - right, count)
    return totals


def asymmetry(sides: np.ndarray) -> np.ndarray:
    """Index of asymmetry (right - left) / (right + left), in [-1, 1]; (2, labels) -> (labels,), NaN where empty."""
    total = sides.sum(axis=0)
    return np.divide(sides[1] - sides[0], total, out=np.full(len(total), np.nan), where=total > 0)


def _normal(yaw_deg: float, roll_deg: float, axes: np.ndarray) -> np.ndarray:
    """The x axis of a volume turned about its z axis, then about its y axis; ``axes`` (3, 3) has unit columns."""
    yaw, roll = np.deg2rad(yaw_deg), np.deg2rad(roll_deg)
    turned = axes @ np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw), np.cos(yaw) * np.sin(roll)])
    return np.asarray(turned / np.linalg.norm(turned))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first - first.mean(), second - second.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0
