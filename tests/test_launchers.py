"""Sweeps by the launchers that are installed here: two jobs, two folders, one group; and a job that is requeued."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from otfsynth.networks import load_checkpoint
from tests.test_train import command, label_maps

__all__ = ["label_maps"]
OPTIONS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": [],
    "ray": ["hydra.launcher.ray.remote.num_gpus=0", "hydra.launcher.ray.remote.num_cpus=1"],
}


def needs(launcher: str) -> None:
    plugin = f"hydra_{launcher.split('_')[0]}_launcher"
    if not find_spec("hydra_plugins") or not find_spec(f"hydra_plugins.{plugin}"):
        pytest.skip(f"{plugin.replace('_', '-')} is not installed (pip install '.[cluster]' or '.[ray]')")


def sweep(label_maps: Path, folder: Path, launcher: str, *overrides: str) -> subprocess.Popen[str]:
    arguments = command(label_maps, folder / "unused", f"hydra/launcher={launcher}", *OPTIONS[launcher], *overrides)
    arguments = [argument for argument in arguments if not argument.startswith("hydra.run.dir=")]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen([*arguments, "-m"], cwd=folder, env=variables, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", sorted(OPTIONS))
def test_jobs_do_not_meet(launcher: str, label_maps: Path, tmp_path: Path) -> None:
    needs(launcher)
    overrides = [
        "synthesis.bias_field.std_max=0.3,0.7",
        "synthesis.shape_variety.probability=0",
        "logger=default",
        "logger.mode=offline",
    ]
    process = sweep(label_maps, tmp_path, launcher, *overrides)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    [group] = (tmp_path / "multirun" / "randomized").iterdir()
    identities = set()
    for job, value in (("0", 0.3), ("1", 0.7)):
        checkpoint = load_checkpoint(group / job / "checkpoints" / "last.ckpt")
        assert checkpoint.step == 4
        assert checkpoint.config["synthesis"]["bias_field"]["std_max"] == value
        identities.add((group / job / "wandb_id").read_text())
    assert len(identities) == 2
    assert not list((tmp_path / "cache").glob("*.part"))


@pytest.mark.slow
def test_a_warned_job_is_requeued_and_goes_on(label_maps: Path, tmp_path: Path) -> None:
    needs("submitit_local")
    process = sweep(
        label_maps,
        tmp_path,
        "submitit_local",
        "trainer.max_steps=60",
        "synthesis.shape_variety.probability=0",
        "hydra.sweep.dir=sweep",
    )
    try:
        job = warned(tmp_path / "sweep")
        process.communicate(timeout=500)
    finally:
        process.kill()
    assert process.returncode == 0
    assert load_checkpoint(tmp_path / "sweep" / "0" / "checkpoints" / "last.ckpt").step == 60
    said = "".join(file.read_text() for file in (tmp_path / "sweep" / ".submitit" / job).glob("*.out"))
    assert "SIGUSR2: finishing this step" in said
    assert "Requeued job" in said
    assert "continuing from" in said


def warned(folder: Path) -> str:
    """Send SIGUSR2 to the job once it trains; its number."""
    metrics = folder / "0" / "metrics.csv"
    deadline = time.monotonic() + 240
    while not metrics.is_file() or "train/loss" not in metrics.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    [job] = [entry.name for entry in (folder / ".submitit").iterdir() if entry.name.isdigit()]
    for process in Path("/proc").iterdir():  # the task, not the controller that waits for it
        try:
            words = (process / "cmdline").read_text().split("\0")
            variables = (process / "environ").read_text().split("\0")
        except OSError:
            continue
        if "submitit.core._submit" in words and f"SUBMITIT_LOCAL_JOB_ID={job}" in variables:
            os.kill(int(process.name), signal.SIGUSR2)
    return job
