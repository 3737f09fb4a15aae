"""Numbers of the image-quality study: intensity statistics of one image, likeness of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otfsynth.evaluation.image_quality import PreparedImage

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
ENTROPY_BINS = 256
STATISTICS = (
    "mean",
    "std",
    "skewness",
    "kurtosis",
    "entropy_bits",
    *(f"p{percentile:02d}" for percentile in PERCENTILES),
    "foreground_ml",
)


@dataclass(frozen=True)
class Likeness:
    """How like two images are; 1 and infinity for equal ones.

    Args:
        ssim: mean structural similarity over whole axial slices, background included.
        ssim_foreground: the same map, averaged over the foreground of either image.
        psnr_db: peak signal-to-noise ratio over the whole box, peak 1.
        psnr_foreground_db: the same over the foreground of either image.
    """

    ssim: float
    ssim_foreground: float
    psnr_db: float
    psnr_foreground_db: float


def intensity_statistics(prepared: PreparedImage, spacing_mm: float) -> dict[str, float]:
    """Statistics of the normalised intensities in the foreground.

    ``kurtosis`` is the excess over a normal distribution, ``skewness`` the standardised third moment;
    ``entropy_bits`` is Shannon's, of a histogram of 256 bins over [0, 1]; ``foreground_ml`` is what lies in the box.
    """
    from scipy import stats

    values = prepared.image[prepared.foreground].astype(np.float64)
    counts, _ = np.histogram(values, ENTROPY_BINS, (0.0, 1.0))
    percentiles = np.percentile(values, PERCENTILES)
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "skewness": float(stats.skew(values)),
        "kurtosis": float(stats.kurtosis(values)),
        "entropy_bits": float(stats.entropy(counts, base=2)),
        **{f"p{percentile:02d}": float(value) for percentile, value in zip(PERCENTILES, percentiles, strict=True)},
        "foreground_ml": len(values) * spacing_mm**3 / 1000,
    }


def histogram(prepared: PreparedImage, bins: int) -> np.ndarray:
    """Density (bins,) of the foreground's intensities over [0, 1]; its mean is 1."""
    density, _ = np.histogram(prepared.image[prepared.foreground], bins, (0.0, 1.0), density=True)
    return density


def likeness(first: PreparedImage, second: PreparedImage, slice_step: int = 1) -> Likeness:
    """Compare two prepared images.

    SSIM (Wang et al., IEEE TIP 2004) is that of scikit-image with its default window, 7 x 7 voxels, uniform, data range
    1; of every ``slice_step``-th axial slice in which either image has foreground. PSNR is of all voxels.

    Raises:
        ValueError: the images have different shapes, or slices smaller than the window.
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    either = first.foreground | second.foreground
    slices = np.flatnonzero(either.any((0, 1)))[::slice_step]
    means, inside_sum, inside_count = [], 0.0, 0
    for z in slices:
        mean, local = structural_similarity(first.image[:, :, z], second.image[:, :, z], data_range=1.0, full=True)
        means.append(float(mean))
        inside_sum += float(local[either[:, :, z]].sum())
        inside_count += int(either[:, :, z].sum())
    with np.errstate(divide="ignore"):  # equal images: infinite
        whole = peak_signal_noise_ratio(first.image, second.image, data_range=1.0)
        inside = peak_signal_noise_ratio(first.image[either], second.image[either], data_range=1.0)
    return Likeness(float(np.mean(means)), inside_sum / inside_count, float(whole), float(inside))
