"""Which files are label maps, and whose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otfsynth.evaluation.label_files import find_label_files
from otfsynth.evaluation.label_names import LabelFilesError, describe_labels
from tests.evaluation.volumes import touch


@pytest.mark.parametrize(
    ("path", "case", "subject", "session", "contrast"),
    [
        ("sub-01/ses-2/anat/sub-01_ses-2_desc-otfsynth_dseg.nii.gz", "sub-01_ses-2_T1w", "01", "2", "T1w"),
        (
            "sub-OAS30001_ses-d0129_run-02_space-T2w_desc-otfsynth_dseg.nii.gz",
            "sub-OAS30001_ses-d0129_run-02_T2w",
            "OAS30001",
            "d0129",
            "T2w",
        ),
        ("sub-01_space-MNIFLAIR_desc-otfsynth_dseg.nii.gz", "sub-01_FLAIR", "01", "", "FLAIR"),
        ("sub-01_space-MNI_desc-preprocOtfsynth_dseg.nii.gz", "sub-01_T1w", "01", "", "T1w"),
        ("sub-01_desc-aseg_dseg.nii.gz", "sub-01", "01", "", ""),
        ("sub-01_T2w_dseg.nii.gz", "sub-01_T2w", "01", "", "T2w"),
        ("OAS30001_MR_d0129/mri/aparc+aseg.mgz", "OAS30001_MR_d0129", "OAS30001", "d0129", ""),
        ("OAS30001_Freesurfer53_d0129/a/mri/aparc+aseg.mgz", "a", "OAS30001", "d0129", ""),
        ("bert/mri/aseg.mgz", "bert", "", "", ""),
        ("IBSR_01_seg.nii.gz", "IBSR_01", "", "", ""),
        ("IBSR_01_desc-otfsynth_dseg.nii", "IBSR_01", "", "", ""),
        ("CASE_0000.nii.gz", "CASE", "", "", ""),
        ("patient07_FLAIR_dseg.nii.gz", "patient07_FLAIR", "", "", "FLAIR"),
        ("patient07/seg.nii.gz", "patient07", "", "", ""),
    ],
)
def test_what_names_say(path: str, case: str, subject: str, session: str, contrast: str) -> None:
    file = describe_labels(Path(path))
    assert (file.case, file.subject, file.session, file.contrast) == (case, subject, session, contrast)


def names(root: Path, wanted: str | None = None) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in find_label_files(wanted or str(root), "references")]


def test_a_folder_of_predict_gives_its_label_maps_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a_dseg.nii.gz", "a_label-GM_probseg.nii.gz", "a_desc-brain_mask.nii.gz", ".b_dseg.nii.gz", "x.png")
    assert names(tmp_path) == ["a_dseg.nii.gz"]


def test_bids_derivatives_nnunet_folders_and_mixed_folders(tmp_path: Path) -> None:
    bids = tmp_path / "bids"
    touch(
        bids,
        "sub-1/anat/sub-1_desc-x_dseg.nii.gz",
        "sub-1/anat/sub-1_T1w.nii.gz",
        "sub-1/anat/sub-1_label-WM_probseg.nii",
    )
    assert names(bids) == ["sub-1/anat/sub-1_desc-x_dseg.nii.gz"]
    nnunet = tmp_path / "nnunet"
    touch(nnunet, "labelsTr/b.nii.gz", "labelsTr/a.nii.gz", "imagesTr/a_0000.nii.gz")
    assert names(nnunet) == ["labelsTr/a.nii.gz", "labelsTr/b.nii.gz"]
    assert names(nnunet, str(nnunet / "labelsTr")) == ["labelsTr/a.nii.gz", "labelsTr/b.nii.gz"]
    mixed = tmp_path / "mixed"
    touch(mixed, "IBSR_01.nii.gz", "IBSR_01_seg.nii.gz")
    assert names(mixed) == ["IBSR_01_seg.nii.gz"]


def test_a_freesurfer_tree_gives_one_segmentation_per_subject(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "OAS30001_MR_d0129/mri/aparc+aseg.mgz",
        "OAS30001_MR_d0129/mri/aseg.mgz",
        "OAS30001_MR_d0129/mri/T1.mgz",
        "OAS30001_MR_d0129/mri/orig/001.mgz",
        "OAS30001_MR_d0129/surf/lh.seg.mgz",
        "bert/mri/aseg.mgz",
    )
    assert names(tmp_path) == ["OAS30001_MR_d0129/mri/aparc+aseg.mgz", "bert/mri/aseg.mgz"]
    assert names(tmp_path, f"{tmp_path}/**/mri/aseg.mgz") == ["OAS30001_MR_d0129/mri/aseg.mgz", "bert/mri/aseg.mgz"]


def test_a_list_gives_what_it_says_and_takes_paths_from_its_own_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x/seg1.nii.gz", "x/seg2.nii.gz")
    table = tmp_path / "list.csv"
    table.write_text(
        "image,label,contrast,case,subject,session\n"
        "i/sub-1_ses-2_run-1_T2w.nii.gz,x/seg1.nii.gz,,,,\n"
        ",x/seg2.nii.gz,FLAIR,two,2,b\n"
    )
    first, second = find_label_files(str(table), "references")
    assert (first.path, first.image) == (tmp_path / "x/seg1.nii.gz", tmp_path / "i/sub-1_ses-2_run-1_T2w.nii.gz")
    assert (first.case, first.subject, first.session, first.contrast) == ("sub-1_ses-2_run-1_T2w", "1", "2", "T2w")
    assert first.entities == (("run", "1"),)
    assert (second.case, second.subject, second.session, second.contrast) == ("two", "2", "b", "FLAIR")
    assert second.image is None
    assert first.listed
    assert second.listed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\na.nii\n", "first line must name label"),
        ("label\n", "lists no label map"),
        ("label\nmissing.nii\nalso.nii\n", r"2 label map\(s\) that are not there"),
        ("label,case\na.nii,one\na.nii,one\n", "'one' more than once"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    touch(tmp_path, "a.nii")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(LabelFilesError, match=message):
        find_label_files(str(tmp_path / "list.csv"), "references")


def test_nothing_there_is_said_with_the_settings_name(tmp_path: Path) -> None:
    for wanted in (str(tmp_path), f"{tmp_path}/*.nii", f"{tmp_path}/none.nii.gz", f"{tmp_path}/none.csv"):
        with pytest.raises(LabelFilesError, match="predictions="):
            find_label_files(wanted, "predictions")


def test_equal_names_take_their_folders_and_two_files_of_one_case_are_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "one/x_dseg.nii.gz", "two/x_dseg.nii.gz", "y_dseg.nii.gz")
    assert [file.case for file in find_label_files(str(tmp_path), "predictions")] == ["one__x", "two__x", "y"]
    touch(tmp_path, "fm/sub-1_desc-aseg_dseg.nii.gz", "fm/sub-1_desc-aparcaseg_dseg.nii.gz")
    with pytest.raises(LabelFilesError, match="desc-aparcaseg"):
        find_label_files(str(tmp_path / "fm"), "references")


def test_records_of_predict_tell_scan_and_contrast(tmp_path: Path) -> None:
    touch(tmp_path, "a_dseg.nii.gz", "b_dseg.nii.gz")
    (tmp_path / "qc").mkdir()
    record = {"case": "a", "subject": "7", "session": "", "contrast": "T2w", "volumes": ["a_dseg.nii.gz"]}
    (tmp_path / "qc" / "a.json").write_text(json.dumps({**record, "source": {"path": "/scans/a.nii.gz"}}))
    (tmp_path / "qc" / "b.json").write_text("[1]")
    first, second = find_label_files(str(tmp_path), "predictions")
    assert (first.image, first.subject, first.contrast) == (Path("/scans/a.nii.gz"), "7", "T2w")
    assert (second.image, second.contrast) == (None, "")
