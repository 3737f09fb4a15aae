"""The device's launcher: notes what each stage of a sample would launch, with addresses of device memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otfsynth.kernels.packing import PackedBuffer, retire
from otfsynth.synthesis.rendering.launching import Launcher, operator
from otfsynth.synthesis.workspace import SLACK_BYTES


@dataclass(frozen=True)
class Call:
    """One launch of one sample: an operator's struct, or what torch shall do."""

    name: str
    operator: NDArray[np.void] | None = None
    work: Callable[[], None] | None = None


class DeviceWorkspace:
    """Named device memory of one place in the batch; see :class:`otfsynth.synthesis.workspace.Workspace`."""

    def __init__(self, place: torch.device, tables: PackedBuffer) -> None:
        self._place = place
        self._tables = tables
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, dtype: np.dtype[Any] | type, shape: Sequence[int]) -> int:
        """Address of uninitialised device memory that only grows."""
        return int(self._buffer(name, int(np.prod(shape)) * np.dtype(dtype).itemsize).data_ptr())

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """The memory of a name as a float32 tensor."""
        count = 4 * int(np.prod(shape))
        return self._buffer(name, count)[:count].view(torch.float32).reshape(tuple(shape))

    def keep(self, array: NDArray[Any]) -> int:
        """Address of a small array in the packed buffer of the batch."""
        return self._tables.put(array)

    def constant(self, array: NDArray[Any]) -> Tensor:
        """A small array as a view of the packed buffer; filled before any launch of the batch."""
        return self._tables.put_tensor(array)

    def _buffer(self, name: str, count: int) -> Tensor:
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < count + SLACK_BYTES:
            if buffer is not None:
                retire(buffer)
            buffer = self._buffers[name] = torch.empty(count + SLACK_BYTES, dtype=torch.uint8, device=self._place)
        return buffer


class RecordingLauncher(Launcher):
    """Collects the calls of one sample in their order; nothing runs."""

    def __init__(self, workspace: DeviceWorkspace) -> None:
        self.workspace = workspace
        self.calls: list[Call] = []

    def __call__(self, name: str, **fields: Any) -> None:
        """See :class:`otfsynth.synthesis.rendering.launching.Launcher`."""
        self.calls.append(Call(name, operator=operator(name, fields)))

    def torch_stage(self, name: str, work: Callable[[], None]) -> None:
        """See :class:`otfsynth.synthesis.rendering.launching.Launcher`."""
        self.calls.append(Call(name, work=work))
