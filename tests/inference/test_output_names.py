"""Names of results: flat, BIDS derivatives, OASIS-3."""

from __future__ import annotations

from pathlib import Path

import pytest

from otfsynth.data.scan import Scan
from otfsynth.data.scans import describe
from otfsynth.inference.output_names import colliding_names, output_names

TARGETS = ("background", "GM", "white matter")


def test_flat_names() -> None:
    names = output_names(describe(Path("a/IBSR_01.nii.gz")), "folder", TARGETS)
    assert names.labels == Path("IBSR_01_dseg.nii.gz")
    assert names.mask == Path("IBSR_01_desc-brain_mask.nii.gz")
    assert names.probabilities == (
        Path("IBSR_01_label-GM_probseg.nii.gz"),
        Path("IBSR_01_label-whitematter_probseg.nii.gz"),
    )
    assert (names.picture, names.record) == (Path("qc/IBSR_01.png"), Path("qc/IBSR_01.json"))
    assert names.description is None


@pytest.mark.parametrize(
    ("scan", "space_mm", "expected"),
    [
        ("sub-01_T1w", None, "sub-01/anat/sub-01_desc-otfsynth_dseg.nii.gz"),
        ("sub-01_ses-2_run-01_T1w", None, "sub-01/ses-2/anat/sub-01_ses-2_run-01_desc-otfsynth_dseg.nii.gz"),
        (
            "sub-01_ses-2_acq-TSE_T2w",
            None,
            "sub-01/ses-2/anat/sub-01_ses-2_acq-TSE_space-T2w_desc-otfsynth_dseg.nii.gz",
        ),
        ("sub-01_FLAIR", 1.0, "sub-01/anat/sub-01_space-FLAIR_res-1mm_desc-otfsynth_dseg.nii.gz"),
        ("sub-01_FLAIR", 1.5, "sub-01/anat/sub-01_space-FLAIR_res-1p5mm_desc-otfsynth_dseg.nii.gz"),
        (
            "sub-01_space-MNI_res-2_desc-preproc_T2w",
            None,
            "sub-01/anat/sub-01_space-MNIT2w_desc-preprocOtfsynth_dseg.nii.gz",
        ),
        (
            "sub-OAS30001_ses-d0129_run-01_T1w",
            None,
            "sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_run-01_desc-otfsynth_dseg.nii.gz",
        ),
    ],
)
@pytest.mark.parametrize("layout", ["bids", "oasis3"])
def test_bids_names(scan: str, space_mm: float | None, expected: str, layout: str) -> None:
    names = output_names(describe(Path(f"{scan}.nii.gz")), layout, TARGETS, space_mm)
    assert names.labels.as_posix() == expected
    assert names.description == names.labels.with_name(names.labels.name.replace(".nii.gz", ".json"))


def test_other_files_of_a_bids_case() -> None:
    names = output_names(describe(Path("sub-01_ses-2_T2w.nii.gz")), "bids", TARGETS)
    folder = Path("sub-01/ses-2/anat")
    assert names.probabilities[0] == folder / "sub-01_ses-2_space-T2w_label-GM_probseg.nii.gz"
    assert names.mask == folder / "sub-01_ses-2_space-T2w_desc-brain_mask.nii.gz"
    coarse = output_names(describe(Path("sub-01_ses-2_T2w.nii.gz")), "bids", TARGETS, 8.0)
    assert coarse.mask == names.mask  # it lies on the scan's own grid
    assert coarse.probabilities[0] == folder / "sub-01_ses-2_space-T2w_res-8mm_label-GM_probseg.nii.gz"
    assert describe(names.labels).contrast == "T2w"  # an evaluation finds the contrast again


def test_scans_without_entities_are_flat_even_in_a_bids_tree() -> None:
    names = output_names(Scan(Path("x/odd.nii.gz"), "odd"), "bids", TARGETS)
    assert names.labels == Path("odd_dseg.nii.gz")


def test_scans_that_would_overwrite_each_other_are_found() -> None:
    scans = [describe(Path(f"{name}.nii.gz")) for name in ("sub-1_T1w", "sub-1_T2w", "sub-1_ses-1_T1w")]
    assert colliding_names(scans, "bids", TARGETS) == {}
    again = Scan(Path("y/sub-1_T1w.nii"), "other", "1", "", "T1w", (("sub", "1"),))
    assert list(colliding_names([*scans, again], "bids", TARGETS).values()) == [["sub-1_T1w", "other"]]
