"""Whole samples of the default model against the oracle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.config.synthesis import PatchConfig, SynthesisConfig
from otfsynth.data.bank import LabelBank
from tests.synthesis.heads import Size, assert_agrees, plain_record, render_one, synthesizer

SIZES = [(40, 44, 37), (32, 32, 32), (17, 30, 41), (5, 7, 9), (66, 60, 58), (1, 40, 40), (40, 40, 1)]


@pytest.mark.parametrize("index", range(10))
def test_drawn_samples_agree_with_the_oracle(bank: LabelBank, index: int) -> None:
    engine = synthesizer(bank, SIZES[0], SynthesisConfig())
    assert_agrees(bank, engine.sample_parameters(index))


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("index", [20, 21])
def test_every_patch_size_agrees_with_the_oracle(bank: LabelBank, size: Size, index: int) -> None:
    engine = synthesizer(bank, size, SynthesisConfig(patch=PatchConfig(foreground_probability=1.0)))
    record = engine.sample_parameters(index)
    assert record.size == size
    assert_agrees(bank, record)


def test_batch_has_the_promised_shape_and_type(bank: LabelBank) -> None:
    batch = synthesizer(bank, (12, 14, 17), SynthesisConfig())([3, 4, 5])
    assert batch.image.shape == (3, 1, 12, 14, 17)
    assert str(batch.image.dtype) == "torch.float32"
    assert batch.target.shape == (3, 1, 12, 14, 17)
    assert str(batch.target.dtype) == "torch.uint8"
    assert [record.key.index for record in batch.parameters] == [3, 4, 5]


def test_targets_are_those_of_the_scheme(tissue_bank: LabelBank) -> None:
    record = plain_record(tissue_bank, tuple(tissue_bank[0].indices.shape))
    _, target = render_one(tissue_bank, record)
    np.testing.assert_array_equal(target, tissue_bank.scheme.target_table[tissue_bank[0].indices.numpy()])
    assert set(np.unique(target)) == {0, 1, 2, 3}


def test_seeds_use_all_their_bits(bank: LabelBank) -> None:
    record = plain_record(bank, (12, 12, 12))
    high = dataclasses.replace(record, key=dataclasses.replace(record.key, seed=record.key.seed + 2**50))
    assert not np.array_equal(render_one(bank, record)[0], render_one(bank, high)[0])
    assert_agrees(bank, high)
