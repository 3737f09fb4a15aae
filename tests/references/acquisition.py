"""The simulated scanner: sampling of each axis, k-space, noise, storage, and back to the working grid."""

from __future__ import annotations

import math

import numpy as np

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.types import SampleKey
from tests.references.geometry import smooth_field
from tests.references.kspace import corrupt
from tests.references.random import STAGES, row_words


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


def truncated_matrix(size: int, spacing: float, kept: float) -> np.ndarray:
    """Sinc of a k-space cut to a share of its lines, 16 zeros on either side, inside the patch; rows sum to 1."""
    positions = sample_positions(size, spacing)
    offsets = np.arange(size) - positions[:, None]
    width = kept / spacing
    weights = np.where(np.abs(offsets) <= np.ceil(16 / width) + 1e-9, np.sinc(width * offsets), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def receive(
    key: SampleKey, image: np.ndarray, std: float, coils: int = 1, strength: np.ndarray | float = 1.0
) -> np.ndarray:
    """Root of the sum of squares of coils of which the first holds the signal (Constantinides et al. 1997)."""
    local = std * strength
    word = row_words(key, STAGES["acquisition"], image.shape)[:, :, 0]
    radius = np.sqrt(-2.0 * np.log((word >> 12) * 2.0**-20 + 2.0**-21))
    angle = 2.0 * np.pi * (word & 4095) / 4096
    squares = (image + local * radius * np.cos(angle)) ** 2 + (local * radius * np.sin(angle)) ** 2
    if coils > 1:
        uniform = (row_words(key, STAGES["coils"], image.shape, coils - 1) >> 8) * 2.0**-24 + 2.0**-25
        squares += local**2 * (-2.0 * np.log(uniform)).sum(axis=2)
    return np.sqrt(squares)


def store(image: np.ndarray, highest: float, levels: int) -> np.ndarray:
    """Clip and round to whole numbers of which ``levels`` is the highest."""
    step = highest / levels
    return np.floor(np.minimum(np.abs(image), highest) / step + 0.5) * step


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
    return to_working_grid(receive(key, image, noise_std) if noise_std > 0 else image, size, spacing)


def to_working_grid(image: np.ndarray, size: tuple[int, ...], spacing: tuple[float, float, float]) -> np.ndarray:
    for axis in (0, 1, 2):
        image = apply_along(upsample_matrix(size[axis], spacing[axis]), image, axis)
    return image


def scan(parameters: SynthesisParameters, image: np.ndarray) -> np.ndarray:
    """Everything between gamma and mask that a record asks for."""
    scanner, key, size = parameters.acquisition, parameters.key, image.shape
    kept = parameters.ringing.kept_shares if parameters.ringing is not None else (1.0, 1.0, 1.0)
    for axis in (2, 1, 0):
        spacing, sigma = scanner.spacing_voxels[axis], scanner.psf_sigma_voxels[axis]
        whole = kept[axis] == 1.0
        matrix = downsample_matrix(size[axis], spacing, sigma) if whole else None
        matrix = truncated_matrix(size[axis], spacing, kept[axis]) if matrix is None else matrix
        image = apply_along(matrix, image, axis)
    image = corrupt(parameters, image)
    if scanner.noise_std > 0:
        strength: np.ndarray | float = 1.0
        if parameters.noise_field is not None:
            field = parameters.noise_field
            strength = np.exp(smooth_field(key, STAGES["noise_field"], field.std, field.spacing_voxels, image.shape))
        image = receive(key, image, scanner.noise_std, scanner.coils, strength)
    if parameters.storage is not None:
        image = store(image, parameters.storage.highest, parameters.storage.levels)
    return to_working_grid(np.abs(image), size, scanner.spacing_voxels)
