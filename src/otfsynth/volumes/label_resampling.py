"""Label maps at another voxel size: no label appears, vanishes at an edge or shifts by half a voxel.

Every label's share of each new voxel is computed, and the largest share wins. Along an axis that gets coarser the
share is the overlap of old and new voxels (a vote); along one that gets finer it is linear interpolation. Each label is
worked on in its own bounding box, so the cost grows with the labels' volumes, not with their number.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse

from otfsynth.volumes.geometry import isotropic_grid, spacing_of


def resample_labels_to_spacing(
    indices: np.ndarray, affine: np.ndarray, spacing_mm: float, tolerance: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a label map to cubic voxels; orientation and the middle of the field of view stay.

    Args:
        indices: uint8 (x, y, z), 0 being background.
        affine: (4, 4) voxel index to world millimetres.
        spacing_mm: voxel size wanted.
        tolerance: relative difference of voxel size that is left as it is.

    Returns:
        uint8 map on the grid of :func:`otfsynth.volumes.geometry.isotropic_grid`, and that grid's affine.
    """
    if np.abs(spacing_of(affine) / spacing_mm - 1).max() <= tolerance:
        return indices, affine
    shape = (int(indices.shape[0]), int(indices.shape[1]), int(indices.shape[2]))
    grid = isotropic_grid(shape, affine, spacing_mm)
    ratios = spacing_mm / spacing_of(affine)
    weights = [share_matrix(old, new, float(ratio)) for old, new, ratio in zip(shape, grid.shape, ratios, strict=True)]
    best_share = np.zeros(grid.shape, np.float32)
    total_share = np.zeros(grid.shape, np.float32)
    winner = np.zeros(grid.shape, np.uint8)
    for index, box in enumerate(ndimage.find_objects(indices), start=1):
        if box is None:
            continue
        reach, share = _share_in_box(indices[box] == index, box, weights)
        total_share[reach] += share
        better = share > best_share[reach]
        best_share[reach] = np.where(better, share, best_share[reach])
        winner[reach] = np.where(better, np.uint8(index), winner[reach])
    winner[1.0 - total_share > best_share + 1e-5] = 0
    return winner, grid.affine


def share_matrix(old: int, new: int, ratio: float) -> sparse.csr_array:
    """Share of each old voxel in each new one along one axis.

    Args:
        old: number of old voxels.
        new: number of new voxels, with the same middle.
        ratio: new voxel size over old voxel size.

    Returns:
        float32 (new, old); every row sums to 1.
    """
    centres = (old - 1) / 2 + ratio * (np.arange(new) - (new - 1) / 2)
    half = max(ratio, 1.0) / 2
    columns = np.floor(centres - half + 0.5).astype(int)[:, None] + np.arange(int(np.ceil(2 * half)) + 2)
    if ratio > 1:
        low = np.maximum(columns - 0.5, (centres - half)[:, None])
        high = np.minimum(columns + 0.5, (centres + half)[:, None])
        shares = np.maximum(high - low, 0.0) / ratio
    else:
        shares = np.maximum(1 - np.abs(columns - centres[:, None]), 0.0)
    rows = np.broadcast_to(np.arange(new)[:, None], columns.shape)
    edges = np.clip(columns, 0, old - 1)  # what reaches beyond the edge counts as more of the edge voxel
    matrix = sparse.coo_array((shares.ravel().astype(np.float32), (rows.ravel(), edges.ravel())), shape=(new, old))
    return matrix.tocsr()


def _share_in_box(
    mask: np.ndarray, box: tuple[slice, ...], weights: list[sparse.csr_array]
) -> tuple[tuple[slice, ...], np.ndarray]:
    share = mask.astype(np.float32)
    reach = []
    for axis, (extent, matrix) in enumerate(zip(box, weights, strict=True)):
        part = matrix[:, extent.start : extent.stop]
        rows = np.flatnonzero(np.diff(part.indptr))
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        reach.append(span)
        lines = np.moveaxis(share, axis, 0)
        blended = part[span] @ lines.reshape(lines.shape[0], -1)
        share = np.moveaxis(blended.reshape(-1, *lines.shape[1:]), 0, axis)
    return tuple(reach), share
