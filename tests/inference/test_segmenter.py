"""A scan from its file to its labels: orientation, voxel size, output grids, what is measured."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.data.scans import describe
from otfsynth.inference import ImageError
from otfsynth.inference.ensemble import Ensemble
from otfsynth.inference.segmenter import ScanSegmenter, SegmentationOptions, SegmentedScan, read_image
from otfsynth.inference.skullstrip import StrippingConfig, choose_stripper
from tests.inference.heads import SHAPE, brain, brain_affine, write_checkpoint, write_scan


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return Ensemble.load(str(write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "a.ckpt")))


def segment(ensemble: Ensemble, path: Path, **options: object) -> SegmentedScan:
    stripper = choose_stripper(str(options.get("skullstrip", "auto")), StrippingConfig())
    segmenter = ScanSegmenter(ensemble.predictor("cpu", 0.25), stripper, SegmentationOptions(**options))  # type: ignore[arg-type]
    return segmenter(describe(path))


def turned(codes: str) -> tuple[np.ndarray, np.ndarray]:
    """:func:`brain` with its axes in another order, and the affine that keeps it in its place."""
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    data = nib.orientations.apply_orientation(brain(), change)
    return data, brain_affine() @ nib.orientations.inv_ornt_aff(change, SHAPE)


@pytest.mark.parametrize("codes", ["LIA", "PSL", "LPS"])
def test_stored_orientation_does_not_change_the_segmentation(ensemble: Ensemble, tmp_path: Path, codes: str) -> None:
    straight = segment(ensemble, write_scan(tmp_path / "ras.nii.gz"))
    assert not np.array_equal(straight.labels, straight.labels[::-1])  # left and right differ: a flip would show
    data, affine = turned(codes)
    other = segment(ensemble, write_scan(tmp_path / f"{codes}.nii.gz", data, affine))
    assert other.labels.shape == data.shape
    back, back_affine = _canonical(other.labels, other.grid.affine)
    np.testing.assert_allclose(back_affine, brain_affine(), atol=1e-4)
    assert np.array_equal(back, straight.labels)
    assert other.measures.volumes_mm3 == straight.measures.volumes_mm3
    assert other.measures.asymmetry == pytest.approx(straight.measures.asymmetry, abs=1e-6)


def test_a_mgz_and_an_oblique_copy_give_the_same_labels(ensemble: Ensemble, tmp_path: Path) -> None:
    straight = segment(ensemble, write_scan(tmp_path / "ras.nii.gz"))
    nib.save(nib.MGHImage(brain(), brain_affine()), tmp_path / "copy.mgz")
    assert np.array_equal(segment(ensemble, tmp_path / "copy.mgz").labels, straight.labels)
    angle = np.deg2rad(14)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = segment(ensemble, write_scan(tmp_path / "oblique.nii.gz", affine=turn @ brain_affine()))
    assert np.array_equal(oblique.labels, straight.labels)
    np.testing.assert_allclose(oblique.grid.affine, turn @ brain_affine(), atol=1e-5)


def test_slope_and_type_of_the_file_do_not_change_the_segmentation(ensemble: Ensemble, tmp_path: Path) -> None:
    counts = np.rint(brain() * 8).astype(np.int16)
    plain = segment(ensemble, write_scan(tmp_path / "float.nii.gz", counts / np.float32(8)))
    image = nib.Nifti1Image(counts, brain_affine())
    image.header.set_slope_inter(0.125, 0)
    nib.save(image, tmp_path / "scaled.nii.gz")
    scaled = segment(ensemble, tmp_path / "scaled.nii.gz")
    assert np.array_equal(scaled.image.data, plain.image.data)
    assert np.array_equal(scaled.labels, plain.labels)


def test_volumes_are_labels_times_voxels(ensemble: Ensemble, tmp_path: Path) -> None:
    result = segment(ensemble, write_scan(tmp_path / "a.nii.gz"), keep_probabilities=True)
    counts = np.bincount(result.labels.ravel(), minlength=4)
    assert result.measures.voxel_volume_mm3 == pytest.approx(64)
    assert result.measures.volumes_mm3 == pytest.approx(tuple(counts[1:] * 64.0))
    assert result.probabilities is not None
    sums = result.probabilities.astype(np.float64).sum(axis=(1, 2, 3)) * 64
    assert result.measures.soft_volumes_mm3 == pytest.approx(tuple(sums[1:]), rel=1e-3)


def test_labels_stay_inside_the_brain_mask(ensemble: Ensemble, tmp_path: Path) -> None:
    result = segment(ensemble, write_scan(tmp_path / "a.nii.gz"))
    assert result.labels[brain() == 0].max() == 0


def test_another_space_keeps_axes_and_place(ensemble: Ensemble, tmp_path: Path) -> None:
    data, affine = turned("LIA")
    path = write_scan(tmp_path / "a.nii.gz", data, affine)
    native = segment(ensemble, path)
    coarse = segment(ensemble, path, space_mm=8.0)
    assert coarse.labels.shape == (22, 25, 21)
    assert nib.aff2axcodes(coarse.grid.affine) == ("R", "A", "S")
    middle = coarse.grid.affine @ [*(np.array(coarse.labels.shape) - 1) / 2, 1]
    np.testing.assert_allclose(middle, affine @ [*(np.array(data.shape) - 1) / 2, 1], atol=1e-4)
    assert coarse.measures.voxel_volume_mm3 == pytest.approx(512)
    assert coarse.measures.soft_volumes_mm3 == pytest.approx(native.measures.soft_volumes_mm3, rel=0.02)
    # what the coarse volume labels is brain in the native one
    places = np.argwhere(coarse.labels > 0)[::3]
    world = places @ coarse.grid.affine[:3, :3].T + coarse.grid.affine[:3, 3]
    native_voxels = np.rint((world - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    assert np.mean(native.brain[tuple(native_voxels.T)]) > 0.95


def test_thick_slices_come_back_as_thick_slices(ensemble: Ensemble, tmp_path: Path) -> None:
    thick = brain().reshape(44, 50, 21, 2).mean(-1)
    affine = brain_affine() @ np.diag([1, 1, 2, 1.0])
    affine[2, 3] += 2
    result = segment(ensemble, write_scan(tmp_path / "thick.nii.gz", thick, affine))
    assert result.labels.shape == (44, 50, 21)
    assert result.measures.voxel_volume_mm3 == pytest.approx(128)


def test_a_scan_with_its_skull_is_flagged_where_stripping_is_off(ensemble: Ensemble, tmp_path: Path) -> None:
    head = brain() + 20 + np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    result = segment(ensemble, write_scan(tmp_path / "a.nii.gz", head), skullstrip="none")
    assert result.measures.skull
    assert result.brain.all()
    stripped = segment(ensemble, write_scan(tmp_path / "b.nii.gz"), skullstrip="none")
    assert not stripped.measures.skull
    assert np.array_equal(stripped.brain, brain() != 0)


def test_a_mask_folder_decides_where_to_segment(ensemble: Ensemble, tmp_path: Path) -> None:
    path = write_scan(tmp_path / "scans" / "a.nii.gz")
    mask = np.zeros(SHAPE, np.uint8)
    mask[:22] = brain()[:22] != 0
    write_scan(tmp_path / "masks" / "a.nii.gz", mask)
    stripper = choose_stripper("mask", StrippingConfig(mask_folder=str(tmp_path / "masks")))
    options = SegmentationOptions(skullstrip="mask")
    result = ScanSegmenter(ensemble.predictor("cpu", 0.25), stripper, options)(describe(path))
    assert result.labels[22:].max() == 0
    assert np.array_equal(result.brain, mask > 0)


@pytest.mark.parametrize(
    ("shape", "spacing", "message"),
    [((5, 5, 5), 1.0, r"shows only 5 x 5 x 5 mm"), ((60, 60, 20), 1.0, "60 x 60 x 20 mm"), ((5, 9, 9), 30.0, "voxels")],
)
def test_scans_too_small_for_a_head_are_refused(
    tmp_path: Path, shape: tuple[int, int, int], spacing: float, message: str
) -> None:
    data = np.random.default_rng(0).random(shape).astype(np.float32)
    path = write_scan(tmp_path / "tiny.nii.gz", data, np.diag([spacing] * 3 + [1.0]))
    with pytest.raises(ImageError, match=message):
        read_image(describe(path))


def test_a_file_that_does_not_say_how_the_head_lies_is_segmented_and_flagged(
    ensemble: Ensemble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = nib.Nifti1Image(brain(), None)
    image.header.set_zooms((4.0, 4.0, 4.0))
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "a.nii.gz")
    assert not segment(ensemble, tmp_path / "a.nii.gz").measures.orientation_known
    assert "does not say how the head lies" in caplog.text
    assert segment(ensemble, write_scan(tmp_path / "b.nii.gz")).measures.orientation_known


def _canonical(labels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image = nib.as_closest_canonical(nib.Nifti1Image(labels, affine))
    return np.asarray(image.dataobj), image.affine
