"""Launches on a device: what a compute device offers, and how a batch of operators becomes one launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from otfsynth.kernels.host import launch_size

ELEMENT_THREADS = 128
ELEMENT_BLOCKS = 8192
"""At most so many blocks of an operator; their threads go on by strides."""
ROW_THREADS = 128
"""At most so many threads share a row: Paint then needs at most 3/16 of an SM's registers a block."""
WARP = 32
ROW_LENGTHS = ("length", "size_", "shape", "map_shape")
"""Fields that hold the length of a row, or the shape whose last axis it is."""


@dataclass(frozen=True)
class Launch:
    """Geometry of one launch: blocks (along indices or rows, along the batch), threads, dynamic shared memory."""

    grid: tuple[int, int]
    threads: int
    shared_bytes: int


class Device(Protocol):
    """Where kernels run. Work is queued on the device's current stream and never waited for."""

    @property
    def place(self) -> torch.device:
        """Where its tensors live."""
        ...

    def launch(self, name: str, geometry: Launch, address: int) -> None:
        """Queue kernel ``otf_NAME`` on an array of operator structs in device memory."""
        ...

    def staging(self, count: int) -> torch.Tensor:
        """Uint8 host memory that the device can copy from while the host goes on."""
        ...

    def ready(self) -> None:
        """Called before each batch: order it after the last one, should the current stream have changed."""
        ...


def geometry(name: str, operators: NDArray[np.void]) -> Launch:
    """One launch for a batch of one operator: structs of its dtype, one each."""
    size, scratch_floats = launch_size(name, operators)
    batch = len(operators)
    if scratch_floats is None:
        blocks = min(-(-size // ELEMENT_THREADS), ELEMENT_BLOCKS)
        return Launch((max(blocks, 1), batch), ELEMENT_THREADS, 0)
    return Launch((max(size, 1), batch), row_threads(_row_length(operators)), 4 * scratch_floats)


def row_threads(length: int) -> int:
    """Whole warps that walk a row of ``length`` voxels in equal steps, so that few idle in the last one."""
    steps = -(-length // ROW_THREADS)
    threads = -(-length // max(steps, 1))
    return max(-(-threads // WARP) * WARP, WARP)


def _row_length(operators: NDArray[np.void]) -> int:
    names: Any = operators.dtype.names
    field = next(name for name in ROW_LENGTHS if name in names)
    lengths = operators[field]
    return int(lengths.max() if lengths.ndim == 1 else lengths[:, -1].max())
