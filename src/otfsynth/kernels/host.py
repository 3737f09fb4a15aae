"""What the CPU extension runs: operators, and random numbers for the published test vectors."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.extension import library
from otfsynth.kernels.structs import STRUCTS


def variant() -> str:
    """Processor generation whose code is in use: ``baseline``, ``v3`` (AVX2) or ``v4`` (AVX-512)."""
    return str(library().otf_variant().decode())


def launch(name: str, operators: NDArray[np.void], threads: int) -> None:
    """Run one operator for every sample of a batch.

    Args:
        name: a key of :data:`otfsynth.kernels.structs.STRUCTS`.
        operators: one struct a sample, of that operator's dtype.
        threads: CPU threads, at least 1; the result does not depend on it.
    """
    if operators.dtype != STRUCTS[name] or not operators.flags.c_contiguous:
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
