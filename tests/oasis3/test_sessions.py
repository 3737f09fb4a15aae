"""Sessions of a generated OASIS-3: scans, segmentations of the same day, what is missing, damaged files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from otfsynth.data.oasis3 import Oasis3Error, read_oasis3
from otfsynth.data.oasis3_check import damaged_files
from otfsynth.data.oasis3_summary import session_lines, summary_lines
from tests.oasis3.tree import LAYOUTS, PlannedSession, make_tree


def contrasts(session: PlannedSession) -> Counter[str]:
    names = (name.rpartition("_")[2] for _, name in session.files)
    return Counter(name for name in names if name in ("T1w", "T2w", "FLAIR"))


@pytest.mark.parametrize("freesurfer", ["beside", "separate", "assessor", "none"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str, freesurfer: str) -> None:
    planned = make_tree(tmp_path, 12, layout, freesurfer, images=False)
    data = read_oasis3(tmp_path)
    assert [(session.subject, session.day) for session in data.sessions] == [(p.subject, p.day) for p in planned]
    for session, wanted in zip(data.sessions, planned, strict=True):
        assert Counter(scan.contrast for scan in session.scans) == contrasts(wanted)
        assert (session.segmentation is not None) == (wanted.segmented and freesurfer != "none")
        if session.segmentation:
            assert session.segmentation.name == "aparc+aseg.mgz"
            assert wanted.subject in str(session.segmentation)
            assert wanted.day in str(session.segmentation)
    if freesurfer == "separate":
        assert read_oasis3(tmp_path / "scans", tmp_path / "freesurfer").sessions == data.sessions
        assert not any(session.segmentation for session in read_oasis3(tmp_path / "scans").sessions)


def test_summary_of_twelve_subjects(name_tree: Path) -> None:
    folders = []
    data = read_oasis3(name_tree, on_folder=lambda: folders.append(1))
    lines = session_lines(data)
    assert lines[1].split() == ["OAS30001_MR_d0129", "FLAIR,", "T1w", "x2,", "T2w", "x2", "aparc+aseg", "-"]
    assert lines[6].split() == ["OAS30005_MR_d0277", "FLAIR,", "T1w", "-", "T2w,", "segmentation"]
    assert summary_lines(data) == [
        f"15 session(s) of 12 subject(s) in {name_tree}",
        "  T1w              20 scan(s), 15 session(s) of 12 subject(s)",
        "  T2w              15 scan(s), 10 session(s) of 9 subject(s)",
        "  FLAIR            10 scan(s), 10 session(s) of 9 subject(s)",
        "  segmentation     13 session(s) of 10 subject(s)",
        "  nothing missing  5 session(s) of 5 subject(s)",
        "left out:",
        "  15 item(s)       'angio' is no structural scan",
        "  15 item(s)       'bold' is no structural scan",
        "  15 item(s)       'swi' is no structural scan",
        "  13 item(s)       it is FreeSurfer's output",
    ]
    surfaces = len(list(name_tree.rglob("surf"))) + len(list(name_tree.rglob("orig")))
    assert len(folders) == 1 + sum(path.is_dir() for path in name_tree.rglob("*")) - surfaces


def test_newest_freesurfer_and_the_right_day(tmp_path: Path) -> None:
    for name in (
        "OAS30001_MR_d0129/anat1/sub-OAS30001_ses-d0129_T1w.nii.gz",
        "OAS30001_Freesurfer51_d0129/mri/aparc+aseg.mgz",
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    newer = tmp_path / "OAS30001_Freesurfer53_d0129" / "DATA" / "OAS30001_MR_d0129" / "mri" / "aparc+aseg.mgz"
    other_day = tmp_path / "OAS30001_Freesurfer53_d0130" / "mri" / "aparc+aseg.mgz"
    for path in (newer, other_day):
        path.parent.mkdir(parents=True)
        path.touch()
    data = read_oasis3(tmp_path)
    assert [(s.day, len(s.scans), s.segmentation) for s in data.sessions] == [
        ("d0129", 1, newer),
        ("d0130", 0, other_day),
    ]
    assert any(
        "Freesurfer51" in str(left_out) and "is the segmentation" in left_out.reason for left_out in data.skipped
    )


def test_derivatives_of_bids(tmp_path: Path) -> None:
    make_tree(tmp_path, 2, "bids", "none", images=False)
    segmentation = tmp_path / "derivatives" / "freesurfer" / "sub-OAS30001_ses-d0129" / "mri" / "aparc+aseg.mgz"
    segmentation.parent.mkdir(parents=True)
    segmentation.touch()
    stray = (
        tmp_path / "derivatives" / "sub-OAS30002" / "ses-d0166" / "anat" / "sub-OAS30002_ses-d0166_run-09_T1w.nii.gz"
    )
    stray.parent.mkdir(parents=True)
    stray.touch()
    first, second = read_oasis3(tmp_path).sessions
    assert first.segmentation == segmentation
    assert stray not in [scan.path for scan in second.scans]


def test_folders_without_oasis3(tmp_path: Path, name_tree: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Oasis3Error, match="holds neither a structural scan nor an aparc"):
        read_oasis3(tmp_path / "empty")
    with pytest.raises(Oasis3Error, match=r"freesurfer=.* holds no mri/aparc\+aseg.mgz"):
        read_oasis3(name_tree, tmp_path / "empty")
    with pytest.raises(Oasis3Error, match=r"root=.*nowhere is no folder"):
        read_oasis3(tmp_path / "nowhere")


def test_damaged_files_are_named_and_left_out(tmp_path: Path) -> None:
    make_tree(tmp_path, 1)
    first = read_oasis3(tmp_path).sessions[0]
    torn, segmentation = first.scans[0].path, first.segmentation
    assert segmentation is not None
    torn.write_bytes(torn.read_bytes()[:50])
    segmentation.write_bytes(b"")
    data = read_oasis3(tmp_path)
    problems = damaged_files(data)
    assert set(problems) == {torn, segmentation}
    assert "0 bytes" in problems[segmentation]
    (kept,) = data.without(problems).sessions
    assert kept.segmentation is None
    assert len(kept.scans) == len(first.scans) - 1
