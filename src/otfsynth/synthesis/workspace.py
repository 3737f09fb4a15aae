"""Working memory of the renderer, kept between batches: fresh pages cost more than the arithmetic on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLACK_BYTES = 64
"""Kernels read lattice rows in whole vectors and may run over the end of a buffer by less than one."""


class Workspace:
    """Named buffers that only grow. Not for two threads at once; each thread has its own."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._kept: list[NDArray[Any]] = []

    def take(self, name: str, dtype: np.dtype[Any] | type, shape: Sequence[int]) -> NDArray[Any]:
        """An uninitialised array; the next ``take`` of the same name gives the same memory again."""
        count = int(np.prod(shape))
        needed = count * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < needed + SLACK_BYTES:
            buffer = self._buffers[name] = np.zeros(needed + SLACK_BYTES, dtype=np.uint8)
        return buffer[:needed].view(dtype).reshape(shape)

    def keep(self, array: NDArray[Any]) -> int:
        """Address of a small array that must live until :meth:`release`."""
        contiguous = np.ascontiguousarray(array)
        self._kept.append(contiguous)
        return int(contiguous.ctypes.data)

    def release(self) -> None:
        """Let go of what :meth:`keep` holds; called when the kernels have run."""
        self._kept.clear()
