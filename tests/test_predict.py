"""The command: results of every layout, bad cases by name, resuming, ensembles, settings."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.predict import PredictConfig
from otfsynth.networks import CheckpointError
from otfsynth.predict import predict
from tests.inference.heads import SHAPE, brain, brain_affine, write_checkpoint, write_scan


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt")


def run(given: Path | str, output: Path, checkpoint: Path | str, *overrides: str) -> int:
    """Run the command in this process; its exit code."""
    arguments = [f"input={given}", f"output={output}", f"checkpoint={checkpoint}", "overlap=0.25", "progress=false"]
    try:
        predict(compose([*arguments, *overrides], "predict", PredictConfig), Job(output))
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_gives_label_maps_tables_pictures_and_a_page(checkpoint: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    write_scan(scans / "one_T1w.nii.gz")
    write_scan(scans / "two_T2w.nii.gz", 200 - brain(1), brain_affine())
    write_scan(scans / "two_T2w.nii.gz", np.where(brain(1) > 0, 200 - brain(1), 0).astype(np.float32))
    output = tmp_path / "out"
    code = run(scans, output, checkpoint, "save_probabilities=true", "save_mask=true")
    assert code == 0
    image = nib.load(output / "one_T1w_dseg.nii.gz")
    assert image.shape == SHAPE
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.affine, brain_affine(), atol=1e-5)
    labels = np.asarray(image.dataobj)
    mask = np.asarray(nib.load(output / "one_T1w_desc-brain_mask.nii.gz").dataobj)
    assert np.array_equal(mask, brain() != 0)
    table = {row["case"]: row for row in rows(output / "volumes.csv")}
    assert [table["one_T1w"]["contrast"], table["two_T2w"]["contrast"]] == ["T1w", "T2w"]
    for index, name in enumerate(("GM", "WM", "CSF"), start=1):
        assert float(table["one_T1w"][f"{name}_mm3"]) == pytest.approx((labels == index).sum() * 64)
        soft = nib.load(output / f"one_T1w_label-{name}_probseg.nii.gz").get_fdata()
        assert float(table["one_T1w"][f"{name}_soft_mm3"]) == pytest.approx(soft.sum() * 64, rel=1e-3)
    assert [row["case"] for row in rows(output / "quality.csv")] != []
    about = json.loads((output / "run.json").read_text())
    assert about["checkpoints"][0]["path"] == str(checkpoint)
    assert len(about["checkpoints"][0]["sha256"]) == 64
    assert about["configuration"]["save_mask"] is True
    assert (output / "dseg.tsv").read_text() == "index\tname\n0\tbackground\n1\tGM\n2\tWM\n3\tCSF\n"
    assert "one_T1w" in (output / "index.html").read_text()
    assert not (output / "failures.csv").exists()
    assert not list(output.rglob("*.part"))


def test_a_bids_tree_gives_derivatives(checkpoint: Path, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    (root / "sub-01" / "ses-1" / "anat").mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "raw", "BIDSVersion": "1.9.0"}')
    write_scan(root / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T1w.nii.gz")
    annexed = write_scan(tmp_path / "annex" / "object.nii.gz")
    (root / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T2w.nii.gz").symlink_to(annexed)
    output = tmp_path / "derivatives"
    assert run(root, output, checkpoint) == 0
    folder = output / "sub-01" / "ses-1" / "anat"
    assert sorted(path.name for path in folder.iterdir()) == [
        "sub-01_ses-1_desc-otfsynth_dseg.json",
        "sub-01_ses-1_desc-otfsynth_dseg.nii.gz",
        "sub-01_ses-1_space-T2w_desc-otfsynth_dseg.json",
        "sub-01_ses-1_space-T2w_desc-otfsynth_dseg.nii.gz",
    ]
    description = json.loads((output / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "otfsynth"
    assert description["SourceDatasets"] == [{"URL": root.resolve().as_uri()}]
    beside = json.loads((folder / "sub-01_ses-1_desc-otfsynth_dseg.json").read_text())
    assert beside["Sources"] == ["bids:source:sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"]
    linked = json.loads((folder / "sub-01_ses-1_space-T2w_desc-otfsynth_dseg.json").read_text())
    assert linked["Sources"] == ["bids:source:sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz"]
    assert {row["session"] for row in rows(output / "volumes.csv")} == {"1"}


@pytest.mark.parametrize(
    "place",
    [
        "OAS30001_MR_d0129/anat2/NIFTI/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
        "OAS30001_MR_d0129/scans/anat2-T1w/resources/NIFTI/files/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
    ],
)
def test_an_oasis3_tree_gives_derivatives(checkpoint: Path, tmp_path: Path, place: str) -> None:
    write_scan(tmp_path / "oasis" / place)
    output = tmp_path / "out"
    assert run(tmp_path / "oasis", output, checkpoint) == 0
    name = "sub-OAS30001_ses-d0129_run-01_desc-otfsynth_dseg.nii.gz"
    assert (output / "sub-OAS30001" / "ses-d0129" / "anat" / name).is_file()
    (row,) = rows(output / "volumes.csv")
    assert (row["subject"], row["session"], row["contrast"]) == ("OAS30001", "d0129", "T1w")


def all_nan(path: Path) -> None:
    write_scan(path, np.full(SHAPE, np.nan, np.float32))


def some_nan(path: Path) -> None:
    data = brain()
    data[20:24, 20:24, 20:24] = np.nan
    write_scan(path, data)


def constant(path: Path) -> None:
    write_scan(path, np.full(SHAPE, 5, np.float32))


def four_dimensions(path: Path) -> None:
    write_scan(path, np.stack([brain()] * 3, -1))


def truncated(path: Path) -> None:
    write_scan(path)
    path.write_bytes(path.read_bytes()[:5000])


def zero_spacing(path: Path) -> None:
    header = _header(path)
    header["pixdim"][1:4] = 0
    header["sform_code"] = header["qform_code"] = 0
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + brain().tobytes()))


def huge(path: Path) -> None:
    header = _header(path)
    header["dim"][1:4] = 30000
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4))


def tiny(path: Path) -> None:
    write_scan(path, np.random.default_rng(0).random((5, 5, 5)).astype(np.float32), np.eye(4))


def not_nifti(path: Path) -> None:
    path.write_bytes(gzip.compress(b"this is a letter, not a scan " * 40))


def singular_affine(path: Path) -> None:
    header = _header(path)
    header["sform_code"], header["qform_code"] = 1, 0
    for row in ("srow_x", "srow_y", "srow_z"):
        header[row] = 0
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + brain().tobytes(order="F")))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def _header(path: Path) -> nib.Nifti1Header:
    header = nib.Nifti1Image(brain(), brain_affine()).header.copy()
    header["magic"], header["vox_offset"] = b"n+1", 352
    return header


BAD: dict[Callable[[Path], None], str] = {
    all_nan: "(92400 voxels are not finite)",
    some_nan: "64 voxels inside the head are NaN",
    constant: "empty or constant",
    four_dimensions: "4 dimensions",
    truncated: "damaged or truncated",
    zero_spacing: "claims voxels of 0 mm",
    huge: "which no head scan has",
    tiny: "shows only 5 x 5 x 5 mm",
    not_nifti: "can't be opened",
    singular_affine: "affine can't be inverted",
    empty: "empty file",
}


def test_bad_cases_are_reported_by_name_and_the_others_go_on(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scans = tmp_path / "scans"
    write_scan(scans / "aa_good.nii.gz")
    write_scan(scans / "zz_good.nii.gz")
    for make in BAD:
        make(scans / f"{make.__name__}.nii.gz")
    output = tmp_path / "out"
    assert run(scans, output, checkpoint) == 1
    failures = {row["case"]: row["problem"] for row in rows(output / "failures.csv")}
    page = (output / "index.html").read_text()
    assert set(failures) == {make.__name__ for make in BAD}
    for make, reason in BAD.items():
        name = make.__name__
        assert reason in failures[name], name
        assert f"{name}.nii.gz" in failures[name]
        assert name in page
        assert f"{name} failed: " in caplog.text
    assert "Cases that failed" in page
    assert [row["case"] for row in rows(output / "volumes.csv")] == ["aa_good", "zz_good"]
    assert sorted(path.name for path in output.glob("*.nii.gz")) == ["aa_good_dseg.nii.gz", "zz_good_dseg.nii.gz"]
    # mended, the next run fails no more and forgets the failures
    for make in BAD:
        (scans / f"{make.__name__}.nii.gz").unlink()
    assert run(scans, output, checkpoint, "resume=true") == 0
    assert not (output / "failures.csv").exists()
    assert "Cases that failed" not in (output / "index.html").read_text()


def test_a_file_without_permission_is_a_failed_case(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind root, so that the refusal of the system is put in its place."""
    load = nib.load

    def guarded(path: object, *rest: object, **options: object) -> object:
        if Path(str(path)).name.startswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return load(path, *rest, **options)

    write_scan(tmp_path / "scans" / "locked.nii.gz")
    write_scan(tmp_path / "scans" / "open.nii.gz")
    monkeypatch.setattr(nib, "load", guarded)
    assert run(tmp_path / "scans", tmp_path / "out", checkpoint) == 1
    (row,) = rows(tmp_path / "out" / "failures.csv")
    assert row["case"] == "locked"
    assert "Permission denied" in row["problem"]


def test_resuming_redoes_what_is_damaged_changed_or_made_otherwise(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scans, output = tmp_path / "scans", tmp_path / "out"
    names = ("cut", "edited", "moved", "new", "picture", "same")
    for name in names:
        write_scan(scans / f"{name}.nii.gz")
    assert run(scans, output, checkpoint) == 0
    times = {name: (output / f"{name}_dseg.nii.gz").stat().st_mtime_ns for name in names}
    cut = output / "cut_dseg.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-200])
    moved = nib.load(output / "moved_dseg.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(moved.dataobj), np.diag([5.0, 4, 4, 1])), output / "moved_dseg.nii.gz")
    write_scan(scans / "new.nii.gz", brain(5))
    os.utime(scans / "new.nii.gz", ns=(1, 1))
    (output / "qc" / "picture.png").unlink()
    edited = nib.load(output / "edited_dseg.nii.gz")
    data = np.asarray(edited.dataobj).copy()
    data[20:30] = 2
    nib.save(nib.Nifti1Image(data, edited.affine), output / "edited_dseg.nii.gz")
    times["edited"] = (output / "edited_dseg.nii.gz").stat().st_mtime_ns
    caplog.clear()
    assert run(scans, output, checkpoint, "resume=true") == 0
    redone = {name for name in names if (output / f"{name}_dseg.nii.gz").stat().st_mtime_ns != times[name]}
    assert redone == {"cut", "moved", "new", "picture"}
    assert "cut is done again" in caplog.text
    assert "moved is done again: 'moved_dseg.nii.gz' is on another grid" in caplog.text
    assert "new is done again: its scan has changed" in caplog.text
    assert "2 case(s) were done already" in caplog.text
    assert [row["case"] for row in rows(output / "volumes.csv")] == sorted(names)


def test_resuming_with_other_checkpoints_settings_or_wishes_redoes(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scan, output = write_scan(tmp_path / "a.nii.gz"), tmp_path / "out"
    assert run(scan, output, checkpoint) == 0
    assert run(scan, output, checkpoint, "resume=true", "fill_holes=true") == 0
    assert caplog.text.count("made with other checkpoints or settings") == 1
    other = write_checkpoint(tmp_path / "other.ckpt", 7)
    assert run(scan, output, other, "resume=true", "fill_holes=true") == 0
    assert caplog.text.count("made with other checkpoints or settings") == 2
    assert run(scan, output, other, "resume=true", "fill_holes=true", "save_mask=true") == 0
    assert caplog.text.count("more files are wanted now") == 1
    assert run(scan, output, other, "resume=true", "fill_holes=true") == 0
    assert "1 case(s) were done already" in caplog.text


def test_cases_of_earlier_runs_stay_in_the_tables(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_scan(tmp_path / "a" / "one.nii.gz")
    write_scan(tmp_path / "b" / "two.nii.gz")
    output = tmp_path / "out"
    assert run(tmp_path / "a", output, checkpoint) == 0
    assert run(tmp_path / "b", output, checkpoint) == 0
    assert [row["case"] for row in rows(output / "volumes.csv")] == ["one", "two"]
    other = write_checkpoint(tmp_path / "other.ckpt", 7)
    assert run(tmp_path / "b", output, other) == 0
    assert [row["case"] for row in rows(output / "volumes.csv")] == ["two"]
    assert "1 case(s) of other checkpoints or settings" in caplog.text


def test_another_space_is_written_and_resumed(checkpoint: Path, tmp_path: Path) -> None:
    write_scan(tmp_path / "scans" / "a.nii.gz")
    output = tmp_path / "out"
    settings = ("space=8mm", "save_mask=true", "keep_largest_component=true", "fill_holes=true")
    assert run(tmp_path / "scans", output, checkpoint, *settings) == 0
    labels = output / "a_dseg.nii.gz"
    assert nib.load(labels).shape == (22, 25, 21)
    assert nib.load(output / "a_desc-brain_mask.nii.gz").shape == SHAPE
    written = labels.stat().st_mtime_ns
    assert run(tmp_path / "scans", output, checkpoint, *settings, "resume=true") == 0
    assert labels.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("space=2", "write native, or a voxel size such as 1mm"),
        ("space=99mm", "leaves"),
        ("skullstrip=hdbet", "did you mean 'hd-bet'"),
        ("input_layout=bidz", "did you mean 'bids'"),
        ("overlap=1.0", "overlap"),
        ("device=gpu", "choose auto, cpu, cuda"),
        ("batch_size=0", "batch_size"),
        ("max_tile=0", "max_tile"),
        ("precision=half", "precision=half is unknown"),
        ("input=nowhere", "nowhere"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, override: str, message: str) -> None:
    write_scan(tmp_path / "a.nii.gz")
    arguments = [f"input={tmp_path}", f"output={tmp_path / 'out'}", "checkpoint=some.ckpt", override]
    with pytest.raises(ConfigurationError, match=message):
        compose(arguments, "predict", PredictConfig)


def test_nothing_is_written_where_the_checkpoint_is_missing_or_the_device_absent(
    checkpoint: Path, tmp_path: Path
) -> None:
    write_scan(tmp_path / "scans" / "a.nii.gz")
    with pytest.raises(CheckpointError, match=r"nowhere\.ckpt"):
        run(tmp_path / "scans", tmp_path / "out", "nowhere.ckpt")
    with pytest.raises(ConfigurationError, match="CUDA GPU"):
        run(tmp_path / "scans", tmp_path / "out", checkpoint, "device=cuda:99")
    assert not (tmp_path / "out").exists()


def test_copies_and_rim_are_settings_that_change_results(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    strip = {"probability": 0.7, "fluid_probability": 0.6, "fluid": ["fluid"]}
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", 3, synthesis={"skull_strip": strip})
    scan = write_scan(tmp_path / "scan.nii.gz")
    caplog.set_level(logging.INFO)

    def labels(*settings: str) -> np.ndarray:
        assert run(scan, tmp_path / "out", checkpoint, "precision=32-true", "resume=true", *settings) == 0
        return np.asarray(nib.load(tmp_path / "out" / "scan_dseg.nii.gz").dataobj)

    plain = labels("tta_scales=[]", "fluid_rim_mm=0")
    assert ((plain == 0) & (brain() != 0)).any()
    rim = labels("tta_scales=[]", "fluid_rim_mm=20")
    assert not ((rim == 0) & (brain() != 0)).any()
    assert np.mean(labels("fluid_rim_mm=20") != rim) > 0.001
    assert np.array_equal(labels("tta=false", "fluid_rim_mm=0"), labels("tta=false", "tta_scales=[]", "fluid_rim_mm=0"))
    assert "averaged with mirrored copies of 0.9 and 1.2 times the size" in caplog.text
    with pytest.raises(ConfigurationError, match="tta_scales"):
        run(scan, tmp_path / "out", checkpoint, "tta_scales=[3]")
    with pytest.raises(ConfigurationError, match="fluid_rim_mm"):
        run(scan, tmp_path / "out", checkpoint, "fluid_rim_mm=-1")
