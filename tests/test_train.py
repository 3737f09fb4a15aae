"""``python -m otfsynth.train`` from end to end, on two small heads."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from omegaconf import OmegaConf

from otfsynth.inference import SlidingWindowPredictor
from otfsynth.inference.channels import prepare_channels
from otfsynth.networks import load_checkpoint


@pytest.fixture(scope="module")
def label_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nested boxes of CSF, GM and WM, of a different size in each of two subjects."""
    folder = tmp_path_factory.mktemp("label_maps")
    for number, size in enumerate((24, 28)):
        data = np.zeros((40, 40, 40), np.uint8)
        for label, edge in ((3, size), (1, size - 6), (2, size - 14)):
            low, high = 20 - edge // 2, 20 + edge // 2
            data[low:high, low:high, low:high] = label
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"sub-{number}_dseg.nii.gz")
    return folder


def command(label_maps: Path, run_dir: Path, *overrides: str) -> list[str]:
    return [
        *(sys.executable, "-m", "otfsynth.train", "+experiment=randomized", f"data.label_maps={label_maps}"),
        *("hardware=laptop", "network=tiny", "optimizer=one_cycle", "logger=csv", f"hydra.run.dir={run_dir}"),
        *("data.patch_size=[16,16,16]", "data.batch_size=2", "data.validation_samples=2"),
        *("data.validation_fraction=0.5", "trainer.max_steps=4", "trainer.validate_every_steps=2"),
        *("trainer.log_every_steps=1", "network.max_stages=3", f"data.cache_dir={run_dir.parent / 'cache'}"),
        *overrides,
    ]


def run(arguments: list[str], code: int = 0) -> str:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    result = subprocess.run(arguments, capture_output=True, text=True, env=variables, cwd=arguments_folder(arguments))
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def arguments_folder(arguments: list[str]) -> Path:
    [run_dir] = [argument.partition("=")[2] for argument in arguments if argument.startswith("hydra.run.dir=")]
    return Path(run_dir).parent


def losses(run_dir: Path) -> dict[int, str]:
    with open(run_dir / "metrics.csv", newline="") as file:
        return {int(row["step"]): row["value"] for row in csv.DictReader(file) if row["metric"] == "train/loss"}


def test_a_run_leaves_all_that_it_promises(label_maps, tmp_path):
    run_dir = tmp_path / "run"
    output = run(command(label_maps, run_dir, "seed=3"))
    assert "labels=auto: tissue" in output
    assert "2 label map(s) of 2 subject(s)" in output
    assert str(run_dir / "checkpoints" / "best.ckpt") in output
    saved = OmegaConf.load(run_dir / "config.yaml")
    assert (saved.seed, saved.labels.name, saved.data.patch_size) == (3, "tissue", [16, 16, 16])
    versions = json.loads((run_dir / "versions.json").read_text())
    assert {"python", "torch", "otfsynth", "nnunetv2"} <= set(versions)
    checkpoint = load_checkpoint(run_dir / "checkpoints" / "last.ckpt")
    assert (checkpoint.step, checkpoint.sample_position) == (4, 8)
    assert checkpoint.config["seed"] == 3
    assert checkpoint.scheme.name == "tissue"
    assert sorted(losses(run_dir)) == [1, 2, 3, 4]
    assert list((run_dir / "pictures").glob("samples_*.png"))


@pytest.mark.slow
def test_a_run_on_two_channels_segments_a_head_of_one(label_maps, tmp_path):
    (tmp_path / "list.csv").write_text(f"image,label\n{label_maps}/sub-1_dseg.nii.gz;,{label_maps}/sub-1_dseg.nii.gz\n")
    scans = f"data.real_validation={tmp_path / 'list.csv'}"
    run(command(label_maps, tmp_path / "run", "synthesis.channels.count=2", scans))
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert load_checkpoint(checkpoint).plan.input_channels == 2
    predictor = SlidingWindowPredictor.from_checkpoint(checkpoint)
    head = np.random.default_rng(0).uniform(1, 2, (20, 20, 20)).astype(np.float32)
    prepared = prepare_channels([None, head], [None, np.eye(4)], predictor.spacing_mm)
    assert predictor.segment(prepared).labels.shape == (20, 20, 20)


def test_a_run_that_was_stopped_continues_with_the_same_samples(label_maps, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(command(label_maps, whole, "trainer.max_steps=200", "trainer.validate_every_steps=200"), 0)
    arguments = command(label_maps, broken, "trainer.max_steps=200", "trainer.validate_every_steps=200")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    process = subprocess.Popen(arguments, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(_lines(broken / "metrics.csv")) < 20:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    stopped_at = load_checkpoint(broken / "checkpoints" / "last.ckpt").step
    assert 0 < stopped_at < 200
    run(arguments)
    assert losses(broken) == losses(whole)


def test_a_map_with_an_unknown_label_fails_before_any_work(label_maps, tmp_path):
    output = run(command(label_maps, tmp_path / "run", "labels=synthseg"), code=2)
    assert "sub-0_dseg.nii.gz" in output
    assert "labels=tissue lists every label of these maps" in output
    assert "Traceback" not in output


def test_a_missing_folder_is_one_message(tmp_path):
    output = run(command(tmp_path / "nowhere", tmp_path / "run"), code=2)
    assert "nowhere names no label map" in output
    assert "Traceback" not in output


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
