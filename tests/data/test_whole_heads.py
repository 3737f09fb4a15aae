"""Whole-head samples: the brain in the middle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.config.compose import compose
from otfsynth.config.defacing import NeckConfig
from otfsynth.config.synthesis import AffineConfig, PatchConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.whole_heads import draw_record
from otfsynth.synthesis import Synthesizer
from tests.learning.fakes import toy_scheme
from tests.synthesis.heads import TISSUE, bank_of, head_indices, plain_config, synthesizer


def test_fluid_of_the_neck_does_not_pull_the_brain_out_of_sight() -> None:
    labels = np.zeros((40, 40, 80), np.int32)
    labels[19:21, 19:21, 1:44] = 24  # spinal canal
    labels[8:32, 4:36, 44:76] = 3
    labels[14:26, 10:30, 50:70] = 2
    bank = LabelBank.from_volumes(toy_scheme(), [labels])
    synthesizer = Synthesizer(compose([]).synthesis, bank, (32, 32, 32), 0, 1)
    # The bank crops maps to what is labelled: measure there
    target = bank.scheme.target_table[bank[0].indices.numpy()]
    brain = np.argwhere((target == 1) | (target == 2))
    centre = draw_record(synthesizer, 0, None).deformation.centre_voxels
    assert centre == pytest.approx((brain.min(0) + brain.max(0)) / 2, abs=1.0)


def test_whole_heads_end_below_the_brain_and_not_where_their_patch_would() -> None:
    """Patches around the scalp's lower end would be cut high, since the brain lies high in them."""
    indices = np.zeros((54, 60, 90), np.uint8)
    indices[2:52, 2:58, 42:88] = head_indices()
    bodies = bank_of(indices, scheme=TISSUE)
    everywhere = PatchConfig(foreground_probability=0.0)
    config = plain_config(neck=NeckConfig(1.0, [2.0, 6.0]), patch=everywhere, affine=AffineConfig(1.0))
    engine = synthesizer(bodies, (60, 64, 64), config)
    cut = 0
    for index in range(20):
        record = draw_record(engine, index, None)
        whole = dataclasses.replace(record, field_of_view=None)
        shown, all_of_it = (np.isin(engine.render([drawn]).target.numpy(), (1, 2)).sum() for drawn in (record, whole))
        assert shown >= 0.97 * all_of_it
        assert record == dataclasses.replace(
            engine.sample_parameters(index), deformation=record.deformation, field_of_view=record.field_of_view
        )
        cut += record.field_of_view is not None
    assert cut > 10
