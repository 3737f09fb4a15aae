"""What ``otfsynth doctor`` says about HD-BET's weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from otfsynth.doctor import check_skull_stripping
from otfsynth.inference.skullstrip.hd_bet import FILES


def test_weights_that_are_absent_incomplete_or_complete_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "hd-bet_params" / "release_2.0.0"
    absent, deepbet = check_skull_stripping()
    assert (absent.status, absent.detail) == (
        "note",
        "no weights in ~/hd-bet_params/release_2.0.0; method=auto takes deepbet",
    )
    assert "zenodo.org/records/14445620" in absent.remedy
    assert deepbet.status == "ok"

    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    complete = next(iter(check_skull_stripping()))
    assert (complete.status, complete.remedy) == ("ok", "")

    (folder / "plans.json").unlink()
    incomplete = next(iter(check_skull_stripping()))
    assert incomplete.status == "note"
    assert "(plans.json missing)" in incomplete.detail
