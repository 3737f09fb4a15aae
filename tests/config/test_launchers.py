"""Who starts processes and sweeps: what can't work is refused before the first job."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from otfsynth.config import launchers
from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose, compose_raw
from otfsynth.config.launchers import (
    check_launcher,
    check_ray,
    check_shared_folder,
    check_sweep_processes,
    processes_started_outside,
)
from otfsynth.config.machine import Machine
from otfsynth.config.root import TrainConfig
from otfsynth.resources import conf_folder

TORCHRUN = {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "8", "RANK": "0"}
SRUN = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}
LAUNCHERS = sorted(file.stem for file in Path(str(conf_folder())).glob("hydra/launcher/*.yaml"))


@pytest.mark.parametrize(
    ("environment", "count"),
    [({}, 1), (TORCHRUN, 8), (SRUN, 4), (SRUN | {"SLURM_JOB_NAME": "interactive"}, 1), ({"WORLD_SIZE": "2"}, 1)],
)
def test_who_has_started_how_many_processes(environment: dict[str, str], count: int) -> None:
    assert processes_started_outside(environment) == count


def test_processes_of_one_run_need_a_folder_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    check_shared_folder(False, "hydra.run.dir")
    monkeypatch.setattr(launchers, "processes_started_outside", lambda: 4)
    check_shared_folder(True, "hydra.run.dir")
    with pytest.raises(ConfigurationError, match=r"4 processes.*hydra\.run\.dir=runs/a"):
        check_shared_folder(False, "hydra.run.dir")


def test_jobs_of_a_sweep_with_several_processes_need_one_that_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sweep_processes(1, "joblib")
    check_sweep_processes(2, "submitit_slurm")
    with pytest.raises(ConfigurationError, match=r"num_nodes=2, but jobs started by hydra/launcher=basic"):
        check_sweep_processes(2, "basic")
    monkeypatch.setattr(launchers, "processes_started_outside", lambda: 2)
    check_sweep_processes(2, "basic")


def test_a_launcher_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launchers, "_installed", lambda *names: False)
    with pytest.raises(ConfigurationError, match="pip install hydra-joblib-launcher"):
        check_launcher("joblib", False)
    check_launcher("basic", True)


def test_hardware_of_other_machines_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launchers, "_installed", lambda *names: True)
    check_launcher("submitit_slurm", False)
    check_launcher("submitit_local", True)
    with pytest.raises(ConfigurationError, match="hardware=auto looks at this machine"):
        check_launcher("submitit_slurm", True)


def test_ray_is_not_asked_for_what_is_not_there() -> None:
    laptop = Machine(None, 0.0, 2, False)
    check_ray(None, {"num_gpus": 0, "num_cpus": 2}, laptop)
    check_ray("auto", {"num_gpus": 8}, laptop)
    with pytest.raises(ConfigurationError, match=r"num_gpus=1.*give 0"):
        check_ray(None, {"num_gpus": 1}, laptop)
    with pytest.raises(ConfigurationError, match=r"num_cpus=4, but this machine has 2"):
        check_ray(None, {"num_gpus": 0, "num_cpus": 4}, laptop)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_every_launcher_composes_without_its_plugin(name: str) -> None:
    tree = compose_raw([f"hydra/launcher={name}", "hardware=laptop", "trainer=multinode"], "train", TrainConfig)
    tree.hydra.sweep.dir = "multirun/a"
    settings = OmegaConf.to_container(OmegaConf.create({"launcher": tree.hydra.launcher, "trainer": tree.trainer}))
    assert settings["launcher"]["_target_"].startswith("hydra_plugins.")  # type: ignore[call-overload, index, union-attr]
    if name == "submitit_slurm":
        assert (tree.hydra.launcher.tasks_per_node, tree.hydra.launcher.nodes) == (4, 2)
        assert tree.hydra.launcher.additional_parameters == {"requeue": True, "open-mode": "append"}


def test_launchers_are_those_that_are_documented() -> None:
    assert LAUNCHERS == ["joblib", "ray", "submitit_local", "submitit_slurm"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer=fsdp", "optimizer=adamw"], r"fsdp keeps no average.*optimizer\.ema_decay=0 \(now 0\.999\)"),
        (["trainer=fsdp", "data.validation_samples=3"], r"data\.validation_samples=3 is no multiple"),
        (["trainer=fsdp", "data.real_validation=scans.csv"], r"leave out scans\.csv"),
        (["trainer.strategy=dpp"], r"strategy=dpp is unknown \(did you mean 'ddp'\?\)"),
        (["trainer.accumulate=0"], r"trainer\.accumulate=0"),
        (["trainer.num_nodes=0"], r"trainer\.num_nodes=0"),
    ],
)
def test_strategies_that_can_not_work_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose([*overrides, "hardware=laptop"])
