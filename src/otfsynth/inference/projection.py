"""From probabilities at the working voxel size to labels on another grid of the same axes, plane by plane.

Along an axis that gets finer, probabilities are interpolated linearly; along one that gets coarser, the average over
the new voxel is taken, so that a thick slice shows what is in all of it. What lies beyond the working image is
background.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from otfsynth.volumes import Grid

BLOCK_VOXELS = 2**24
"""Output voxels worked on at once, all labels together: 64 MB a temporary array."""


@dataclass(frozen=True)
class Projected:
    """A segmentation on a grid.

    Args:
        labels: uint8 (x, y, z).
        probabilities: float16 (labels, x, y, z), or ``None``.
        expected_voxels: float64 (labels,), sum of every label's probability over all voxels.
        entropy: mean over the voxels labelled above 0 of the entropy of their probabilities, in units of that of a
            fair choice among all labels: 0 certain, 1 guessing; NaN where nothing is labelled.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    expected_voxels: np.ndarray
    entropy: float


@dataclass(frozen=True)
class AxisWeights:
    """Output voxel j of one axis is the sum over taps t of ``weights[t, j] * input[taps[t, j]]``.

    Args:
        taps: int (taps, outputs), inside the input.
        weights: float32 (taps, outputs); they add up to 1, or to less where the output reaches beyond the input.
        reach: outputs with any weight.
    """

    taps: np.ndarray
    weights: np.ndarray
    reach: slice

    @classmethod
    def of(cls, inputs: int, outputs: int, scale: float, shift: float) -> AxisWeights:
        """Weights for outputs at ``scale * j + shift``, in input voxels.

        Args:
            inputs: number of input voxels.
            outputs: number of output voxels.
            scale: output voxel size over input voxel size.
            shift: place of output voxel 0.
        """
        centres = scale * np.arange(outputs) + shift
        half = max(scale, 1.0) / 2
        first = np.floor(centres - half + 0.5).astype(int)
        taps = first + np.arange(int(np.ceil(2 * half)) + 1)[:, None]
        if scale > 1:
            low, high = np.maximum(taps - 0.5, centres - half), np.minimum(taps + 0.5, centres + half)
            weights = np.maximum(high - low, 0.0) / scale
            weights[(taps < 0) | (taps >= inputs)] = 0
        else:
            weights = np.maximum(1 - np.abs(taps - centres), 0.0)
            weights[:, (centres < -0.5 - 1e-6) | (centres > inputs - 0.5 + 1e-6)] = 0  # beyond the outermost voxels
        used = np.flatnonzero(weights.any(axis=0))
        reach = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
        return cls(np.clip(taps, 0, inputs - 1)[:, reach], weights[:, reach].astype(np.float32), reach)

    def apply(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Resample along an axis; outputs are those of ``reach``."""
        shape = [1] * values.ndim
        shape[axis] = -1
        if len(self.taps) == 2 and not self.weights[1].any():  # whole voxels: nothing to blend
            return np.take(values, self.taps[0], axis) * self.weights[0].reshape(shape)
        total = np.take(values, self.taps[0], axis)
        total *= self.weights[0].reshape(shape)
        for taps, weights in zip(self.taps[1:], self.weights[1:], strict=True):
            total += np.take(values, taps, axis) * weights.reshape(shape)
        return total


class PlaneResampler:
    """Takes planes along x in their order and gives those of another grid as soon as they are covered.

    Args:
        shape: (x, y, z) of the planes that come.
        affine: (4, 4) of these.
        grid: where they are wanted; its axes are those of the image that comes.
    """

    def __init__(self, shape: tuple[int, int, int], affine: np.ndarray, grid: Grid) -> None:
        mapping = np.linalg.inv(affine) @ grid.affine
        self.axes = [
            AxisWeights.of(shape[axis], grid.shape[axis], mapping[axis, axis], mapping[axis, 3]) for axis in range(3)
        ]
        self.inputs = shape[0]
        self._held: list[np.ndarray] = []
        self._first_held = self._received = self._done = 0

    def add(self, planes: np.ndarray) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
        """Take the next planes: float32 (labels, planes, y, z).

        Yields:
            Places of the grid, one block of planes after the other, and the probabilities there. What is no place of
            any block lies beyond the image that comes.
        """
        self._held.append(planes)
        self._received += planes.shape[1]
        last_needed = self.axes[0].taps.max(axis=0, initial=0)
        ready = len(last_needed) if self._received == self.inputs else int((last_needed < self._received).sum())
        if ready == self._done:
            return
        held = np.concatenate(self._held, axis=1) if len(self._held) > 1 else planes
        _, y, z = (axis.reach.stop - axis.reach.start for axis in self.axes)
        block = max(BLOCK_VOXELS // max(len(planes) * y * z, 1), 1)
        for begin in range(self._done, ready, block):
            yield self._block(held, slice(begin, min(begin + block, ready)))
        self._done = ready
        if ready < len(last_needed):
            needed = int(self.axes[0].taps[:, ready:].min())
            self._held = [held[:, needed - self._first_held :]]
            self._first_held = needed
        else:
            self._held = []

    def _block(self, held: np.ndarray, rows: slice) -> tuple[tuple[slice, slice, slice], np.ndarray]:
        """Output planes ``rows``, counted from the first one in reach."""
        along_x, along_y, along_z = self.axes
        part = AxisWeights(along_x.taps[:, rows] - self._first_held, along_x.weights[:, rows], along_x.reach)
        values = along_z.apply(along_y.apply(part.apply(held, 1), 2), 3)
        cover = [axis.weights.sum(axis=0) for axis in (part, along_y, along_z)]
        values[0] += 1 - cover[0][:, None, None] * cover[1][:, None] * cover[2]
        start = along_x.reach.start
        return (slice(start + rows.start, start + rows.stop), along_y.reach, along_z.reach), values


class Projector:
    """Labels another grid from planes along x, taken in their order.

    Args:
        shape: (x, y, z) of the working image.
        affine: (4, 4) of the working image.
        grid: where the segmentation is wanted; its axes are those of the working image.
        labels: number of labels, background included.
        keep_probabilities: return them too.
    """

    def __init__(
        self, shape: tuple[int, int, int], affine: np.ndarray, grid: Grid, labels: int, keep_probabilities: bool = False
    ) -> None:
        self.resampler = PlaneResampler(shape, affine, grid)
        self.labels = np.zeros(grid.shape, np.uint8)
        self.probabilities: np.ndarray | None = None
        if keep_probabilities:
            self.probabilities = np.zeros((labels, *grid.shape), np.float16)
            self.probabilities[0] = 1
        self.expected_voxels = np.zeros(labels)
        self.entropy_sum = 0.0

    def add(self, planes: np.ndarray) -> None:
        """Take the next planes: float32 (labels, planes, y, z)."""
        for place, values in self.resampler.add(planes):
            winner = values.argmax(axis=0).astype(np.uint8)
            self.labels[place] = winner
            self.expected_voxels += values.sum(axis=(1, 2, 3), dtype=np.float64)
            self.entropy_sum += entropy_sum(values[:, winner > 0])
            if self.probabilities is not None:
                self.probabilities[(slice(None), *place)] = values

    def finish(self) -> Projected:
        """The segmentation, once all planes were added."""
        self.expected_voxels[0] += self.labels.size - self.expected_voxels.sum()  # beyond the reach
        entropy = mean_entropy(self.entropy_sum, int(np.count_nonzero(self.labels)), len(self.expected_voxels))
        return Projected(self.labels, self.probabilities, self.expected_voxels, entropy)


def on_grid(
    planes: Iterable[np.ndarray], shape: tuple[int, int, int], affine: np.ndarray, grid: Grid
) -> Iterator[np.ndarray]:
    """A stream of planes on another grid of the same axes: float32 (labels, planes, y, z), all of its planes."""
    resampler, done, labels = PlaneResampler(shape, affine, grid), 0, 0

    def background(planes: int) -> np.ndarray:
        values = np.zeros((labels, planes, *grid.shape[1:]), np.float32)
        values[0] = 1
        return values

    for portion in planes:
        labels = len(portion)
        for (x, y, z), block in resampler.add(portion):
            if x.start > done:
                yield background(x.start - done)
            values = background(x.stop - x.start)
            values[:, :, y, z] = block
            yield values
            done = x.stop
    if done < grid.shape[0]:
        yield background(grid.shape[0] - done)


def averaged(streams: Sequence[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """The mean of streams of planes that come in portions of different sizes."""
    held: list[np.ndarray | None] = [None] * len(streams)
    while True:
        for number, stream in enumerate(streams):
            if held[number] is None:
                held[number] = next(stream, None)
        portions = [portion for portion in held if portion is not None]
        if len(portions) < len(streams):
            return
        length = min(portion.shape[1] for portion in portions)
        mean = portions[0][:, :length].copy()
        for portion in portions[1:]:
            mean += portion[:, :length]
        mean /= len(streams)
        yield mean
        held = [portion[:, length:] if portion.shape[1] > length else None for portion in portions]


def mean_entropy(total: float, labelled: int, choices: int) -> float:
    """:func:`entropy_sum` as a share of what guessing among all labels gives, NaN where nothing is labelled."""
    return float(total / (labelled * np.log(choices))) if labelled and choices > 1 else float("nan")


def entropy_sum(probabilities: np.ndarray) -> float:
    """Sum over voxels of -sum p log p; (labels, voxels)."""
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return float(-np.einsum("lv,lv->", probabilities, logarithms, dtype=np.float64))
