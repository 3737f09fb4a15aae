"""Steps of image preparation that change the grid; the world position of what is shown never changes."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np

from otfsynth.volumes import bounding_box


def reorient(data: np.ndarray, affine: np.ndarray, code: str) -> tuple[np.ndarray, np.ndarray]:
    """Reorder and flip axes so that they point nearest to the directions of a code such as ``LPS``.

    Args:
        data: (x, y, z).
        affine: (4, 4) voxel index to RAS world millimetres.
        code: letters of R or L, A or P, S or I: where the three axes point.

    Returns:
        A view of ``data``, and its affine.
    """
    wanted = nib.orientations.axcodes2ornt(tuple(code))
    turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(affine), wanted)
    turned = nib.orientations.apply_orientation(data, turn)
    return turned, affine @ nib.orientations.inv_ornt_aff(turn, data.shape)


def crop_or_pad(
    data: np.ndarray, mask: np.ndarray, affine: np.ndarray, shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Cut or fill up with 0 to a shape, with the middle of the mask's box in the middle.

    Args:
        data: (x, y, z).
        mask: bool (x, y, z), not empty.
        affine: (4, 4) of both.
        shape: voxels per axis of the result.

    Returns:
        Image, mask, their affine, and the number of masked voxels that were cut off.
    """
    box = bounding_box(mask)
    starts = [(extent.start + extent.stop - size) // 2 for extent, size in zip(box, shape, strict=True)]
    taken = tuple(
        slice(max(start, 0), min(start + size, length))
        for start, size, length in zip(starts, shape, data.shape, strict=True)
    )
    placed = tuple(slice(part.start - start, part.stop - start) for part, start in zip(taken, starts, strict=True))
    image, inside = np.zeros(tuple(shape), data.dtype), np.zeros(tuple(shape), bool)
    image[placed], inside[placed] = data[taken], mask[taken]
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array(starts, float)
    return image, inside, moved, int(mask.sum() - inside.sum())
