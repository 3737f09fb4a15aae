"""Build of the CPU extension ``otfsynth.kernels._host``, called by setuptools (see pyproject.toml).

The extension is a plain shared library that :mod:`otfsynth.kernels.host` loads with ctypes. One file per processor
generation sets its own instruction set by ``#pragma GCC target``, and the best is chosen at run time, so nothing here
may name the build machine's processor (no ``-march=native``). Every flag is tried first: a compiler without OpenMP, as
Apple's clang, still builds a working library that uses one thread.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

ROOT = Path(__file__).resolve().parents[1]
STANDARD = "-std=c++17"
# The loops of the kernels are vectorised only where sqrt and comparisons need not set errno or trap, and where minima
# and maxima need not care for NaN and the sign of zero, which the kernels never produce. Sums keep their written order.
OPTIMISATION = [
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffinite-math-only",
    "-fno-signed-zeros",
    "-fvisibility=hidden",
]
OPENMP = "-fopenmp"
MSVC = ["/O2", "/std:c++17", "/EHsc", "/fp:contract"]
PROGRAM = "int main() { return 0; }\n"
OPENMP_PROGRAM = "#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n"


class BuildExt(build_ext):
    """``build_ext`` that gives each extension the flags which its compiler accepts."""

    def build_extension(self, ext: Extension) -> None:
        ext.depends = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "cuda_kernels").iterdir())
        if self.compiler.compiler_type == "msvc":
            compile_flags, link_flags = [*MSVC, "/openmp:experimental"], []
        else:
            compile_flags = [STANDARD, *(flag for flag in OPTIMISATION if self._accepts([flag]))]
            link_flags = [OPENMP] if self._accepts([OPENMP], OPENMP_PROGRAM) else []
            compile_flags += link_flags
        self.announce(f"flags of {ext.name}: {' '.join(compile_flags)}", level=logging.INFO)
        ext.extra_compile_args = [*compile_flags, *ext.extra_compile_args]
        ext.extra_link_args = [*link_flags, *ext.extra_link_args]
        super().build_extension(ext)

    def _accepts(self, flags: list[str], program: str = PROGRAM) -> bool:
        """Whether ``program`` compiles and links with ``flags``; unknown flags count as errors."""
        compiler: Any = self.compiler
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.cpp"
            source.write_text(program)
            try:
                objects = compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=["-Werror", STANDARD, *flags]
                )
                compiler.link_executable(objects, str(Path(folder) / "probe"), extra_postargs=flags)
            except (CompileError, LinkError):
                return False
        return True
