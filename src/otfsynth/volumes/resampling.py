"""Resampling of images and of nearest-neighbour labels between grids, in world millimetres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from otfsynth.volumes.geometry import Grid, isotropic_grid, spacing_of

FACE_TOLERANCE = 1e-3
"""Voxels beyond a face of a volume that are still in it: rounding in headers."""


def resample_to_grid(
    data: np.ndarray, affine: np.ndarray, grid: Grid, order: int = 1, outside: float | None = 0.0
) -> np.ndarray:
    """Sample an image at the voxels of another grid.

    A volume reaches to the faces of its outermost voxels, half a voxel beyond their centres, where it has their values.

    Args:
        data: (x, y, z); converted to float32 unless ``order`` is 0, which keeps its type.
        affine: (4, 4) of ``data``, voxel index to world millimetres.
        grid: where to sample.
        order: 0 nearest neighbour, 1 linear, 3 cubic B-spline.
        outside: value beyond the faces of the volume; ``None`` repeats the value at its edge.

    Returns:
        Array of ``grid.shape``.
    """
    mapping = np.linalg.inv(affine) @ grid.affine
    if tuple(grid.shape) == data.shape and np.allclose(mapping, np.eye(4), atol=1e-5):
        return np.array(data, dtype=data.dtype if order == 0 else np.float32)
    linear, shift = mapping[:3, :3], mapping[:3, 3]
    along_axes = np.allclose(linear, np.diag(np.diag(linear)), atol=1e-6)
    if along_axes:
        linear = np.diag(np.diag(linear))
    sampled = ndimage.affine_transform(
        data if order == 0 else data.astype(np.float32, copy=False),
        np.diag(linear) if along_axes else linear,  # SciPy samples axis by axis then, several times faster
        offset=shift,
        output_shape=grid.shape,
        order=order,
        mode="nearest",
    )
    if outside is not None:
        for beyond in _beyond_faces(data.shape, linear, shift, grid.shape):
            np.copyto(sampled, sampled.dtype.type(outside), where=beyond)
    return sampled


def _beyond_faces(
    shape: tuple[int, ...], linear: np.ndarray, shift: np.ndarray, sampled: tuple[int, int, int]
) -> Iterator[np.ndarray]:
    """For each axis of a volume, where samples lie beyond its two faces.

    Args:
        shape: of the volume.
        linear: (3, 3) sample index to voxel index.
        shift: (3,) voxel index of the first sample.
        sampled: shape of the samples.

    Yields:
        bool arrays that broadcast to ``sampled``, of length 1 along axes that do not matter.
    """
    indices = [index.astype(np.float32) for index in np.ogrid[tuple(slice(size) for size in sampled)]]
    for size, row, begin in zip(shape, linear, shift, strict=True):
        terms = [np.float32(weight) * index for weight, index in zip(row, indices, strict=True) if weight]
        place = sum(terms, np.float32(begin - (size - 1) / 2))  # from the middle of the volume
        yield np.abs(place) > size / 2 + FACE_TOLERANCE


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
