"""Where patches are taken from the head."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.synthesis import FlipConfig, PatchConfig
from otfsynth.data.bank import LabelBank
from tests.synthesis.heads import Size, bank_of, plain_config, plain_record, synthesizer


@pytest.mark.parametrize("size", [(9, 11, 13), (16, 16, 16), (8, 13, 20), (1, 9, 1)])
def test_foreground_patches_are_centred_on_every_target(tissue_bank: LabelBank, size: Size) -> None:
    config = plain_config(patch=PatchConfig(foreground_probability=1.0))
    batch = synthesizer(tissue_bank, size, config, threads=1)(range(60))
    centres = batch.target[:, 0, size[0] // 2, size[1] // 2, size[2] // 2].numpy()
    counts = np.bincount(centres, minlength=4)
    assert counts[0] == 0
    assert counts[1:].min() >= 8, "each target is drawn as often, however small"


def test_flipped_foreground_patches_are_centred_too(tissue_bank: LabelBank) -> None:
    config = plain_config(patch=PatchConfig(foreground_probability=1.0), flip=FlipConfig(1.0))
    batch = synthesizer(tissue_bank, (9, 9, 9), config, threads=1)(range(30))
    assert batch.target[:, 0, 4, 4, 4].numpy().min() > 0


def test_other_patches_lie_anywhere_around_the_targets(tissue_bank: LabelBank) -> None:
    config = plain_config(patch=PatchConfig(foreground_probability=0.0))
    engine = synthesizer(tissue_bank, (20, 20, 20), config)
    first_voxels = []
    for index in range(300):
        record = engine.sample_parameters(index)
        low = np.array(record.deformation.centre_voxels) - 9.5
        np.testing.assert_array_equal(low, np.rint(low))
        indices = tissue_bank[record.map_index].indices.numpy()
        where = np.argwhere(tissue_bank.scheme.target_table[indices] > 0)
        nearest = np.maximum(where.min(axis=0) - 5, 0)
        farthest = np.minimum(where.max(axis=0) + 1 + 5, indices.shape) - 20
        # The engine knows the extent from random voxels of the targets, so it may miss the outermost one.
        assert (low >= nearest).all()
        assert (low <= farthest).all()
        first_voxels.append((low - nearest) / (farthest - nearest))
    drawn = np.array(first_voxels)
    assert (drawn.min(axis=0) < 0.1).all()
    assert (drawn.max(axis=0) > 0.9).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.07)


def test_no_patch_of_a_whole_head_shows_its_neck_alone() -> None:
    bank = bank_of(np.pad(np.ones((26, 26, 88), np.uint8), 1))
    brain = torch.tensor([[6, 6, 66], [23, 23, 83]], dtype=torch.int32)  # the rest is no target
    bank = LabelBank(bank.scheme, 1.0, [dataclasses.replace(bank[0], foreground=(brain,))])
    engine = synthesizer(bank, (16, 16, 16), plain_config(patch=PatchConfig(foreground_probability=0.0)))
    starts = [engine.sample_parameters(index).deformation.centre_voxels[2] - 7.5 for index in range(60)]
    assert min(starts) == 66 - 4
    assert max(starts) == 83 + 1 + 4 - 16


def test_a_patch_larger_than_the_map_holds_the_whole_map(tissue_bank: LabelBank) -> None:
    config = plain_config(patch=PatchConfig(foreground_probability=0.0))
    batch = synthesizer(tissue_bank, (60, 63, 57), config, threads=1)([0, 1, 2])
    for record, target in zip(batch.parameters, batch.target[:, 0].numpy(), strict=True):
        whole = tissue_bank.scheme.target_table[tissue_bank[record.map_index].indices.numpy()]
        np.testing.assert_array_equal(np.bincount(target.ravel())[1:], np.bincount(whole.ravel())[1:])


def test_a_map_without_foreground_still_gives_patches() -> None:
    bank = bank_of(np.pad(np.ones((20, 20, 20), np.uint8), 1))
    bare = dataclasses.replace(bank[0], foreground=tuple(voxels[:0] for voxels in bank[0].foreground))
    bank = type(bank)(bank.scheme, 1.0, [bare])
    batch = synthesizer(bank, (8, 8, 8), plain_config(patch=PatchConfig(1.0)), threads=1)([0])
    assert set(np.unique(batch.target.numpy())) == {1}


@pytest.mark.parametrize("size", [(0, 8, 8), (8, 8), (8, -1, 8)])
def test_impossible_sizes_are_refused(tissue_bank: LabelBank, size: Size) -> None:
    with pytest.raises(ConfigurationError, match="patch_size"):
        synthesizer(tissue_bank, size)


def test_an_empty_bank_is_refused(tissue_bank: LabelBank) -> None:
    with pytest.raises(ConfigurationError, match="no label map"):
        synthesizer(type(tissue_bank)(tissue_bank.scheme, 1.0, []), (8, 8, 8))


def test_records_of_other_maps_or_mixed_sizes_are_refused(tissue_bank: LabelBank) -> None:
    engine = synthesizer(tissue_bank, (8, 8, 8))
    record = plain_record(tissue_bank, (8, 8, 8))
    with pytest.raises(ValueError, match="elsewhere"):
        engine.render([dataclasses.replace(record, label_map="elsewhere")])
    with pytest.raises(ValueError, match="size"):
        engine.render([record, plain_record(tissue_bank, (8, 8, 9))])
