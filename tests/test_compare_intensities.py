"""The comparison of real scans with samples, run as a script."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = ["contrasts.csv", "contrasts.png", "images.csv", "statistics.csv"]


def spheres() -> np.ndarray:
    """WM in GM in CSF, as the scheme ``tissue`` numbers them."""
    distance = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0)
    labels = np.zeros(distance.shape, np.uint8)
    for label, radius in ((3, 28), (1, 24), (2, 18)):
        labels[distance < radius] = label
    return labels


def write_scan(folder: Path, name: str, intensities: dict[int, float]) -> None:
    labels = spheres()
    image = np.random.default_rng(0).normal(0, 4, labels.shape).astype(np.float32)
    for label, intensity in intensities.items():
        image[labels == label] += intensity
    nib.save(nib.Nifti1Image(np.where(labels > 0, image, 0), np.eye(4)), folder / f"{name}.nii.gz")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "compare_intensities.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "maps").mkdir()
    nib.save(nib.Nifti1Image(spheres(), np.eye(4)), tmp_path / "maps" / "head.nii.gz")
    swapped = np.array([0, 2, 3, 1], np.uint8)[spheres()]  # 1 CSF, 2 GM, 3 WM, as FSL FAST numbers them
    nib.save(nib.Nifti1Image(swapped, np.eye(4)), tmp_path / "labels.nii.gz")
    write_scan(tmp_path, "a", {1: 100, 2: 160, 3: 40})
    write_scan(tmp_path, "b", {1: 120, 2: 80, 3: 200})
    (tmp_path / "scans.csv").write_text(
        "image,label,contrast\na.nii.gz,labels.nii.gz,T1w\nb.nii.gz,labels.nii.gz,T2w\n"
    )
    return tmp_path


def test_tables_and_plot_of_listed_scans(folder: Path) -> None:
    options = ["--label-maps", folder / "maps", "--n", 8, "--spacing-mm", 2, "--output", folder / "out"]
    done = run("--real", folder / "scans.csv", "--labels", "1=CSF", "2=GM", "3=WM", *options)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "out").iterdir()) == FILES
    with open(folder / "out" / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["real"] * 2 + ["synthetic"] * 8
    t1w, t2w = rows[:2]
    assert float(t1w["wm_minus_gm"]) > 0 > float(t1w["csf_minus_gm"])
    assert float(t2w["csf_minus_gm"]) > 0 > float(t2w["wm_minus_gm"])
    with open(folder / "out" / "contrasts.csv", newline="") as file:
        table = list(csv.DictReader(file))
    scans = {row["contrast"]: row["scans"] for row in table}
    assert scans == {"T1w": "1", "T2w": "1", "all": "2", "(any pair)": "0"}
    assert "inside the synthetic cloud" in done.stdout


def test_mistakes_are_explained_before_any_sample_is_drawn(folder: Path) -> None:
    unknown = run("--real", folder / "scans.csv", "--labels", "1=CSF", "2=GM")
    assert unknown.returncode == 2
    assert "labels [3] without a target" in unknown.stderr
    assert "--labels 1=CSF 2=GM 3=WM" in unknown.stderr
    tissue = run("--real", folder / "scans.csv", "--labels", "1=bone")
    assert tissue.stderr.strip() == "--labels 1=bone is not VALUE=TISSUE with a tissue of GM, WM, CSF or 0"
    few = run("--real", folder / "scans.csv", "--n", 5)
    assert "a cloud needs more than 5 samples" in few.stderr


@pytest.mark.shared
def test_the_developers_scans_have_the_contrasts_that_their_sequences_give(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from compare_intensities import real_images
    from otfsynth.evaluation.intensity_statistics import measure_intensities
    from real_scans import developers_scans

    found = []
    for name, _, contrast, image, tissues, spacing_mm in real_images(developers_scans(shared_data), 2.0):
        statistics = measure_intensities(image, tissues, spacing_mm, name)
        found.append(contrast)
        darker_white_matter = contrast in ("T2w", "FLAIR")
        assert (statistics["wm_minus_gm"] < 0) == darker_white_matter, name
        assert (statistics["csf_minus_gm"] > 0) == (contrast == "T2w"), name
    assert found == ["T1w"] * 6 + ["T2w", "FLAIR", "T1Gd"]
