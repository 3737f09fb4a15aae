"""From a scan to the network's input and back: what counts as head, orientation, spacing, intensities."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage

from otfsynth.config.checks import InputError
from otfsynth.volumes import Grid, bounding_box, resample_masked, to_canonical

logger = logging.getLogger(__name__)

EMPTY = "the image is empty or constant: nothing can be segmented in it"
NORMALIZATIONS = ("zscore", "minmax")
RINGING_SHARE = 0.05
"""Negative values below this share of the voxels that are not 0 are the ringing of an interpolation, and are clipped to
0; above it the intensities were centred by whoever made the file, and are kept."""
MISSING_SHARE = 0.001
"""Largest share of the head's voxels that may be NaN or infinite: a few are mended, more are holes in the picture."""


class ImageError(InputError):
    """An image that can't be segmented; the message says why."""


@dataclass(frozen=True)
class PreparedImage:
    """A scan as the network sees it.

    Args:
        data: float32 (x, y, z), RAS, normalised over ``mask``, 0 outside it, cropped to it; (channels, x, y, z) of
            :func:`otfsynth.inference.channels.prepare_channels`.
        mask: bool (x, y, z), the head or, of a stripped scan, the brain.
        affine: (4, 4) of ``data``, voxel index to world millimetres.
        canonical: the scan's own grid after reordering its axes to RAS.
        original_affine: (4, 4) of the scan as stored.
    """

    data: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    canonical: Grid
    original_affine: np.ndarray

    @property
    def first_image(self) -> np.ndarray:
        """(x, y, z) of the first channel that is not missing."""
        if self.data.ndim == 3:
            return self.data
        return np.asarray(next(channel for channel in self.data if channel.any()))


def clean_image(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Take voxels that are not finite as 0, and clip the ringing of interpolated scans.

    NaN is how some programs write "outside"; inside the head it is damage.

    Args:
        image: (x, y, z) intensities as stored.

    Returns:
        float32 image, and the number of voxels that were NaN or infinite.

    Raises:
        ImageError: not 3-D, without two different finite values, or with holes of NaN inside the head.
    """
    if image.ndim != 3:
        raise ImageError(f"an image of shape {image.shape} is not a 3-D volume; give one volume (x, y, z)")
    values = image.astype(np.float32)  # a copy, since it is changed below
    finite = np.isfinite(values) if image.dtype.kind == "f" else np.ones(1, bool)
    missing = int(finite.size - np.count_nonzero(finite))
    if missing:
        values[~finite] = 0
    negative = np.count_nonzero(values < 0)
    if 0 < negative < RINGING_SHARE * np.count_nonzero(values):
        np.maximum(values, 0, out=values)
    seen = values[values != 0]
    if not len(seen) or seen.max() == seen.min():
        raise ImageError(f"{EMPTY}{f' ({missing} voxels are not finite)' if missing else ''}")
    if missing:
        holes = np.count_nonzero(~finite & foreground_mask(values))
        if holes > MISSING_SHARE * len(seen):
            raise ImageError(f"{holes} voxels inside the head are NaN or infinite; export the scan again")
        logger.warning("%d voxels are not finite; taken as 0", missing)
    return values, missing


def foreground_mask(image: np.ndarray) -> np.ndarray:
    """Voxels that are not 0, and those they enclose: fluid that is exactly 0 belongs to the brain; bool (x, y, z)."""
    mask = image != 0
    if not mask.any() or mask.all():
        return mask
    box = bounding_box(mask)
    mask[box] = ndimage.binary_fill_holes(mask[box]) if not mask[box].all() else True
    return mask


def prepare_image(
    image: np.ndarray,
    affine: np.ndarray,
    spacing_mm: float,
    mask: np.ndarray | None = None,
    normalization: str = "zscore",
) -> PreparedImage:
    """Bring a scan to RAS, the working spacing and the intensities that training saw, over its head or brain.

    Training normalises over the voxels that are not 0 and leaves the others at 0; so does this, over the mask. Where
    the voxel size changes, the average of the masked voxels is taken (their blur divided by the mask's), so that
    neither skull nor black outside bleeds into the rim.

    Args:
        image: (x, y, z) intensities; NaN and infinities are taken as 0.
        affine: (4, 4) voxel index to RAS world millimetres.
        spacing_mm: working voxel size of the network.
        mask: bool (x, y, z), what to segment in; by default :func:`foreground_mask`.
        normalization: ``zscore`` or ``minmax``, as in training.

    Raises:
        ImageError: not 3-D, or without two different intensities in the mask.
    """
    values, _ = clean_image(image)
    return prepare_clean_image(values, affine, spacing_mm, mask, normalization)


def prepare_clean_image(
    values: np.ndarray,
    affine: np.ndarray,
    spacing_mm: float,
    mask: np.ndarray | None = None,
    normalization: str = "zscore",
) -> PreparedImage:
    """As :func:`prepare_image`, for what :func:`clean_image` returned."""
    mask = foreground_mask(values) if mask is None else mask.astype(bool)
    if not mask.any():
        raise ImageError("the brain mask is empty: no brain was found in the scan")
    values, canonical_affine = to_canonical(values, affine)
    mask, _ = to_canonical(mask, affine)
    x, y, z = values.shape
    box = bounding_box(mask)
    cropped, kept, box_affine = values[box], mask[box], canonical_affine @ translation(box)
    data, inside, data_affine = resample_masked(cropped, kept, box_affine, spacing_mm)
    if not inside.any():
        raise ImageError(f"the brain mask is smaller than a voxel of {spacing_mm:g} mm: no brain was found in the scan")
    inner = bounding_box(inside)
    normalised = normalise(data[inner], inside[inner], normalization)
    grid = Grid((x, y, z), canonical_affine)
    return PreparedImage(normalised, inside[inner], data_affine @ translation(inner), grid, affine)


def normalise(data: np.ndarray, mask: np.ndarray, normalization: str = "zscore") -> np.ndarray:
    """Scale over the mask, 0 outside it; float32.

    Args:
        data: (x, y, z).
        mask: bool (x, y, z), not empty.
        normalization: ``zscore``, zero mean and unit standard deviation; ``minmax``, [0, 1].

    Raises:
        ImageError: one intensity only.
    """
    values = data[mask]
    if values.min() == values.max():
        raise ImageError(EMPTY)
    if normalization == "zscore":
        offset, scale = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    elif normalization == "minmax":
        offset, scale = values.min(), np.float64(values.max()) - np.float64(values.min())
    else:
        raise ValueError(f"normalization '{normalization}' is unknown; choose one of: {', '.join(NORMALIZATIONS)}")
    return np.where(mask, (data - np.float32(offset)) / np.float32(scale), np.float32(0))


def from_canonical(data: np.ndarray, original_affine: np.ndarray) -> np.ndarray:
    """Undo :func:`otfsynth.volumes.to_canonical`: axes in the order and direction of the scan as stored."""
    stored = nib.orientations.io_orientation(original_affine)
    canonical = nib.orientations.axcodes2ornt(("R", "A", "S"))
    return np.ascontiguousarray(
        nib.orientations.apply_orientation(data, nib.orientations.ornt_transform(canonical, stored))
    )


def translation(box: tuple[slice, slice, slice]) -> np.ndarray:
    """(4, 4) from voxels of a box to voxels of the volume it was cut from."""
    shift = np.eye(4)
    shift[:3, 3] = [extent.start for extent in box]
    return shift
