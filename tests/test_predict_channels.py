"""The command with networks of several images of a head: as the predictor in Python, and refused before work starts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.inference.channels import prepare_channels
from otfsynth.inference.ensemble import Ensemble
from otfsynth.inference.preparation import clean_image
from otfsynth.networks import CheckpointError
from tests.inference.heads import brain, brain_affine, write_checkpoint, write_scan
from tests.test_predict import rows, run


def trained(contrasts: list[str], missing_probability: float = 0.1) -> dict[str, object]:
    """Configuration of a run of two channels."""
    channels = {"count": 2, "contrasts": contrasts, "missing_probability": missing_probability}
    return {"synthesis": {"channels": channels}}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return write_checkpoint(folder / "best.ckpt", channels=2, **trained(["T1w", "T2w"]))


def t2w() -> tuple[np.ndarray, np.ndarray]:
    """Another contrast of the same head, at 3.2 mm in the order LIA, and its affine."""
    old = brain(1)
    step = 0.8
    shape = tuple(int(size / step) for size in old.shape)
    places = [np.floor(np.arange(size) * step).astype(int) for size in shape]
    fine = np.where(old > 0, 220 - old, 0)[np.ix_(*places)].astype(np.float32)
    image = nib.Nifti1Image(fine, brain_affine() @ np.diag([step, step, step, 1]))
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(("L", "I", "A"))
        )
    )
    return np.asarray(turned.dataobj), turned.affine


def expected(checkpoint: Path, *images: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Labels by the predictor in Python, inside the brain of the first image that is given."""
    first = next(image for image in images if image is not None)
    cleaned = [None if image is None else clean_image(image[0])[0] for image in images]
    affines = [None if image is None else image[1] for image in images]
    predictor = Ensemble.load(str(checkpoint)).predictor("cpu", 0.25, mirror_axes=(0,), scales=(0.9, 1.2))
    copies = predictor.copies(lambda spacing_mm: prepare_channels(cleaned, affines, spacing_mm, first[0] != 0))
    return predictor.segment(*copies).labels


def labels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_a_bids_tree_gives_what_the_predictor_gives(checkpoint: Path, tmp_path: Path) -> None:
    root, output = tmp_path / "raw", tmp_path / "out"
    anat = root / "sub-01" / "anat"
    write_scan(anat / "sub-01_T1w.nii.gz")
    write_scan(anat / "sub-01_T2w.nii.gz", *t2w())
    write_scan(root / "sub-02" / "anat" / "sub-02_T2w.nii.gz", *t2w())
    assert run(root, output, checkpoint, "precision=32-true") == 0
    both = labels(output / "sub-01" / "anat" / "sub-01_desc-otfsynth_dseg.nii.gz")
    np.testing.assert_array_equal(both, expected(checkpoint, (brain(), brain_affine()), t2w()))
    assert not np.array_equal(both, expected(checkpoint, (brain(), brain_affine()), None))
    second = labels(output / "sub-02" / "anat" / "sub-02_space-T2w_desc-otfsynth_dseg.nii.gz")
    np.testing.assert_array_equal(second, expected(checkpoint, None, t2w()))
    about = json.loads((output / "sub-01" / "anat" / "sub-01_desc-otfsynth_dseg.json").read_text())
    assert about["Sources"] == [f"bids:source:sub-01/anat/sub-01_{contrast}.nii.gz" for contrast in ("T1w", "T2w")]
    assert [row["contrast"] for row in rows(output / "volumes.csv")] == ["T1w+T2w", "T2w"]


def test_nnunet_names_and_a_missing_channel(checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scans, output = tmp_path / "imagesTs", tmp_path / "out"
    write_scan(scans / "a_0000.nii.gz")
    write_scan(scans / "a_0001.nii.gz", *t2w())
    write_scan(scans / "b_0000.nii.gz")
    settings = ("precision=32-true", "save_probabilities=true", "save_mask=true")
    assert run(scans, output, checkpoint, *settings) == 0
    np.testing.assert_array_equal(
        labels(output / "a_dseg.nii.gz"), expected(checkpoint, (brain(), brain_affine()), t2w())
    )
    np.testing.assert_array_equal(
        labels(output / "b_dseg.nii.gz"), expected(checkpoint, (brain(), brain_affine()), None)
    )
    assert (output / "a_label-GM_probseg.nii.gz").is_file()
    assert "1 of 2 head(s) lack images" in caplog.text


def test_resuming_looks_at_every_channel(checkpoint: Path, tmp_path: Path) -> None:
    first, second = write_scan(tmp_path / "t1.nii.gz"), write_scan(tmp_path / "t2.nii.gz", *t2w())
    given, output = f'"{first};{second}"', tmp_path / "out"
    assert run(given, output, checkpoint) == 0
    written = (output / "t1_dseg.nii.gz").stat().st_mtime_ns
    assert run(given, output, checkpoint, "resume=true") == 0
    assert (output / "t1_dseg.nii.gz").stat().st_mtime_ns == written
    os.utime(second, ns=(1, 1))
    assert run(given, output, checkpoint, "resume=true") == 0
    assert (output / "t1_dseg.nii.gz").stat().st_mtime_ns != written


def test_images_of_two_heads_are_a_failed_case_that_names_them(checkpoint: Path, tmp_path: Path) -> None:
    far = brain_affine()
    far[0, 3] += 1000
    write_scan(tmp_path / "scans" / "a_0000.nii.gz")
    write_scan(tmp_path / "scans" / "a_0001.nii.gz", brain(1), far)
    assert run(tmp_path / "scans", tmp_path / "out", checkpoint) == 1
    (row,) = rows(tmp_path / "out" / "failures.csv")
    assert "channel 1 shows nothing where the others do" in row["problem"]
    assert "a_0001.nii.gz" in row["problem"]


def test_what_does_not_fit_is_told_before_work_starts(checkpoint: Path, tmp_path: Path) -> None:
    one = write_scan(tmp_path / "a_T1w.nii.gz")
    output = tmp_path / "out"
    single = write_checkpoint(tmp_path / "single.ckpt")
    unnamed = write_checkpoint(tmp_path / "unnamed.ckpt", channels=2, **trained([]))
    whole = write_checkpoint(tmp_path / "whole.ckpt", channels=2, **trained(["T1w", "T2w"], 0.0))
    with pytest.raises(InputError, match="names 2 image"):
        run(f'"{one};{one}"', output, single)
    with pytest.raises(ConfigurationError, match=r"channels=\['T1w'\] names 1 image.* takes 2"):
        run(one, output, checkpoint, "channels=[T1w]")
    with pytest.raises(ConfigurationError, match=r"does not say which is which.*channels=\[T1w,FLAIR\]"):
        run(one, output, unnamed)
    with pytest.raises(InputError, match=r"missing_probability=0(.|\n)*a_T1w: channel T2w"):
        run(one, output, whole)
    with pytest.raises(CheckpointError, match="contrasts of the channels differ"):
        run(one, output, f"[{checkpoint},{unnamed}]")
    assert not output.exists()
    assert run(one, output, unnamed, "channels=[T1w,FLAIR]") == 0
