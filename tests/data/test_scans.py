"""Finding scans: what a name says, layouts told apart, files left out with a reason, unique names of cases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.data.scans import ScanListError, describe, find_scans


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def cases(root: Path | str, layout: str = "auto") -> list[str]:
    return [scan.case for scan in find_scans(str(root), layout).scans]


@pytest.mark.parametrize(
    ("path", "case", "subject", "session", "contrast"),
    [
        ("sub-01_ses-2_acq-TSE_run-01_T2w.nii.gz", "sub-01_ses-2_acq-TSE_run-01_T2w", "01", "2", "T2w"),
        ("sub-01/ses-2/anat/sub-01_FLAIR.nii", "sub-01_ses-2_FLAIR", "01", "2", "FLAIR"),
        (
            "OAS30001_MR_d0129/anat4/NIFTI/sub-OAS30001_T1w.nii.gz",
            "sub-OAS30001_ses-d0129_T1w",
            "OAS30001",
            "d0129",
            "T1w",
        ),
        ("MR/sub-OAS30001_sess-d0129_T2w.nii.gz", "sub-OAS30001_sess-d0129_T2w", "OAS30001", "d0129", "T2w"),
        ("OAS30001_MR_d0129/scans/anat2-T1w/resources/NIFTI/files/a.nii", "a", "OAS30001", "d0129", "T1w"),
        (
            "OAS30001_Freesurfer53_d0129/DATA/OAS30001_MR_d0129/mri/aparc+aseg.mgz",
            "aparc+aseg",
            "OAS30001",
            "d0129",
            "",
        ),
        ("freesurfer/sub-07_ses-1/mri/aparc+aseg.mgz", "aparc+aseg", "07", "1", ""),
        ("sub-01_ses-T1_FLAIR.nii", "sub-01_ses-T1_FLAIR", "01", "T1", "FLAIR"),
        ("sub-01_ses-T1_bold.nii", "sub-01_ses-T1_bold", "01", "T1", ""),
        ("sub-01_space-T2w_desc-otfsynth_dseg.nii.gz", "sub-01_space-T2w_desc-otfsynth_dseg", "01", "", "T2w"),
        ("sub-01_desc-otfsynth_dseg.nii.gz", "sub-01_desc-otfsynth_dseg", "01", "", ""),
        ("sub-01_T1w_dseg.nii.gz", "sub-01_T1w_dseg", "01", "", "T1w"),
        ("T2_FLAIR.nii.gz", "T2_FLAIR", "", "", "FLAIR"),
        ("avg152T1.nii", "avg152T1", "", "", "T1"),
        ("patient_t1ce_0000.nii.gz", "patient_t1ce_0000", "", "", "T1Gd"),
        ("T1_regtoFLAIR.nii.gz", "T1_regtoFLAIR", "", "", "T1"),
        ("IBSR_01.nii.gz", "IBSR_01", "", "", ""),
    ],
)
def test_names(path: str, case: str, subject: str, session: str, contrast: str) -> None:
    scan = describe(Path(path))
    assert (scan.case, scan.subject, scan.session, scan.contrast) == (case, subject, session, contrast)


def test_entities() -> None:
    named = describe(Path("sub-01_sess-2_run-03_T1w.nii.gz"))
    assert named.entities == (("sub", "01"), ("ses", "2"), ("run", "03"))
    assert describe(Path("ses-2/sub-01_run-03_T1w.nii.gz")).entities == named.entities
    assert describe(Path("head_run-03_T1w.nii.gz")).entities == ()


def test_single_scan_is_taken_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "odd_mask.nii.gz", "notes.pdf")
    found = find_scans(str(tmp_path / "odd_mask.nii.gz"))
    assert (found.layout, found.root, [scan.case for scan in found.scans]) == ("scan", tmp_path, ["odd_mask"])
    with pytest.raises(ScanListError, match="neither a NIfTI or MGZ scan nor"):
        find_scans(str(tmp_path / "notes.pdf"))


def test_folder_leaves_out_label_maps_and_says_so(tmp_path: Path) -> None:
    images = ("a.nii.gz", "b/c.mgz", "b/segment_T2.nii")
    labels = ("a_seg.nii.gz", "b/c_brain_mask.nii", "aparc+aseg.mgz", "x_GOLD_STANDARD.nii.gz", "labelsTr/a.nii.gz")
    touch(tmp_path, *images, *labels, ".a.nii.gz", "._b.nii", ".cache/d.nii", "notes.txt")
    found = find_scans(str(tmp_path))
    assert found.layout == "folder"
    assert [scan.path.relative_to(tmp_path).as_posix() for scan in found.scans] == list(images)
    assert all(scan.folder == Path() for scan in found.scans)
    assert len(found.skipped) == len(labels)
    assert f"'{tmp_path / 'a_seg.nii.gz'}' is left out: 'seg' in its name says that it is no scan" in found.skipped


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    touch(tmp_path / "data", "a/x.nii.gz")
    touch(tmp_path / "elsewhere", "y.nii.gz")
    os.symlink(tmp_path / "elsewhere", tmp_path / "data" / "b")
    os.symlink(tmp_path / "data", tmp_path / "elsewhere" / "loop")
    assert cases(tmp_path / "data") == ["x", "y"]


def test_unreadable_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.nii.gz", "closed/b.nii.gz")
    scandir = os.scandir

    def refuse(folder: Path) -> Iterator[os.DirEntry[str]]:
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("otfsynth.data.layouts.os.scandir", refuse)
    found = find_scans(str(tmp_path))
    assert [scan.case for scan in found.scans] == ["a"]
    assert found.skipped == (f"'{tmp_path / 'closed'}' is left out: it can't be read (Permission denied)",)


def test_names_of_cases_are_unique(tmp_path: Path) -> None:
    touch(tmp_path, "p1/t/T1.nii.gz", "p2/t/T1.nii.gz", "p1/T2.nii.gz", "p3/T3.nii.gz", "p3/T3.mgz")
    assert sorted(cases(tmp_path)) == ["T2", "T3_mgz", "T3_nii_gz", "p1__t__T1", "p2__t__T1"]


def test_text_list(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.nii.gz", "in/b_seg.mgz")
    listing = tmp_path / "scans.txt"
    listing.write_text(f"\ufeff# ours\n\nin/a.nii.gz\n{tmp_path}/in/b_seg.mgz\nin/a.nii.gz\n", encoding="utf-8")
    found = find_scans(str(listing))
    assert (found.layout, found.root, [scan.case for scan in found.scans]) == ("list", tmp_path, ["a", "b_seg"])
    assert found.skipped == (f"'{tmp_path}/in/a.nii.gz' is left out: line 5 of '{listing}' repeats line 3",)
    listing.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(ScanListError, match="no list of scans in UTF-8"):
        find_scans(str(listing))


@pytest.mark.parametrize("column", ["image", "path", "scan"])
def test_csv_list(tmp_path: Path, column: str) -> None:
    touch(tmp_path, "sub-1_T1w.nii.gz", "b.nii.gz")
    listing = tmp_path / "scans.csv"
    listing.write_text(f"{column},label,case,subject,contrast\nsub-1_T1w.nii.gz,x,,,\nb.nii.gz,x,bee,anna,PD\n,,,,\n")
    first, second = find_scans(str(listing)).scans
    assert (first.case, first.subject, first.contrast) == ("sub-1_T1w", "1", "T1w")
    assert (second.case, second.subject, second.contrast) == ("bee", "anna", "PD")


def test_all_wrong_lines_of_a_list_in_one_message(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "c.pdf")
    listing = tmp_path / "scans.csv"
    listing.write_text("image,case\na.nii.gz,x\nb.nii.gz,x\nc.pdf,c\nd.nii.gz,d\na.nii.gz,../a\n")
    with pytest.raises(ScanListError) as error:
        find_scans(str(listing))
    for part in (
        "4 line(s)",
        "line 4: ",
        "neither NIfTI",
        "line 5: ",
        "does not exist",
        "holds a slash",
        "'x' is named 2",
    ):
        assert part in str(error.value)
    listing.write_text("file\na.nii.gz\n")
    with pytest.raises(ScanListError, match=r"columns \['file'\]; its first line must name one of image, path, scan"):
        find_scans(str(listing))


BIDS = (
    "sub-01/ses-1/anat/sub-01_ses-1_run-1_T1w.nii.gz",
    "sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz",
    "sub-01/ses-1/anat/sub-01_ses-1_angio.nii.gz",
    "sub-01/ses-1/anat/sub-01_ses-1_T1w_brain.nii.gz",
    "sub-01/ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz",
    "sub-02/anat/sub-02_PDw.nii",
    "sub-02/anat/sub-02_PDw.nii.gz",
    "derivatives/fmriprep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
    "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
)


def test_bids(tmp_path: Path) -> None:
    touch(tmp_path, *BIDS)
    found = find_scans(str(tmp_path))
    assert found.layout == "bids"
    assert [(scan.case, scan.folder.as_posix(), scan.contrast) for scan in found.scans] == [
        ("sub-01_ses-1_FLAIR", "sub-01/ses-1/anat", "FLAIR"),
        ("sub-01_ses-1_run-1_T1w", "sub-01/ses-1/anat", "T1w"),
        ("sub-02_PDw", "sub-02/anat", "PDw"),
    ]
    reasons = "\n".join(found.skipped)
    assert len(found.skipped) == 5
    for part in (
        "'angio' is no structural scan",
        "T1w_brain",
        "derivatives' is left out",
        "sourcedata'",
        "sub-02_PDw.nii'",
    ):
        assert part in reasons
    assert cases(tmp_path / "sub-01") == ["sub-01_ses-1_FLAIR", "sub-01_ses-1_run-1_T1w"]
    assert cases(tmp_path / "sub-01" / "ses-1") == cases(tmp_path / "sub-01")
    assert "sub-01_desc-preproc_T1w" in cases(tmp_path, "folder")


OASIS = {
    "download": "OAS30001_MR_d0129/anat2/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
    "download with NIFTI": "OAS30001_MR_d0129/anat2/NIFTI/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
    "raw XNAT": "OAS30001_MR_d0129/scans/anat2-T1w/resources/NIFTI/files/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
    "by subject": "OAS30001/OAS30001_MR_d0129/anat2/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
    "with a folder for FreeSurfer": "scans/OAS30001_MR_d0129/anat2/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz",
}


@pytest.mark.parametrize("path", OASIS.values(), ids=OASIS)
def test_oasis3(tmp_path: Path, path: str) -> None:
    freesurfer = (
        "freesurfer/OAS30001_Freesurfer53_d0129/DATA/OAS30001_MR_d0129"
        if "scans/OAS" in path
        else (path[: path.index("_d0129") + 6])
    )
    touch(tmp_path, path, f"{freesurfer}/mri/aparc+aseg.mgz", f"{freesurfer}/mri/FLAIR.mgz", f"{freesurfer}/surf/a.mgh")
    touch(tmp_path / Path(path).parent, "sub-OAS30001_ses-d0129_acq-TOF_angio.nii.gz")
    found = find_scans(str(tmp_path))
    assert found.layout == "oasis3"
    (scan,) = found.scans
    assert (scan.case, scan.folder.as_posix()) == ("sub-OAS30001_ses-d0129_run-01_T1w", "sub-OAS30001/ses-d0129/anat")
    reasons = "\n".join(found.skipped)
    assert "'angio' is no structural scan" in reasons
    assert "it is FreeSurfer's output" in reasons


def test_raw_oasis3_files_without_bids_names(tmp_path: Path) -> None:
    files = "resources/NIFTI/files/image.nii.gz"
    touch(tmp_path / "OAS30001_MR_d0129" / "scans", f"anat2-T1w/{files}", f"anat3-T1w/{files}", f"swi1-swi/{files}")
    assert cases(tmp_path) == ["sub-OAS30001_ses-d0129_acq-anat2_T1w", "sub-OAS30001_ses-d0129_acq-anat3_T1w"]


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_T1w.nii.gz", "OAS30001_notes/a.nii.gz")
    assert find_scans(str(tmp_path)).layout == "bids"
    assert find_scans(str(tmp_path), "oasis3").scans == find_scans(str(tmp_path), "bids").scans
    touch(tmp_path / "mixed", "oasis/OAS30001_MR_d0129/anat1/a_T1w.nii.gz", "others/b.nii.gz")
    assert find_scans(str(tmp_path / "mixed")).layout == "folder"


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(ScanListError, match="'nowhere' does not exist"):
        find_scans("nowhere")
    with pytest.raises(ScanListError, match="does not exist"):
        find_scans("")
    touch(tmp_path, "a_seg.nii.gz")
    with pytest.raises(ScanListError, match=r"holds no scan \(layout folder\).*\n.*a_seg.nii.gz' is left out"):
        find_scans(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"layout=oasis is unknown \(did you mean 'oasis3'"):
        find_scans(str(tmp_path), "oasis")
    with pytest.raises(ScanListError, match="is a file, which layout=bids can't read"):
        find_scans(str(tmp_path / "a_seg.nii.gz"), "bids")
    with pytest.raises(ScanListError, match="is a folder, which layout=list can't read"):
        find_scans(str(tmp_path), "list")
