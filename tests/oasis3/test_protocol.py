"""The thesis's protocol, the four commands of docs/oasis3.md, on the generated tree with a network of four steps."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oasis3.tree import make_tree


def run(folder: Path, command: str, *arguments: str) -> None:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    call = [sys.executable, "-m", f"otfsynth.{command}", *arguments]
    result = subprocess.run(call, cwd=folder, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_four_commands(tmp_path: Path) -> None:
    make_tree(tmp_path / "oasis3", 7, "download", "separate")
    places = ("root=oasis3/scans", "freesurfer=oasis3/freesurfer")
    run(tmp_path, "oasis3", *places, "split", "training=2", "testing=3", "output=split")
    run(
        *(tmp_path, "train", "+experiment=randomized", "data.label_maps=split/training.csv", "hydra.run.dir=run"),
        *("hardware=laptop", "network=tiny", "network.max_stages=3", "logger=csv", "data.cache_dir=cache"),
        *("data.spacing_mm=4", "data.patch_size=[16,16,16]", "data.batch_size=2", "data.validation_samples=2"),
        *("trainer.max_steps=4", "trainer.validate_every_steps=4"),
    )
    run(tmp_path, "predict", "input=split/testing.csv", "output=predictions", "checkpoint=run/checkpoints/last.ckpt")
    run(tmp_path, "evaluate", "predictions=predictions", "references=split/testing.csv", "output=scores", "workers=1")

    with open(tmp_path / "split" / "testing.csv", newline="") as file:
        cases = {row["case"]: row["contrast"] for row in csv.DictReader(file)}
    with open(tmp_path / "scores" / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "dice"]
    assert {row["case"]: row["contrast"] for row in rows} == cases
    assert {row["label"] for row in rows} == {"GM", "WM", "CSF"}
    assert len(json.loads((tmp_path / "scores" / "summary.json").read_text())["metric_per_case"]) == 3
    assert (tmp_path / "scores" / "report.html").is_file()
