"""Lightning's trainer, set up for runs counted in steps, and the call that fits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger

from otfsynth.config.trainer import TrainerConfig
from otfsynth.data.datamodule import SyntheticDataModule
from otfsynth.learning.checkpoints import CheckpointFiles, Checkpoints, find_resume
from otfsynth.learning.devices import check_devices, choose_accelerator
from otfsynth.learning.module import SegmentationModule
from otfsynth.learning.pictures import Pictures
from otfsynth.learning.progress import StepProgress
from otfsynth.learning.records import Records
from otfsynth.learning.sharding import build_strategy
from otfsynth.networks.precision import choose_precision

# Lightning's advice for runs of another kind: samples are made on the device, not loaded by workers.
HARMLESS = (
    ".*does not have many workers.*",
    ".*IterableDataset.*",
    ".*isinstance.treespec, LeafSpec.*",
)

T = TypeVar("T", bound=pl.Callback)
logger = logging.getLogger(__name__)


def build_trainer(
    config: TrainerConfig,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[pl.Callback] = (),
    run_dir: str | Path = ".",
) -> pl.Trainer:
    """A trainer that validates, saves, records and draws as the configuration says.

    Files of the run: ``checkpoints/last.ckpt``, ``checkpoints/best.ckpt``, ``metrics.csv``, ``metrics.json``,
    ``pictures/*.png``.

    Args:
        config: budget, precision and frequencies.
        loggers: Lightning loggers (for instance W&B); ``metrics.csv`` is written in any case.
        callbacks: further callbacks, called before the run's own.
        run_dir: folder of the run.

    Raises:
        ConfigurationError: devices, machines or strategy do not fit this machine.
    """
    run_dir = Path(run_dir)
    records = Records(run_dir, config.log_every_steps)
    own: list[pl.Callback] = [
        records,
        StepProgress(records, config.progress),
        Checkpoints(run_dir / "checkpoints", config.checkpoint_every_steps),
    ]
    if config.pictures_every > 0:
        own.insert(0, Pictures(run_dir / "pictures", config.pictures_every))
    check_devices(config)
    accelerator = choose_accelerator(config.accelerator)
    with _quiet():
        return pl.Trainer(
            accelerator=accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=build_strategy(config.strategy),
            precision=choose_precision(config.precision, "cuda" if accelerator == "gpu" else accelerator),  # type: ignore[arg-type]
            max_steps=config.max_steps,
            max_epochs=-1,  # one endless epoch: the stream has no end, steps count
            accumulate_grad_batches=config.accumulate,
            val_check_interval=min(config.validate_every_steps, config.max_steps) * config.accumulate,  # in batches
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            logger=list(loggers) or False,
            callbacks=[*callbacks, *own],
            plugins=[CheckpointFiles()],
            deterministic=config.deterministic,
            benchmark=not config.deterministic,
            use_distributed_sampler=False,  # the stream is divided by sample index
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=run_dir,
        )


def fit(
    trainer: pl.Trainer, module: SegmentationModule, data: SyntheticDataModule, resume: str = "auto"
) -> dict[str, float]:
    """Train to the end of the budget, from the beginning or from a checkpoint.

    Args:
        trainer: from :func:`build_trainer`.
        module: network, loss and optimiser.
        data: synthetic stream and validation.
        resume: ``auto`` continues ``last.ckpt`` of the run's folder where there is one, ``never`` begins anew, anything
            else is the path of a checkpoint.

    Returns:
        Last value of every metric.

    Raises:
        TrainingInterrupted: SIGINT, SIGTERM or a cluster's warning came; the checkpoint is written. It exits the process
            with 128 + the signal's number.
        otfsynth.networks.CheckpointError: the checkpoint is damaged, foreign, or of another network or label scheme.
    """
    checkpoints = _callback(trainer, Checkpoints)
    path = find_resume(resume, checkpoints.folder)
    if path is not None:
        logger.info("continuing from '%s'", path)
    checkpoints.stop.listen()
    try:
        with _quiet():
            trainer.fit(module, datamodule=data, ckpt_path=path, weights_only=True)
    finally:
        checkpoints.stop.restore()
    if data.training_set is None or data.sample_position == data.training_set.start:
        done = trainer.global_step
        logger.warning("nothing was trained: '%s' has done %d steps already; raise trainer.max_steps", path, done)
    return dict(_callback(trainer, Records).latest)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's greetings and its advice for other kinds of runs; its warnings stay."""
    talker = logging.getLogger("lightning.pytorch")
    level = talker.level
    talker.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        talker.setLevel(level)


def _callback(trainer: pl.Trainer, kind: type[T]) -> T:
    found = next((callback for callback in trainer.callbacks if isinstance(callback, kind)), None)  # type: ignore[attr-defined]
    if found is None:
        raise ValueError(f"the trainer has no {kind.__name__} callback; make it with build_trainer")
    return found
