"""Matrices that sample an axis as a scanner does and bring it back to the working grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SINC_LOBES = 16
"""Where the sinc of a truncated k-space is cut off: its lobes are then below 2 % of the first."""


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
    """Point spread function and sampling of one axis: Gaussian averages that sum to 1, cut at 4 sigma in whole voxels.

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


def truncated_matrix(length: int, spacing: float, kept_share: float) -> BandMatrix:
    """Sampling of one axis whose k-space is acquired in part and filled with zeros: a sinc instead of a Gaussian.

    Cutting k-space to a share of its lines convolves the axis with the sinc of that width, so it is a band matrix like
    any point spread function, and it rings: 9 % beyond a step (Gibbs). The band ends after :data:`SINC_LOBES` zeros of
    the sinc on either side; rows sum to 1.

    Args:
        length: voxels of the axis.
        spacing: distance of the samples, voxels, at least 1.
        kept_share: share of the lines of a grid of that spacing, in (0, 1].
    """
    positions = acquired_positions(length, spacing)
    width = kept_share / spacing
    radius = math.ceil(SINC_LOBES / width)
    starts = np.ceil(positions - radius - 1e-9).astype(np.int32)
    taps = starts[None, :] + np.arange(2 * radius + 1)[:, None]
    inside = (taps >= 0) & (taps < length)
    weights = np.where(inside, np.sinc(width * (taps - positions[None, :])), 0.0)
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
