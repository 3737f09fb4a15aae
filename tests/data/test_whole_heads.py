"""Whole-head samples: the brain in the middle."""

from __future__ import annotations

import numpy as np
import pytest

from otfsynth.config.compose import compose
from otfsynth.data.bank import LabelBank
from otfsynth.data.whole_heads import draw_record
from otfsynth.synthesis import Synthesizer
from tests.learning.fakes import toy_scheme


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
