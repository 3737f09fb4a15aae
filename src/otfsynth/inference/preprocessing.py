"""Image preparation: the steps that one configuration asks for, in one order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.config.preprocess import PreparationConfig
from otfsynth.inference.grid_steps import crop_or_pad, reorient
from otfsynth.inference.intensity_steps import clip_to_percentiles, correct_bias, denoise, match_histogram
from otfsynth.inference.preparation import clean_image, foreground_mask, normalise
from otfsynth.volumes import Volume, read_volume, resample_masked, spacing_of

logger = logging.getLogger(__name__)


class PreprocessingError(InputError):
    """A scan that can't be prepared; the message says why."""


@dataclass(frozen=True)
class Prepared:
    """A prepared scan.

    Args:
        volume: float32, 0 outside the mask.
        mask: bool (x, y, z) on its grid.
    """

    volume: Volume
    mask: np.ndarray


def preprocess(volume: Volume, config: PreparationConfig, mask: np.ndarray | None = None) -> Volume:
    """Prepare one scan; see :func:`prepare_scan`, which returns the mask too."""
    return prepare_scan(volume, config, mask).volume


def prepare_scan(
    volume: Volume, config: PreparationConfig, mask: np.ndarray | None = None, reference: np.ndarray | None = None
) -> Prepared:
    """Bias correction and denoising on the scan's own grid; then its new grid; then intensities over the mask.

    Args:
        volume: the scan.
        config: which steps.
        mask: bool (x, y, z), what is kept; by default all voxels that are not 0, and those they enclose.
        reference: what :func:`reference_intensities` returned, to read that scan once for many; by default it is read.

    Raises:
        ImageError: nothing but one intensity.
        PreprocessingError: the mask is empty, or vanishes at the new voxel size.
    """
    data, _ = clean_image(volume.data)
    mask = foreground_mask(data) if mask is None else mask
    if not mask.any():
        raise PreprocessingError(f"the mask of '{volume.name}' is empty: there is nothing to prepare")
    spacing = [float(size) for size in spacing_of(volume.affine)]
    if config.bias_correction:
        data = correct_bias(data, mask, spacing, config.bias_shrink)
    if config.denoising:
        data = denoise(data, spacing)
    data, mask, affine = _to_grid(data, mask, volume, config)
    if config.clip_percentiles is not None:
        data = clip_to_percentiles(data, mask, config.clip_percentiles)
    if config.histogram_reference is not None:
        data = match_histogram(data, mask, reference_intensities(config) if reference is None else reference)
    data = np.where(mask, data, 0) if config.normalization == "none" else normalise(data, mask, config.normalization)
    return Prepared(Volume(np.asarray(data, np.float32), affine, volume.name, volume.header), mask)


def reference_intensities(config: PreparationConfig) -> np.ndarray:
    """Intensities of the scan that ``histogram_reference`` names, where it is not 0; float32 (n,).

    Raises:
        VolumeError, ImageError: it can't be read, or is empty.
    """
    assert config.histogram_reference is not None
    data, _ = clean_image(read_volume(Path(config.histogram_reference).expanduser()).data)
    return data[foreground_mask(data)]


def _to_grid(
    data: np.ndarray, mask: np.ndarray, volume: Volume, config: PreparationConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    affine = volume.affine
    if config.orientation is not None:
        mask, _ = reorient(mask, affine, config.orientation)
        data, affine = reorient(data, affine, config.orientation)
    if config.spacing_mm is not None:
        data, mask, affine = resample_masked(data, mask, affine, np.asarray(config.spacing_mm, float))
        if not mask.any():
            raise PreprocessingError(f"the mask of '{volume.name}' is smaller than a voxel of {config.spacing_mm} mm")
    if config.shape is not None:
        data, mask, affine, lost = crop_or_pad(data, mask, affine, config.shape)
        if lost:
            logger.warning("%s: steps.shape=%s cuts off %d voxels of its mask", volume.name, list(config.shape), lost)
    return data, mask, affine
