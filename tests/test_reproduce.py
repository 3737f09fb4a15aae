"""The scripts that score a model on the developers' real scans: inputs, baseline, table, and all of it on toys."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from otfsynth.volumes import read_volume, write_volume
from tests.inference.heads import brain, brain_affine, write_checkpoint
from tests.packaging.test_scripts import load_script

ROOT = Path(__file__).resolve().parents[1]
CSF_GM_WM = (1, 2, 3)
"""Labels of IBSR and of Atropos."""


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return load_script("reproduce_inputs")


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return load_script("reproduce_summary")


def tissues() -> np.ndarray:
    """Of :func:`brain`: WM in its core, GM around it, a ventricle within."""
    values = brain()
    labels = np.where(values > 90, 3, np.where(values > 0, 2, 0))
    labels[20:26, 22:28, 18:24] = 1
    return labels.astype(np.int16)


@pytest.fixture
def shared(tmp_path: Path, inputs: ModuleType) -> Path:
    """A data folder of the developers' layout, with small brains in all of its files."""
    real = tmp_path / "shared" / "real"
    image = np.where(tissues() == 1, 30, brain()).astype(np.float32)
    for number in inputs.IBSR_CASES:
        write_volume(real / "ibsr18" / f"IBSR_{number}.nii.gz", image, brain_affine())
        write_volume(real / "ibsr18" / f"IBSR_{number}_seg.nii.gz", tissues(), brain_affine())
    (real / "voxelmorph_test_vol").mkdir()
    freesurfer = np.array([0, 4, 3, 2])[tissues()]
    freesurfer[22, 10, 20] = 31
    for name, data in (("vol", image / 255), ("seg", freesurfer)):
        np.savez(real / "voxelmorph_test_vol" / f"test_{name}.npz", vol_data=data)
    patient = real / "open_ms_p07"
    for name in inputs.MS_SCANS.values():
        write_volume(patient / name, image - 0.5 * (image == 0), brain_affine())
    write_volume(patient / inputs.MS_LABELS, tissues(), brain_affine())
    write_volume(patient / inputs.LESIONS, (brain(1) > 118).astype(np.uint8), brain_affine())
    for name in inputs.WITHOUT_TRUTH:
        write_volume(real / name, image, brain_affine())
    return tmp_path / "shared"


def test_the_baseline_finds_three_tissues_by_their_brightness(inputs: ModuleType) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (20, 20, 20))
    image = np.choose(truth, [0, 70, 110, 30]) + np.where(truth > 0, rng.normal(0, 3, truth.shape), 0)
    found = inputs.told_t1_weighted(image.astype(np.float32))
    assert found.dtype == np.uint8
    assert np.array_equal(found, truth)  # 1 GM, 2 WM, 3 CSF


def test_inputs_are_what_the_readme_of_the_data_says(inputs: ModuleType, shared: Path, tmp_path: Path) -> None:
    inputs.main(shared, tmp_path / "out")
    with open(tmp_path / "out" / "inputs" / "scans.csv", newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert len(rows) == 4 + 1 + 4 + 6
    assert {rows[f"open_ms_{contrast}"]["subject"] for contrast in inputs.MS_SCANS} == {"p07"}
    assert rows["open_ms_FLAIR"]["ignored"].endswith(inputs.LESIONS)
    assert not rows["ch2"]["label"]
    volume = read_volume(tmp_path / "out" / "inputs" / "test_vol.nii.gz")
    assert np.array_equal(volume.affine, inputs.LIA)
    assert read_volume(tmp_path / "out" / "inputs" / "open_ms_T2w.nii.gz").data.min() == 0
    inputs.main(shared, tmp_path / "scored", scored_only=True)
    with open(tmp_path / "scored" / "inputs" / "scans.csv", newline="") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {case for case, row in rows.items() if row["label"]}
    assert len(list((tmp_path / "scored" / "baseline").rglob("*.nii.gz"))) == 4 + 1 + 4
    inputs.main(shared, tmp_path / "alone", scored_only=True, baseline=False)
    assert (tmp_path / "alone" / "inputs" / "ibsr.csv").is_file()
    assert not (tmp_path / "alone" / "baseline").exists()
    (shared / "real" / "ibsr18" / "IBSR_07.nii.gz").unlink()
    with pytest.raises(inputs.InputError, match="IBSR_07"):
        inputs.main(shared, tmp_path / "out")
    with pytest.raises(inputs.InputError, match="no folder real/ibsr18"):
        inputs.main(tmp_path, tmp_path / "out")


def case(group: str, name: str, contrast: str, gm: float | None, wm: float) -> dict:
    defined = [value for value in (gm, wm) if value is not None]
    return {
        "set": group,
        "case": name,
        "contrast": contrast,
        "dice": {"GM": gm, "WM": wm, "mean": sum(defined) / len(defined)},
    }


def test_rows_hold_means_bars_and_baseline(summary: ModuleType) -> None:
    model = [
        case("ibsr", "a", "T1w", 0.92, 0.8),
        case("ibsr", "b", "T1w", 0.9, 0.7),
        case("test_vol", "c", "", None, 1),
    ]
    model += [case("open_ms", "d", "T2w", 0.7, 0.9), case("open_ms", "e", "FLAIR", 0.5, 0.5)]
    baseline = [case(one["set"], one["case"], one["contrast"], 0.1, 0.2) for one in model]
    rows = {(row["set"], row["contrast"], row["structure"]): row for row in summary.table_rows(model, baseline)}
    gm = rows["ibsr", "all", "GM"]
    assert gm["dice"] == pytest.approx(0.91)
    assert (gm["bar"], gm["kmeans"]) == (0.91, pytest.approx(0.1))
    assert gm["met"] == (gm["dice"] >= 0.91)
    assert rows["ibsr", "all", "WM"]["met"] is False
    assert rows["ibsr", "all", "mean"]["met"] is None
    assert rows["test_vol", "all", "GM"] | {"met": False, "dice": None} == rows["test_vol", "all", "GM"]
    assert rows["open_ms", "T2w", "mean"]["met"] is True
    assert rows["open_ms", "FLAIR", "mean"]["met"] is False
    assert [one["case"] for one in summary.worst_first(model)] == ["e", "b", "d", "a", "c"]
    assert summary.worst_first(model)[0]["case"] == "e"


def test_nothing_of_a_run_before_is_scored_where_this_one_fails(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for name in ("predictions", "scores", "baseline"):
        (output / name).mkdir(parents=True)
        (output / name / "earlier").touch()
    script = ["bash", str(ROOT / "scripts" / "reproduce_real_scans.sh"), str(tmp_path), "", str(output)]
    ended = subprocess.run(script, env=os.environ | {"OTFSYNTH_PYTHON": "false"}, capture_output=True, check=False)
    assert ended.returncode != 0
    assert not list(output.iterdir())


@pytest.mark.slow
def test_the_whole_script_gives_table_and_gallery(shared: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt")
    variables = {**os.environ, "OTFSYNTH_PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src")}
    script = [str(ROOT / "scripts" / "reproduce_real_scans.sh"), str(shared), str(checkpoint), str(tmp_path / "out")]
    result = subprocess.run(["bash", *script], env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert found["bars"] == 8 + 6
    assert len(found["cases"]) == 9
    means = [one["dice"]["mean"] for one in found["cases"]]
    assert means == sorted(means)
    (kmeans,) = {
        row["kmeans"] for row in found["rows"] if (row["set"], row["structure"]) == ("ibsr", "WM")
    }  # the toys are T1-weighted, so that their brightness tells all
    assert kmeans > 0.95
    agreement = [row["dice"] for row in found["rows"] if row["set"] == "agreement"]
    assert agreement == pytest.approx([1.0] * 7)  # four copies of one image
    text = (tmp_path / "out" / "summary.md").read_text()
    assert "No picture" not in text
    assert text.count("![") == 9 + 6
    variables |= {"NO_BASELINE": "1", "SCORED_ONLY": "1"}
    result = subprocess.run(["bash", *script], env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    alone = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {row["kmeans"] for row in alone["rows"]} == {None}
    assert [row["dice"] for row in alone["rows"]] == [row["dice"] for row in found["rows"]]
    assert not (tmp_path / "out" / "baseline").exists()
