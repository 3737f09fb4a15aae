"""Masks from a folder, masks from a command, and the choice between methods."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.data.scan_names import describe
from otfsynth.inference.output_names import output_names
from otfsynth.inference.skullstrip import SkullStripError, StrippingConfig, choose_stripper, find_brain
from otfsynth.volumes import Volume, read_volume, write_volume

AFFINE = np.array([[-1.0, 0, 0, 20], [0, 0, 2.0, -10], [0, -1.5, 0, 7], [0, 0, 0, 1]])
SHAPE = (10, 12, 8)


def brain() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[2:7, 3:9, 1:6] = True
    mask[7, 3:5, 1:3] = True  # no symmetry
    return mask


def volume(name: str = "case.nii.gz") -> Volume:
    return Volume(np.where(brain(), 100, 7).astype(np.int16), AFFINE, name)


def masks(folder: Path) -> StrippingConfig:
    return StrippingConfig(mask_folder=str(folder))


@pytest.mark.parametrize(
    "name",
    ["case.nii.gz", "case_mask.nii", "case_desc-brain_mask.nii.gz", "deep/case_brain_mask.mgz", "case_bet.nii.gz"],
)
def test_masks_are_found_by_the_name_of_the_case(tmp_path: Path, name: str) -> None:
    write_volume(tmp_path / name, brain(), AFFINE)
    write_volume(tmp_path / "other_mask.nii.gz", ~brain(), AFFINE)
    assert np.array_equal(choose_stripper("mask", masks(tmp_path)).mask(volume(), None, "case"), brain())


def test_a_mask_in_another_order_of_axes_is_turned(tmp_path: Path) -> None:
    image = nib.as_closest_canonical(nib.Nifti1Image(brain().astype(np.uint8), AFFINE))
    assert image.shape != SHAPE
    nib.save(image, tmp_path / "case_mask.nii.gz")
    assert np.array_equal(choose_stripper("mask", masks(tmp_path)).mask(volume(), None, "case"), brain())


def test_stripped_scans_and_probabilities_serve_as_masks(tmp_path: Path) -> None:
    write_volume(tmp_path / "a_brain.nii.gz", np.where(brain(), -5, 0).astype(np.int16), AFFINE)
    write_volume(tmp_path / "b_mask.nii.gz", np.where(brain(), 0.6, 0.4).astype(np.float32), AFFINE)
    stripper = choose_stripper("mask", masks(tmp_path))
    for case in "ab":
        assert np.array_equal(stripper.mask(volume(), None, case), brain())


def test_the_scan_itself_and_images_of_its_name_are_no_masks(tmp_path: Path) -> None:
    scan = write_volume(tmp_path / "case.nii.gz", volume().data, AFFINE)
    with pytest.raises(SkullStripError, match="no mask of 'case'"):
        choose_stripper("mask", masks(tmp_path)).mask(volume(), scan, "case")
    with pytest.raises(SkullStripError, match=r"holds intensities, not a mask; name the masks _desc-brain_mask\.nii"):
        choose_stripper("mask", masks(tmp_path)).mask(volume(), tmp_path / "elsewhere.nii.gz", "case")


def test_equal_file_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    write_volume(tmp_path / "siteA" / "scan_mask.nii.gz", brain(), AFFINE)
    write_volume(tmp_path / "siteB" / "scan_mask.nii.gz", ~brain(), AFFINE)
    stripper = choose_stripper("mask", masks(tmp_path))
    assert np.array_equal(stripper.mask(volume(), Path("x/siteB/scan.nii.gz"), "siteB__scan"), ~brain())
    with pytest.raises(SkullStripError, match="no mask of 'siteC__scan'"):
        stripper.mask(volume(), Path("x/siteC/scan.nii.gz"), "siteC__scan")
    with pytest.raises(SkullStripError, match=r"several masks of one name: 'siteA/scan_mask\.nii\.gz', 'siteB"):
        stripper.mask(volume(), Path("scan.nii.gz"), "scan")


def test_one_mask_serves_all_contrasts_of_a_bids_session(tmp_path: Path) -> None:
    write_volume(tmp_path / "sub-1_ses-2_desc-brain_mask.nii.gz", brain(), AFFINE)
    stripper = choose_stripper("mask", masks(tmp_path))
    found = stripper.mask(volume("sub-1_ses-2_T2w.nii.gz"), Path("sub-1_ses-2_T2w.nii.gz"), "sub-1_ses-2_T2w")
    assert np.array_equal(found, brain())


def test_masks_that_predict_wrote_tell_the_contrasts_of_a_session_apart(tmp_path: Path) -> None:
    scans = {name: describe(Path(f"{name}.nii.gz")) for name in ("sub-1_ses-2_T1w", "sub-1_ses-2_T2w")}
    written = {name: output_names(scan, "bids", ("background", "GM"), 1.0).mask for name, scan in scans.items()}
    write_volume(tmp_path / written["sub-1_ses-2_T1w"], brain(), AFFINE)
    write_volume(tmp_path / written["sub-1_ses-2_T2w"], ~brain(), AFFINE)
    stripper = choose_stripper("mask", masks(tmp_path))
    for name, expected in (("sub-1_ses-2_T1w", brain()), ("sub-1_ses-2_T2w", ~brain())):
        assert np.array_equal(stripper.mask(volume(f"{name}.nii.gz"), scans[name].path, name), expected)


def test_masks_of_another_grid_and_empty_ones_are_refused(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 3
    write_volume(tmp_path / "a_mask.nii.gz", brain()[:-1], AFFINE)
    write_volume(tmp_path / "b_mask.nii.gz", brain(), moved)
    write_volume(tmp_path / "c_mask.nii.gz", np.zeros(SHAPE, bool), AFFINE)
    stripper = choose_stripper("mask", masks(tmp_path))
    for case, message in (("a", r"shape \(9, 12, 8\)"), ("b", r"up to 3\.0 mm beside"), ("c", "is empty")):
        with pytest.raises(SkullStripError, match=message):
            stripper.mask(volume(), None, case)


def test_a_missing_mask_says_what_was_looked_for(tmp_path: Path) -> None:
    write_volume(tmp_path / "other.nii.gz", brain(), AFFINE)
    with pytest.raises(SkullStripError) as caught:
        choose_stripper("mask", masks(tmp_path)).mask(volume(), None, "case")
    for name in ("case_desc-brain_mask.nii.gz", "case_mask.nii.gz", "case_brain_mask.nii.gz", str(tmp_path)):
        assert name in str(caught.value)


def program(folder: Path, body: str) -> str:
    """A program in a folder with a space in its name; the arguments are input and result."""
    path = folder / "my tools" / "strip.py"
    path.parent.mkdir()
    path.write_text(f"import sys, os, time\nimport nibabel as nib\nimport numpy as np\n{body}\n")
    return f"'{sys.executable}' '{path}' {{input}} "


WRITE_BRIGHT = (
    "image = nib.load(sys.argv[1])\n"
    "data = np.asarray(image.dataobj)\n"
    "nib.save(nib.Nifti1Image(((data > 50) * {value}).astype(np.int16), image.affine), sys.argv[2])\n"
)


@pytest.mark.parametrize(("place", "value"), [("{mask}", 1), ("{output}", -3)])
def test_a_command_gets_a_copy_of_the_scan_and_its_result_is_read(tmp_path: Path, place: str, value: int) -> None:
    command = program(tmp_path, WRITE_BRIGHT.format(value=value)) + place
    stripper = choose_stripper("command", StrippingConfig(command=command))
    assert np.array_equal(stripper.mask(volume(), None, "case"), brain())


def test_a_command_that_leaves_out_the_gz_is_understood(tmp_path: Path) -> None:
    body = "sys.argv[2] = sys.argv[2].removesuffix('.gz')\n" + WRITE_BRIGHT.format(value=1)
    stripper = choose_stripper("command", StrippingConfig(command=program(tmp_path, body) + "{mask}"))
    assert np.array_equal(stripper.mask(volume(), None, "case"), brain())


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    command = program(tmp_path, "sys.exit(' '.join(sys.argv[2:]))") + "{mask} ; touch " + str(tmp_path / "touched")
    with pytest.raises(SkullStripError, match=r"; touch .*touched"):
        choose_stripper("command", StrippingConfig(command=command)).mask(volume(), None, "case")
    assert not (tmp_path / "touched").exists()


def test_a_failing_command_shows_its_last_lines(tmp_path: Path) -> None:
    body = "print('\\n'.join(f'line {n}' for n in range(20)), file=sys.stderr); sys.exit(3)"
    with pytest.raises(SkullStripError) as caught:
        choose_stripper("command", StrippingConfig(command=program(tmp_path, body) + "{mask}")).mask(
            volume(), None, "case"
        )
    message = str(caught.value)
    assert "failed for 'case' with exit code 3" in message
    assert "line 19" in message
    assert "line 14" not in message


def test_a_slow_command_is_ended_with_its_children(tmp_path: Path) -> None:
    late = f"import time; time.sleep(2); open({str(tmp_path / 'late')!r}, 'w')"
    body = f"import subprocess\nsubprocess.Popen([sys.executable, '-c', {late!r}])\ntime.sleep(60)"
    config = StrippingConfig(command=program(tmp_path, body) + "{mask}", timeout_s=1)
    begin = time.perf_counter()
    with pytest.raises(SkullStripError, match=r"longer than 1 s for 'case'"):
        choose_stripper("command", config).mask(volume(), None, "case")
    assert time.perf_counter() - begin < 30
    time.sleep(3)
    assert not (tmp_path / "late").exists()


def test_a_command_without_a_result_or_with_another_grid_is_a_failure(tmp_path: Path) -> None:
    command = program(tmp_path, "pass") + "{mask}"
    with pytest.raises(SkullStripError, match=r"left no readable \{mask\} of 'case'"):
        choose_stripper("command", StrippingConfig(command=command)).mask(volume(), None, "case")
    body = "nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), sys.argv[2])"
    (tmp_path / "my tools" / "strip.py").write_text(f"import sys\nimport nibabel as nib\nimport numpy as np\n{body}\n")
    with pytest.raises(SkullStripError, match=r"shape \(3, 3, 3\)"):
        choose_stripper("command", StrippingConfig(command=command)).mask(volume(), None, "case")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (None, "needs the command line"),
        ("no-such-program {input} {mask}", "no program 'no-such-program'"),
        ("env {input}", "needs {input} and {mask} or {output}"),
        ("env {mask}", "needs {input} and {mask} or {output}"),
        ("env {input} {msk}", "unknown place {msk}"),
        ("env '{input} {mask}", "can't be read"),
    ],
)
def test_commands_that_cannot_work_are_refused_before_any_scan(command: str | None, message: str) -> None:
    with pytest.raises(SkullStripError) as caught:
        choose_stripper("command", StrippingConfig(command=command))
    assert message in str(caught.value)


def test_methods_that_lack_something_say_so_before_any_scan(tmp_path: Path) -> None:
    with pytest.raises(SkullStripError, match=r"stripping\.mask_folder=FOLDER"):
        choose_stripper("mask", StrippingConfig())
    with pytest.raises(SkullStripError, match="is no folder"):
        choose_stripper("mask", masks(tmp_path / "missing"))
    with pytest.raises(SkullStripError, match="holds no NIfTI or MGZ"):
        choose_stripper("mask", masks(tmp_path))
    with pytest.raises(SkullStripError, match=r"device=cuda:77 can't be used"):
        choose_stripper("deepbet", StrippingConfig(device="cuda:77"))
    with pytest.raises(ConfigurationError, match="did you mean 'deepbet'"):
        choose_stripper("deepbett", StrippingConfig())
    with pytest.raises(ConfigurationError, match="timeout_s"):
        StrippingConfig(timeout_s=0)


def test_auto_leaves_a_stripped_scan_alone_and_explicit_methods_do_not(tmp_path: Path) -> None:
    places = np.indices((40, 40, 40)) - 19.5
    inside = np.linalg.norm(places, axis=0) < 16
    scan = Volume(np.where(inside, 80, 0).astype(np.uint8), np.diag([4.0, 4.0, 4.0, 1.0]), "case")
    half = inside & (places[0] > 0)
    write_volume(tmp_path / "case_mask.nii.gz", half, scan.affine)
    stripper = choose_stripper("mask", masks(tmp_path))
    left = find_brain(scan, "auto", stripper, None, "case")
    assert (left.method, left.reason) == (
        "none",
        "the background is 0 around one object of 1.1 l: taken as skull-stripped",
    )
    assert np.array_equal(left.mask, inside)
    forced = find_brain(scan, "mask", stripper, None, "case")
    assert forced.method == "mask"
    assert np.array_equal(forced.mask, half)
    kept = find_brain(scan, "none", choose_stripper("none", StrippingConfig()))
    assert kept.mask.all()
    with pytest.raises(SkullStripError, match="'case' is empty or constant"):
        find_brain(Volume(np.zeros((5, 5, 5)), np.eye(4), "x"), "auto", stripper, None, "case")


def test_what_is_written_for_a_command_keeps_type_and_place(tmp_path: Path) -> None:
    body = f"import shutil; shutil.copy(sys.argv[1], {str(tmp_path / 'seen.nii.gz')!r})\n" + WRITE_BRIGHT.format(
        value=1
    )
    choose_stripper("command", StrippingConfig(command=program(tmp_path, body) + "{mask}")).mask(volume(), None, "case")
    seen = read_volume(tmp_path / "seen.nii.gz")
    assert np.array_equal(seen.data, volume().data)
    assert seen.data.dtype == np.int16
    assert np.allclose(seen.affine, AFFINE)
