"""One bar for the whole run, in steps, with the time left; plain lines where nobody watches a terminal."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from otfsynth.learning.records import Records


class StepProgress(pl.Callback):
    """Shows step, loss, Dice, samples per second and time left, from what :class:`Records` has recorded last.

    Args:
        records: where the numbers come from.
        enabled: ``False`` shows nothing.
    """

    def __init__(self, records: Records, enabled: bool = True) -> None:
        self.records = records
        self.enabled = enabled
        self._console = Console()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._begin = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar, at the step that the run resumes from."""
        self._begin, self._first_step = time.perf_counter(), trainer.global_step
        if not (self.enabled and trainer.is_global_zero and self._console.is_terminal):
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
        )
        self._bar = Progress(*columns, console=self._console, refresh_per_second=2, speed_estimate_period=120)
        self._task = self._bar.add_task("training", total=trainer.max_steps, completed=trainer.global_step, numbers="")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=trainer.global_step, numbers=self._numbers())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print one line per validation; it stays above the bar, and is all that a log file gets."""
        if not (self.enabled and trainer.is_global_zero) or trainer.state.fn != "fit":
            return
        done, left = trainer.global_step - self._first_step, trainer.max_steps - trainer.global_step
        seconds = (time.perf_counter() - self._begin) / max(done, 1) * left
        self._console.print(
            f"step {trainer.global_step}/{trainer.max_steps}  {self._numbers()}  "
            f"{timedelta(seconds=round(seconds))} left",
            highlight=False,
            soft_wrap=True,
        )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the bar where it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the bar where it is."""
        self.teardown(trainer, pl_module, "fit")

    def _numbers(self) -> str:
        parts = (
            ("train/loss", "loss {:.3f}"),
            ("validation/dice", "Dice {:.3f}"),
            ("validation/dice_ema", "(average {:.3f})"),
            ("real/dice", "real Dice {:.3f}"),
            ("train/samples_per_second", "{:.3g} samples/s"),
            ("train/synthesis_share", "synthesis {:.0%}"),
        )
        latest = self.records.latest
        return "  ".join(form.format(latest[name]) for name, form in parts if name in latest)
