"""Images made comparable: one spacing, one box, one intensity range, for synthetic and real scans alike.

The steps, in this order: axes to RAS; foreground (given, or the voxels that are not 0); resampling to cubic voxels,
blurred where they get coarser; a box around the foreground's centre of mass, cut out by whole voxels, so that brains
lie over each other but nothing is turned, scaled or registered; intensities of the foreground to [0, 1]; 0 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.volumes import resample_masked, to_canonical

ROBUST_PERCENTILES = (0.5, 99.5)
NORMALIZATIONS = ("robust", "minmax")
FEW_NEGATIVES = 0.01
"""Share of negative voxels up to which they are taken for the overshoot of an interpolation and set to 0."""


class ImageQualityError(InputError):
    """An image that can't be compared; the message names it and says what to do."""


@dataclass(frozen=True)
class Preparation:
    """How images are made comparable.

    Args:
        spacing_mm: edge of the cubic voxels.
        box_mm: extent of the box (x, y, z).
        normalization: ``robust`` maps the 0.5th and 99.5th percentile of the foreground to 0 and 1 and clips;
            ``minmax`` its smallest and largest value.
    """

    spacing_mm: float = 1.0
    box_mm: tuple[float, float, float] = (176.0, 208.0, 176.0)
    normalization: str = "robust"

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of the box."""
        x, y, z = (max(round(extent / self.spacing_mm), 1) for extent in self.box_mm)
        return x, y, z


@dataclass(frozen=True)
class PreparedImage:
    """An image that can be compared with others of the same :class:`Preparation`.

    Args:
        image: float32 (x, y, z) in [0, 1], 0 outside the foreground.
        foreground: bool, of the same shape.
    """

    image: np.ndarray
    foreground: np.ndarray


def foreground_of(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that are not 0; NaN and few negative values become 0 before.

    Returns:
        float32 intensities and the foreground, bool.
    """
    values = np.nan_to_num(data.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    negative = values < 0
    if 0 < negative.sum() <= FEW_NEGATIVES * np.count_nonzero(values):
        values[negative] = 0.0
    return values, values != 0


def brain_of(labels: np.ndarray) -> np.ndarray:
    """What a map of targets labels, with gaps of up to four voxels closed and holes filled; bool."""
    from scipy import ndimage

    reach = 2
    padded = np.pad(labels > 0, reach)
    closed = ndimage.binary_closing(padded, ndimage.generate_binary_structure(3, 1), iterations=reach)
    filled = ndimage.binary_fill_holes(closed)
    return np.asarray(filled[(slice(reach, -reach),) * 3], bool)


def prepare(
    data: np.ndarray, affine: np.ndarray, preparation: Preparation, name: str, region: np.ndarray | None = None
) -> PreparedImage:
    """Make an image comparable, as the module describes.

    Args:
        data: (x, y, z) intensities.
        affine: (4, 4) voxel index to RAS world millimetres.
        preparation: the common space and range.
        name: of the image, for messages.
        region: bool (x, y, z), narrows the foreground, e.g. to the brain of a whole head.

    Raises:
        ImageQualityError: nothing is in the foreground, all of it has one value, or ``region`` has another shape.
    """
    if region is not None and region.shape != data.shape:
        raise ImageQualityError(f"'{name}' has the shape {data.shape}, its labels {region.shape}; mend the data set")
    turned, turned_affine = to_canonical(data, affine)
    values, foreground = foreground_of(turned)
    if region is not None:
        foreground &= to_canonical(region, affine)[0]
    image, inside, _ = resample_masked(values, foreground, turned_affine, preparation.spacing_mm)
    if not inside.any():
        raise ImageQualityError(f"'{name}' is 0 everywhere; it holds nothing to compare")
    corner = _corner(inside, preparation.size)
    image, inside = (_box(volume, corner, preparation.size) for volume in (image, inside))
    return PreparedImage(_normalised(image, inside, preparation.normalization, name), inside)


def _corner(foreground: np.ndarray, size: tuple[int, int, int]) -> tuple[int, ...]:
    """First voxel of a box whose middle is the foreground's centre of mass; may lie outside the volume."""
    places = np.nonzero(foreground)
    return tuple(round(float(along.mean()) - (extent - 1) / 2) for along, extent in zip(places, size, strict=True))


def _box(volume: np.ndarray, corner: tuple[int, ...], size: tuple[int, int, int]) -> np.ndarray:
    """Cut the box out; what lies beyond the volume is 0."""
    box = np.zeros(size, volume.dtype)
    taken, placed = [], []
    for first, wanted, there in zip(corner, size, volume.shape, strict=True):
        low, high = max(first, 0), min(first + wanted, there)
        taken.append(slice(low, max(high, low)))
        placed.append(slice(low - first, max(high, low) - first))
    box[tuple(placed)] = volume[tuple(taken)]
    return box


def _normalised(image: np.ndarray, inside: np.ndarray, normalization: str, name: str) -> np.ndarray:
    values = image[inside]
    if normalization == "robust":
        low, high = (float(limit) for limit in np.percentile(values, ROBUST_PERCENTILES))
    else:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        raise ImageQualityError(f"'{name}' has the value {low:g} in all of its foreground; it shows nothing")
    scaled = np.clip((image - low) / (high - low), 0.0, 1.0)
    return np.where(inside, scaled, 0.0).astype(np.float32)
