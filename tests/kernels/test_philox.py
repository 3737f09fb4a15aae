"""Philox4x32-10 against the vectors published with Random123 (``kat_vectors``), in the oracle and in the engine."""

from __future__ import annotations

import numpy as np
import pytest

from tests import references

VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_oracle_gives_the_published_vectors(counter: str, key: str, expected: str) -> None:
    first, second = words(key)
    drawn = references.philox4x32(np.array([words(counter)], np.uint32), (first, second))
    assert drawn.tolist() == [words(expected)]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_engine_gives_the_published_vectors(counter: str, key: str, expected: str) -> None:
    from otfsynth.kernels import philox4x32

    first, second = words(key)
    drawn = philox4x32(np.array([words(counter)], np.uint32), (first, second))
    assert drawn.dtype == np.uint32
    assert drawn.tolist() == [words(expected)]


def test_engine_equals_oracle_on_random_counters() -> None:
    from otfsynth.kernels import philox4x32

    counters = np.random.default_rng(0).integers(0, 2**32, size=(1000, 4), dtype=np.uint32)
    key = (0x12345678, 0x7ABCDEF0)
    np.testing.assert_array_equal(philox4x32(counters, key), references.philox4x32(counters, key))
