"""The benchmark runs, and its JSON rows have the documented keys and consistent figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
KEYS = ["model", "size", "threads", "median_ms", "times_faster_than_monai", "times_memcpy", "peak_extra_mib"]


def test_a_quick_run_writes_one_row_for_each_model(tmp_path: Path) -> None:
    labels = np.zeros((40, 40, 40), np.int16)
    labels[5:35, 5:35, 5:35] = 3
    labels[10:30, 10:30, 10:30] = 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "head.nii.gz")
    command = [sys.executable, str(SCRIPTS / "benchmark_synthesis.py"), "--quick", "--label-maps", str(tmp_path)]
    result = subprocess.run([*command, "--json", str(tmp_path / "rows.json")], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["model"] for row in rows] == ["lab2im", "synthseg", "randomized"]
    for row in rows:
        assert list(row) == KEYS
        assert (row["size"], row["threads"]) == (32, 1)
        assert min(row["median_ms"], row["times_faster_than_monai"], row["times_memcpy"]) > 0
    assert "times faster than MONAI" in result.stdout
    assert "mean cost by kernel" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's /proc")
def test_peak_memory_is_what_the_work_held_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a process of its own, as the benchmark measures: memory that earlier tests freed would hide the work's.
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import benchmark_memory

    work = (
        "import numpy as np, benchmark_memory as memory\n"
        "def fill(mib): return int(np.full(mib * 2**20, 1, np.uint8).sum())\n"
        "print(memory.peak_extra_mib(lambda: (fill(40), fill(20))))"
    )
    environment = os.environ | benchmark_memory.ENVIRONMENT | {"PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", work], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(40, abs=8)


def test_every_stage_has_a_cost() -> None:
    command = [sys.executable, str(SCRIPTS / "benchmark_stages.py"), "--quick", "--only", "motion", "resolution"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    stages = [line.split("|")[1].strip() for line in result.stdout.splitlines() if line.startswith("|")]
    assert {"motion", "resolution, isotropic", "resolution, anisotropic"} <= set(stages)


@pytest.fixture
def small_maps(tmp_path: Path) -> Path:
    labels = np.zeros((40, 40, 40), np.int16)
    labels[5:35, 5:35, 5:35] = 3
    labels[10:30, 10:30, 10:30] = 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "head.nii.gz")
    return tmp_path


def test_the_gpu_benchmark_ends_with_one_line_without_a_gpu() -> None:
    command = [sys.executable, str(SCRIPTS / "benchmark_gpu.py")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "nothing measured: torch sees no CUDA GPU; see 'python -m otfsynth.doctor'\n"


def test_what_needs_no_gpu_of_the_gpu_benchmark_runs(small_maps: Path) -> None:
    rows = small_maps / "rows.json"
    command = [sys.executable, str(SCRIPTS / "benchmark_gpu.py"), "--device", "cpu", "--label-maps", str(small_maps)]
    command += ["--sizes", "16", "--batches", "1", "2", "--bank-maps", "2", "--repeats", "1", "--training-edge", "0"]
    result = subprocess.run([*command, "--json", str(rows)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = {(row["table"], row["what"], row.get("batch")) for row in json.loads(rows.read_text())}
    for name in ("lab2im", "randomized", "eager torch"):
        assert {("throughput", name, 1), ("throughput", name, 2)} <= found
    assert ("throughput", "MONAI", 1) in found
    assert {("banks", "on the device", None), ("banks", "streamed", None)} <= found
