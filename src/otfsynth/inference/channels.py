"""Several images of one head, as a network of several channels sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otfsynth.inference.preparation import (
    ImageError,
    PreparedImage,
    clean_image,
    foreground_mask,
    normalise,
    translation,
)
from otfsynth.volumes import Grid, bounding_box, resample_masked, resample_to_grid, to_canonical


def prepare_channels(
    images: Sequence[np.ndarray | None],
    affines: Sequence[np.ndarray | None],
    spacing_mm: float,
    mask: np.ndarray | None = None,
    normalization: str = "zscore",
) -> PreparedImage:
    """Bring the images of one head to the grid of the first, and each to the intensities that training saw.

    Training normalises every channel over its own voxels that are not 0, and leaves a missing channel at 0.

    Args:
        images: (x, y, z) intensities of each channel in the order of training; ``None`` where it is missing.
        affines: (4, 4) voxel index to RAS world millimetres of each; images that lie elsewhere than the first are
            resampled to it, and so must show the same head in the same world coordinates.
        spacing_mm: working voxel size of the network.
        mask: bool on the grid of the first image, what to segment in; by default where any channel is not 0.
        normalization: ``zscore`` or ``minmax``, as in training.

    Returns:
        ``data`` has the shape (channels, x, y, z); everything else is as of :func:`.preparation.prepare_image` for the
        first image.

    Raises:
        ImageError: no image at all, or one that is not 3-D, is constant, or shows nothing inside the mask.
    """
    given = [number for number, image in enumerate(images) if image is not None]
    if not given:
        raise ImageError("every channel is missing; give at least one image")
    placed = _on_one_grid(images, affines, given)
    affine = np.asarray(affines[given[0]], np.float64)
    inside = [foreground_mask(image) for image in placed.values()]
    whole = np.logical_or.reduce(inside) if mask is None else mask.astype(bool)
    if not whole.any():
        raise ImageError("the brain mask is empty: no brain was found in the scan")
    own = dict(zip(given, (of_channel & whole for of_channel in inside), strict=True))
    canonical, canonical_affine = to_canonical(whole, affine)
    x, y, z = canonical.shape
    box = bounding_box(canonical)
    box_affine = canonical_affine @ translation(box)
    _, kept, data_affine = resample_masked(canonical[box].astype(np.float32), canonical[box], box_affine, spacing_mm)
    if not kept.any():
        raise ImageError(f"the brain mask is smaller than a voxel of {spacing_mm:g} mm: no brain was found in the scan")
    inner = bounding_box(kept)
    data = np.zeros((len(images), *kept[inner].shape), np.float32)
    for number, image in placed.items():
        values, seen = (to_canonical(volume, affine)[0][box] for volume in (image, own[number]))
        if not seen.any():
            raise ImageError(f"channel {number} shows nothing where the others do; are all images of the same head?")
        resampled, seen, _ = resample_masked(values, seen, box_affine, spacing_mm)
        data[number] = normalise(resampled[inner], seen[inner], normalization)
    grid = Grid((x, y, z), canonical_affine)
    return PreparedImage(data, kept[inner], data_affine @ translation(inner), grid, affine)


def _on_one_grid(
    images: Sequence[np.ndarray | None], affines: Sequence[np.ndarray | None], given: Sequence[int]
) -> dict[int, np.ndarray]:
    """Cleaned images by channel, on the grid of the first that is given."""
    placed: dict[int, np.ndarray] = {}
    grid: Grid | None = None
    for number in given:
        image, affine = images[number], affines[number]
        if image is None or affine is None:
            raise ImageError(f"channel {number} has an image but no affine; give both")
        try:
            values, _ = clean_image(image)
        except ImageError as error:
            raise ImageError(f"channel {number}: {error}") from error
        if grid is None:
            x, y, z = values.shape
            grid = Grid((x, y, z), np.asarray(affine, np.float64))
        placed[number] = resample_to_grid(values, np.asarray(affine, np.float64), grid)
    return placed
