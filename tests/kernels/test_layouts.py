"""The NumPy mirror of every operator struct has the compiler's size and offsets."""

from __future__ import annotations

from otfsynth.kernels import layouts


def test_structs_are_laid_out_as_the_compiler_does() -> None:
    reported = layouts()
    assert reported
    for name, (dtype, size, offsets) in reported.items():
        assert dtype.fields is not None, name
        assert dtype.itemsize == size, name
        expected = [dtype.fields[field][1] for field in dtype.names]
        given = [offsets[field] for field in dtype.names] if isinstance(offsets, dict) else list(offsets)
        assert given == expected, name
