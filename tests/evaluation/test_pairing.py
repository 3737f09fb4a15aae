"""Pairs: by subject and session, by name, never by order; what is left over; what is ambiguous."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from otfsynth.evaluation.label_names import LabelFile, describe_labels
from otfsynth.evaluation.pairing import Pairing, PairingError, pair


def files(*paths: str) -> list[LabelFile]:
    return [describe_labels(Path(path)) for path in paths]


def listed(image: str, label: str, **given: str) -> LabelFile:
    return replace(describe_labels(Path(image)), path=Path(label), listed=True, **given)


def names(pairing: Pairing) -> list[tuple[str, str]]:
    return [(str(one.prediction.path), str(one.reference.path)) for one in pairing.pairs]


def test_one_freesurfer_segmentation_serves_all_scans_of_its_day_and_no_other(tmp_path: Path) -> None:
    predictions = files(
        "sub-OAS30001_ses-d0129_desc-otfsynth_dseg.nii.gz",
        "sub-OAS30001_ses-d0129_space-T2w_desc-otfsynth_dseg.nii.gz",
        "sub-OAS30001_ses-d2000_desc-otfsynth_dseg.nii.gz",
        "sub-OAS30002_ses-d0129_desc-otfsynth_dseg.nii.gz",
    )
    references = files(
        "OAS30002_Freesurfer53_d0129/data/OAS30002_MR_d0129/mri/aparc+aseg.mgz",
        "OAS30001_MR_d0129/mri/aparc+aseg.mgz",
        "OAS30003_MR_d0129/mri/aparc+aseg.mgz",
    )
    pairing = pair(predictions, references)
    assert [(one.case, one.reference.path.parts[0]) for one in pairing.pairs] == [
        ("sub-OAS30001_ses-d0129_T1w", "OAS30001_MR_d0129"),
        ("sub-OAS30001_ses-d0129_T2w", "OAS30001_MR_d0129"),
        ("sub-OAS30002_ses-d0129_T1w", "OAS30002_Freesurfer53_d0129"),
    ]
    assert [one.session for one in pairing.lonely_predictions] == ["d2000"]
    assert [one.subject for one in pairing.lonely_references] == ["OAS30003"]


def test_names_pair_without_their_endings_whatever_the_order() -> None:
    predictions = files("p/b_dseg.nii.gz", "p/a_desc-otfsynth_dseg.nii.gz", "p/C_1.nii.gz", "p/d.nii")
    references = files("r/C_1_seg.nii", "r/a_0000.mgz", "r/b_segmentation.nii.gz", "r/dd.nii")
    assert names(pair(predictions, references)) == [
        ("p/b_dseg.nii.gz", "r/b_segmentation.nii.gz"),
        ("p/a_desc-otfsynth_dseg.nii.gz", "r/a_0000.mgz"),
        ("p/C_1.nii.gz", "r/C_1_seg.nii"),
    ]


def test_names_that_differ_in_the_contrast_share_a_reference() -> None:
    predictions = files("p07_T1_dseg.nii.gz", "p07_FLAIR_dseg.nii.gz", "p08_T1_dseg.nii.gz")
    pairing = pair(predictions, files("r/p07_seg.nii.gz"))
    assert [one.contrast for one in pairing.pairs] == ["T1", "FLAIR"]
    assert {one.subject for one in pairing.pairs} == {"p07"}
    assert [one.case for one in pairing.lonely_predictions] == ["p08_T1"]


def test_the_reference_of_the_same_contrast_run_and_acquisition_goes_first() -> None:
    references = files(
        "r/sub-1_run-1_T1w_dseg.nii.gz", "r/sub-1_run-2_T1w_dseg.nii.gz", "r/sub-1_acq-tse_T2w_dseg.nii.gz"
    )
    (one,) = pair(files("sub-1_run-02_desc-otfsynth_dseg.nii.gz"), references).pairs
    assert one.reference.path.name == "sub-1_run-2_T1w_dseg.nii.gz"
    (one,) = pair(files("sub-1_acq-tse_space-T2w_desc-otfsynth_dseg.nii.gz"), references).pairs
    assert one.reference.path.name == "sub-1_acq-tse_T2w_dseg.nii.gz"
    assert not pair(files("sub-1_run-3_T1w_dseg.nii.gz"), references[:2]).pairs


def test_a_line_of_a_list_serves_its_own_contrast_alone() -> None:
    references = [
        listed("i/sub-1_ses-2_run-1_T1w.nii.gz", "seg.nii.gz"),
        listed("i/sub-1_ses-2_run-1_T2w.nii.gz", "seg.nii.gz", case="special"),
    ]
    predictions = files(
        "sub-1_ses-2_run-1_space-FLAIR_desc-otfsynth_dseg.nii.gz",
        "sub-1_ses-2_run-1_space-T2w_desc-otfsynth_dseg.nii.gz",
    )
    pairing = pair(predictions, references)
    assert [(one.case, one.contrast) for one in pairing.pairs] == [("special", "T2w")]
    (own,) = pair(files("x_T1_dseg.nii.gz"), [listed("x_T1.nii.gz", "seg.nii", contrast="MPRAGE")]).pairs
    assert own.contrast == "MPRAGE"
    assert [one.contrast for one in pairing.lonely_predictions] == ["FLAIR"]
    assert [one.contrast for one in pairing.lonely_references] == ["T1w"]


def test_several_references_for_a_prediction_are_an_error_that_names_them() -> None:
    references = files("a/OAS30001_MR_d0129/mri/aparc+aseg.mgz", "b/OAS30001_Freesurfer50_d0129/mri/aparc+aseg.mgz")
    with pytest.raises(PairingError, match=r"a/OAS30001_MR_d0129/mri/aparc\+aseg.mgz, b/OAS30001_Freesurfer50"):
        pair(files("sub-OAS30001_ses-d0129_desc-otfsynth_dseg.nii.gz"), references)
    with pytest.raises(PairingError, match=r"r/x_seg\.nii, r/x_dseg\.nii"):
        pair(files("x.nii"), files("r/x_seg.nii", "r/x_dseg.nii"))


def test_several_predictions_for_a_line_of_a_list_are_an_error() -> None:
    predictions = files("sub-1_run-1_desc-otfsynth_dseg.nii.gz", "sub-1_run-2_desc-otfsynth_dseg.nii.gz")
    with pytest.raises(PairingError, match=r"sub-1_run-1_desc-otfsynth_dseg\.nii\.gz, sub-1_run-2"):
        pair(predictions, [listed("sub-1_T1w.nii.gz", "seg.nii", case="one")])


def test_a_subject_is_not_paired_by_a_similar_name() -> None:
    assert not pair(files("sub-1_desc-otfsynth_dseg.nii.gz"), files("r/sub-10_dseg.nii.gz")).pairs
    assert not pair(files("sub-1_ses-1_T1w_dseg.nii.gz"), files("r/sub-1_ses-2_T1w_dseg.nii.gz")).pairs
