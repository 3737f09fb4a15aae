"""Finding the images of one head: joined by semicolons, numbered as nnU-Net's, or told by their contrasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.data.heads import ImageChannels, find_heads
from otfsynth.data.scan_lists import ScanListError
from tests.data.test_scans import touch

TWO = ImageChannels(2, ("T1w", "FLAIR"))
UNNAMED = ImageChannels(2)


def names(root: Path, given: str | Path, channels: ImageChannels, layout: str = "auto") -> dict[str, list[str]]:
    """By case, the files of each channel below a folder, empty where one is missing."""
    found = find_heads(str(given), layout, channels)
    for scan in found.scans:
        assert scan.path == next(path for path in scan.channels if path is not None)
        assert len(scan.channels) == channels.count
    return {
        scan.case: [path.relative_to(root).as_posix() if path else "" for path in scan.channels] for scan in found.scans
    }


def test_files_joined_by_semicolons(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz")
    given = f"{tmp_path}/a.nii.gz; {tmp_path}/b.nii.gz"
    assert names(tmp_path, given, UNNAMED) == {"a": ["a.nii.gz", "b.nii.gz"]}
    assert names(tmp_path, f";{tmp_path}/b.nii.gz", UNNAMED) == {"b": ["", "b.nii.gz"]}
    with pytest.raises(ScanListError, match="names 2 image"):
        find_heads(given, "auto", ImageChannels(1))
    with pytest.raises(ScanListError, match=r"'/nowhere\.nii' does not exist"):
        find_heads(f"{tmp_path}/a.nii.gz;/nowhere.nii", "auto", UNNAMED)


@pytest.mark.parametrize("suffix", ["txt", "csv"])
def test_lines_of_a_list_join_the_files_of_a_head(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "c.nii.gz")
    listing = tmp_path / f"heads.{suffix}"
    head = "image\n" if suffix == "csv" else ""
    listing.write_text(f"{head}a.nii.gz;b.nii.gz\n;c.nii.gz\na.nii.gz ; b.nii.gz\n")
    assert names(tmp_path, listing, UNNAMED) == {"a": ["a.nii.gz", "b.nii.gz"], "c": ["", "c.nii.gz"]}
    assert "repeats line" in find_heads(str(listing), "auto", UNNAMED).skipped[0]


def test_all_wrong_lines_are_told_in_one_message(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "notes.pdf")
    listing = tmp_path / "heads.txt"
    listing.write_text(
        "a.nii.gz\na.nii.gz;b.nii.gz;b.nii.gz\na.nii.gz;c.nii.gz\na.nii.gz;notes.pdf\n;\na.nii.gz;a.nii.gz\n"
    )
    with pytest.raises(ScanListError) as error:
        find_heads(str(listing), "auto", UNNAMED)
    for part in (
        "6 line(s)",
        "line 1: 'a.nii.gz' names 1 image(s) of a head where 2 belong; join them by ';'",
        "line 2: 'a.nii.gz;b.nii.gz;b.nii.gz' names 3",
        "c.nii.gz' does not exist",
        "notes.pdf' is neither",
        "line 5: ';' names no image",
        "line 6: 'a.nii.gz;a.nii.gz' names a file twice",
    ):
        assert part in str(error.value)


def test_a_file_whose_name_holds_a_semicolon_is_one_image(tmp_path: Path) -> None:
    touch(tmp_path, "a;b.nii.gz")
    (tmp_path / "list.txt").write_text("a;b.nii.gz\n")
    assert [scan.case for scan in find_heads(str(tmp_path / "list.txt"), "auto", ImageChannels(1)).scans] == ["a;b"]
    assert [scan.channels for scan in find_heads(f"{tmp_path}/a;b.nii.gz", "auto", ImageChannels(1)).scans] == [()]


def test_numbers_of_nnunet(tmp_path: Path) -> None:
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz", "c_0001.nii.gz", "d.nii.gz")
    expected = {
        "a": ["a_0000.nii.gz", "a_0001.nii.gz"],
        "b": ["b_0000.nii.gz", ""],
        "c": ["", "c_0001.nii.gz"],
    }
    assert names(tmp_path, tmp_path, UNNAMED) == names(tmp_path, tmp_path, TWO) == expected
    assert "d.nii.gz' is left out" in find_heads(str(tmp_path), "auto", UNNAMED).skipped[0]
    touch(tmp_path, "a_0002.nii.gz")
    with pytest.raises(ScanListError, match=r"a_0002\.nii\.gz' is channel 2 by its name, and the checkpoint takes 2"):
        find_heads(str(tmp_path), "auto", UNNAMED)


def test_a_bids_tree_is_grouped_by_subject_session_and_contrast(tmp_path: Path) -> None:
    files = (
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_acq-hippocampus_FLAIR.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_PDw.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_run-1_T1w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_run-2_T1w.nii.gz",
        "sub-02/anat/sub-02_FLAIR.nii.gz",
    )
    touch(tmp_path, *files)
    assert names(tmp_path, tmp_path, TWO) == {
        "sub-01_ses-1_T1w": [files[0], files[1]],
        "sub-01_ses-2_run-1_T1w": [files[4], ""],
        "sub-02_FLAIR": ["", files[6]],
    }
    skipped = find_heads(str(tmp_path), "auto", TWO).skipped
    for part in (
        "acq-hippocampus_FLAIR.nii.gz' is left out: ",
        "run-2_T1w.nii.gz' is left out: ",
        "'PDw' is none of T1w, FLAIR",
    ):
        assert part in "\n".join(skipped)


def test_a_folder_is_grouped_by_what_names_share(tmp_path: Path) -> None:
    touch(tmp_path, "anna_t1.nii.gz", "anna-T2-FLAIR.nii.gz", "T1_bob.nii.gz", "p3/FLAIR.nii.gz", "p3/T1.nii.gz")
    assert names(tmp_path, tmp_path, TWO) == {
        "anna_t1": ["anna_t1.nii.gz", "anna-T2-FLAIR.nii.gz"],
        "T1_bob": ["T1_bob.nii.gz", ""],
        "T1": ["p3/T1.nii.gz", "p3/FLAIR.nii.gz"],
    }


def test_what_cannot_be_told_apart_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz")
    with pytest.raises(ConfigurationError, match=r"takes 2 images .*channels=\[T1w,FLAIR\].*';'"):
        find_heads(str(tmp_path), "auto", UNNAMED)
    with pytest.raises(ConfigurationError, match="several channels are T1w and T1w"):
        find_heads(str(tmp_path), "auto", ImageChannels(2, ("T1w", "T1w")))
    with pytest.raises(ScanListError, match=r"no head for this checkpoint(.|\n)*'T1w' is none of PDw, FLAIR"):
        find_heads(str(tmp_path), "auto", ImageChannels(2, ("PDw", "FLAIR")))


def test_missing_images_are_refused_where_the_network_never_missed_one(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz", "sub-02/anat/sub-02_FLAIR.nii.gz")
    with pytest.raises(ScanListError, match=r"1 of 2 head\(s\) lack images(.|\n)*sub-01_T1w: channel FLAIR"):
        find_heads(str(tmp_path), "auto", ImageChannels(2, ("T1w", "FLAIR"), may_miss=False))
