"""Compile every CUDA kernel for each GPU generation; fail where registers spill or structs differ from NumPy's.

    python scripts/compile_kernels.py

Needs no GPU. With nvcc (``$NVCC`` or on the path): registers, spills and the layout of every struct. With CuPy and its
NVRTC wheel: NVRTC, whose rules are not nvcc's. Each that is missing is named; where both are, it ends with 0.
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

from otfsynth.kernels.sources import compile_options
from otfsynth.kernels.structs import STRUCTS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "cuda_kernels" / "kernels.cu"
ARCHITECTURES = (75, 80, 86, 89, 90, 120)
"""Turing, A100, RTX 30, RTX 40, H100, RTX 50."""
MOST_REGISTERS = 128
"""Of a thread: four blocks of 128 threads then fit on a multiprocessor."""
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


LAYOUT_HEADER = """
#ifdef __CUDACC_RTC__  // has no offsetof; its front end is nvcc's
#define OTF_OFFSET(Structure, field, bytes)
#else
#include <cstddef>
#define OTF_OFFSET(Structure, field, bytes) \\
    static_assert(offsetof(Structure, field) == bytes, "offset of " #Structure "." #field);
#endif
#include "operators.h"
using namespace otfsynth;
"""


@dataclass(frozen=True)
class Kernel:
    """What ptxas says of one kernel."""

    name: str
    registers: int
    spilled_bytes: int


def main() -> int:
    """Print a table of registers; 0 where everything compiles, fits and agrees."""
    nvcc = os.environ.get("NVCC") or shutil.which("nvcc")
    problems = _check_with_nvrtc()
    if nvcc is None:
        print("SKIPPED: no nvcc, so registers, spills and struct layouts of the device compiler were not checked")
    else:
        problems += _check_with_nvcc(nvcc)
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


def _check_with_nvcc(nvcc: str) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        layouts = pool.submit(_nvcc, nvcc, ARCHITECTURES[0], layout_assertions())
        logs = list(pool.map(lambda architecture: _nvcc(nvcc, architecture), ARCHITECTURES))
    failures = [text for failed, text in [*logs, layouts.result()] if failed]
    if failures:
        return failures
    tables = {architecture: parse_ptxas(text) for architecture, (_, text) in zip(ARCHITECTURES, logs, strict=True)}
    print(f"registers per thread{'':<8}" + "".join(f"{f'sm_{architecture}':>8}" for architecture in tables))
    problems = []
    for index, kernel in enumerate(next(iter(tables.values()))):
        columns = [table[index] for table in tables.values()]
        print(f"{kernel.name:<28}" + "".join(f"{column.registers:>8}" for column in columns))
        for architecture, column in zip(tables, columns, strict=True):
            if column.spilled_bytes:
                problems.append(f"{kernel.name} spills {column.spilled_bytes} bytes on sm_{architecture}")
            if column.registers > MOST_REGISTERS:
                problems.append(f"{kernel.name} needs {column.registers} registers on sm_{architecture}")
    if not problems:
        count, structs = len(next(iter(tables.values()))), len(STRUCTS)
        print(
            f"nvcc: {count} kernels compiled for {len(tables)} architectures, no spills; {structs} structs as NumPy's"
        )
    return problems


def layout_assertions() -> str:
    """C++ that compiles where every struct has the size and the offsets of its NumPy mirror."""
    lines = [LAYOUT_HEADER]
    for name, dtype in STRUCTS.items():
        lines.append(f'static_assert(sizeof({name}) == {dtype.itemsize}, "size of {name}");')
        for field in dtype.names or ():
            if not field.startswith("padding"):
                _, offset = (dtype.fields or {})[field][:2]
                lines.append(f"OTF_OFFSET({name}, {field}, {offset})")
    return "\n".join([*lines, ""])


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


def _nvcc(nvcc: str, architecture: int, program: str | None = None) -> tuple[bool, str]:
    """Compile the kernels, or another program, for one architecture: (failed, what the compiler says)."""
    with tempfile.TemporaryDirectory() as folder:
        source = SOURCE
        if program is not None:
            source = Path(folder) / "program.cu"
            source.write_text(program)
        command = [nvcc, "-cubin", f"-arch=sm_{architecture}", "-std=c++17", "-Xptxas", "-v", f"-I{SOURCE.parent}"]
        result = subprocess.run(
            [*command, "-o", str(Path(folder) / "kernels.cubin"), str(source)], capture_output=True, text=True
        )
    return result.returncode != 0, result.stdout + result.stderr


def _check_with_nvrtc() -> list[str]:
    if importlib.util.find_spec("cupy") is None:
        print("SKIPPED: no CuPy, so NVRTC was not tried (pip install -e '.[cuda13]')")
        return []
    from cupy.cuda import compiler  # type: ignore[import-not-found]

    program = SOURCE.read_text() + layout_assertions()
    for architecture in ARCHITECTURES:
        try:
            options = (f"-arch=sm_{architecture}", *compile_options())
            compiler._NVRTCProgram(program, str(SOURCE), method="cubin").compile(options)
        except compiler.CompileException as error:
            return [f"NVRTC, sm_{architecture}: {str(error)[:2000]}"]
    count = len(ARCHITECTURES)
    print(f"NVRTC: {SOURCE.name} compiled for {count} architectures; sizes of {len(STRUCTS)} structs as NumPy's")
    return []


if __name__ == "__main__":
    sys.exit(main())
