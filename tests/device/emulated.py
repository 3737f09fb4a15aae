"""A device for tests on machines without a GPU: the CUDA kernels, compiled as C++, run block by block on the CPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import torch

from otfsynth.kernels.device import Launch
from otfsynth.resources import kernel_folder

HERE = Path(__file__).parent
ERRORS = {
    1: "there is no such kernel",
    2: "threads of a block wait at a barrier that others never reach",
    3: "a block wrote beyond the shared memory it asked for",
    4: "the geometry is not one that a GPU takes",
}


def build(folder: Path) -> Path | None:
    """Compile the emulator; None where there is no compiler.

    Multiply-adds are not fused, as the sums must not depend on the order in which threads run.
    """
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        return None
    library = folder / "emulated_device.so"
    command = [compiler, "-std=c++17", "-O2", "-fPIC", "-shared", "-ffp-contract=off", f"-I{kernel_folder()}"]
    subprocess.run([*command, "-o", str(library), str(HERE / "emulator.cpp")], check=True)
    return library


class EmulatedDevice:
    """A :class:`otfsynth.kernels.device.Device` that counts what a GPU would have been asked to do.

    Args:
        library: built by :func:`build`.
        falling: run the threads of a block from the last to the first.
    """

    place = torch.device("cpu")

    def __init__(self, library: Path, falling: bool = False) -> None:
        self._emulate = ctypes.CDLL(str(library)).emulate
        self._emulate.argtypes = [ctypes.c_char_p, *[ctypes.c_uint] * 4, ctypes.c_void_p, ctypes.c_int]
        self._falling = falling
        self.launches: list[tuple[str, Launch]] = []
        self.stagings = 0
        self.batches = 0

    def launch(self, name: str, geometry: Launch, address: int) -> None:
        """Run a kernel to its end."""
        self.launches.append((name, geometry))
        arguments = (*geometry.grid, geometry.threads, geometry.shared_bytes, address, self._falling)
        status = self._emulate(name.encode(), *arguments)
        if status != 0:
            raise AssertionError(f"{name} {geometry}: {ERRORS[status]}")

    def staging(self, count: int) -> torch.Tensor:
        """Host memory that is not the device's."""
        self.stagings += 1
        return torch.empty(count, dtype=torch.uint8)

    def ready(self) -> None:
        """Called before each batch."""
        self.batches += 1

    @property
    def launch_counts(self) -> Counter[str]:
        """Launches by kernel."""
        return Counter(name for name, _ in self.launches)
