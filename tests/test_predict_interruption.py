"""A run that is killed, and a disk that fills: nothing that was finished is lost, nothing half-written is left."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.volumes import writing
from tests.inference.heads import SHAPE, brain, write_checkpoint, write_scan
from tests.test_predict import rows, run

ROOT = Path(__file__).resolve().parents[1]
CASES = [f"case{index:02d}" for index in range(6)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt")


def whole_volumes(output: Path) -> set[str]:
    """Cases whose label maps open and can be read to their end."""
    found = set()
    for path in output.glob("*_dseg.nii.gz"):
        assert np.asarray(nib.load(path).dataobj).shape == SHAPE
        found.add(path.name.removesuffix("_dseg.nii.gz"))
    return found


def test_kill_9_in_the_middle_of_a_folder_loses_nothing(checkpoint: Path, tmp_path: Path) -> None:
    scans, output = tmp_path / "scans", tmp_path / "out"
    for index, case in enumerate(CASES):
        write_scan(scans / f"{case}.nii.gz", brain(index))
    command = [sys.executable, "-m", "otfsynth.predict", f"input={scans}", f"output={output}"]
    command += [f"checkpoint={checkpoint}", "overlap=0.25", "progress=false", "resume=true", "save_probabilities=true"]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        records = output / "qc"
        deadline = time.monotonic() + 240
        while len(list(records.glob("*.json"))) < 2:
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, "the run did not get to its second case"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = {path.stem for path in records.glob("*.json")}
    assert 2 <= len(finished) < len(CASES)
    assert finished <= whole_volumes(output)
    listed = {row["case"] for row in rows(output / "volumes.csv")}
    assert listed <= finished
    assert len(finished - listed) <= 1  # killed between the record and the table
    times = {case: (output / f"{case}_dseg.nii.gz").stat().st_mtime_ns for case in finished}

    assert run(scans, output, checkpoint, "resume=true", "save_probabilities=true") == 0
    assert whole_volumes(output) == set(CASES)
    assert {case: (output / f"{case}_dseg.nii.gz").stat().st_mtime_ns for case in finished} == times
    assert [row["case"] for row in rows(output / "volumes.csv")] == CASES
    assert not list(output.rglob("*.part"))

    fresh = tmp_path / "fresh"
    assert run(scans, fresh, checkpoint, "save_probabilities=true") == 0
    assert rows(fresh / "volumes.csv") == rows(output / "volumes.csv")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_partial_file(checkpoint: Path, tmp_path: Path, small_disk: Path) -> None:
    for index in range(3):
        write_scan(tmp_path / "scans" / f"case{index}.nii.gz", brain(index))
    output = small_disk / "out"
    assert run(tmp_path / "scans", output, checkpoint, "save_probabilities=true") == 1
    _check_remains(output)


@pytest.mark.parametrize("allowed", [0, 1, 2, 3, 4])
def test_running_out_of_space_at_any_write_leaves_no_partial_file(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    write_scan(tmp_path / "scans" / "case0.nii.gz")
    replace, done = os.replace, [0]

    def limited(source: str, target: str) -> None:
        done[0] += 1
        if done[0] > allowed:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(writing.os, "replace", limited)
    if allowed == 0:  # not even the first small file: said before any work
        with pytest.raises(writing.VolumeError, match="No space left on device"):
            run(tmp_path / "scans", tmp_path / "out", checkpoint)
    else:
        assert run(tmp_path / "scans", tmp_path / "out", checkpoint) == 1
    _check_remains(tmp_path / "out")


def _check_remains(output: Path) -> None:
    """Every file that is there is whole, and the tables list only cases whose files are."""
    assert not list(output.rglob("*.part"))
    for path in output.rglob("*.nii.gz"):
        assert np.asarray(nib.load(path).dataobj).shape == SHAPE
    for path in output.rglob("*.csv"):
        with open(path, newline="") as file:
            assert all(None not in row.values() for row in csv.DictReader(file))
    for path in (output / "qc").glob("*.json"):
        assert (output / f"{path.stem}_dseg.nii.gz").is_file()
        assert (output / "qc" / f"{path.stem}.png").read_bytes().endswith(b"IEND\xaeB`\x82")
