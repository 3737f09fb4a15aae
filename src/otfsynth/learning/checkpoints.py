"""When checkpoints are written, and how Lightning's state becomes otfsynth's file and back."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint as CheckpointCallback
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from otfsynth.learning.module import SegmentationModule
from otfsynth.learning.signals import StopRequest, TrainingInterrupted
from otfsynth.learning.steps import count_batches_anew, ends_step
from otfsynth.networks import Checkpoint, load_checkpoint, save_checkpoint

LAST, BEST = "last.ckpt", "best.ckpt"
NETWORK, AVERAGE = "network.", "average.network."
LOADER_STATE = "SyntheticDataModule"

logger = logging.getLogger(__name__)


class CheckpointFiles(CheckpointIO):
    """Lightning's door to checkpoint files: atomic, plain data, ``weights_only``."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write Lightning's state in otfsynth's layout."""
        save_checkpoint(_to_file(checkpoint), path)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read otfsynth's layout as the state that Lightning restores."""
        return _from_file(load_checkpoint(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete the file."""
        Path(path).unlink(missing_ok=True)


def _to_file(state: dict[str, Any]) -> Checkpoint:
    remaining = dict(state)
    weights: dict[str, Tensor] = remaining.pop("state_dict")
    about: dict[str, Any] = remaining.pop("otfsynth")
    return Checkpoint(
        network_weights=_without_prefix(weights, NETWORK),
        ema_weights=_without_prefix(weights, AVERAGE) or None,
        step=int(state["global_step"]),
        sample_position=int(state.get(LOADER_STATE, {}).get("sample_position", 0)),
        training_state=remaining,
        **about,
    )


def _from_file(checkpoint: Checkpoint) -> dict[str, Any]:
    weights = {NETWORK + name: value for name, value in checkpoint.network_weights.items()}
    weights |= {AVERAGE + name: value for name, value in (checkpoint.ema_weights or {}).items()}
    about = {
        "network_plan": checkpoint.network_plan,
        "label_scheme": checkpoint.label_scheme,
        "config": checkpoint.config,
    }
    return {**checkpoint.training_state, "state_dict": weights, "otfsynth": about}


def _without_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


class Checkpoints(CheckpointCallback):
    """Writes ``last.ckpt`` and ``best.ckpt``, also when the run is asked to stop.

    ``last.ckpt`` follows every validation and, if wanted, every n steps; ``best.ckpt`` is the one with the highest
    moving average of the pseudo-Dice. The signals of :data:`otfsynth.learning.signals.STOPPING` end the run after the
    step or validation batch under way.

    Args:
        folder: where the two files are.
        every_steps: steps between two writings outside validation; ``None`` for none.
    """

    def __init__(self, folder: str | Path, every_steps: int | None = None) -> None:
        self.folder = Path(folder)
        self.every_steps = every_steps
        self.best_score: float | None = None
        self.best_step: int | None = None
        self.stop = StopRequest()
        """Filled by a signal while training."""
        self._validation_unfinished = False

    @property
    def last_path(self) -> Path:
        """``last.ckpt`` of the run."""
        return self.folder / LAST

    @property
    def best_path(self) -> Path:
        """``best.ckpt`` of the run."""
        return self.folder / BEST

    def state_dict(self) -> dict[str, Any]:
        """Score of the best checkpoint, so that a resumed run keeps it."""
        return {"best_score": self.best_score, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore :meth:`state_dict`."""
        self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals from Lightning, whose SIGTERM handler ends runs with exit code 0 and calls collectives."""
        self.stop.listen()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is time to; a validation that follows this step saves by itself."""
        if not ends_step(trainer, batch_idx):
            return
        step = trainer.global_step
        at_interval = (batch_idx + 1) % int(trainer.val_check_batch or 1) == 0
        if at_interval and sum(trainer.num_val_batches) > 0:
            return
        self._stop_if_asked(trainer)
        at_own_interval = self.every_steps is not None and step % self.every_steps == 0
        if at_interval or at_own_interval or step == trainer.max_steps:
            trainer.save_checkpoint(self.last_path)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before a validation that would take long."""
        self._stop_if_asked(trainer, validating=True)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop within a validation; the resumed run does it again from its beginning.

        Ranks validate different numbers of batches and cannot agree here: together they finish the validation.
        """
        if trainer.world_size == 1:
            self._stop_if_asked(trainer, validating=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, and keep a copy where the score is the best so far."""
        if trainer.state.fn != "fit":
            return
        assert isinstance(pl_module, SegmentationModule)
        score = pl_module.scores.pseudo_dice_ema
        # A run that continues another's checkpoint in a folder of its own has no best one yet.
        best = self.best_score if self.best_path.is_file() else None
        improved = score is not None and (best is None or score > best)
        if improved:
            self.best_score, self.best_step = score, trainer.global_step
        trainer.save_checkpoint(self.last_path)
        if improved and trainer.is_global_zero:
            _copy(self.last_path, self.best_path)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Mark an unfinished validation in Lightning's loop counters, as one that stopped in its first batch.

        A resumed loop then validates before it trains on, so that the moving average of the scores misses nothing.
        """
        if self._validation_unfinished:
            nothing = {"ready": 0, "completed": 0, "started": 0, "processed": 0}
            checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"] = {
                "total": {**nothing, "ready": 1, "started": 1},
                "current": nothing,
                "is_last_batch": False,
            }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Count batches by this run's accumulation, not by that of the run that wrote the checkpoint."""
        count_batches_anew(checkpoint, trainer.accumulate_grad_batches)

    def _stop_if_asked(self, trainer: pl.Trainer, validating: bool = False) -> None:
        asked = self.stop.received is not None
        if trainer.world_size > 1:  # all ranks must leave at the same step
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if not asked or trainer.state.fn != "fit":
            return
        self._validation_unfinished = validating
        trainer.save_checkpoint(self.last_path)
        if trainer.is_global_zero:
            logger.warning("stopped at step %d; '%s' continues the run", trainer.global_step, self.last_path)
        raise TrainingInterrupted(self.stop.received or signal.SIGTERM, str(self.last_path), trainer.global_rank)


def find_resume(resume: str, folder: str | Path) -> Path | None:
    """The checkpoint to continue from.

    Args:
        resume: ``auto`` (``last.ckpt`` of the folder, where there is one), ``never``, or the path of a checkpoint.
        folder: the run's checkpoint folder.

    Raises:
        FileNotFoundError: the path does not exist.
    """
    if resume == "never":
        return None
    if resume == "auto":
        last = Path(folder) / LAST
        return last if last.is_file() else None
    path = Path(resume).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"resume={resume} does not exist; give a checkpoint, 'auto' or 'never'")
    return path


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
