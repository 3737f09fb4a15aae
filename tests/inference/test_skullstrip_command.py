"""``otfsynth skullstrip``: files bit by bit, bad cases, resuming, the table and the pictures."""

from __future__ import annotations

import csv
import gzip
import logging
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.skullstrip import LAYOUTS, SkullStripConfig
from otfsynth.data import scans as scans_module
from otfsynth.inference.skullstrip import SkullStripError
from otfsynth.inference.skullstrip.output import write_masked_copy
from otfsynth.skullstrip import skullstrip
from otfsynth.volumes import read_volume, write_volume

AFFINE = np.array([[-2.0, 0, 0, 20], [0, 0, 2.0, -10], [0, -1.5, 0, 7], [0, 0, 0, 1]])
SHAPE = (14, 12, 10)
INSIDE = (slice(3, 11), slice(2, 9), slice(2, 8))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two scans with masks in ``masks/``, one of them with a scale."""
    folder = tmp_path / "scans"
    folder.mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[INSIDE] = 1
    for number, name in enumerate(("a", "b")):
        image = nib.Nifti1Image(np.random.default_rng(number).integers(1, 900, SHAPE).astype(np.int16), AFFINE)
        image.header["descrip"] = b"as scanned"
        image.set_sform(AFFINE, 1)
        image.set_qform(AFFINE, 3)
        nib.save(image, folder / f"{name}.nii.gz")
        write_volume(tmp_path / "masks" / f"{name}_mask.nii.gz", mask, AFFINE)
    return folder


def strip(scans: Path, *overrides: str) -> Path:
    output = scans.parent / "brains"
    given = [
        f"input={scans}",
        f"output={output}",
        "method=mask",
        "pictures=false",
        f"stripping.mask_folder={scans.parent / 'masks'}",
    ]
    skullstrip(compose([*given, *overrides], "skullstrip", SkullStripConfig), Job(scans.parent))
    return output


def rows(output: Path) -> dict[str, dict[str, str]]:
    with open(output / "skullstrip.csv", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def test_every_scan_gets_a_mask_a_brain_a_picture_and_a_row(scans: Path) -> None:
    output = strip(scans, "pictures=true")
    assert sorted(file.name for file in output.iterdir()) == [
        "a_brain.nii.gz",
        "a_desc-brain_mask.nii.gz",
        "b_brain.nii.gz",
        "b_desc-brain_mask.nii.gz",
        "qc",
        "skullstrip.csv",
    ]
    mask = nib.load(output / "a_desc-brain_mask.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.argwhere(np.asarray(mask.dataobj)).min(0), [3, 2, 2])
    assert np.asarray(mask.dataobj).sum() == 8 * 7 * 6
    assert np.array_equal(mask.affine, AFFINE)
    assert (mask.header["sform_code"], mask.header["qform_code"]) == (1, 3)
    row = rows(output)["a"]
    assert (row["method"], row["brain_volume_ml"]) == ("mask", f"{8 * 7 * 6 * 6 / 1000:.1f}")
    assert float(row["seconds"]) >= 0
    assert min(Image.open(output / "qc" / "a.png").size) > 200


def test_the_brain_is_the_scan_bit_by_bit_but_for_zeros(scans: Path) -> None:
    output = strip(scans)
    before = gzip.decompress((scans / "a.nii.gz").read_bytes())
    after = gzip.decompress((output / "a_brain.nii.gz").read_bytes())
    assert after[:352] == before[:352]
    stored, masked = (np.frombuffer(raw, np.int16, offset=352).reshape(SHAPE, order="F") for raw in (before, after))
    assert np.array_equal(masked[INSIDE], stored[INSIDE])
    assert np.count_nonzero(masked) == 8 * 7 * 6


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_type_scale_and_header_of_any_scan_are_kept(tmp_path: Path, suffix: str, dtype: type) -> None:
    data = np.arange(1, 121).reshape(4, 5, 6).astype(dtype)
    mask = data > 60
    image = nib.MGHImage(data, AFFINE) if suffix == ".mgz" else nib.Nifti1Image(data, AFFINE)
    nib.save(image, tmp_path / f"scan{suffix}")
    write_masked_copy(tmp_path / "brain.nii.gz", tmp_path / f"scan{suffix}", mask)
    brain = nib.load(tmp_path / "brain.nii.gz")
    assert brain.get_data_dtype() == dtype
    assert np.array_equal(np.asarray(brain.dataobj), np.where(mask, data, 0))
    assert np.allclose(brain.affine, AFFINE)


def test_scaled_big_endian_and_four_dimensional_scans_keep_all_that(tmp_path: Path) -> None:
    stored = np.arange(120, dtype=">i2").reshape(4, 5, 6, 1)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    image = nib.Nifti1Image(stored, AFFINE, header)
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([0.5, -10.0], ">f4").tobytes()  # scl_slope and scl_inter
    (tmp_path / "scan.nii").write_bytes(bytes(raw))
    mask = stored[..., 0] >= 60
    write_masked_copy(tmp_path / "brain.nii.gz", tmp_path / "scan.nii", mask)
    brain = nib.load(tmp_path / "brain.nii.gz")
    assert brain.shape == (4, 5, 6, 1)
    assert (brain.dataobj.slope, brain.dataobj.inter) == (0.5, -10.0)
    assert brain.header.endianness == ">"
    assert np.array_equal(brain.dataobj.get_unscaled()[mask], stored[mask])
    values = np.asarray(brain.dataobj)[..., 0]
    assert not values[~mask].any()  # 20 is stored there: 20 * 0.5 - 10 = 0
    assert values[mask].min() == 20


def test_a_bad_case_is_named_and_the_others_go_on(scans: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (scans / "a.nii.gz").read_bytes()
    (scans / "aa.nii.gz").write_bytes(whole[: len(whole) // 2])
    write_volume(scans / "c.nii.gz", np.ones(SHAPE, np.uint8), AFFINE)  # has no mask
    with pytest.raises(SystemExit) as stop, caplog.at_level(logging.INFO):
        strip(scans)
    assert stop.value.code == 1
    output = scans.parent / "brains"
    assert set(rows(output)) == {"a", "b"}
    with open(output / "failures.csv", newline="") as file:
        failures = dict(list(csv.reader(file))[1:])
    assert set(failures) == {"aa", "c"}
    assert "damaged or truncated" in failures["aa"]
    assert "no mask of 'c'" in failures["c"]
    assert "2 of 4 case(s) failed: aa, c" in caplog.text
    assert not (output / "c_brain.nii.gz").exists()

    (scans / "aa.nii.gz").unlink()
    (scans / "c.nii.gz").unlink()
    strip(scans)
    assert not (output / "failures.csv").exists()


def test_resume_keeps_whole_results_and_makes_the_others_again(scans: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = strip(scans)
    whole = (output / "a_brain.nii.gz").stat().st_mtime_ns
    first_row = rows(output)["a"]
    good = (output / "b_brain.nii.gz").read_bytes()
    (output / "b_brain.nii.gz").write_bytes(good[: len(good) // 2])
    with caplog.at_level(logging.INFO):
        strip(scans, "resume=true")
    assert "a: kept" in caplog.text
    assert "b: kept" not in caplog.text
    assert (output / "a_brain.nii.gz").stat().st_mtime_ns == whole
    assert (output / "b_brain.nii.gz").read_bytes() == good
    assert rows(output)["a"] == first_row

    write_volume(scans / "a.nii.gz", np.ones((5, 5, 5), np.uint8), AFFINE)  # another scan of that name
    write_volume(scans.parent / "masks" / "a_mask.nii.gz", np.ones((5, 5, 5), np.uint8), AFFINE)
    strip(scans, "resume=true")
    assert read_volume(output / "a_brain.nii.gz").data.shape == (5, 5, 5)


def test_resume_redoes_what_another_mask_or_scan_would_give(scans: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = strip(scans)
    larger = np.zeros(SHAPE, np.uint8)
    larger[1:13, 1:11, 1:9] = 1
    write_volume(scans.parent / "masks" / "a_mask.nii.gz", larger, AFFINE)
    with caplog.at_level(logging.INFO):
        strip(scans, "resume=true")
    assert "a: kept" not in caplog.text
    assert "b: kept" in caplog.text
    assert np.array_equal(read_volume(output / "a_desc-brain_mask.nii.gz").data, larger)
    assert rows(output)["a"]["brain_volume_ml"] == f"{larger.sum() * 6 / 1000:.1f}"
    write_volume(scans / "b.nii.gz", np.full(SHAPE, 7, np.int16), AFFINE)  # another scan, on the same grid
    strip(scans, "resume=true")
    assert read_volume(output / "b_brain.nii.gz").data.max() == 7


@pytest.mark.parametrize("resume", ["resume=true", "resume=false"])
def test_a_case_that_fails_has_no_results_of_the_run_before(scans: Path, resume: str) -> None:
    output = strip(scans, "pictures=true")
    (scans / "a.nii.gz").write_bytes(b"no scan any more")
    with pytest.raises(SystemExit):
        strip(scans, resume, "pictures=true")
    assert sorted(path.name for path in output.glob("*.nii.gz")) == ["b_brain.nii.gz", "b_desc-brain_mask.nii.gz"]
    assert set(rows(output)) == {"b"}
    assert sorted(path.name for path in (output / "qc").iterdir()) == ["a.failed", "b.png", "b_skullstrip.json"]


def test_masks_may_lie_where_the_results_go(scans: Path) -> None:
    output = strip(scans)
    for _ in range(2):
        strip(scans, f"stripping.mask_folder={output}")
    assert set(rows(output)) == {"a", "b"}
    assert read_volume(output / "a_desc-brain_mask.nii.gz").data.sum() == 8 * 7 * 6


def test_a_job_keeps_rows_and_failures_of_another(scans: Path) -> None:
    output = strip(scans, f"input={scans / 'a.nii.gz'}")
    (scans / "bad.nii.gz").write_bytes(b"no scan")
    with pytest.raises(SystemExit):
        strip(scans, f"input={scans / 'bad.nii.gz'}")
    strip(scans, f"input={scans / 'b.nii.gz'}")
    assert set(rows(output)) == {"a", "b"}
    assert "bad," in (output / "failures.csv").read_text()


def test_results_among_the_scans_are_not_taken_for_scans(scans: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        strip(scans, f"output={scans}")
    assert sorted(rows(scans)) == ["a", "b"]
    with caplog.at_level(logging.INFO):
        strip(scans, f"output={scans}")
    assert "a_brain.nii.gz' is left out: it is a result of this command" in caplog.text


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("input=missing", "input=missing does not exist"),
        ("input=", "input is not given"),
        ("output=", "output is not given"),
        ("method=none", "method=none is unknown"),
        ("method=deepbed", "did you mean 'deepbet'"),
        ("input_layout=bidz", "did you mean 'bids'"),
    ],
)
def test_settings_that_cannot_work_are_refused(scans: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        strip(scans, override)


def test_layouts_are_those_that_the_search_for_scans_knows() -> None:
    assert LAYOUTS == scans_module.LAYOUTS


def test_nothing_is_written_where_the_method_lacks_something(scans: Path) -> None:
    with pytest.raises(SkullStripError):
        strip(scans, "stripping.mask_folder=nowhere")
    with pytest.raises(InputError, match="no scan"):
        strip(scans, f"input={Path(__file__).parent}")
    assert not (scans.parent / "brains").exists()


def test_the_command_line_ends_with_the_right_code(scans: Path) -> None:
    (scans / "bad.nii.gz").write_bytes(b"junk")
    command = [sys.executable, "-m", "otfsynth.skullstrip", f"input={scans}", "output=out", "pictures=false"]
    masks = ["method=mask", f"stripping.mask_folder={scans.parent / 'masks'}"]
    done = subprocess.run([*command, *masks], cwd=scans.parent, capture_output=True, text=True)
    assert done.returncode == 1
    assert "bad failed: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(file.name for file in (scans.parent / "out").glob("*_brain.nii.gz")) == [
        "a_brain.nii.gz",
        "b_brain.nii.gz",
    ]
    wrong = subprocess.run([*command, "method=mask"], cwd=scans.parent, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "otfsynth skullstrip: method=mask needs the folder of the masks" in wrong.stderr
    assert sorted(file.name for file in scans.parent.iterdir()) == ["masks", "out", "scans"]
