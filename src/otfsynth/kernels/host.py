"""The CPU extension, through ctypes: the only place that opens the shared library."""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.operators import OPERATORS, STRUCTS


class _Field(ctypes.Structure):
    _fields_ = (
        ("structure", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("offset", ctypes.c_longlong),
        ("size", ctypes.c_longlong),
    )


@functools.cache
def library() -> ctypes.CDLL:
    """Open the extension once.

    Raises:
        RuntimeError: the extension was not built, or for another Python; the message says how to build it.
    """
    spec = importlib.util.find_spec("otfsynth.kernels._host")
    if spec is None or spec.origin is None:
        suffixes = ", ".join(importlib.machinery.EXTENSION_SUFFIXES)
        raise RuntimeError(
            f"the CPU extension _host ({suffixes}) is missing from {Path(__file__).parent}; build it with "
            "'pip install -e .' in the checkout, or reinstall the package with a C++ compiler at hand"
        )
    opened = ctypes.CDLL(spec.origin)
    opened.otf_launch.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int]
    opened.otf_launch.restype = ctypes.c_int
    opened.otf_launch_size.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong, *[ctypes.c_void_p] * 2]
    opened.otf_launch_size.restype = ctypes.c_int
    opened.otf_variant.restype = ctypes.c_char_p
    opened.otf_philox4x32.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_longlong]
    opened.otf_fields.argtypes = [ctypes.POINTER(ctypes.c_void_p)]
    opened.otf_fields.restype = ctypes.c_longlong
    return opened


def variant() -> str:
    """Processor generation whose code is in use: ``baseline``, ``v3`` (AVX2) or ``v4`` (AVX-512)."""
    return str(library().otf_variant().decode())


def launch(name: str, operators: NDArray[np.void], threads: int) -> None:
    """Run one operator for every sample of a batch.

    Args:
        name: a key of :data:`otfsynth.kernels.operators.OPERATORS`.
        operators: one struct a sample, of that operator's dtype.
        threads: CPU threads, at least 1; the result does not depend on it.
    """
    if operators.dtype != OPERATORS[name] or not operators.flags.c_contiguous:
        raise TypeError(f"{name}: expected a contiguous array of its own struct, got {operators.dtype}")
    status = library().otf_launch(name.encode(), operators.ctypes.data, len(operators), threads)
    if status == 2:
        raise MemoryError(f"{name}: no working memory left for {threads} threads")
    if status != 0:
        raise RuntimeError(f"{name} is not an operator of the built extension; rebuild it with 'pip install -e .'")


def launch_size(name: str, operators: NDArray[np.void]) -> tuple[int, int | None]:
    """What a GPU must know to launch a batch of one operator; no pointer is followed.

    Returns:
        The largest number of indices or rows of the batch, and the most floats of working memory a row needs; None of
        an operator that works on single indices.
    """
    size, scratch = ctypes.c_longlong(), ctypes.c_longlong()
    status = library().otf_launch_size(
        name.encode(), operators.ctypes.data, len(operators), ctypes.byref(size), ctypes.byref(scratch)
    )
    if status != 0:
        raise RuntimeError(f"{name} is not an operator of the built extension; rebuild it with 'pip install -e .'")
    return size.value, None if scratch.value < 0 else scratch.value


def philox4x32(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox4x32-10 (Salmon et al. 2011) of counters (n, 4), as the kernels compute it."""
    counters = np.ascontiguousarray(counter, dtype=np.uint32)
    words = np.empty_like(counters)
    library().otf_philox4x32(counters.ctypes.data, key[0], key[1], words.ctypes.data, len(counters))
    return words


def layouts() -> dict[str, tuple[np.dtype[np.void], int, dict[str, int]]]:
    """For each struct: its NumPy mirror, and the size and field offsets that the C++ compiler reports, in bytes."""
    table = ctypes.c_void_p()
    count = library().otf_fields(ctypes.byref(table))
    fields = ctypes.cast(table, ctypes.POINTER(_Field))
    reported: dict[str, tuple[np.dtype[np.void], int, dict[str, int]]] = {}
    for i in range(count):
        structure = fields[i].structure.decode()
        entry = reported.setdefault(structure, (STRUCTS[structure], fields[i].size, {}))
        entry[2][fields[i].name.decode()] = fields[i].offset
    return reported
