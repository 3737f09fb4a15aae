"""NumPy dtypes of the structs of ``cuda_kernels/``, as the compiler of the CPU extension laid them out.

They are read from the extension, so that a struct is written down once: its header lists its fields below it.
The GPU's compiler lays them out alike, which ``scripts/compile_kernels.py`` checks. Pointers are unsigned 64-bit
integers; 0 is null.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from otfsynth.kernels.extension import library

SCALARS = {"f32": np.float32, "i32": np.int32, "u32": np.uint32, "i64": np.int64, "pointer": np.uint64}


class _Entry(ctypes.Structure):
    _fields_ = (
        ("structure", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_char_p),
        ("offset", ctypes.c_longlong),
        ("count", ctypes.c_longlong),
        ("size", ctypes.c_longlong),
    )


class Field(NamedTuple):
    """A field as the compiler sees it: a scalar of :data:`SCALARS` or a struct, ``length`` of them (0: no array)."""

    name: str
    type: str
    offset: int
    length: int


class Structs(Mapping[str, "np.dtype[np.void]"]):
    """Dtype by the struct's name; the extension is opened at the first look-up."""

    def __getitem__(self, name: str) -> np.dtype[np.void]:
        return _dtype(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_table())

    def __len__(self) -> int:
        return len(_table())


STRUCTS = Structs()


@functools.cache
def _table() -> dict[str, tuple[int, tuple[Field, ...]]]:
    """Size in bytes and fields of every struct."""
    address = ctypes.c_void_p()
    count = library().otf_fields(ctypes.byref(address))
    entries = ctypes.cast(address, ctypes.POINTER(_Entry))
    sizes: dict[str, int] = {}
    fields: dict[str, list[Field]] = {}
    for i in range(count):
        entry = entries[i]
        structure = entry.structure.decode()
        sizes[structure] = entry.size
        field = Field(entry.name.decode(), entry.type.decode(), entry.offset, entry.count)
        fields.setdefault(structure, []).append(field)
    return {structure: (sizes[structure], tuple(fields[structure])) for structure in sizes}


@functools.cache
def _dtype(name: str) -> np.dtype[np.void]:
    size, fields = _table()[name]
    formats: list[Any] = []
    for field in fields:
        element = SCALARS.get(field.type) or _dtype(field.type)
        formats.append((element, (field.length,)) if field.length else element)
    names, offsets = [field.name for field in fields], [field.offset for field in fields]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})
