"""The simulated scanner: point spread function and sampling per axis, Rician noise, and back to the working grid."""

from __future__ import annotations

import math

import numpy as np

from otfsynth.types import SampleKey
from tests.references.random import STAGES, row_normals


def low_size(size: int, spacing: float) -> int:
    """Number of samples that a scan of this spacing takes of an axis."""
    return size if spacing == 1 else math.ceil(size / spacing - 1e-9)  # 42 / 1.4 is 30.000000000000004


def sample_positions(size: int, spacing: float) -> np.ndarray:
    """Positions of the samples, voxels of the patch, symmetric about its middle."""
    count = low_size(size, spacing)
    return (size - 1) / 2 + (np.arange(count) - (count - 1) / 2) * spacing


def interpolation_matrix(size: int, positions: np.ndarray) -> np.ndarray:
    """Linear interpolation of an axis at positions clamped to it, float64 (positions, size)."""
    clamped = np.clip(positions, 0, size - 1)
    return np.maximum(0.0, 1.0 - np.abs(clamped[:, None] - np.arange(size)))


def downsample_matrix(size: int, spacing: float, sigma: float) -> np.ndarray:
    """Gaussian point spread function at each sample, cut at 4 sigma and at the patch's edge; rows sum to 1."""
    positions = sample_positions(size, spacing)
    if sigma == 0:
        return np.eye(size) if spacing == 1 else interpolation_matrix(size, positions)
    offsets = np.arange(size) - positions[:, None]
    radius = max(math.floor(4 * sigma + 0.5), 1)
    weights = np.where(np.abs(offsets) <= radius, np.exp(-0.5 * (offsets / sigma) ** 2), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def upsample_matrix(size: int, spacing: float) -> np.ndarray:
    """Linear interpolation from the samples back to the patch, float64 (size, samples)."""
    if spacing == 1:
        return np.eye(size)
    first = sample_positions(size, spacing)[0]
    return interpolation_matrix(low_size(size, spacing), (np.arange(size) - first) / spacing)


def apply_along(matrix: np.ndarray, volume: np.ndarray, axis: int) -> np.ndarray:
    return np.moveaxis(np.tensordot(matrix, volume, axes=(1, axis)), 0, axis)


def rician(key: SampleKey, image: np.ndarray, std: float) -> np.ndarray:
    """Magnitude of the signal with complex Gaussian noise (Gudbjartsson and Patz 1995)."""
    real, imaginary = std * row_normals(key, STAGES["acquisition"], image.shape, per_voxel=2)
    return np.hypot(image + real, imaginary)


def acquire(
    key: SampleKey,
    image: np.ndarray,
    spacing: tuple[float, float, float],
    sigma: tuple[float, float, float],
    noise_std: float,
) -> np.ndarray:
    """Blur, sample, add noise on the acquired grid and interpolate back; ``noise_std`` in the image's own unit."""
    size = image.shape
    for axis in (2, 1, 0):
        image = apply_along(downsample_matrix(size[axis], spacing[axis], sigma[axis]), image, axis)
    if noise_std > 0:
        image = rician(key, image, noise_std)
    for axis in (0, 1, 2):
        image = apply_along(upsample_matrix(size[axis], spacing[axis]), image, axis)
    return image
