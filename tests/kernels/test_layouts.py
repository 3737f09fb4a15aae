"""The NumPy mirror of every operator struct has the compiler's size and offsets."""

from __future__ import annotations

from otfsynth.kernels import layouts


def test_structs_are_laid_out_as_the_compiler_does() -> None:
    reported = layouts()
    assert len(reported) >= 5
    for name, (dtype, size, offsets) in reported.items():
        assert dtype.fields is not None, name
        assert dtype.itemsize == size, name
        mirrored = {field: dtype.fields[field][1] for field in dtype.names or () if not field.startswith("padding")}
        assert mirrored == dict(offsets), name
