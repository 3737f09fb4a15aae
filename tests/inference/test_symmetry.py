"""The mid-sagittal plane comes from the head, wherever it lies, and divides tissues as counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.inference.symmetry import Plane, asymmetry, midsagittal_plane, side_volumes

SHAPE = (80, 96, 72)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
MIDDLE = np.array([87.0, 95.0, 71.0])
"""Of the head in the world: not the middle of the volume, and far from 0."""


def head(yaw_deg: float, roll_deg: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image and mask of a head with lobes, ventricles and a stem, turned about its middle; and its right direction."""
    yaw, roll = np.deg2rad([yaw_deg, roll_deg])
    turn_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    turn_y = np.array([[np.cos(roll), 0, -np.sin(roll)], [0, 1, 0], [np.sin(roll), 0, np.cos(roll)]])
    rotation = turn_z @ turn_y
    places = np.stack(np.meshgrid(*[2.0 * np.arange(size) for size in SHAPE], indexing="ij"), -1) - MIDDLE
    x, y, z = np.moveaxis(places @ rotation, -1, 0)  # coordinates of the head itself
    outline = (x / 60) ** 2 + ((y - 4) / 80) ** 2 + (z / 55) ** 2 < 1
    outline &= ~((np.abs(x) < 3) & (z > 20))  # the gap between the hemispheres
    image = np.where(outline, 1.0, 0.0)
    image -= 2.0 * (((np.abs(x) - 14) / 8) ** 2 + (y / 30) ** 2 + (z / 12) ** 2 < 1)
    image += 1.0 * (((np.abs(x) - 35) / 12) ** 2 + ((y + 30) / 20) ** 2 + ((z - 5) / 15) ** 2 < 1)
    noise = np.random.default_rng(0).normal(0, 0.3, SHAPE)
    return np.where(outline, image + noise, 0).astype(np.float32), outline, rotation[:, 0]


@pytest.mark.parametrize(("yaw", "roll"), [(0, 0), (11, -7), (-18, 14), (4, 20)])
def test_the_plane_of_a_turned_head_is_found(yaw: float, roll: float) -> None:
    image, mask, right = head(yaw, roll)
    plane = midsagittal_plane(image, mask, AFFINE)
    assert np.rad2deg(np.arccos(min(float(plane.normal @ right), 1))) < 1.0
    assert abs(plane.normal @ MIDDLE - plane.offset_mm) < 0.8
    assert plane.likeness > 0.8


def test_the_plane_does_not_follow_a_bright_lesion_on_one_side() -> None:
    image, mask, right = head(6, -5)
    lesion = np.zeros(SHAPE, np.float32)
    lesion[20:30, 50:62, 30:40] = 3
    plane = midsagittal_plane(image + lesion * mask, mask, AFFINE)
    assert np.rad2deg(np.arccos(min(float(plane.normal @ right), 1))) < 1.5


def test_an_oblique_affine_turns_the_plane_with_it() -> None:
    image, mask, _ = head(5, 3)
    turned = np.eye(4)
    angle = np.deg2rad(12)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, 3] = [-200, 30, 5]
    plane, reference = midsagittal_plane(image, mask, turned @ AFFINE), midsagittal_plane(image, mask, AFFINE)
    np.testing.assert_allclose(plane.normal, turned[:3, :3] @ reference.normal, atol=1e-3)
    assert plane.normal @ (turned @ [*MIDDLE, 1])[:3] - plane.offset_mm == pytest.approx(
        reference.normal @ MIDDLE - reference.offset_mm, abs=0.05
    )


def test_voxels_are_counted_on_their_side() -> None:
    labels = np.zeros((6, 2, 2), np.uint8)
    labels[0] = 1
    labels[1:3] = 2
    labels[4] = 2
    plane = Plane(np.array([1.0, 0, 0]), 2.0, 1.0)  # through the centres of voxels 2
    sides = side_volumes(labels, np.eye(4), plane, 4)
    assert sides.tolist() == [[0, 4, 4 + 2, 0], [0, 0, 2 + 4, 0]]
    assert asymmetry(sides)[1:3].tolist() == [-1, 0]
    assert np.isnan(asymmetry(sides)[3])


def test_sides_add_up_for_any_plane_and_spacing() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (12, 10, 14)).astype(np.uint8)
    normal = np.array([0.9, 0.3, -0.2])
    affine = np.array([[0.9, 0.1, 0, -3], [0, 1.5, 0.1, 2], [0.1, 0, 3, -20], [0, 0, 0, 1.0]])
    sides = side_volumes(labels, affine, Plane(normal / np.linalg.norm(normal), 1.0, 1.0), 4)
    np.testing.assert_allclose(sides.sum(0)[1:], np.bincount(labels.ravel())[1:])
    voxels = np.argwhere(labels == 3)
    right = (voxels @ affine[:3, :3].T + affine[:3, 3]) @ normal / np.linalg.norm(normal) > 1.0
    assert sides[1, 3] == pytest.approx(right.sum(), abs=12)  # cut voxels are divided


def test_a_mask_of_few_voxels_does_not_break() -> None:
    mask = np.zeros((10, 10, 10), bool)
    mask[4:6, 4, 4] = True
    plane = midsagittal_plane(ndimage.gaussian_filter(mask.astype(np.float32), 1), mask, np.eye(4))
    assert np.isfinite([*plane.normal, plane.offset_mm]).all()
