"""One packed buffer a batch: every struct and small table of its samples, copied to the device at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otfsynth.kernels.device import Device

ALIGNMENT_BYTES = 64


class PackedBufferFullError(Exception):
    """The buffer is too small for this batch; :meth:`PackedBuffer.grow` and pack it again."""


class PackedBuffer:
    """Device memory with fixed addresses, so that structs can hold them before anything is copied.

    Batches follow each other in the device's order of work: the copy of one waits, on the device, for the kernels of
    the last. The host never waits: each batch is packed in staging memory of its own.
    """

    def __init__(self, device: Device, capacity_bytes: int) -> None:
        self._device = device
        self._memory = torch.empty(capacity_bytes, dtype=torch.uint8, device=device.place)
        self._staged = torch.empty(0, dtype=torch.uint8)
        self._bytes: NDArray[np.uint8] = self._staged.numpy()
        self._used = 0

    def begin(self) -> None:
        """Start packing a batch."""
        self._staged = self._device.staging(len(self._memory))
        self._bytes, self._used = self._staged.numpy(), 0

    def put(self, array: NDArray[Any]) -> int:
        """Pack an array; its address on the device.

        Raises:
            PackedBufferFullError: no room is left.
        """
        return self._memory.data_ptr() + self._append(array)

    def put_tensor(self, array: NDArray[Any]) -> Tensor:
        """Pack an array; a view of it on the device, which holds its values once the batch is uploaded."""
        offset = self._append(array)
        kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
        return self._memory[offset : offset + array.nbytes].view(kind).reshape(array.shape)

    def grow(self) -> None:
        """Twice the room, at other addresses."""
        retire(self._memory)
        self._memory = torch.empty(2 * len(self._memory), dtype=torch.uint8, device=self._device.place)

    def packed(self) -> tuple[Tensor, Tensor]:
        """What to copy: the device's memory and the host's."""
        return self._memory[: self._used], self._staged[: self._used]

    def _append(self, array: NDArray[Any]) -> int:
        offset = self._used
        end = offset + array.nbytes
        if end > len(self._bytes):
            raise PackedBufferFullError
        self._bytes[offset:end] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._used = -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return offset


def retire(memory: Tensor) -> None:
    """Call before letting go of memory that kernels queued on another stream than its own may still use."""
    if memory.is_cuda:
        memory.record_stream(torch.cuda.current_stream(memory.device))
