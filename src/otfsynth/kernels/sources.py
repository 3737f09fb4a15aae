"""The CUDA sources as NVRTC gets them: one file, options, and a hash of all that it includes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable

from otfsynth.resources import kernel_folder

DEVICE_FILES = ("*.cu", "*.h")


def kernel_source() -> str:
    """Text of ``kernels.cu``."""
    return (kernel_folder() / "kernels.cu").read_text(encoding="utf-8")


def source_hash(texts: Iterable[tuple[str, bytes]] | None = None) -> str:
    """16 hexadecimal digits that change with every byte of every source, headers included.

    Args:
        texts: (name, content) pairs; by default the installed sources.
    """
    digest = hashlib.sha256()
    for name, content in _installed() if texts is None else texts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


@functools.cache
def compile_options() -> tuple[str, ...]:
    """Options of NVRTC. CuPy's cache does not read included headers: the hash among its options stands for them."""
    return ("-std=c++17", f"-I{kernel_folder()}", f"-DOTF_SOURCE_HASH=0x{source_hash()}ULL")


def _installed() -> list[tuple[str, bytes]]:
    folder = kernel_folder()
    files = sorted(path for pattern in DEVICE_FILES for path in folder.glob(pattern))
    return [(path.name, path.read_bytes()) for path in files]
