"""Two processes train as one with twice the batch does, and stop together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import torch

from otfsynth.learning import fit
from otfsynth.networks import load_checkpoint
from tests.learning.fakes import toy_data, toy_module, toy_trainer

SCRIPT = """
import sys
from pathlib import Path
import lightning.pytorch as pl
from otfsynth.learning import fit
from tests.learning.fakes import toy_data, toy_module, toy_trainer

class Tell(pl.Callback):
    def on_train_batch_end(self, trainer, *rest):
        if trainer.is_global_zero:
            print("step", trainer.global_step, flush=True)

steps = int(sys.argv[2])
trainer = toy_trainer(Path(sys.argv[1]), [Tell()], max_steps=steps, validate_every_steps=4, devices=2, strategy="ddp")
fit(trainer, toy_module(batch_dice=True), toy_data(batch_size=1))
"""


def start(folder: Path, steps: int) -> subprocess.Popen[str]:
    script = folder / "run.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    command = [sys.executable, str(script), str(folder / "run"), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_two_ranks_equal_one_process_with_their_batches(tmp_path: Path) -> None:
    process = start(tmp_path, steps=5)
    process.communicate(timeout=240)
    assert process.returncode == 0
    fit(toy_trainer(tmp_path / "one", max_steps=5), toy_module(batch_dice=True), toy_data(batch_size=2))
    two, one = (load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("run", "one"))
    assert two.sample_position == one.sample_position == 10
    for name, weights in one.network_weights.items():
        torch.testing.assert_close(two.network_weights[name], weights, rtol=1e-3, atol=1e-5)
    for name, value in one.metrics.items():
        assert abs(two.metrics[name] - value) < 1e-3


def test_signal_to_one_rank_stops_both(tmp_path: Path) -> None:
    process = start(tmp_path, steps=100_000)
    assert process.stdout is not None
    while process.stdout.readline() != "step 3\n":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(timeout=120) == 143
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert checkpoint.sample_position == 2 * checkpoint.step
