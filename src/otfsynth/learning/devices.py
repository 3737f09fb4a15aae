"""Which devices a run trains on, and whether the machine has them."""

from __future__ import annotations

import os

import torch

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.launchers import processes_started_outside
from otfsynth.config.trainer import TrainerConfig


def choose_accelerator(wanted: str) -> str:
    """``cpu``, ``gpu`` or ``mps``."""
    if wanted == "auto":
        return "gpu" if torch.cuda.is_available() else "cpu"
    return "gpu" if wanted == "cuda" else wanted


def check_devices(config: TrainerConfig) -> None:
    """Check that devices, machines and strategy fit this machine and who has started this process.

    Raises:
        ConfigurationError: they don't; nothing has been started then.
    """
    accelerator = choose_accelerator(config.accelerator)
    if config.strategy == "fsdp" and accelerator != "gpu":
        raise ConfigurationError(
            f"trainer.strategy=fsdp divides a network among GPUs, but this run is on '{accelerator}'; use "
            "trainer.strategy=ddp or trainer.accelerator=gpu"
        )
    if accelerator == "mps" and config.processes > 1:
        raise ConfigurationError(
            f"trainer.devices x trainer.num_nodes={config.processes}, but a Mac's GPU trains alone; set both to 1"
        )
    if accelerator == "gpu":
        _check_gpus(config.devices)
    _check_processes(config)


def _check_gpus(wanted: int) -> None:
    found = torch.cuda.device_count()
    if found == 0:
        raise ConfigurationError(
            "trainer.accelerator=gpu, but no CUDA GPU is seen here; use trainer.accelerator=cpu, or see 'otfsynth doctor'"
        )
    if wanted > found:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        because = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
        raise ConfigurationError(
            f"trainer.devices={wanted}, but {found} GPU{'s' * (found != 1)} can be seen here{because}; give at most "
            f"{found}, and trainer.num_nodes for GPUs of other machines"
        )


def _check_processes(config: TrainerConfig) -> None:
    started = processes_started_outside()
    if started not in (1, config.processes):
        raise ConfigurationError(
            f"{started} processes have been started, but trainer.devices={config.devices} x "
            f"trainer.num_nodes={config.num_nodes} is {config.processes}; make the two equal"
        )
    if config.num_nodes > 1 and started == 1 and not {"MASTER_ADDR", "NODE_RANK"} <= set(os.environ):
        raise ConfigurationError(
            f"trainer.num_nodes={config.num_nodes}, but this process was started alone and would wait for the others "
            "for ever; start it with srun or torchrun on every machine (docs/scaling.md)"
        )
