"""The same key gives the same bytes, whatever the threads, the batch or the order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis import SyntheticBatch
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.synthesis.heads import SEED, synthesizer

SIZE = (24, 28, 21)


def assert_same_bytes(first: SyntheticBatch, second: SyntheticBatch) -> None:
    assert first.image.numpy().tobytes() == second.image.numpy().tobytes()
    assert first.target.numpy().tobytes() == second.target.numpy().tobytes()
    assert first.parameters == second.parameters


@pytest.fixture(scope="module")
def expected(bank: LabelBank) -> SyntheticBatch:
    return synthesizer(bank, SIZE, SynthesisConfig(), threads=1)(range(8))


def test_samples_differ(expected: SyntheticBatch) -> None:
    flat = expected.image.reshape(8, -1)
    assert len(np.unique(flat.numpy(), axis=0)) == 8


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_matter(bank: LabelBank, expected: SyntheticBatch, threads: int) -> None:
    assert_same_bytes(synthesizer(bank, SIZE, SynthesisConfig(), threads=threads)(range(8)), expected)


def test_a_batch_is_as_many_batches_of_one(bank: LabelBank, expected: SyntheticBatch) -> None:
    engine = synthesizer(bank, SIZE, SynthesisConfig(), threads=2)
    singles = [engine([index]) for index in range(8)]
    assert_same_bytes(
        SyntheticBatch(
            image=torch.cat([single.image for single in singles]),
            target=torch.cat([single.target for single in singles]),
            parameters=[single.parameters[0] for single in singles],
        ),
        expected,
    )


def test_order_does_not_matter(bank: LabelBank, expected: SyntheticBatch) -> None:
    order = [5, 2, 7, 0, 1, 6, 4, 3]
    batch = synthesizer(bank, SIZE, SynthesisConfig(), threads=1)(order)
    np.testing.assert_array_equal(batch.image.numpy(), expected.image.numpy()[order])
    np.testing.assert_array_equal(batch.target.numpy(), expected.target.numpy()[order])


def test_another_engine_and_history_do_not_matter(bank: LabelBank, expected: SyntheticBatch) -> None:
    engine = synthesizer(bank, SIZE, SynthesisConfig(), threads=1)
    engine([100, 101, 102])
    assert_same_bytes(engine(range(8)), expected)


def test_records_replay_the_same_bytes_from_json(bank: LabelBank, expected: SyntheticBatch) -> None:
    records = [SynthesisParameters.from_json(record.to_json()) for record in expected.parameters]
    assert records == expected.parameters
    other = synthesizer(bank, SIZE, SynthesisConfig(), seed=99, threads=1)
    assert_same_bytes(other.render(records), expected)


def test_seeds_give_different_samples(bank: LabelBank, expected: SyntheticBatch) -> None:
    other = synthesizer(bank, SIZE, SynthesisConfig(), seed=SEED + 1, threads=1)([0])
    assert not np.array_equal(other.image.numpy()[0], expected.image.numpy()[0])
    assert other.parameters[0].mixture != expected.parameters[0].mixture


def test_batches_may_be_kept_and_buffers_reused_on_request(bank: LabelBank, expected: SyntheticBatch) -> None:
    engine = synthesizer(bank, SIZE, SynthesisConfig(), threads=1)
    first = engine([0])
    copy = first.image.clone()
    second = engine([1])
    assert first.image.data_ptr() != second.image.data_ptr()
    assert torch.equal(first.image, copy)
    reusing = synthesizer(bank, SIZE, SynthesisConfig(), threads=1, reuse_buffers=True)
    reusing([3])
    again = reusing([1])
    np.testing.assert_array_equal(again.image.numpy()[0], expected.image.numpy()[1])
    assert reusing([2]).image.data_ptr() == again.image.data_ptr()
