"""Steps of image preparation that change intensities, each a function of an image and its mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BIAS_ITERATIONS = (50, 50, 50, 50)
"""One number for each level of N4's pyramid of splines; ANTs' defaults."""
FLOW_ITERATIONS = 5
STABLE_TIME_STEP = 1 / 16
"""Of curvature flow in three dimensions, for voxels of size 1."""


def correct_bias(data: np.ndarray, mask: np.ndarray, spacing_mm: Sequence[float], shrink: int = 4) -> np.ndarray:
    """Divide by the smooth field that N4 finds (Tustison et al., 2010).

    The field has a geometric mean of 1 over the mask, so that the level of the intensities stays.

    Args:
        data: float32 (x, y, z). Voxels of the mask that are not above 0 are divided, but not used to find the field.
        mask: bool (x, y, z), the tissue whose histogram is sharpened.
        spacing_mm: voxel size per axis.
        shrink: the field is estimated on every so many voxels per axis, fewer along axes of few voxels.
    """
    import SimpleITK  # late: takes a while to import

    usable = mask & (data > 0)
    if not usable.any():
        return data
    image, inside = _to_itk(data, spacing_mm), _to_itk(usable.astype(np.uint8), spacing_mm)
    factors = [max(1, min(shrink, size // 8)) for size in data.shape]
    n4 = SimpleITK.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(BIAS_ITERATIONS)
    n4.Execute(SimpleITK.Shrink(image, factors), SimpleITK.Shrink(inside, factors))
    field = _from_itk(n4.GetLogBiasFieldAsImage(image))
    return np.asarray(data / np.exp(field - field[usable].mean()), np.float32)


def denoise(data: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Smooth tissue and keep its borders, by curvature flow (Malladi and Sethian, 1996).

    It moves level sets by their curvature and so has no intensity to choose, as anisotropic diffusion (conductance) and
    non-local means (noise level) have: it does the same to every contrast and scale.

    Args:
        data: float32 (x, y, z).
        spacing_mm: voxel size per axis; along axes of thick slices less is smoothed.
    """
    import SimpleITK

    time_step = STABLE_TIME_STEP * min(spacing_mm) ** 2
    return _from_itk(SimpleITK.CurvatureFlow(_to_itk(data, spacing_mm), time_step, FLOW_ITERATIONS))


def clip_to_percentiles(data: np.ndarray, mask: np.ndarray, percentiles: Sequence[float]) -> np.ndarray:
    """Cut intensities at two percentiles of the masked ones."""
    low, high = np.percentile(data[mask], percentiles)
    return np.clip(data, low, high)


def match_histogram(data: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Give the masked voxels the distribution of others: the k-th percentile becomes the k-th percentile.

    Args:
        data: (x, y, z).
        mask: bool (x, y, z); other voxels stay as they are.
        reference: intensities of the masked voxels of another scan, any shape.
    """
    from skimage.exposure import match_histograms

    matched = data.astype(np.float32)
    matched[mask] = match_histograms(data[mask], reference.ravel())
    return matched


def _to_itk(data: np.ndarray, spacing_mm: Sequence[float]) -> Any:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(data.transpose(2, 1, 0)))  # ITK's arrays are (z, y, x)
    image.SetSpacing([float(size) for size in spacing_mm])
    return image


def _from_itk(image: Any) -> np.ndarray:
    import SimpleITK

    return np.asarray(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), np.float32)
