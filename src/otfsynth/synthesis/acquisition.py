"""The simulated scanner: drawing its voxel size, and the matrices that sample each axis and bring it back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.synthesis import NoiseConfig, ResolutionConfig
from otfsynth.synthesis.parameters import AcquisitionParameters, Vector
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

PSF_SHARE = 0.75
"""Standard deviation of the point spread function, as a share of slice thickness (Billot et al. 2020)."""


def sample_acquisition(
    config: ResolutionConfig, noise: NoiseConfig, spacing_mm: float, intensity_range: float, key: SampleKey
) -> AcquisitionParameters:
    """Draw voxel size, point spread function and noise; never finer than the working grid."""
    stream = RandomStream(key, "resolution")
    kind = stream.choice(
        ("native", "isotropic", "anisotropic"),
        (config.native_probability, config.isotropic_probability, config.anisotropic_probability),
    )
    factors = np.ones(3)
    if kind == "isotropic":
        factors[:] = stream.uniform(config.isotropic_spacing_mm[0], config.isotropic_spacing_mm[1]) / spacing_mm
    elif kind == "anisotropic":
        axis = stream.integer(3)
        factors[axis] = stream.uniform(config.anisotropic_spacing_mm[0], config.anisotropic_spacing_mm[1]) / spacing_mm
    factors = np.maximum(factors, 1.0)
    share = stream.units(1)[0]
    thickness = 1.0 + share * (factors - 1.0)  # one share of U(native, spacing) for all axes, as in a real protocol
    sigma = np.where(factors > 1.0, PSF_SHARE * thickness, config.native_blur_voxels)
    sigma = sigma * stream.uniforms(1.0 / config.psf_jitter, config.psf_jitter, 3)
    noise_stream = RandomStream(key, "noise")
    noisy = noise_stream.happens(noise.probability)
    noise_std = noise_stream.uniform(0.0, noise.std_max) * intensity_range
    return AcquisitionParameters(_vector(factors), _vector(sigma), noise_std if noisy else 0.0)


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))


@dataclass(frozen=True)
class BandMatrix:
    """Sparse rows of a resampling matrix: output j is ``sum(weights[:, j] * input[starts[j]:starts[j] + taps])``.

    Args:
        starts: int32 (outputs,).
        weights: float32 (taps, outputs); taps outside the input weigh 0.
    """

    starts: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def outputs(self) -> int:
        return self.weights.shape[1]

    @property
    def taps(self) -> int:
        return self.weights.shape[0]

    @property
    def is_identity(self) -> bool:
        return self.taps == 1 and bool((self.weights == 1.0).all())

    def inside(self, length: int) -> BandMatrix:
        """The same matrix with every tap, also those of weight 0, inside an input of ``length`` samples."""
        taps = min(self.taps, length)
        starts = np.clip(self.starts, 0, length - taps).astype(np.int32)
        source = np.arange(taps)[:, None] + (starts - self.starts)[None, :]
        valid = (source >= 0) & (source < self.taps)
        weights = np.take_along_axis(self.weights, np.clip(source, 0, self.taps - 1), axis=0) * valid
        return BandMatrix(starts, np.ascontiguousarray(weights, dtype=np.float32))


def acquired_length(length: int, spacing: float) -> int:
    """Samples that cover ``length`` voxels at a distance of ``spacing`` voxels."""
    return max(1, math.ceil(length / spacing - 1e-9))


def acquired_positions(length: int, spacing: float) -> NDArray[np.float64]:
    """Voxel coordinates of the acquired samples; grid and image share their centre."""
    count = acquired_length(length, spacing)
    return np.asarray((length - 1) / 2 + (np.arange(count) - (count - 1) / 2) * spacing, dtype=np.float64)


def sampling_matrix(length: int, spacing: float, sigma: float) -> BandMatrix:
    """Point spread function and sampling of one axis: Gaussian averages that sum to 1, cut at 4 sigma.

    Args:
        length: voxels of the axis.
        spacing: distance of the samples, voxels, at least 1.
        sigma: standard deviation of the point spread function, voxels; 0 samples linearly.
    """
    positions = acquired_positions(length, spacing)
    if sigma == 0.0:
        if spacing == 1.0:
            return BandMatrix(np.arange(length, dtype=np.int32), np.ones((1, length), dtype=np.float32))
        lower, share = _linear(positions, length)
        return BandMatrix(lower, np.stack([1.0 - share, share]).astype(np.float32)[: min(2, length)])
    radius = max(math.floor(4.0 * sigma + 0.5), 1)
    starts = np.ceil(positions - radius - 1e-9).astype(np.int32)
    taps = starts[None, :] + np.arange(2 * radius + 1)[:, None]
    distance = taps - positions[None, :]
    inside = (np.abs(distance) <= radius + 1e-9) & (taps >= 0) & (taps < length)
    nearest = np.abs(np.where(inside, distance, np.inf)).min(axis=0)  # keeps a very small sigma from underflowing
    weights = np.where(inside, np.exp(-0.5 * (distance**2 - nearest**2) / sigma**2), 0.0)
    weights /= weights.sum(axis=0)
    return BandMatrix(starts, weights.astype(np.float32))


def linear_matrix(length: int, spacing: float) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """Lower neighbour and share of the upper one for each of ``length`` voxels; None where nothing is to be done."""
    if spacing == 1.0:
        return None
    positions = acquired_positions(length, spacing)
    lower, share = _linear((np.arange(length) - positions[0]) / spacing, len(positions))
    return lower, share.astype(np.float32)


def _linear(coordinates: NDArray[np.float64], count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    clamped = np.clip(coordinates, 0.0, count - 1)
    lower = np.minimum(np.floor(clamped), max(count - 2, 0))
    return lower.astype(np.int32), clamped - lower
