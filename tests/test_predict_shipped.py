"""The command where no checkpoint is named: the shipped model is used, said and recorded."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from otfsynth.doctor import check_model
from otfsynth.models import NoShippedModelError, shipped
from otfsynth.networks import load_checkpoint
from otfsynth.networks.model_folder import write_model_folder
from otfsynth.volumes import read_volume
from tests.inference.heads import brain, write_checkpoint, write_scan
from tests.test_predict import rows, run


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained model in the place of the package's."""
    folder = tmp_path / "models"
    checkpoint = load_checkpoint(write_checkpoint(tmp_path / "toy.ckpt"))
    write_model_folder(checkpoint, folder / "toy", "toy", "1.2")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return folder / "toy"


def test_the_shipped_model_is_used_named_and_recorded(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scan = write_scan(tmp_path / "scan.nii.gz")
    assert run(scan, tmp_path / "default", "null") == 0
    assert run(scan, tmp_path / "named", model) == 0
    default, named = (read_volume(tmp_path / name / "scan_dseg.nii.gz").data for name in ("default", "named"))
    assert np.array_equal(default, named)
    assert f"toy 1.2 (0 steps), which comes with otfsynth: {model}" in caplog.text
    about = json.loads((tmp_path / "default" / "run.json").read_text())
    (used,) = about["checkpoints"]
    weights = json.loads((model / "model.json").read_text())["weights"]
    assert (used["model"], used["version"], used["sha256"]) == ("toy", "1.2", weights["sha256"])
    assert about["shipped_model"] is True
    assert json.loads((tmp_path / "named" / "run.json").read_text())["shipped_model"] is False
    assert "toy 1.2" in (tmp_path / "default" / "index.html").read_text()


def test_derivatives_of_a_bids_tree_name_the_model(model: Path, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    write_scan(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (root / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.9.0"}')
    assert run(root, tmp_path / "out", "null") == 0
    (made_by,) = json.loads((tmp_path / "out" / "dataset_description.json").read_text())["GeneratedBy"]
    assert made_by["Description"] == "with the model toy 1.2 (0 steps)"


def test_without_a_model_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    scan = write_scan(tmp_path / "scans" / "scan.nii.gz")
    with pytest.raises(NoShippedModelError, match="give checkpoint="):
        run(scan, tmp_path / "out", "null")
    assert not (tmp_path / "out").exists()
    assert [finding.status for finding in check_model()] == ["note"]


def test_doctor_names_the_model(model: Path) -> None:
    (finding,) = check_model()
    assert (finding.status, finding.detail.split(":")[0]) == ("ok", "toy 1.2")


def test_a_head_without_a_skull_stripper_is_told_what_to_install(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).normal(8, 2, brain().shape).astype(np.float32)
    write_scan(tmp_path / "scans" / "head.nii.gz", np.where(brain() > 0, brain(), np.abs(noise)))
    write_scan(tmp_path / "scans" / "stripped.nii.gz")
    monkeypatch.setitem(sys.modules, "deepbet", None)
    options = [f"stripping.hd_bet_weights={tmp_path / 'none'}"]
    assert run(tmp_path / "scans", tmp_path / "out", "null", *options) == 1
    (failed,) = rows(tmp_path / "out" / "failures.csv")
    assert failed["case"] == "head"
    assert "pip install deepbet" in failed["problem"]
    assert "skullstrip=mask" in failed["problem"]
    assert (tmp_path / "out" / "stripped_dseg.nii.gz").is_file()
