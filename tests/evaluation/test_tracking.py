"""An evaluation in W&B, offline: its means and tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from otfsynth.config.logger import LoggerConfig
from otfsynth.evaluation.result import METRIC_COLUMNS, EvaluationResult
from otfsynth.evaluation.statistics import summarise
from otfsynth.evaluation.tracking import log_to_wandb


def test_only_a_named_run_is_logged_with_its_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    metrics = pd.DataFrame([("a", "a", "", "T2w", "WM", "dice", 0.75)], columns=list(METRIC_COLUMNS))
    result = EvaluationResult(metrics, {}, ("background", "WM"), (), summary=summarise(metrics))
    assert not log_to_wandb(result, LoggerConfig(), tmp_path)
    assert not log_to_wandb(result, LoggerConfig(run_name="first", mode="disabled"), tmp_path)
    assert not (tmp_path / "wandb").exists()
    assert log_to_wandb(result, LoggerConfig(run_name="first"), tmp_path)
    (record,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert b"T2w/WM/dice" in record.read_bytes()
