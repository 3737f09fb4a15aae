"""Which loggers a run gets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from lightning.pytorch.loggers import WandbLogger

from otfsynth.config.logger import LoggerConfig
from otfsynth.config.machine import has_wandb_key
from otfsynth.learning.loggers import build_loggers, close_loggers, wandb_mode


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize("wanted", ["online", "offline", "disabled"])
def test_a_mode_that_was_asked_for_is_kept(wanted):
    assert wandb_mode(wanted) == wanted


def test_auto_is_offline_without_a_key():
    assert not has_wandb_key()
    assert wandb_mode("auto") == "offline"


def test_auto_is_online_with_a_key(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_mode("auto") == "online"


def test_the_key_of_wandb_login_counts(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine api.wandb.ai\n  login user\n  password 0123\n")
    path.chmod(0o600)
    assert has_wandb_key()


def test_the_environment_decides_before_the_key(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode("auto") == "disabled"


def test_csv_alone_builds_no_logger(tmp_path):
    assert build_loggers(LoggerConfig(mode="disabled"), tmp_path) == []


def test_offline_says_so_in_one_line_and_keeps_its_identity(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        [first] = build_loggers(LoggerConfig(tags=["a"]), tmp_path / "exp" / "time", group="sweep")
        [second] = build_loggers(LoggerConfig(), tmp_path / "exp" / "time")
    assert [record.message.startswith("W&B: offline") for record in caplog.records] == [True, True]
    assert isinstance(first, WandbLogger)
    assert isinstance(second, WandbLogger)
    options = first._wandb_init
    assert (options["group"], options["name"], options["project"]) == ("sweep", "exp/time", "otfsynth")
    assert options["id"] == second._wandb_init["id"]


def test_a_group_of_the_users_own_wins(tmp_path):
    [logger] = build_loggers(LoggerConfig(group="mine"), tmp_path, group="sweep")
    assert isinstance(logger, WandbLogger)
    assert logger._wandb_init["group"] == "mine"


def test_jobs_of_one_process_are_runs_of_their_own(tmp_path):
    for number in range(2):
        loggers = build_loggers(LoggerConfig(mode="offline"), tmp_path / str(number), group="sweep")
        for destination in loggers:
            destination.log_metrics({"value": float(number)}, step=0)
        close_loggers(loggers)
    runs = [list((tmp_path / str(number) / "wandb").glob("offline-run-*/*.wandb")) for number in range(2)]
    assert [len(files) for files in runs] == [1, 1]
