"""Scans of 512^3 voxels stay below 8 GB, measured in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.network import NetworkConfig
from otfsynth.networks import Checkpoint, build_network, plan_network, save_checkpoint
from tests.learning.fakes import toy_scheme

ROOT = Path(__file__).resolve().parents[2]
EDGE = 512
LIMIT_GB = 8.0
RUN = """
import resource, sys
from pathlib import Path
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.predict import PredictConfig
from otfsynth.predict import predict
predict(compose(sys.argv[1:], "predict", PredictConfig), Job(Path.cwd()))
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
"""


def write_large_scan(path: Path, spacing_mm: float, outside: int) -> None:
    """A brain of 1.4 l in 512^3 voxels of int16; ``outside`` is the noise around it."""
    axis = (np.arange(EDGE) - EDGE / 2) * spacing_mm
    random = np.random.default_rng(0)
    data = np.zeros((EDGE, EDGE, EDGE), np.int16)
    for index, x in enumerate(axis):
        inside = (x / 62) ** 2 + (axis[:, None] / 80) ** 2 + (axis / 66) ** 2 < 1
        noise = random.integers(0, 30, (EDGE, EDGE), dtype=np.int16)
        data[index] = np.where(inside, 300 + 3 * noise, noise + 5 if outside else 0)
    nib.save(nib.Nifti1Image(data, np.diag([spacing_mm] * 3 + [1.0])), path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spacing_mm", "outside", "skullstrip"),
    [(0.5, 0, "auto"), (1.0, 1, "none")],
    ids=["half a millimetre", "huge field of view, nothing to crop"],
)
def test_a_scan_of_512_voxels_along_every_edge_fits_in_8_gb(
    tmp_path: Path, spacing_mm: float, outside: int, skullstrip: str
) -> None:
    network = NetworkConfig(base_features=2, max_features=4, max_stages=2)
    plan = plan_network(network, 4, (128, 128, 128))
    weights = build_network(plan, 0).state_dict()
    save_checkpoint(Checkpoint(weights, plan.to_dict(), toy_scheme().to_dict(), {}), tmp_path / "a.ckpt")
    write_large_scan(tmp_path / "large.nii", spacing_mm, outside)
    settings = ["input=large.nii", "output=out", "checkpoint=a.ckpt", f"skullstrip={skullstrip}", "overlap=0.25"]
    settings += ["progress=false", "save_probabilities=true", "save_mask=true"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *settings],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    peak_gb = float(done.stdout.split()[-1])
    assert peak_gb < LIMIT_GB
    labels = nib.load(tmp_path / "out" / "large_dseg.nii.gz")
    assert labels.shape == (EDGE, EDGE, EDGE)
