"""Predictions on their references' grids: turned, resampled, refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.evaluation.grids import (
    AlignedPair,
    GridError,
    align,
    describe_grid,
    read_labels,
    same_grid,
)
from otfsynth.evaluation.probabilities import probability_files
from otfsynth.evaluation.targets import TargetMap
from otfsynth.volumes import Grid
from tests.evaluation.volumes import CSF, GM, WM, head, write

TARGETS = TargetMap({value: value for value in range(4)}, "labels")
NAMES = ("background", "GM", "WM", "CSF")


def turned(labels: np.ndarray, affine: np.ndarray, axes: str) -> tuple[np.ndarray, np.ndarray]:
    """The same volume with its axes stored in another order."""
    change = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    return (
        nib.orientations.apply_orientation(labels, change),
        affine @ nib.orientations.inv_ornt_aff(change, labels.shape),
    )


def aligned(path: Path, reference: Path, resample: str = "auto", ignore_outside: bool = False) -> AlignedPair:
    return align(path, read_labels(path, TARGETS), read_labels(reference, TARGETS), resample, NAMES, ignore_outside)


def test_the_order_of_the_axes_does_not_matter_and_nothing_is_interpolated(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (7, 8, 9)).astype(np.uint8)
    affine = np.array([[1.0, 0, 0, -3], [0, 1.5, 0, 5], [0, 0, 2, 7], [0, 0, 0, 1]])
    reference = write(tmp_path / "r.nii.gz", labels, affine)
    for axes in ("LIA", "PSR", "RAS"):
        prediction = write(tmp_path / f"{axes}.nii.gz", *turned(labels, affine, axes))
        pair = aligned(prediction, reference, "none")
        assert np.array_equal(pair.prediction, labels)
        assert pair.resampled == ""


def test_grids_that_differ_by_rounding_are_one() -> None:
    grid = Grid((200, 200, 200), np.diag([1.0, 1.0, 1.0, 1.0]))
    rounded, moved = np.diag([1.0001, 1.0, 1.0, 1.0]), np.diag([1.0, 1.0, 1.0, 1.0])
    moved[0, 3] = 0.1
    assert same_grid(Grid(grid.shape, rounded), grid)
    assert not same_grid(Grid(grid.shape, moved), grid)
    assert not same_grid(Grid((200, 200, 201), grid.affine), grid)


def test_another_grid_is_refused_with_both_named_or_resampled(tmp_path: Path) -> None:
    labels = head()
    reference = write(tmp_path / "r.nii.gz", labels)
    fine = np.repeat(np.repeat(np.repeat(labels, 2, 0), 2, 1), 2, 2)
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -0.25
    prediction = write(tmp_path / "p_dseg.nii.gz", fine, affine)
    with pytest.raises(
        GridError, match=r"48x48x48 voxels of 0\.5x0\.5x0\.5 mm, RAS.*against 24x24x24 voxels of 1x1x1 mm"
    ):
        aligned(prediction, reference, "none")
    pair = aligned(prediction, reference)
    assert np.array_equal(pair.prediction, labels)
    assert (pair.resampled, pair.outside) == ("prediction", 0.0)
    with pytest.raises(GridError, match="save_probabilities=true"):
        aligned(prediction, reference, "probabilities")


def test_probabilities_are_interpolated_and_the_likeliest_wins(tmp_path: Path) -> None:
    coarse = np.diag([1.0, 1.0, 2.0, 1.0])
    shares = {"GM": 0.4, "WM": 0.5, "CSF": 0.05}
    for name, share in shares.items():
        volume = np.zeros((4, 4, 2), np.float32)
        volume[..., 0] = share
        volume[..., 1] = 0.9 if name == "CSF" else 0.0
        write(tmp_path / f"p_label-{name}_probseg.nii.gz", volume, coarse)
    labels = np.full((4, 4, 2), WM, np.uint8)
    labels[..., 1] = CSF
    prediction = write(tmp_path / "p_dseg.nii.gz", labels, coarse)
    reference = write(tmp_path / "r.nii.gz", np.full((4, 4, 3), GM, np.uint8), np.eye(4))
    pair = aligned(prediction, reference)
    assert pair.resampled == "probabilities"
    # Half way: GM .2, WM .25, CSF .475, background .075
    assert pair.prediction[1, 1].tolist() == [WM, CSF, CSF]
    assert aligned(prediction, reference, "prediction").resampled == "prediction"


def write_case(folder: Path, labels: np.ndarray) -> tuple[Path, Path]:
    """A prediction in slices of 2 mm with its probabilities, 0.9 for its label, and a reference in slices of 1 mm."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    for value, name in enumerate(NAMES[1:], start=1):
        share = np.where(labels == value, 0.9, 0.02).astype(np.float16).astype(np.float32)
        write(folder / f"p_label-{name}_probseg.nii.gz", share, affine)
    reference = write(folder / "r.nii.gz", np.full((*labels.shape[:2], 2 * labels.shape[2]), GM, np.uint8))
    return write(folder / "p_dseg.nii.gz", labels, affine), reference


def test_labels_that_were_corrected_or_tidied_win_over_their_probabilities(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (6, 5, 4)).astype(np.uint8)
    prediction, reference = write_case(tmp_path, labels)
    assert aligned(prediction, reference).resampled == "probabilities"
    turned_prediction = write(prediction, *turned(labels, np.diag([1.0, 1.0, 2.0, 1.0]), "LIA"))
    assert aligned(turned_prediction, reference).resampled == "probabilities"
    for value in (0, 1, 2, 3):
        corrected = labels.copy()
        corrected[2, 3, 1] = (labels[2, 3, 1] + 1 + value) % 4
        write(prediction, corrected, np.diag([1.0, 1.0, 2.0, 1.0]))
        pair = aligned(prediction, reference)
        if value == 3:  # once round
            assert pair.resampled == "probabilities"
            continue
        assert pair.resampled == "labels"
        assert pair.prediction[2, 3, 2] == corrected[2, 3, 1]
        with pytest.raises(GridError, match=r"are not those of its labels.*set resample=prediction"):
            aligned(prediction, reference, "probabilities")
        assert aligned(prediction, reference, "prediction").resampled == "prediction"


def test_probabilities_of_an_earlier_model_or_grid_are_not_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prediction, reference = write_case(tmp_path, rng.integers(0, 4, (6, 5, 4)).astype(np.uint8))
    write(prediction, rng.integers(0, 4, (6, 5, 4)).astype(np.uint8), np.diag([1.0, 1.0, 2.0, 1.0]))
    assert aligned(prediction, reference).resampled == "labels"
    write(prediction, np.ones((6, 5, 5), np.uint8), np.diag([1.0, 1.0, 2.0, 1.0]))
    assert aligned(prediction, reference).resampled == "labels"


def test_what_a_prediction_leaves_out_does_not_count(tmp_path: Path) -> None:
    labels, reference = head(), head()
    labels[:12] = 255
    path = write(tmp_path / "r.nii.gz", reference)
    targets = TargetMap({**TARGETS.targets, 255: 255}, "labels")
    for name, affine in (("same", np.eye(4)), ("moved", np.diag([1.0, 1.0, 1.01, 1.0]))):
        prediction = write(tmp_path / f"{name}.nii.gz", labels, affine)
        pair = align(prediction, read_labels(prediction, targets), read_labels(path, TARGETS), "prediction", NAMES)
        assert (pair.reference[:12] == 255).all()
        assert not pair.prediction[:12].any()
        assert np.array_equal(pair.reference[12:], reference[12:])


def test_probabilities_of_bids_derivatives_are_found_under_either_order_of_names(tmp_path: Path) -> None:
    dseg = tmp_path / "sub-1_space-T2w_desc-otfsynth_dseg.nii.gz"
    assert probability_files(dseg, NAMES) == {}
    for name in NAMES[1:]:
        (tmp_path / f"sub-1_space-T2w_label-{name}_probseg.nii.gz").touch()
        (tmp_path / f"sub-1_label-{name}_probseg.nii.gz").touch()
    found = probability_files(dseg, NAMES)
    assert [found[value].name for value in (1, 2, 3)] == [
        f"sub-1_space-T2w_label-{name}_probseg.nii.gz" for name in NAMES[1:]
    ]


def test_what_the_scan_did_not_see_is_missed_or_left_out_and_its_share_is_told(tmp_path: Path) -> None:
    labels = head()
    reference = write(tmp_path / "r.nii.gz", labels)
    prediction = write(tmp_path / "p.nii.gz", labels[:12])
    missed, left_out = aligned(prediction, reference), aligned(prediction, reference, ignore_outside=True)
    assert missed.outside == left_out.outside == pytest.approx(0.5)
    assert np.array_equal(missed.reference, labels)
    assert (missed.prediction[12:] == 0).all()
    assert (left_out.reference[12:] == 255).all()
    assert np.array_equal(left_out.reference[:12], labels[:12])


def test_volumes_that_lie_apart_are_refused(tmp_path: Path) -> None:
    reference = write(tmp_path / "r.nii.gz", head())
    far = np.eye(4)
    far[0, 3] = 500
    with pytest.raises(GridError, match=r"do not overlap.*centre \(512, 12, 12\) mm"):
        aligned(write(tmp_path / "p.nii.gz", head(), far), reference)


def test_a_grid_is_described_as_a_reader_would() -> None:
    affine = np.array([[-1.0, 0, 0, 90], [0, 0, 1, -126], [0, -1, 0, 72], [0, 0, 0, 1]])
    assert describe_grid(Grid((181, 217, 181), affine)).startswith("181x217x181 voxels of 1x1x1 mm, LIA, centre (0, ")
