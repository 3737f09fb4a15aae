"""Compile every CUDA kernel for each supported GPU generation, and fail where registers spill to memory.

    python scripts/compile_kernels.py

Needs a CUDA toolkit, no GPU: nvcc where it is found (``$NVCC`` or on the path), else NVRTC through CuPy where that is
installed. Where there is neither, it says so and ends with 0.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "cuda_kernels" / "kernels.cu"
ARCHITECTURES = (75, 80, 86, 89, 90, 120)
"""Turing, A100, RTX 30, RTX 40, H100, RTX 50."""
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class Kernel:
    """What ptxas says of one kernel."""

    name: str
    registers: int
    spilled_bytes: int


def main() -> int:
    """Print a table of registers; 0 where nothing spills and everything compiles."""
    nvcc = os.environ.get("NVCC") or shutil.which("nvcc")
    if nvcc is None:
        return _compile_with_nvrtc()
    with ThreadPoolExecutor(2) as pool:
        logs = list(pool.map(lambda architecture: _nvcc(nvcc, architecture), ARCHITECTURES))
    if any(failed for failed, _ in logs):
        print("\n".join(text for failed, text in logs if failed), file=sys.stderr)
        return 1
    tables = {architecture: parse_ptxas(text) for architecture, (_, text) in zip(ARCHITECTURES, logs, strict=True)}
    print(f"registers per thread{'':<8}" + "".join(f"{f'sm_{architecture}':>8}" for architecture in tables))
    spilling = []
    for index, kernel in enumerate(next(iter(tables.values()))):
        columns = [table[index] for table in tables.values()]
        print(f"{kernel.name:<28}" + "".join(f"{column.registers:>8}" for column in columns))
        spilling += [
            f"{kernel.name} spills {column.spilled_bytes} bytes on sm_{architecture}"
            for architecture, column in zip(tables, columns, strict=True)
            if column.spilled_bytes
        ]
    if spilling:
        print("\n".join(spilling), file=sys.stderr)
        return 1
    print(f"{len(next(iter(tables.values())))} kernels compiled for {len(tables)} architectures, no spills")
    return 0


def parse_ptxas(text: str) -> list[Kernel]:
    """Kernels in the output of ``ptxas -v``, by name."""
    kernels, name, spilled = [], "", 0
    for line in text.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)'", line):
            name, spilled = match.group(1), 0
        elif match := SPILLS.search(line):
            spilled += int(match.group(1)) + int(match.group(2))
        elif (match := re.search(r"Used (\d+) registers", line)) and name:
            kernels.append(Kernel(name, int(match.group(1)), spilled))
            name = ""
    return sorted(kernels, key=lambda kernel: kernel.name)


def _nvcc(nvcc: str, architecture: int) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-cubin", f"-arch=sm_{architecture}", "-std=c++17", "-Xptxas", "-v", f"-I{SOURCE.parent}"]
        result = subprocess.run(
            [*command, "-o", str(Path(folder) / "kernels.cubin"), str(SOURCE)], capture_output=True, text=True
        )
    return result.returncode != 0, result.stdout + result.stderr


def _compile_with_nvrtc() -> int:
    if importlib.util.find_spec("cupy") is None:
        print(
            "SKIPPED: kernels were not compiled: neither nvcc nor CuPy with NVRTC is here (pip install -e '.[cuda13]')"
        )
        return 0
    from cupy.cuda import compiler  # type: ignore[import-not-found]

    for architecture in ARCHITECTURES:
        program = compiler._NVRTCProgram(SOURCE.read_text(), str(SOURCE))
        program.compile((f"-arch=sm_{architecture}", "-std=c++17", f"-I{SOURCE.parent}"))
        print(f"NVRTC compiled {SOURCE.name} for sm_{architecture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
