"""The numbers of a run: ``metrics.csv``, ``metrics.json`` and the loggers."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from otfsynth.data.datamodule import SyntheticDataModule
from otfsynth.learning.module import SegmentationModule
from otfsynth.learning.steps import ends_step

COLUMNS = ("step", "seconds", "metric", "value")
logger = logging.getLogger(__name__)


class Records(pl.Callback):
    """Writes every metric to ``metrics.csv`` (one row per step and metric) and to the trainer's loggers.

    Training metrics are means over ``every_steps`` steps: ``train/loss``, ``train/learning_rate``,
    ``train/samples_per_second`` (all ranks) and ``train/synthesis_share``, the part of the time that the steps spent
    waiting for samples. Between two records nothing is read back from the device. A resumed run drops the rows of steps
    that it will do again.

    Args:
        folder: the run's folder.
        every_steps: steps between two records.
    """

    def __init__(self, folder: str | Path, every_steps: int = 10) -> None:
        self.folder = Path(folder)
        self.every_steps = every_steps
        self.latest: dict[str, float] = {}
        """Last value of every metric."""
        self._begin = self._window_begin = time.perf_counter()
        self._window_batches = 0
        self._window_waiting = 0.0
        self._window_loss = torch.zeros(())

    @property
    def csv_path(self) -> Path:
        """All metrics, tidy."""
        return self.folder / "metrics.csv"

    @property
    def json_path(self) -> Path:
        """Last metrics, written at the end."""
        return self.folder / "metrics.json"

    def state_dict(self) -> dict[str, Any]:
        """Last values, so that a resumed run shows them before it has new ones."""
        return {"latest": self.latest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore :meth:`state_dict`."""
        self.latest = dict(state_dict["latest"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the file, or cut it at the step that the run resumes from."""
        self._begin = time.perf_counter()
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            rows = _rows_until(self.csv_path, trainer.global_step)
            part = self.csv_path.with_name(self.csv_path.name + ".part")
            with open(part, "w", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
            os.replace(part, self.csv_path)
        self._open_window(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the batch to the window; record the window where it is full."""
        assert isinstance(pl_module, SegmentationModule)
        self._window_loss = self._window_loss.to(pl_module.latest_loss.device) + pl_module.latest_loss
        self._window_batches += 1
        if ends_step(trainer, batch_idx) and trainer.global_step % self.every_steps == 0:
            self._record_window(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the window: validation's time is not training's."""
        self._record_window(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the scores."""
        assert isinstance(pl_module, SegmentationModule)
        self.record(trainer, pl_module.scores.metrics)
        self._open_window(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write ``metrics.json``."""
        self._record_window(trainer)
        if trainer.is_global_zero:
            summary = {"step": trainer.global_step, "seconds": round(time.perf_counter() - self._begin, 1)}
            values = {name: value if math.isfinite(value) else None for name, value in sorted(self.latest.items())}
            part = self.json_path.with_name(self.json_path.name + ".part")
            part.write_text(json.dumps(summary | values, indent=2) + "\n")
            os.replace(part, self.json_path)

    def record(self, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
        """Write metrics of the present step everywhere."""
        if not metrics or trainer.state.fn != "fit":
            return
        self.latest |= metrics
        step = trainer.global_step
        for destination in trainer.loggers:
            destination.log_metrics(metrics, step=step)
        if trainer.is_global_zero:
            seconds = f"{time.perf_counter() - self._begin:.1f}"
            with open(self.csv_path, "a", newline="") as file:
                csv.writer(file).writerows([step, seconds, name, f"{value:.7g}"] for name, value in metrics.items())

    def _open_window(self, trainer: pl.Trainer) -> None:
        self._window_begin = time.perf_counter()
        self._window_batches = 0
        self._window_waiting = _waiting_seconds(trainer)
        self._window_loss = torch.zeros(())

    def _record_window(self, trainer: pl.Trainer) -> None:
        if self._window_batches == 0:
            return
        loss = float(self._window_loss) / self._window_batches  # waits for the device, so before the clock is read
        seconds = time.perf_counter() - self._window_begin
        waiting = _waiting_seconds(trainer) - self._window_waiting
        metrics = {
            "train/loss": loss,
            "train/learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "train/samples_per_second": self._window_batches * _samples_per_batch(trainer) / seconds,
            "train/synthesis_share": min(waiting / seconds, 1.0),
        }
        self.record(trainer, metrics)
        self._open_window(trainer)
        if not math.isfinite(loss):
            logger.warning(
                "the loss is %s at step %d, and the weights are lost; begin anew with a lower optimizer.learning_rate",
                loss,
                trainer.global_step,
            )


def _training_set(trainer: pl.Trainer) -> Any:
    data = trainer.datamodule  # type: ignore[attr-defined]
    return data.training_set if isinstance(data, SyntheticDataModule) else None


def _waiting_seconds(trainer: pl.Trainer) -> float:
    training_set = _training_set(trainer)
    return 0.0 if training_set is None else training_set.waiting_seconds


def _samples_per_batch(trainer: pl.Trainer) -> int:
    training_set = _training_set(trainer)
    return 1 if training_set is None else training_set.samples_per_step


def _rows_until(path: Path, step: int) -> list[list[str]]:
    if step == 0 or not path.is_file():
        return []
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if len(row) == len(COLUMNS) and int(row[0]) <= step]
