"""One global sequence of samples, however many processes, machines and batches make a step."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from otfsynth.learning import fit
from otfsynth.networks import load_checkpoint
from tests.learning.fakes import toy_data, toy_module, toy_trainer

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
import lightning.pytorch as pl
from otfsynth.learning import fit
from tests.learning.fakes import toy_data, toy_module, toy_trainer

class Seen(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        line = [batch_index // trainer.accumulate_grad_batches, [record.key.index for record in batch.parameters]]
        with open(folder / f"rank{trainer.global_rank}.jsonl", "a") as file:
            file.write(json.dumps(line) + chr(10))
        if trainer.global_step == stop_at:
            os.kill(os.getpid(), signal.SIGUSR1)

folder, batch_size, options = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
stop_at = options.pop("stop_at", None)
trainer = toy_trainer(folder / "run", [Seen()], strategy="ddp", validate_every_steps=2, **options)
fit(trainer, toy_module(), toy_data(batch_size=batch_size))
"""
STEPS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
"""Samples of the first three steps of four."""


def seen(folder: Path) -> list[list[int]]:
    """Samples of every step, of all ranks together; in order, so that one drawn twice shows."""
    steps: dict[int, list[int]] = {}
    for file in folder.glob("rank*.jsonl"):
        for step, indices in map(json.loads, file.read_text().splitlines()):
            steps.setdefault(step, []).extend(indices)
    return [sorted(steps[step]) for step in sorted(steps)]


def arguments(folder: Path, batch_size: int, **options: object) -> list[str]:
    script = folder / "run.py"
    script.write_text(SCRIPT)
    return [str(script), str(folder), str(batch_size), json.dumps(options)]


def finish(commands: list[tuple[list[str], dict[str, str]]], code: int = 0) -> None:
    """Run commands at the same time, each with its environment variables."""
    root = Path(__file__).resolve().parents[2]
    common = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    processes = [subprocess.Popen([sys.executable, *command], env=common | own) for command, own in commands]
    try:
        assert [process.wait(timeout=240) for process in processes] == [code] * len(processes)
    finally:
        for process in processes:
            process.kill()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three steps of one process with four samples each."""
    folder = tmp_path_factory.mktemp("one")
    fit(toy_trainer(folder, max_steps=3, validate_every_steps=2), toy_module(), toy_data(batch_size=4))
    return folder / "checkpoints" / "last.ckpt"


def assert_same_training(one: Path, other: Path) -> None:
    first, second = load_checkpoint(one), load_checkpoint(other)
    assert second.step == first.step == 3
    assert second.sample_position == first.sample_position == 12
    for name, weights in first.network_weights.items():
        torch.testing.assert_close(second.network_weights[name], weights, rtol=1e-3, atol=1e-5)


def test_accumulated_batches_make_the_step_of_one(tmp_path: Path, one: Path) -> None:
    finish([(arguments(tmp_path, 2, max_steps=3, accumulate=2), {})])
    assert seen(tmp_path) == STEPS
    assert_same_training(one, tmp_path / "run" / "checkpoints" / "last.ckpt")
    rows = [line.split(",") for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()]
    assert [row[0] for row in rows if row[2] == "train/loss"] == ["2", "3"]
    assert [row[0] for row in rows if row[2] == "validation/dice"] == ["2"]


def test_two_ranks_accumulate_and_go_on_as_one(tmp_path: Path, one: Path) -> None:
    """One step on two ranks with accumulation, until a cluster's warning; the others by one process."""
    options = {"max_steps": 3, "devices": 2, "accumulate": 2, "stop_at": 1}
    finish([(arguments(tmp_path, 1, **options), {})], code=128 + signal.SIGUSR1)
    assert seen(tmp_path) == STEPS[:1]
    finish([(arguments(tmp_path, 4, max_steps=3), {})])
    assert seen(tmp_path) == STEPS
    assert_same_training(one, tmp_path / "run" / "checkpoints" / "last.ckpt")


def test_ranks_of_two_machines_are_numbered_through(tmp_path: Path, one: Path) -> None:
    """Two "machines" of one process each, as Lightning is started by hand."""
    port = free_port()
    command = arguments(tmp_path, 2, max_steps=3, devices=1, num_nodes=2)
    machines = [{"NODE_RANK": node, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} for node in "01"]
    finish([(command, machine) for machine in machines])
    assert {file.name for file in tmp_path.glob("rank*.jsonl")} == {"rank0.jsonl", "rank1.jsonl"}
    assert json.loads((tmp_path / "rank1.jsonl").read_text().splitlines()[0]) == [0, [2, 3]]
    assert seen(tmp_path) == STEPS
    assert_same_training(one, tmp_path / "run" / "checkpoints" / "last.ckpt")


def test_processes_of_torchrun(tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    finish([([*torchrun, *arguments(tmp_path, 2, max_steps=3, devices=2)], {})])
    assert seen(tmp_path) == STEPS


def test_tasks_of_srun(tmp_path: Path) -> None:
    """The variables that SLURM sets for the two tasks of a step on two nodes; there is no SLURM here."""
    shared = {
        **{"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"},
        **{"SLURM_NNODES": "2", "SLURM_NODELIST": "127.0.0.1", "SLURM_LOCALID": "0", "MASTER_ADDR": "127.0.0.1"},
        "MASTER_PORT": free_port(),
    }
    command = arguments(tmp_path, 2, max_steps=3, devices=1, num_nodes=2)
    finish([(command, shared | {"SLURM_PROCID": task, "SLURM_NODEID": task}) for task in "01"])
    assert seen(tmp_path) == STEPS
