"""Who starts the processes of a run, and the jobs of a sweep: what has to be right before the first one begins."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.machine import Machine

PLUGINS = {"submitit": "hydra_submitit_launcher", "joblib": "hydra_joblib_launcher", "ray": "hydra_ray_launcher"}
"""First word of an option of ``hydra/launcher`` and the plugin that it needs."""
REMOTE = "submitit_slurm"
"""The launcher whose jobs run on other machines, and start with one process for each GPU."""


def processes_started_outside(environment: Mapping[str, str] = os.environ) -> int:
    """Processes of this run that srun or torchrun has started, on all machines; 1 where neither has."""
    if "TORCHELASTIC_RUN_ID" in environment:
        return int(environment.get("WORLD_SIZE", 1))
    if "SLURM_PROCID" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(environment.get("SLURM_NTASKS", 1))
    return 1


def check_launcher(name: str, hardware_is_auto: bool) -> None:
    """Check that a sweep can be started by ``hydra/launcher=NAME``.

    Raises:
        ConfigurationError: its plugin is not installed, or the hardware would be looked at on the wrong machine.
    """
    plugin = PLUGINS.get(name.split("_")[0])
    if plugin is not None and not _installed("hydra_plugins", plugin):
        raise ConfigurationError(
            f"hydra/launcher={name} needs a package that is not installed; pip install {plugin.replace('_', '-')}"
        )
    if name == REMOTE and hardware_is_auto:
        raise ConfigurationError(
            f"hardware=auto looks at this machine, but hydra/launcher={name} runs on others; name what those have, "
            "e.g. hardware=gpu24"
        )


def check_ray(address: str | None, wanted: Mapping[str, float], machine: Machine) -> None:
    """Check that a Ray of its own on this machine can start a job at all.

    Args:
        address: of a Ray that runs elsewhere, which is not asked.
        wanted: ``num_gpus`` and ``num_cpus`` of a job.
        machine: what is here.

    Raises:
        ConfigurationError: it would wait for more GPUs or cores for ever.
    """
    if address is not None:
        return
    if wanted.get("num_gpus", 0) > 0 and machine.gpu_name is None:
        raise ConfigurationError(
            f"hydra.launcher.ray.remote.num_gpus={wanted['num_gpus']}, but no GPU is seen here and every job would wait "
            "for one; give 0"
        )
    if wanted.get("num_cpus", 0) > machine.cores:
        raise ConfigurationError(
            f"hydra.launcher.ray.remote.num_cpus={wanted['num_cpus']}, but this machine has {machine.cores} and every job "
            "would wait for more; give fewer"
        )


def _installed(namespace: str, package: str) -> bool:
    return bool(importlib.util.find_spec(namespace) and importlib.util.find_spec(f"{namespace}.{package}"))


def check_shared_folder(given: bool, setting: str) -> None:
    """Check that all processes of a run write to one folder.

    Args:
        given: whether the user named the folder.
        setting: its name, ``hydra.run.dir`` or ``hydra.sweep.dir``.

    Raises:
        ConfigurationError: each process would name it by the second in which it has started.
    """
    processes = processes_started_outside()
    if processes > 1 and not given:
        raise ConfigurationError(
            f"{processes} processes train together, and each would name its folder by its own clock; name one for all, "
            f"e.g. {setting}=runs/a (the same name continues the run)"
        )


def check_sweep_processes(processes: int, launcher: str) -> None:
    """Check that the jobs of a sweep can have several processes.

    Args:
        processes: that train together in each job.
        launcher: option of ``hydra/launcher``.

    Raises:
        ConfigurationError: Lightning would start the whole sweep again for each of them.
    """
    if processes > 1 and launcher != REMOTE and processes_started_outside() == 1:
        raise ConfigurationError(
            f"trainer.devices x trainer.num_nodes={processes}, but jobs started by hydra/launcher={launcher} have one "
            f"process each; use hydra/launcher={REMOTE}, start the sweep with torchrun, or train on one GPU per job"
        )
