"""Whole runs on blobs: learning, records, interruption and resumption."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.learning import TrainingInterrupted, fit
from otfsynth.networks import CheckpointError, load_checkpoint
from tests.learning.fakes import toy_data, toy_module, toy_trainer


class Losses(pl.Callback):
    """Every step's loss, exactly; optionally a signal to the own process at some moment."""

    def __init__(self, signal_at_step: int | None = None, within_validation: bool = False) -> None:
        self.values: dict[int, float] = {}
        self.validations: list[tuple[int, dict[str, float]]] = []
        self.signal_at_step = signal_at_step
        self.within_validation = within_validation

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *arguments: Any) -> None:
        self.values[trainer.global_step] = pl_module.latest_loss.item()
        if trainer.global_step == self.signal_at_step and not self.within_validation:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_batch_end(self, trainer: Any, *arguments: Any) -> None:
        if trainer.global_step == self.signal_at_step and self.within_validation:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.validations.append((trainer.global_step, dict(pl_module.scores.metrics)))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Losses, Path]:
    """A run of twelve steps."""
    folder = tmp_path_factory.mktemp("whole")
    losses = Losses()
    fit(toy_trainer(folder, [losses]), toy_module(), toy_data())
    return losses, folder


def test_the_loss_falls_and_dice_rises(tmp_path: Path) -> None:
    losses = Losses()
    trainer = toy_trainer(tmp_path, [losses], max_steps=60, validate_every_steps=20)
    metrics = fit(trainer, toy_module(OptimizerConfig(name="adamw", learning_rate=0.03, ema_decay=0.9)), toy_data())
    first, last = losses.validations[0][1], losses.validations[-1][1]
    assert last["validation/loss"] < first["validation/loss"] - 0.15
    assert metrics["validation/dice"] > 0.5
    assert metrics["validation/dice/CSF"] > 0.9
    assert metrics["validation/dice/WM"] == last["validation/dice/WM"]


def test_records_of_a_run(uninterrupted: tuple[Losses, Path]) -> None:
    losses, folder = uninterrupted
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    recorded = {int(row["step"]): float(row["value"]) for row in rows if row["metric"] == "train/loss"}
    assert sorted(recorded) == [2, 4, 6, 8, 10, 12]
    assert recorded[4] == pytest.approx((losses.values[3] + losses.values[4]) / 2, rel=1e-5)
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["step"] == 12
    assert summary["validation/dice_ema"] == losses.validations[-1][1]["validation/dice_ema"]
    assert 0 < summary["train/synthesis_share"] < 1
    assert summary["train/samples_per_second"] > 0


def test_moving_average_of_the_pseudo_dice_is_nnunets(uninterrupted: tuple[Losses, Path]) -> None:
    scores = [metrics for _, metrics in uninterrupted[0].validations]
    average = scores[0]["validation/dice"]
    for metrics in scores[1:]:
        average = 0.9 * average + 0.1 * metrics["validation/dice"]
    assert scores[-1]["validation/dice_ema"] == pytest.approx(average, abs=1e-12)


def test_checkpoint_says_what_it_is(uninterrupted: tuple[Losses, Path]) -> None:
    _, folder = uninterrupted
    contents = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert contents["format"] == "otfsynth-checkpoint"
    checkpoint = load_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert (checkpoint.step, checkpoint.sample_position) == (12, 24)
    assert checkpoint.config["network"] == {"base_features": 4}
    assert checkpoint.config["optimizer"]["learning_rate"] == 0.02
    assert checkpoint.scheme.target_names == ("background", "GM", "WM", "CSF")
    assert checkpoint.versions["torch"] == torch.__version__
    assert not list((folder / "checkpoints").glob("*.part"))


def test_checkpoint_network_is_the_moving_average(uninterrupted: tuple[Losses, Path]) -> None:
    checkpoint = load_checkpoint(uninterrupted[1] / "checkpoints" / "last.ckpt")
    assert checkpoint.ema_weights is not None
    averaged, trained = checkpoint.build_network(), checkpoint.build_network(ema=False)
    image = torch.randn(1, 1, 16, 16, 16)
    assert averaged(image).shape == (1, 4, 16, 16, 16)
    assert not torch.equal(averaged(image), trained(image))


@pytest.mark.parametrize(
    ("step", "within_validation"), [(5, False), (8, False), (8, True)], ids=["step", "validation due", "in validation"]
)
def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, uninterrupted: tuple[Losses, Path], step: int, within_validation: bool
) -> None:
    whole, whole_folder = uninterrupted
    before = signal.getsignal(signal.SIGTERM)
    first = Losses(signal_at_step=step, within_validation=within_validation)
    with pytest.raises(TrainingInterrupted) as stopped:
        fit(toy_trainer(tmp_path, [first]), toy_module(), toy_data())
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert max(first.values) == step
    second = Losses()
    fit(toy_trainer(tmp_path, [second]), toy_module(seed=99), toy_data())
    assert min(second.values) == step + 1
    assert first.values | second.values == whole.values
    assert first.validations + second.validations == whole.validations
    ours, theirs = (load_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (tmp_path, whole_folder))
    for name, weights in theirs.network_weights.items():
        assert torch.equal(weights, ours.network_weights[name])
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    steps = [int(row.split(",")[0]) for row in rows[1:] if "train/learning_rate" in row]
    assert steps == sorted(set(steps))


def test_a_longer_budget_continues_a_finished_run(tmp_path: Path) -> None:
    fit(toy_trainer(tmp_path, max_steps=6), toy_module(), toy_data())
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt").step == 6
    losses = Losses()
    fit(toy_trainer(tmp_path, [losses], max_steps=9), toy_module(), toy_data())
    assert sorted(losses.values) == [7, 8, 9]
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt").sample_position == 18


def test_finished_run_says_so_and_keeps_its_metrics(
    uninterrupted: tuple[Losses, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(uninterrupted[1] / "checkpoints" / "last.ckpt")
    metrics = fit(toy_trainer(tmp_path), toy_module(), toy_data(), resume=path)
    assert metrics["validation/dice"] == uninterrupted[0].validations[-1][1]["validation/dice"]
    assert "has done 12 steps already; raise trainer.max_steps" in caplog.text


def test_run_without_validation_still_saves(tmp_path: Path) -> None:
    data = toy_data()
    data.validation_samples = 0
    metrics = fit(toy_trainer(tmp_path, max_steps=8), toy_module(), data)
    assert "validation/dice" not in metrics
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt").step == 8
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_checkpoints_between_validations(tmp_path: Path) -> None:
    losses = Losses(signal_at_step=7)
    with pytest.raises(TrainingInterrupted):
        fit(toy_trainer(tmp_path, [losses], checkpoint_every_steps=3), toy_module(), toy_data())
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt").step == 7
    assert load_checkpoint(tmp_path / "checkpoints" / "best.ckpt").step == 4


def test_best_checkpoint_survives_a_worse_validation(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, max_steps=4)
    fit(trainer, toy_module(), toy_data())
    best = tmp_path / "checkpoints" / "best.ckpt"
    assert load_checkpoint(best).step == 4
    before = best.read_bytes()
    worse = toy_module()
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["training_state"]["callbacks"]
    trainer = toy_trainer(tmp_path, max_steps=8)
    for callback in trainer.callbacks:
        if hasattr(callback, "best_path"):
            callback.load_state_dict = lambda _, owner=callback: setattr(owner, "best_score", 2.0)
    fit(trainer, worse, toy_data())
    assert best.read_bytes() == before


def test_a_run_that_continues_anothers_checkpoint_has_a_best_one(
    tmp_path: Path, uninterrupted: tuple[Losses, Path]
) -> None:
    path = uninterrupted[1] / "checkpoints" / "last.ckpt"
    trainer = toy_trainer(tmp_path, max_steps=16)
    for callback in trainer.callbacks:
        if hasattr(callback, "best_path"):
            callback.load_state_dict = lambda _, owner=callback: setattr(owner, "best_score", 2.0)
    fit(trainer, toy_module(), toy_data(), resume=str(path))
    assert load_checkpoint(tmp_path / "checkpoints" / "best.ckpt").step == 16


def test_a_continued_run_has_the_settings_it_was_given(tmp_path: Path, uninterrupted: tuple[Losses, Path]) -> None:
    """Its records say so, and a diverging run can be continued with a lower rate."""
    path = str(uninterrupted[1] / "checkpoints" / "last.ckpt")
    config = OptimizerConfig(learning_rate=1e-3, momentum=0.5, weight_decay=1e-4, ema_decay=0.9, schedule="constant")
    trainer = toy_trainer(tmp_path, max_steps=16)
    fit(trainer, toy_module(config), toy_data(), resume=path)
    group = trainer.optimizers[0].param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-3, 0.5, 1e-4)
    rows = csv.DictReader((tmp_path / "metrics.csv").open())
    rates = [float(row["value"]) for row in rows if row["metric"] == "train/learning_rate"]
    assert rates == [1e-3, 1e-3]


def test_resume_with_another_network_is_refused(tmp_path: Path, uninterrupted: tuple[Losses, Path]) -> None:
    path = str(uninterrupted[1] / "checkpoints" / "last.ckpt")
    with pytest.raises(CheckpointError, match="ema_decay"):
        fit(toy_trainer(tmp_path), toy_module(OptimizerConfig(ema_decay=0.0)), toy_data(), resume=path)
    with pytest.raises(CheckpointError, match=r"optimizer.name \(sgd there\)"):
        fit(toy_trainer(tmp_path), toy_module(OptimizerConfig("adamw", ema_decay=0.9)), toy_data(), resume=path)
    with pytest.raises(ConfigurationError, match="seed=3"):
        fit(toy_trainer(tmp_path), toy_module(), toy_data(seed=4), resume=path)


def test_damaged_checkpoint_is_named(tmp_path: Path, uninterrupted: tuple[Losses, Path]) -> None:
    whole = (uninterrupted[1] / "checkpoints" / "last.ckpt").read_bytes()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"last\.ckpt' is damaged"):
        fit(toy_trainer(tmp_path), toy_module(), toy_data())


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_process_ends_with_the_signals_code(tmp_path: Path, name: str, code: int) -> None:
    script = (
        "from pathlib import Path; from otfsynth.learning import fit\n"
        "from tests.learning.fakes import *\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "class Tell(__import__('lightning').pytorch.Callback):\n"
        "    def on_train_batch_end(self, trainer, *rest):\n"
        "        print('step', trainer.global_step, flush=True)\n"
        "fit(toy_trainer(folder, [Tell()], max_steps=100000, validate_every_steps=50000), toy_module(), toy_data())\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    while process.stdout.readline() != "step 3\n":
        assert process.poll() is None
    process.send_signal(getattr(signal, name))
    process.stdout.read()
    assert process.wait(timeout=60) == code
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert checkpoint.step >= 3
    assert checkpoint.sample_position == 2 * checkpoint.step
