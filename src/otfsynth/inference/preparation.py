"""From a scan to the network's input and back: orientation, spacing, intensities, and the box that holds the head."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.volumes import Grid, resample_to_spacing, to_canonical

logger = logging.getLogger(__name__)


class ImageError(InputError):
    """An image that can't be segmented; the message says why."""


@dataclass(frozen=True)
class PreparedImage:
    """A scan as the network sees it.

    Args:
        data: float32 (x, y, z), RAS, z-scored over its non-zero voxels, cropped to them.
        affine: (4, 4) of ``data``, voxel index to world millimetres.
        canonical: the scan's own grid after reordering its axes to RAS.
        original_affine: (4, 4) of the scan as stored.
    """

    data: np.ndarray
    affine: np.ndarray
    canonical: Grid
    original_affine: np.ndarray


def prepare_image(image: np.ndarray, affine: np.ndarray, spacing_mm: float) -> PreparedImage:
    """Bring a scan to RAS, the working spacing and zero mean and unit variance over its non-zero voxels.

    Args:
        image: (x, y, z) intensities; NaN and infinities are taken as 0.
        affine: (4, 4) voxel index to RAS world millimetres.
        spacing_mm: working voxel size of the network.

    Raises:
        ImageError: not 3-D, or without two different intensities.
    """
    if image.ndim != 3:
        raise ImageError(f"an image of shape {image.shape} is not a 3-D volume; give one volume (x, y, z)")
    if not np.isfinite(image).all():
        logger.warning("%d voxels are not finite; taken as 0", np.count_nonzero(~np.isfinite(image)))
        image = np.nan_to_num(image, posinf=0.0, neginf=0.0)
    canonical, canonical_affine = to_canonical(np.asarray(image, np.float32), affine)
    x, y, z = canonical.shape
    data, data_affine = resample_to_spacing(canonical, canonical_affine, spacing_mm)
    head = data != 0
    if not head.any() or np.ptp(data[head]) == 0:
        raise ImageError("the image is empty or constant: nothing can be segmented in it")
    box = _bounding_box(head)
    corner = np.eye(4)
    corner[:3, 3] = [extent.start for extent in box]
    values = zscore(data[box], head[box])
    return PreparedImage(values, data_affine @ corner, Grid((x, y, z), canonical_affine), affine)


def zscore(data: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(data - mean) / standard deviation over the mask, 0 outside it; float32."""
    values = data[mask].astype(np.float64)
    spread = values.std()
    scaled = (data - values.mean()) / (spread if spread > 0 else 1.0)
    return np.where(mask, scaled, 0.0).astype(np.float32)


def from_canonical(data: np.ndarray, original_affine: np.ndarray) -> np.ndarray:
    """Undo :func:`otfsynth.volumes.to_canonical`: axes in the order and direction of the scan as stored."""
    stored = nib.orientations.io_orientation(original_affine)
    canonical = nib.orientations.axcodes2ornt(("R", "A", "S"))
    return np.ascontiguousarray(
        nib.orientations.apply_orientation(data, nib.orientations.ornt_transform(canonical, stored))
    )


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    extents = []
    for axis in range(3):
        present = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        extents.append(slice(int(present[0]), int(present[-1]) + 1))
    return extents[0], extents[1], extents[2]
