"""One label map from disk to indices."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest

from otfsynth.data.brain_distance import encoded_brain_distance
from otfsynth.data.prepare import PreparedMap, foreground_voxels, prepare, to_indices
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume, VolumeError, bounding_box, read_volume

CODES = ["".join(c) for o in itertools.permutations(("RL", "AP", "SI")) for c in itertools.product(*o)]


def values_of(prepared: PreparedMap, scheme: LabelScheme) -> np.ndarray:
    return np.array(scheme.generation_labels)[prepared.indices]


def test_crop_border_and_affine(scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray) -> None:
    prepared = prepare(Volume(head, head_affine, "head"), scheme, 1.0)
    assert (np.array(prepared.indices.shape) > (24, 31, 28)).all()
    inside = bounding_box(prepared.indices != 0)
    first = np.array([extent.start for extent in inside])
    np.testing.assert_array_equal(values_of(prepared, scheme)[inside], head[2:24, 1:30, 3:29])
    for axis in range(3):
        assert not prepared.indices.take((0, -1), axis).any()
        assert (prepared.brain_distance.take((0, -1), axis) == 255).all()
    np.testing.assert_allclose(prepared.affine[:3, 3], head_affine[:3, 3] + [2, 1, 3] - first)
    assert prepared.indices.flags.c_contiguous
    brain = scheme.brain_indices[prepared.indices]
    np.testing.assert_array_equal(prepared.brain_distance < 128, brain)


def test_content_at_the_edge_gets_its_border(scheme: LabelScheme) -> None:
    prepared = prepare(Volume(np.full((3, 4, 5), 3), np.eye(4), "full"), scheme, 1.0)
    inside = bounding_box(prepared.indices != 0)
    assert [extent.stop - extent.start for extent in inside] == [3, 4, 5]
    np.testing.assert_allclose(prepared.affine[:3, 3], [-extent.start for extent in inside])


@pytest.mark.parametrize("spacing_mm", [0.7, 1.0, 2.5])
def test_all_that_is_near_the_brain_is_kept(scheme: LabelScheme, spacing_mm: float) -> None:
    """Also beyond the file's grid: where distances are looked up beyond the map, they are far."""
    brain = np.zeros((40, 44, 48), np.int32)
    brain[0:24, 3:40, 9:48] = 3
    prepared = prepare(Volume(brain, np.diag([spacing_mm] * 3 + [1.0]), "brain"), scheme, spacing_mm)
    wide = np.pad(prepared.indices, 20)
    expected = encoded_brain_distance(scheme.brain_indices[wide], spacing_mm)
    np.testing.assert_array_equal(np.pad(prepared.brain_distance, 20, constant_values=255), expected)
    beside = prepared.brain_distance[1:-1, 1:-1, 1:-1]
    for axis in range(3):
        assert (beside.take((0, -1), axis) < 255).any(axis=(0, 1, 2)).all()
    assert set(scheme.target_table[prepared.indices[tuple(prepared.foreground[0].T)]]) == {1}


def test_a_neck_far_below_the_brain_needs_no_more_room(scheme: LabelScheme) -> None:
    labels = np.zeros((90, 90, 160), np.int32)
    labels[1:89, 1:89, 1:159] = 515
    labels[10:80, 10:80, 80:150] = 3
    labels[44:46, 44:46, 1:80] = 24
    prepared = prepare(Volume(labels, np.eye(4), "neck"), scheme, 1.0)
    assert prepared.indices.shape == (70 + 2 * 17, 70 + 2 * 17, 149 + 17 + 1)


@pytest.mark.parametrize("codes", CODES)
def test_every_orientation_gives_the_same_map(
    scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray, codes: str
) -> None:
    expected = prepare(Volume(head, head_affine, "head"), scheme, 1.0)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    turned = nib.orientations.apply_orientation(head, turn)
    affine = head_affine @ nib.orientations.inv_ornt_aff(turn, head.shape)
    prepared = prepare(Volume(turned, affine, codes), scheme, 1.0)
    np.testing.assert_array_equal(prepared.indices, expected.indices)
    np.testing.assert_array_equal(prepared.brain_distance, expected.brain_distance)
    np.testing.assert_allclose(prepared.affine, expected.affine)
    for first, second in zip(prepared.foreground, expected.foreground, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("factors", [(2, 1, 1), (1, 3, 1), (2, 2, 2)])
def test_finer_files_give_the_same_map(
    scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray, factors: tuple[int, int, int]
) -> None:
    fine = head
    for axis, factor in enumerate(factors):
        fine = np.repeat(fine, factor, axis)
    affine = head_affine @ np.diag([*(1 / np.array(factors)), 1])
    affine[:3, 3] -= (1 - 1 / np.array(factors)) / 2
    prepared = prepare(Volume(fine, affine, "fine"), scheme, 1.0)
    expected = prepare(Volume(head, head_affine, "head"), scheme, 1.0)
    np.testing.assert_array_equal(prepared.indices, expected.indices)
    np.testing.assert_allclose(prepared.affine, expected.affine, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_every_stored_type(scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray, dtype: type) -> None:
    indices = to_indices(Volume(head.astype(dtype), head_affine, "head"), scheme)
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(np.array(scheme.generation_labels)[indices], head)


def test_mgz_and_nifti_agree(scheme: LabelScheme, save) -> None:  # type: ignore[no-untyped-def]
    first, second = (prepare(read_volume(save(name)), scheme, 1.0) for name in ("a.mgz", "a.nii.gz"))
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_allclose(first.affine, second.affine, atol=1e-5)


def test_foreground(scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray) -> None:
    prepared = prepare(Volume(head, head_affine, "head"), scheme, 1.0)
    targets = scheme.target_table[prepared.indices]
    for value, voxels in enumerate(prepared.foreground, start=1):
        assert voxels.dtype == np.int32
        assert len(voxels) == min((targets == value).sum(), 4096)
        assert (targets[tuple(voxels.T)] == value).all()
        assert len(np.unique(voxels, axis=0)) == len(voxels)
    many = np.full((40, 40, 40), 1, np.uint8)
    chosen = foreground_voxels(many, scheme)
    assert [len(voxels) for voxels in chosen] == [4096, 0, 0]
    assert chosen[1].shape == (0, 3)
    np.testing.assert_allclose(chosen[0].mean(axis=0), 19.5, atol=0.7)
    np.testing.assert_array_equal(chosen[0], foreground_voxels(many, scheme)[0])


def with_voxel(head: np.ndarray, value: float, dtype: type = np.int32) -> np.ndarray:
    changed = head.astype(dtype)
    changed[10, 10, 10:13] = value
    return changed


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (77, np.int32, r"holds label 77 \(3 voxels\), which scheme 'toy' does not list"),
        (-5, np.int32, r"holds label -5 \(3 voxels\)"),
        (2.5, np.float32, r"holds 3 values that are no whole numbers, such as 2.5"),
        (np.nan, np.float32, "no whole numbers, such as nan"),
        (np.inf, np.float64, "no whole numbers, such as inf"),
        (2**30, np.int32, "holds the value 1073741824, which is no label"),
    ],
)
def test_bad_values(
    scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray, value: float, dtype: type, message: str
) -> None:
    with pytest.raises(VolumeError, match=message) as caught:
        prepare(Volume(with_voxel(head, value, dtype), head_affine, "odd.nii.gz"), scheme, 1.0)
    assert "odd.nii.gz" in str(caught.value)


def test_empty_and_targetless_maps(scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray) -> None:
    with pytest.raises(VolumeError, match="is empty: every voxel is 0"):
        prepare(Volume(head * 0, head_affine, "empty.nii"), scheme, 1.0)
    with pytest.raises(VolumeError, match=r"no voxel of any target \(GM, WM, CSF\)"):
        prepare(Volume((head > 0) * 515, head_affine, "skull.nii"), scheme, 1.0)


def test_a_map_of_unlisted_labels_alone_is_named(scheme: LabelScheme) -> None:
    lenient = LabelScheme.from_dict({**scheme.to_dict(), "unlisted": "background"})
    foreign = Volume(np.full((5, 5, 5), 99, np.uint8), np.eye(4), "mask.nii.gz")
    with pytest.raises(VolumeError, match=r"'mask.nii.gz' holds no voxel of any target"):
        prepare(foreign, lenient, 1.0)


def test_unlisted_labels_may_become_background(
    scheme: LabelScheme, head: np.ndarray, head_affine: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    lenient = LabelScheme.from_dict({**scheme.to_dict(), "unlisted": "background"})
    for value in (77, -5):
        indices = to_indices(Volume(with_voxel(head, value), head_affine, "odd"), lenient)
        assert (indices[10, 10, 10:13] == 0).all()
        assert (indices[10, 10, 13:16] != 0).all()
        assert f"holds label {value} (3 voxels)" in caplog.text
