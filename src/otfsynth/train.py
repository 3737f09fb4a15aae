"""Train a network on samples synthesised from label maps: ``python -m otfsynth.train +experiment=randomized``.

The file is the table of contents of a run; each line's details are one module away.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job, run_command
from otfsynth.config.launchers import check_sweep_processes
from otfsynth.config.root import TrainConfig

if TYPE_CHECKING:
    import torch

    from otfsynth.data.bank import LabelBank
    from otfsynth.data.datamodule import SyntheticDataModule
    from otfsynth.labels import LabelScheme

DEFAULT_BATCH = 2
"""Samples per step where neither the user nor a hardware preset says."""

logger = logging.getLogger(__name__)


def train(config: TrainConfig, job: Job) -> None:
    """Run one training job from its configuration to its last picture.

    Raises:
        InputError: something that the user gave can't be used; nothing has been trained then.
        SystemExit: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    # Late, so that --help and a misspelt override answer at once: torch and Lightning take seconds to import.
    from otfsynth.config.priors import resolve_priors
    from otfsynth.config.saving import save_run_record
    from otfsynth.data.scheme_choice import resolve_labels
    from otfsynth.labels import LabelScheme
    from otfsynth.learning import SegmentationModule, build_trainer, fit
    from otfsynth.learning.devices import check_devices
    from otfsynth.learning.initial_weights import begin_with
    from otfsynth.learning.loggers import build_loggers, close_loggers
    from otfsynth.learning.signals import TrainingInterrupted
    from otfsynth.networks import plan_network
    from otfsynth.networks.checkpoint import package_versions

    check_sweep_processes(config.trainer.processes if job.sweep else 1, job.launcher)
    check_devices(config.trainer)
    config = dataclasses.replace(config, labels=resolve_labels(config.labels, config.data))
    scheme = LabelScheme.from_config(config.labels)
    config = dataclasses.replace(config, synthesis=resolve_priors(config.synthesis, scheme.name))
    save_run_record(config, package_versions(), job.folder)

    bank = _load_bank(config, scheme)
    spacing_mm = (config.data.spacing_mm,) * 3
    batch_size = config.data.batch_size or DEFAULT_BATCH
    channels = config.synthesis.channels.count
    plan = plan_network(config.network, scheme.target_count, config.data.patch_size, spacing_mm, batch_size, channels)
    data = _data_module(config, bank, plan.patch_size, batch_size)
    module = SegmentationModule(
        plan,
        scheme,
        config.optimizer,
        batch_dice=config.trainer.batch_dice,
        config=dataclasses.asdict(config),
        seed=config.seed,
        channels_last=config.trainer.channels_last,
        compile_network=config.trainer.compile,
        real_validation_every=config.trainer.real_validation_every,
    )
    if config.initial_weights is not None:
        begin_with(module, config.initial_weights)
    loggers = build_loggers(config.logger, job.folder, job.sweep)
    trainer = build_trainer(config.trainer, loggers, run_dir=job.folder)
    logger.info("run folder: %s", job.folder)
    try:
        metrics = fit(trainer, module, data, config.resume)
    except TrainingInterrupted as interruption:
        close_loggers(loggers)
        interruption.hand_on()
        raise
    finally:
        close_loggers(loggers)
    if trainer.is_global_zero:
        _report(config, scheme, metrics, job.folder, trainer.strategy.root_device)


def _load_bank(config: TrainConfig, scheme: LabelScheme) -> LabelBank:
    from otfsynth.data.bank import LabelBank
    from otfsynth.data.scheme_choice import suggestion
    from otfsynth.data.sources import LabelMapError

    try:
        return LabelBank.from_config(config.data, scheme, show_progress=config.trainer.progress)
    except LabelMapError as error:
        raise LabelMapError(f"{error}{suggestion(scheme, config.data)}") from error


def _data_module(
    config: TrainConfig, bank: LabelBank, patch_size: Sequence[int], batch_size: int
) -> SyntheticDataModule:

    from otfsynth.data.datamodule import SyntheticDataModule
    from otfsynth.data.validation import ValidationCases

    scans, targets = config.data.real_validation, config.data.real_validation_labels
    if scans and config.synthesis.normalization == "none":
        raise ConfigurationError(
            "data.real_validation needs synthesis.normalization=zscore or minmax: intensities as simulated say nothing "
            "of a real scan's"
        )
    channels = config.synthesis.channels.count
    return SyntheticDataModule(
        bank,
        config.synthesis,
        patch_size,
        batch_size,
        config.seed,
        validation_fraction=config.data.validation_fraction,
        validation_samples=config.data.validation_samples,
        real_validation=ValidationCases.from_path(scans, bank.scheme, targets, channels) if scans else None,
        threads=config.hardware.threads,
        prefetch=config.hardware.prefetch,
        curriculum=config.curriculum,
    )


def _report(
    config: TrainConfig, scheme: LabelScheme, metrics: dict[str, float], folder: Path, device: torch.device
) -> None:
    """Print the scores and where the results are; segment the embedded scan after a run on the embedded maps."""
    from otfsynth.data.embedded import EMBEDDED
    from otfsynth.learning.demonstration import demonstrate
    from otfsynth.networks.precision import choose_precision

    best, last = folder / "checkpoints" / "best.ckpt", folder / "checkpoints" / "last.ckpt"
    checkpoint = best if best.is_file() else last
    for name, value in sorted(metrics.items()):
        if not name.startswith("train/"):
            logger.info("%-32s %.4f", name, value)
    logger.info("%-32s %s", "checkpoint", checkpoint)
    logger.info("%-32s %s", "metrics", folder / "metrics.csv")
    for picture in sorted((folder / "pictures").glob("samples_*.png")):
        logger.info("%-32s %s", "synthetic samples", picture)
    if config.data.label_maps == EMBEDDED:
        precision = choose_precision(config.trainer.precision, device.type)
        dice = demonstrate(checkpoint, scheme, folder / "demonstration", device, precision)
        if dice:
            logger.info("%-32s %s", "MNI152 T1 brain, segmented", folder / "demonstration" / "mni152.png")
            logger.info("%-32s %s", "Dice there", "  ".join(f"{name} {value:.3f}" for name, value in dice.items()))


if __name__ == "__main__":
    run_command("train", TrainConfig, train)
