"""Resampling of images and of nearest-neighbour labels between grids, in world millimetres."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from otfsynth.volumes.geometry import Grid, isotropic_grid, spacing_of


def resample_to_grid(
    data: np.ndarray, affine: np.ndarray, grid: Grid, order: int = 1, outside: float | None = 0.0
) -> np.ndarray:
    """Sample an image at the voxels of another grid.

    Args:
        data: (x, y, z); converted to float32 unless ``order`` is 0, which keeps its type.
        affine: (4, 4) of ``data``, voxel index to world millimetres.
        grid: where to sample.
        order: 0 nearest neighbour, 1 linear, 3 cubic B-spline.
        outside: value beyond the volume; ``None`` repeats the value at its edge.

    Returns:
        Array of ``grid.shape``.
    """
    mapping = np.linalg.inv(affine) @ grid.affine
    if tuple(grid.shape) == data.shape and np.allclose(mapping, np.eye(4), atol=1e-5):
        return np.array(data, dtype=data.dtype if order == 0 else np.float32)
    linear, shift = mapping[:3, :3], mapping[:3, 3]
    diagonal = np.diag(linear)
    if np.allclose(linear, np.diag(diagonal), atol=1e-6):
        linear = diagonal  # SciPy then samples axis by axis, several times faster
    return ndimage.affine_transform(
        data if order == 0 else data.astype(np.float32, copy=False),
        linear,
        offset=shift,
        output_shape=grid.shape,
        order=order,
        mode="nearest" if outside is None else "constant",
        cval=0.0 if outside is None else outside,
    )


def resample_to_spacing(
    data: np.ndarray, affine: np.ndarray, spacing_mm: float | np.ndarray, order: int = 1, tolerance: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Bring an image to cubic voxels, blurred first along axes that get coarser so that nothing aliases.

    Args:
        data: (x, y, z).
        affine: (4, 4) voxel index to world millimetres.
        spacing_mm: voxel size wanted; one number, or one for each axis.
        order: 1 linear, 3 cubic B-spline.
        tolerance: relative difference of voxel size that is left as it is.

    Returns:
        float32 image on the grid of :func:`otfsynth.volumes.geometry.isotropic_grid`, and that grid's affine.
    """
    values = data.astype(np.float32, copy=False)
    ratios = spacing_mm / spacing_of(affine)
    if np.abs(ratios - 1).max() <= tolerance:
        return np.array(values), affine
    # Variance of a box of the new voxel's width less that of the old one's: the blur that voting would give
    sigmas = np.sqrt(np.maximum(ratios**2 - 1, 0.0) / 12)
    if sigmas.max() > 0.05:
        values = ndimage.gaussian_filter(values, sigmas, mode="nearest")
    x, y, z = data.shape
    grid = isotropic_grid((x, y, z), affine, spacing_mm)
    return resample_to_grid(values, affine, grid, order, outside=None), grid.affine


def resample_masked(
    data: np.ndarray, mask: np.ndarray, affine: np.ndarray, spacing_mm: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`resample_to_spacing`, inside a mask: nothing from outside bleeds into its rim.

    The average of the masked voxels is taken: their blur divided by the mask's.

    Args:
        data: (x, y, z).
        mask: bool (x, y, z).
        affine: (4, 4) of both.
        spacing_mm: voxel size wanted; one number, or one for each axis.

    Returns:
        float32 image, 0 outside the mask; the mask, voxels at least half of which lie in it; and their affine.
    """
    resampled, new_affine = resample_to_spacing(np.where(mask, data, 0), affine, spacing_mm)
    share, _ = resample_to_spacing(mask, affine, spacing_mm)
    inside = share >= 0.5
    return np.divide(resampled, share, out=np.zeros_like(resampled), where=inside), inside, new_affine
