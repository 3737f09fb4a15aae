"""Output folders that hold results already, of earlier runs, of other jobs, of other programs."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.inference import case_picture, skullstrip
from otfsynth.inference.skullstrip.choice import KeepEverything
from otfsynth.volumes import write_volume
from tests.inference.heads import brain, brain_affine, write_checkpoint, write_scan
from tests.test_predict import rows, run


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt")


def volumes(output: Path) -> list[str]:
    return sorted(path.relative_to(output).as_posix() for path in output.rglob("*.nii.gz"))


def test_a_case_that_is_done_again_leaves_nothing_of_the_run_before(checkpoint: Path, tmp_path: Path) -> None:
    scans, output = write_scan(tmp_path / "scans" / "one[1].nii.gz").parent, tmp_path / "out"
    write_scan(output / "one[1]_label-Lesion_probseg.nii.gz")  # of a model with other targets
    other = write_scan(output / "one_label-GM_probseg.nii.gz")  # of another case
    assert run(scans, output, checkpoint, "save_probabilities=true", "save_mask=true") == 0
    assert len(volumes(output)) == 1 + 3 + 1 + 1
    (output / "one[1]_dseg.nii.gz.0123abcd-1-elsewhere.part").write_bytes(b"killed")
    assert run(scans, output, checkpoint) == 0
    assert volumes(output) == ["one[1]_dseg.nii.gz", other.name]
    assert not list(output.rglob("*.part"))


def test_a_case_that_is_kept_keeps_all_its_files(checkpoint: Path, tmp_path: Path) -> None:
    scan, output = write_scan(tmp_path / "one.nii.gz"), tmp_path / "out"
    assert run(scan, output, checkpoint, "save_probabilities=true", "save_mask=true") == 0
    before = volumes(output)
    assert run(scan, output, checkpoint, "resume=true") == 0
    assert volumes(output) == before


@pytest.mark.parametrize("resume", ["resume=true", "resume=false"])
def test_a_case_that_fails_has_no_results_of_the_run_before(checkpoint: Path, tmp_path: Path, resume: str) -> None:
    scans, output = tmp_path / "scans", tmp_path / "out"
    for name in ("bad", "good"):
        write_scan(scans / f"{name}.nii.gz")
    assert run(scans, output, checkpoint, "save_probabilities=true") == 0
    (scans / "bad.nii.gz").write_bytes(b"no scan any more")
    assert run(scans, output, checkpoint, resume, "save_probabilities=true") == 1
    assert {name.split("_")[0] for name in volumes(output)} == {"good"}
    assert [row["case"] for row in rows(output / "volumes.csv")] == ["good"]
    assert [row["case"] for row in rows(output / "failures.csv")] == ["bad"]
    assert sorted(path.name for path in (output / "qc").iterdir()) == ["bad.failed", "good.json", "good.png"]
    write_scan(scans / "bad.nii.gz")
    assert run(scans, output, checkpoint, resume) == 0
    assert [row["case"] for row in rows(output / "volumes.csv")] == ["bad", "good"]
    assert not (output / "failures.csv").exists()


def test_a_mask_among_the_results_is_read_and_not_removed(checkpoint: Path, tmp_path: Path) -> None:
    scan, output = write_scan(tmp_path / "one.nii.gz"), tmp_path / "out"
    assert run(scan, output, checkpoint, "save_mask=true") == 0
    path = output / "one_desc-brain_mask.nii.gz"
    mask = np.asarray(nib.load(path).dataobj).copy()
    mask[:22] = 0  # corrected by hand
    write_volume(path, mask, brain_affine())
    assert run(scan, output, checkpoint, "skullstrip=mask", f"stripping.mask_folder={output}") == 0
    assert np.array_equal(np.asarray(nib.load(path).dataobj), mask)
    assert not np.asarray(nib.load(output / "one_dseg.nii.gz").dataobj)[:20].any()


def test_jobs_that_share_an_output_folder_lose_nothing_of_each_other(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    write_scan(tmp_path / "a" / "one.nii.gz")
    write_scan(tmp_path / "b" / "two.nii.gz")
    (tmp_path / "b" / "bad.nii.gz").write_bytes(b"no scan")
    draw, codes = case_picture.draw_case, []

    def other_job_begins_and_ends(*arguments: object) -> None:
        if not codes:
            codes.append(0)
            codes.append(run(tmp_path / "b", output, checkpoint))
        draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(case_picture, "draw_case", other_job_begins_and_ends)
    assert run(tmp_path / "a", output, checkpoint) == 0
    assert codes == [0, 1]
    for table in ("volumes.csv", "quality.csv"):
        assert sorted(row["case"] for row in rows(output / table)) == ["one", "two"]
    assert [row["case"] for row in rows(output / "failures.csv")] == ["bad"]
    page = (output / "index.html").read_text()
    assert "Cases that failed" in page
    assert all(name in page for name in ("one", "two", "bad"))


def test_resuming_redoes_a_case_whose_brain_mask_has_changed(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    output, masks = tmp_path / "out", tmp_path / "masks"
    for name in ("changed", "moved", "same"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
        write_volume(masks / f"{name}_mask.nii.gz", brain() > 0, brain_affine())
    settings = ("skullstrip=mask", f"stripping.mask_folder={masks}", "resume=true")
    assert run(tmp_path / "scans", output, checkpoint, *settings) == 0
    times = {path.name: path.stat().st_mtime_ns for path in output.glob("*_dseg.nii.gz")}
    write_volume(masks / "changed_mask.nii.gz", brain() > 80, brain_affine())
    (masks / "moved_mask.nii.gz").rename(masks / "moved_bet.nii.gz")
    assert run(tmp_path / "scans", output, checkpoint, *settings) == 0
    redone = {name for name, time in times.items() if (output / name).stat().st_mtime_ns != time}
    assert redone == {"changed_dseg.nii.gz", "moved_dseg.nii.gz"}
    assert "changed is done again: its brain mask has changed" in caplog.text
    assert "1 case(s) were done already" in caplog.text
    os.utime(tmp_path / "scans" / "same.nii.gz", ns=(1, 1))
    assert run(tmp_path / "scans", output, checkpoint, *settings) == 0
    assert "same is done again: its scan has changed" in caplog.text


def test_resuming_redoes_what_another_stripper_made(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where HD-BET's weights have come meanwhile."""
    caplog.set_level(logging.INFO)
    scan, output, stripper = write_scan(tmp_path / "one.nii.gz"), tmp_path / "out", KeepEverything()
    monkeypatch.setattr(skullstrip, "choose_stripper", lambda *_: stripper)
    for name, again in (("deepbet", 0), ("deepbet", 0), ("hd-bet", 1), ("hd-bet", 1)):
        monkeypatch.setattr(stripper, "name", name)
        assert run(scan, output, checkpoint, "resume=true") == 0
        assert caplog.text.count("made with other checkpoints or settings") == again


@pytest.mark.parametrize("generated_by", [None, [{"Name": "fMRIPrep"}], "damaged"])
def test_another_data_set_is_not_overwritten(checkpoint: Path, tmp_path: Path, generated_by: object) -> None:
    root = tmp_path / "raw"
    write_scan(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    contents = {"Name": "raw", "BIDSVersion": "1.9.0"} | ({"GeneratedBy": generated_by} if generated_by else {})
    for name in ("raw", "out"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "dataset_description.json").write_text(json.dumps(contents))
    with pytest.raises(ConfigurationError, match=r"is another data set.*output=.*out/derivatives/otfsynth"):
        run(root, tmp_path / "out", checkpoint)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dataset_description.json"]
    for _ in range(2):  # its own it may write again
        assert run(root, tmp_path / "out" / "derivatives" / "otfsynth", checkpoint) == 0
    assert run(root / "sub-01" / "anat", tmp_path / "out", checkpoint, "input_layout=folder") == 0
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text()) == contents
