"""Where voxels lie: orientation and grids, in RAS world millimetres.

A voxel index names the **centre** of a voxel; a volume of n voxels of size s reaches from -s/2 to (n - 1/2) s along its
axis. Changing the voxel size keeps the middle of that extent in place, so that nothing shifts by half a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np


@dataclass(frozen=True)
class Grid:
    """A lattice of voxels in the world.

    Args:
        shape: voxels per axis.
        affine: (4, 4) voxel index to RAS world millimetres.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Voxel size along each axis in millimetres, shape (3,)."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def to_canonical(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reorder and flip axes to the nearest RAS+ order; no voxel is interpolated, oblique angles stay in the affine.

    Args:
        data: (x, y, z) or (x, y, z, channels).
        affine: (4, 4) voxel index to RAS world millimetres.

    Returns:
        A view of ``data`` in RAS+ order and its affine.
    """
    orientation = nib.orientations.io_orientation(affine)
    turned = nib.orientations.apply_orientation(data, orientation)
    return turned, affine @ nib.orientations.inv_ornt_aff(orientation, data.shape[:3])


def isotropic_grid(shape: tuple[int, int, int], affine: np.ndarray, spacing_mm: float | np.ndarray) -> Grid:
    """Grid of cubic voxels with the axes and the middle of the given one, covering all of it.

    Args:
        shape: voxels per axis of the given grid.
        affine: (4, 4) of the given grid.
        spacing_mm: voxel size of the new grid; three numbers give each axis its own, and voxels that are no cubes.
    """
    ratio = spacing_mm / spacing_of(affine)
    sizes = np.maximum(np.ceil(np.asarray(shape) / ratio - 1e-3), 1).astype(int)  # 1e-3: rounding in headers
    scaled = affine.copy()
    scaled[:3, :3] = affine[:3, :3] * ratio
    middle = affine[:3, :3] @ ((np.asarray(shape) - 1) / 2) + affine[:3, 3]
    scaled[:3, 3] = middle - scaled[:3, :3] @ ((sizes - 1) / 2)
    x, y, z = (int(size) for size in sizes)
    return Grid((x, y, z), scaled)


def corner_distance_mm(one: Grid, other: Grid) -> float:
    """Largest distance between corner voxels of two grids of one shape; 0 where they coincide."""
    corners = np.array([[*corner, 1] for corner in np.ndindex(2, 2, 2)]) * [*(np.array(one.shape) - 1), 1]
    return float(np.linalg.norm((corners @ (one.affine - other.affine).T)[:, :3], axis=1).max())


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """Smallest box around a mask, widened by ``margin`` voxels as far as the volume goes.

    Args:
        mask: bool (x, y, z).
        margin: voxels on every side.

    Raises:
        ValueError: the mask is empty.
    """
    extents = []
    for axis in range(3):
        present = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(present):
            raise ValueError("an empty mask has no bounding box")
        extents.append(slice(max(int(present[0]) - margin, 0), min(int(present[-1]) + 1 + margin, mask.shape[axis])))
    return extents[0], extents[1], extents[2]
