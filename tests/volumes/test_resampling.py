"""Orientation and voxel size: world positions must survive, labels must not shift, appear or vanish."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from otfsynth.volumes import (
    Grid,
    isotropic_grid,
    resample_labels_to_spacing,
    resample_to_grid,
    resample_to_spacing,
    spacing_of,
    to_canonical,
)
from otfsynth.volumes.label_resampling import share_matrix

ORIENTATIONS = [
    "".join(codes)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((0, 1), repeat=3)
    for codes in [[("RL", "AP", "SI")[axis][sign] for axis, sign in zip(order, signs, strict=True)]]
]


def world_affine(spacing: tuple[float, float, float]) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-11.0, 7.0, 3.5]
    return affine


def reoriented(data: np.ndarray, affine: np.ndarray, codes: str) -> tuple[np.ndarray, np.ndarray]:
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(codes)
    )
    turned = nib.orientations.apply_orientation(data, turn)
    return turned, affine @ nib.orientations.inv_ornt_aff(turn, data.shape)


def centre_of_mass_mm(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_all_48_orientations_become_the_same(codes: str) -> None:
    rng = np.random.default_rng(0)
    data, affine = rng.integers(0, 9, (4, 5, 6)), world_affine((1.0, 2.0, 3.0))
    turned, turned_affine = reoriented(data, affine, codes)
    assert "".join(nib.aff2axcodes(turned_affine)) == codes
    back, back_affine = to_canonical(turned, turned_affine)
    np.testing.assert_array_equal(back, data)
    np.testing.assert_allclose(back_affine, affine, atol=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 1.5, 0.9), (3.0, 1.0, 0.5), (0.7, 0.7, 5.0)])
def test_isotropic_grid_covers_the_same_extent(spacing: tuple[float, float, float]) -> None:
    affine = world_affine(spacing)
    grid = isotropic_grid((20, 30, 10), affine, 1.0)
    np.testing.assert_allclose(spacing_of(grid.affine), 1.0)
    old_middle = affine[:3, :3] @ (np.array([20, 30, 10]) - 1) / 2 + affine[:3, 3]
    new_middle = grid.affine[:3, :3] @ (np.array(grid.shape) - 1) / 2 + grid.affine[:3, 3]
    np.testing.assert_allclose(new_middle, old_middle)
    extent = np.array([20, 30, 10]) * spacing
    assert (np.array(grid.shape) >= extent - 0.01).all()
    assert (np.array(grid.shape) < extent + 1).all()


def test_shares_by_hand() -> None:
    np.testing.assert_allclose(share_matrix(4, 2, 2.0).toarray(), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(share_matrix(2, 4, 0.5).toarray(), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(share_matrix(3, 2, 1.5).toarray(), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-6)
    for old, new, ratio in ((13, 7, 1.9), (9, 14, 0.66), (5, 5, 1.0)):
        np.testing.assert_allclose(share_matrix(old, new, ratio).sum(axis=1), 1.0, rtol=1e-6)


def test_equal_spacing_changes_nothing() -> None:
    labels, affine = np.ones((3, 3, 3), np.uint8), world_affine((1.0, 1.0, 1.0))
    same, same_affine = resample_labels_to_spacing(labels, affine, 1.0)
    assert same is labels
    assert same_affine is affine


def test_coarser_voxels_vote() -> None:
    labels = np.zeros((4, 2, 2), np.uint8)
    labels[:2] = np.array([1, 1, 1, 1, 1, 2, 2, 2]).reshape(2, 2, 2)
    labels[2:] = np.array([3, 3, 3, 0, 0, 0, 0, 0]).reshape(2, 2, 2)
    coarse, affine = resample_labels_to_spacing(labels, np.eye(4), 2.0)
    assert coarse.ravel().tolist() == [1, 0]
    np.testing.assert_allclose(affine[:3, 3], 0.5)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.0, 1.0, 3.0), (2.0, 1.3, 0.8), (0.94, 1.5, 0.94)])
def test_labels_keep_place_and_volume(spacing: tuple[float, float, float]) -> None:
    affine = world_affine(spacing)
    shape = tuple(int(40 / size) for size in spacing)
    positions = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), -1) * spacing
    middle = (np.array(shape) - 1) / 2 * spacing
    labels = np.zeros(shape, np.uint8)
    for index, (offset, radius) in enumerate([((-7, -6, 3), 7.0), ((8, 5, -4), 9.0)], start=1):
        labels[np.linalg.norm(positions - middle - offset, axis=-1) < radius] = index
    new, new_affine = resample_labels_to_spacing(labels, affine, 1.0)
    assert new.dtype == np.uint8
    assert set(np.unique(new)) == {0, 1, 2}
    for index in (1, 2):
        before, after = (labels == index).sum() * np.prod(spacing), (new == index).sum()
        assert after == pytest.approx(before, rel=0.03)
        shift = centre_of_mass_mm(new == index, new_affine) - centre_of_mass_mm(labels == index, affine)
        assert np.abs(shift).max() < 0.1


def test_up_sampling_takes_the_most_likely_label() -> None:
    rng = np.random.default_rng(3)
    coarse = ndimage.zoom(rng.integers(0, 4, (4, 4, 4)), 2, order=0).astype(np.uint8)
    fine, _ = resample_labels_to_spacing(coarse, np.diag([2.0, 2.0, 2.0, 1.0]), 1.0)
    shares = [
        resample_to_grid(
            (coarse == label).astype(np.float32),
            np.diag([2.0, 2.0, 2.0, 1.0]),
            isotropic_grid((8, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0]), 1.0),
            outside=None,
        )
        for label in range(4)
    ]
    ranked = np.sort(shares, axis=0)
    clear = ranked[-1] - ranked[-2] > 1e-3  # ties may go either way
    np.testing.assert_array_equal(fine[clear], np.argmax(shares, axis=0)[clear])
    assert clear.mean() > 0.6


def test_images_reproduce_a_linear_function() -> None:
    affine = world_affine((1.0, 2.0, 1.5))
    shape = (12, 10, 11)
    voxels = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), -1)
    slope = np.array([0.3, -0.2, 0.5])
    image = (voxels @ affine[:3, :3].T + affine[:3, 3]) @ slope
    turned, turned_affine = reoriented(image, affine, "PIR")
    angle = np.deg2rad(20)
    target = np.eye(4)
    target[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    target[:3, 3] = affine[:3, 3] + [5, 6, 4]
    for order in (1, 3):
        sampled = resample_to_grid(turned, turned_affine, Grid((3, 3, 3), target), order)
        grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1)
        expected = (grid @ target[:3, :3].T + target[:3, 3]) @ slope
        np.testing.assert_allclose(sampled, expected, atol=0.05 if order == 3 else 1e-4)


def test_beyond_the_volume() -> None:
    grid = Grid((3, 1, 1), np.eye(4) - np.array([[0, 0, 0, 5], [0] * 4, [0] * 4, [0] * 4]))
    assert resample_to_grid(np.ones((2, 1, 1)), np.eye(4), grid, outside=7.0).ravel().tolist() == [7, 7, 7]
    assert resample_to_grid(np.ones((2, 1, 1)), np.eye(4), grid, outside=None).ravel().tolist() == [1, 1, 1]


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("turn_deg", [0.0, 90.0])
def test_a_volume_reaches_to_the_faces_of_its_outermost_voxels(order: int, turn_deg: float) -> None:
    slices = np.full((6, 6, 4), 3.0)
    affine = world_affine((1.0, 1.0, 5.0))
    inside = isotropic_grid((6, 6, 4), affine, 1.0)
    assert inside.shape == (6, 6, 20)
    wider = inside.affine.copy()
    wider[:3, 3] -= [1, 1, 2]
    grid = Grid((8, 8, 24), wider)
    if turn_deg:  # axes that are not the volume's: SciPy's other way, and the mask's
        cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        turned = grid.affine @ np.array([[cosine, -sine, 0, 7], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        grid = Grid(grid.shape, turned)
    sampled = resample_to_grid(slices, affine, grid, order, outside=-1.0)
    expected = np.full(grid.shape, -1.0)
    expected[1:-1, 1:-1, 2:-2] = 3.0
    np.testing.assert_allclose(sampled, expected, atol=1e-5)


def test_between_axes_the_faces_are_those_of_the_volume() -> None:
    """Every sample by hand: its place in the volume, and whether that is within."""
    rng = np.random.default_rng(1)
    shape, affine = (5, 6, 4), world_affine((1.0, 2.0, 3.0))
    turned = np.eye(4)
    turned[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * 1.3
    turned[:3, 3] = affine[:3, :3] @ (np.array(shape) - 1) / 2 + affine[:3, 3] - turned[:3, :3] @ [6, 6, 6]
    sampled = resample_to_grid(np.ones(shape), affine, Grid((13, 13, 13), turned), outside=0.0)
    places = np.stack(np.meshgrid(*[np.arange(13)] * 3, indexing="ij"), -1)
    mapping = np.linalg.inv(affine) @ turned
    voxels = places @ mapping[:3, :3].T + mapping[:3, 3]
    within = ((voxels >= -0.5) & (voxels <= np.array(shape) - 0.5)).all(-1)
    np.testing.assert_array_equal(sampled > 0.5, within)
    assert 0.05 < within.mean() < 0.5


def test_nearest_keeps_the_type() -> None:
    labels = np.array([0, 1000, 2035], np.int32).reshape(3, 1, 1)
    fine = resample_to_grid(labels, np.eye(4), Grid((3, 1, 1), np.eye(4)), order=0)
    assert fine.dtype == np.int32
    assert fine.ravel().tolist() == [0, 1000, 2035]


def test_down_sampling_does_not_alias() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 40, 40)).astype(np.float32) + 5
    coarse, affine = resample_to_spacing(noise, np.eye(4), 3.0)
    np.testing.assert_allclose(spacing_of(affine), 3.0)
    assert coarse.mean() == pytest.approx(5, abs=0.05)
    assert coarse.std() < 0.3  # averages of 27 voxels would have 0.19, sampling without the blur keeps 1
    same, _ = resample_to_spacing(noise, np.eye(4), 1.0)
    np.testing.assert_array_equal(same, noise)
