"""NumPy dtypes of the structs are what the compiler made of the headers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from otfsynth.kernels import STRUCTS
from otfsynth.kernels.host import launch


def test_a_struct_is_laid_out_as_its_header_says() -> None:
    lattice = STRUCTS["Lattice"]
    assert lattice.itemsize == 32
    assert lattice.fields is not None
    found = {name: (dtype.base.name, dtype.shape, offset) for name, (dtype, offset, *_) in lattice.fields.items()}
    assert found == {
        "coefficients": ("uint64", (), 0),
        "shape": ("int32", (3,), 8),
        "origin": ("float32", (), 20),
        "spacing": ("float32", (), 24),
    }


def test_structs_hold_structs_and_arrays_of_them() -> None:
    paint, finish = STRUCTS["Paint"], STRUCTS["Finish"]
    assert paint["bias"] == STRUCTS["RowLattice"]
    assert finish["linear"].shape == (3,)
    assert finish["linear"].base == STRUCTS["Linear"]


def test_every_struct_is_listed_whole() -> None:
    """What no field covers is padding: less than a pointer between fields, and named so in the header."""
    for name in STRUCTS:
        fields = STRUCTS[name].fields
        assert fields is not None
        ends = sorted((offset, offset + dtype.itemsize) for dtype, offset, *_ in fields.values())
        gaps = [after[0] - before[1] for before, after in itertools.pairwise(ends)]
        assert max(gaps, default=0) <= 4, name
        assert STRUCTS[name].itemsize - ends[-1][1] <= 12, name


def test_launching_takes_the_operators_own_struct_only() -> None:
    with pytest.raises(TypeError, match="FlowSquare"):
        launch("FlowSquare", np.zeros(1, STRUCTS["FlowStart"]), 1)
