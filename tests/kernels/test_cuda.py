"""What is asked of CuPy, with a stand-in for it; the hash of the sources; launch geometry."""

from __future__ import annotations

import contextlib
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from otfsynth import kernels
from otfsynth.kernels import cuda, sources
from otfsynth.kernels.device import Launch, geometry, row_threads
from otfsynth.kernels.structs import STRUCTS


class FakeKernel:
    def __init__(self, log: list[Any]) -> None:
        self.max_dynamic_shared_size_bytes = 0
        self.log = log

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...], shared_mem: int
    ) -> None:
        self.log.append((grid, block, arguments, shared_mem, self.max_dynamic_shared_size_bytes))


class FakeModule:
    def __init__(self, **options: Any) -> None:
        self.options, self.log, self.kernels, self.compilations = options, [], {}, 0

    def compile(self) -> None:
        self.compilations += 1

    def get_function(self, name: str) -> FakeKernel:
        return self.kernels.setdefault(name, FakeKernel(self.log))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> cuda.CudaDevice:
    streams: list[int] = []

    class Device(contextlib.nullcontext):  # type: ignore[type-arg]
        def __init__(self, index: int) -> None:
            super().__init__()
            self.attributes = {"MaxSharedMemoryPerBlockOptin": 101376}

    class Stream:
        @staticmethod
        def from_external(stream: Any) -> contextlib.AbstractContextManager[None]:
            streams.append(stream.__cuda_stream__()[1])
            return contextlib.nullcontext()

    fake = SimpleNamespace(RawModule=FakeModule, cuda=SimpleNamespace(Device=Device, Stream=Stream), streams=streams)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(
        torch.cuda, "current_stream", lambda index: SimpleNamespace(cuda_stream=4711, device_index=index)
    )
    monkeypatch.setattr(cuda, "_module", lambda cupy: cupy.RawModule(**MODULE_OPTIONS))
    return cuda.CudaDevice(0)


MODULE_OPTIONS = {"code": sources.kernel_source(), "options": sources.compile_options(), "backend": "nvrtc"}


def test_launches_go_to_torchs_stream(device: cuda.CudaDevice) -> None:
    device.launch("Paint", Launch((40, 3), 96, 9000), 0xABC0)
    assert device._cupy.streams == [4711]
    (grid, block, arguments, shared, granted) = device._module.log[0]
    assert (grid, block, shared, granted) == ((40, 3, 1), (96, 1, 1), 9000, 0)
    assert arguments == (np.uint64(0xABC0),)
    assert arguments[0].nbytes == 8
    assert device._module.compilations == 1


def test_more_shared_memory_is_asked_for_once(device: cuda.CudaDevice) -> None:
    for shared in (48 * 1024, 60_000, 50_000, 70_000):
        device.launch("Paint", Launch((1, 1), 32, shared), 64)
    assert [granted for *_, granted in device._module.log] == [0, 60_000, 60_000, 70_000]
    with pytest.raises(
        cuda.CudaUnavailableError, match=r"needs 200000 bytes .* this GPU has 101376; .*data\.patch_size"
    ):
        device.launch("Paint", Launch((1, 1), 32, 200_000), 64)


def test_the_hash_covers_every_header() -> None:
    files = [("kernels.cu", b'#include "a.h"'), ("a.h", b"1")]
    assert sources.source_hash(files) == sources.source_hash(list(files))
    assert sources.source_hash(files) != sources.source_hash([files[0], ("a.h", b"2")])
    assert sources.source_hash(files) != sources.source_hash([("kernels.cu", b'#include "a.h"1'), ("a.h", b"")])
    included = {
        line.split('"')[1]
        for _, text in sources._installed()
        for line in text.decode().splitlines()
        if line.startswith('#include "')
    }
    assert included <= {name for name, _ in sources._installed()} | {"host_launch.h"}
    assert f"-DOTF_SOURCE_HASH=0x{sources.source_hash()}ULL" in sources.compile_options()


def test_cupy_is_imported_only_when_asked_for() -> None:
    assert kernels.cuda.unavailable_reason() is not None or torch.cuda.is_available()
    assert "cupy" not in sys.modules


@pytest.mark.parametrize(
    ("length", "threads"), [(1, 32), (32, 32), (33, 64), (96, 96), (128, 128), (192, 96), (256, 128)]
)
def test_rows_are_walked_in_equal_steps(length: int, threads: int) -> None:
    assert row_threads(length) == threads


def test_geometry_fits_the_largest_of_a_batch() -> None:
    paint = np.zeros(2, STRUCTS["Paint"])
    paint["size_"] = [(10, 20, 96), (10, 20, 96)]
    small = geometry("Paint", paint)
    paint["sub_voxels"]["count"][1] = 4
    large = geometry("Paint", paint)
    assert small.grid == large.grid == (200, 2)
    assert large.shared_bytes - small.shared_bytes == 4 * 4 * 96
    noise = np.zeros(3, STRUCTS["LatticeNoise"])
    noise["count"] = [4, 5000, 80]
    assert geometry("LatticeNoise", noise) == Launch((10, 3), 128, 0)
    with pytest.raises(RuntimeError, match="Unknown is not an operator"):
        geometry("Unknown", noise)
