"""Weights & Biases beside the run's own ``metrics.csv``: online with a key, offline without one."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from otfsynth.config.logger import LoggerConfig
from otfsynth.config.machine import has_wandb_key, wandb_mode

ID_FILE = "wandb_id"
logger = logging.getLogger(__name__)


def build_loggers(config: LoggerConfig, run_dir: str | Path, group: str | None = None) -> list[Logger]:
    """The loggers beside ``metrics.csv``.

    Args:
        config: which W&B mode, project and names.
        run_dir: folder of the run; W&B keeps its files, and the identity under which a run is continued, there.
        group: W&B group where the configuration gives none (a sweep's).
    """
    mode = wandb_mode(config.mode)
    if mode == "disabled":
        return []
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    if mode == "offline":
        reason = "" if config.mode == "offline" or has_wandb_key() else " (no key found)"
        logger.info("W&B: offline%s; 'wandb sync %s/wandb/offline-run-*' sends the run", reason, run_dir)
        os.environ.setdefault("WANDB_SILENT", "true")
    wandb_logger = WandbLogger(
        name=config.run_name or f"{run_dir.parent.name}/{run_dir.name}",
        save_dir=run_dir,
        offline=mode == "offline",
        id=_run_id(run_dir) if rank_zero_only.rank == 0 else None,  # the others log nothing
        project=config.project,
        entity=config.entity,
        group=config.group or group,
        tags=list(config.tags),
        resume="allow" if mode == "online" else None,
    )
    wandb_logger._wandb_init.pop("anonymous", None)  # Lightning passes it on, and wandb warns that it has no effect
    return [wandb_logger]


def close_loggers(loggers: Sequence[Logger]) -> None:
    """End the W&B run, so that the next job of a sweep in this process begins one of its own."""
    if any(isinstance(destination, WandbLogger) for destination in loggers):
        wandb.finish()


def _run_id(run_dir: Path) -> str:
    path = run_dir / ID_FILE
    if not path.is_file():
        path.write_text(uuid.uuid4().hex[:8] + "\n")
    return path.read_text().strip()
