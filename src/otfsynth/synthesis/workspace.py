"""Working memory of the renderer, kept between batches: fresh pages cost more than the arithmetic on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SLACK_BYTES = 64
"""Kernels read lattice rows in whole vectors and may run over the end of a buffer by less than one."""


class Workspace(Protocol):
    """What the stages ask of memory; addresses are of the processor that runs the kernels."""

    def take(self, name: str, dtype: np.dtype[Any] | type, shape: Sequence[int]) -> int:
        """Address of uninitialised memory; the next ``take`` of the same name gives the same memory again."""
        ...

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """The memory of a name as a float32 tensor, for stages that are torch's."""
        ...

    def keep(self, array: NDArray[Any]) -> int:
        """Address of a copy of a small array that lives until the kernels have run."""
        ...

    def constant(self, array: NDArray[Any]) -> Tensor:
        """A small array as a tensor that lives until the kernels have run, for stages that are torch's."""
        ...


class HostWorkspace:
    """Named buffers of the CPU that only grow. Not for two threads at once; each thread has its own."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._kept: list[NDArray[Any]] = []

    def take(self, name: str, dtype: np.dtype[Any] | type, shape: Sequence[int]) -> int:
        """See :class:`Workspace`."""
        return int(self._buffer(name, int(np.prod(shape)) * np.dtype(dtype).itemsize).ctypes.data)

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """See :class:`Workspace`."""
        count = int(np.prod(shape))
        return torch.from_numpy(self._buffer(name, 4 * count)[: 4 * count].view(np.float32).reshape(shape))

    def keep(self, array: NDArray[Any]) -> int:
        """See :class:`Workspace`; arrays that are contiguous already are not copied."""
        contiguous = np.ascontiguousarray(array)
        self._kept.append(contiguous)
        return int(contiguous.ctypes.data)

    def constant(self, array: NDArray[Any]) -> Tensor:
        """See :class:`Workspace`."""
        return torch.from_numpy(np.ascontiguousarray(array))

    def release(self) -> None:
        """Let go of what :meth:`keep` holds; called when the kernels have run."""
        self._kept.clear()

    def _buffer(self, name: str, count: int) -> NDArray[np.uint8]:
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < count + SLACK_BYTES:
            buffer = self._buffers[name] = np.zeros(count + SLACK_BYTES, dtype=np.uint8)
        return buffer
