"""NVIDIA GPUs through CuPy: NVRTC compiles ``cuda_kernels/`` once for each architecture; launches go to torch's stream.

The only module that imports CuPy, and only when a device is opened. Memory is torch's; kernels get addresses.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy as np
import torch

from otfsynth.kernels.device import Launch
from otfsynth.kernels.sources import compile_options, kernel_source

DEFAULT_SHARED_BYTES = 48 * 1024
"""Dynamic shared memory that a kernel may use without asking."""


class CudaUnavailableError(RuntimeError):
    """Kernels can't run on the GPU; the message is one line with the remedy."""


def unavailable_reason() -> str | None:
    """Why samples can't be made on a GPU here, with the remedy; None where they can. Imports nothing heavy."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA GPU; see 'python -m otfsynth.doctor'"
    if importlib.util.find_spec("cupy") is None:
        extra = "cuda12" if (torch.version.cuda or "").startswith("12") else "cuda13"
        return f"CuPy is missing, so samples are made on the CPU; pip install 'otfsynth[{extra}]'"
    return None


def open_device(device: torch.device) -> CudaDevice:
    """Compile (or fetch from CuPy's cache) the kernels for one GPU.

    Raises:
        CudaUnavailableError: no GPU, no CuPy, or one that does not work; the message names the remedy.
    """
    reason = unavailable_reason()
    if reason is not None:
        raise CudaUnavailableError(reason)
    index = torch.cuda.current_device() if device.index is None else device.index
    try:
        return CudaDevice(index)
    except Exception as error:  # CuPy fails in its own ways: wrong CUDA, no NVRTC, no driver
        first = (str(error).splitlines() or [""])[0]
        raise CudaUnavailableError(
            f"CuPy can't compile the kernels ({type(error).__name__}: {first}); see 'python -m otfsynth.doctor'"
        ) from error


class CudaDevice:
    """One GPU with its compiled kernels; see :class:`otfsynth.kernels.device.Device`. One object for each thread."""

    def __init__(self, index: int) -> None:
        import cupy

        self._cupy = cupy
        self._index = index
        self._granted: dict[str, int] = {}
        self._last_stream: torch.cuda.Stream | None = None
        with cupy.cuda.Device(index):
            self._module = _module(cupy)
            self._module.compile()
            attributes = cupy.cuda.Device(index).attributes
        self._most_shared_bytes = int(attributes["MaxSharedMemoryPerBlockOptin"])

    @property
    def place(self) -> torch.device:
        """Where its tensors live."""
        return torch.device("cuda", self._index)

    def launch(self, name: str, geometry: Launch, address: int) -> None:
        """Queue a kernel on torch's current stream of this device."""
        stream = torch.cuda.current_stream(self._index)
        with self._cupy.cuda.Device(self._index), _as_cupy(self._cupy, stream):
            kernel = self._kernel(name, geometry.shared_bytes)
            arguments = (np.uint64(address),)
            kernel((*geometry.grid, 1), (geometry.threads, 1, 1), arguments, shared_mem=geometry.shared_bytes)

    def staging(self, count: int) -> torch.Tensor:
        """Pinned memory from torch's cache, which hands it out again only when the copies from it are done."""
        return torch.empty(count, dtype=torch.uint8, pin_memory=True)

    def ready(self) -> None:
        """Working memory is kept between batches: a new stream waits for the last one (on the device)."""
        stream = torch.cuda.current_stream(self._index)
        if torch.cuda.is_current_stream_capturing():
            return  # capture begins with a synchronisation, and may not wait for streams outside of it
        if self._last_stream is not None and self._last_stream != stream:
            stream.wait_stream(self._last_stream)
        self._last_stream = stream

    def _kernel(self, name: str, shared_bytes: int) -> Any:
        kernel = self._module.get_function(f"otf_{name}")
        if shared_bytes > self._granted.get(name, DEFAULT_SHARED_BYTES):
            if shared_bytes > self._most_shared_bytes:
                raise CudaUnavailableError(
                    f"{name} needs {shared_bytes} bytes of shared memory a block and this GPU has "
                    f"{self._most_shared_bytes}; choose a smaller last number of data.patch_size"
                )
            kernel.max_dynamic_shared_size_bytes = shared_bytes
            self._granted[name] = shared_bytes
        return kernel


@functools.cache
def _module(cupy: Any) -> Any:
    """One module for the process; CuPy compiles it for each device's architecture at first use there."""
    return cupy.RawModule(code=kernel_source(), options=compile_options(), backend="nvrtc")


class _StreamProtocol:
    """A stream of torch as the CUDA stream protocol has it; torch's own class lacks it before 2.9."""

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.pointer


def _as_cupy(cupy: Any, stream: torch.cuda.Stream) -> Any:
    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14; ExternalStream is deprecated there
        return cupy.cuda.Stream.from_external(_StreamProtocol(stream.cuda_stream))
    return cupy.cuda.ExternalStream(stream.cuda_stream, stream.device_index)
