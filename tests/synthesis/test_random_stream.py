"""Streams of parameters are NumPy's Philox4x64 under the documented key and counter."""

from __future__ import annotations

import numpy as np
import pytest

from otfsynth.synthesis.random_stream import STAGES, RandomStream
from otfsynth.types import SampleKey


@pytest.mark.parametrize("stage", ["label_map", "curriculum"])
@pytest.mark.parametrize("key", [SampleKey(0, 0), SampleKey(2**63 - 1, 2**32 - 1), SampleKey(5, 7, channel=3)])
def test_a_stream_is_that_of_its_key_and_counter(key: SampleKey, stage: str) -> None:
    bits = np.random.Philox(
        counter=np.array([0, 0, key.channel, key.index], np.uint64),
        key=np.array([key.seed, STAGES.index(stage)], np.uint64),
    )
    expected = (bits.random_raw(40) >> np.uint64(11)) * 2.0**-53
    stream = RandomStream(key, stage)
    np.testing.assert_array_equal(np.concatenate([stream.units(9), stream.units(31)]), expected)


def test_streams_differ() -> None:
    key = SampleKey(5, 7)
    first = [RandomStream(key, stage).units(1)[0] for stage in STAGES]
    assert len(set(first)) == len(STAGES)
