"""The one-byte signed distance against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.data.brain_distance import capped_squared_distance, encoded_brain_distance, solid_brain


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), -1)
    return np.linalg.norm(grid - np.asarray(centre), axis=-1) <= radius


@pytest.mark.parametrize("reach", [3, 9, 30])
def test_capped_distance_matches_scipy(reach: int) -> None:
    mask = np.random.default_rng(reach).random((20, 25, 30)) > 0.999
    exact = np.rint(ndimage.distance_transform_edt(~mask) ** 2)
    capped = capped_squared_distance(mask, reach)
    near = exact <= reach**2
    np.testing.assert_array_equal(capped[near], exact[near])
    assert (capped[~near] > reach**2).all()


@pytest.mark.parametrize("spacing_mm", [1.0, 0.5, 2.0])
def test_distance_along_a_line(spacing_mm: float) -> None:
    brain = np.zeros((60, 41, 41), bool)
    brain[20:40, 10:31, 10:31] = True
    encoded = encoded_brain_distance(brain, spacing_mm)
    line = encoded[:, 20, 20].astype(float)
    x = np.arange(60)
    depth = np.where(x < 20, 19.5 - x, np.where(x >= 40, x - 39.5, np.maximum(19.5 - x, x - 39.5)))
    expected = np.clip(np.rint(128 + 8 * np.clip(depth * spacing_mm, -16.5, 16)), 0, 255)
    np.testing.assert_allclose(line, expected, atol=0)
    assert encoded.dtype == np.uint8
    assert (encoded[brain] < 128).all()
    assert (encoded[~brain] > 128).all()


def test_without_a_brain_all_is_far() -> None:
    assert (encoded_brain_distance(np.zeros((4, 4, 4), bool), 1.0) == 255).all()


def test_sulci_are_filled_but_the_outside_is_not() -> None:
    brain = ball((50, 50, 50), (25, 25, 25), 20)
    grooved = brain.copy()
    grooved[24:27, 25:, :] = False
    grooved[20:23, 20:23, 20:23] = False
    solid = solid_brain(grooved, 1.0)
    assert (brain & ~solid).sum() < 0.02 * brain.sum()
    assert not (solid & ~brain).any()


def test_neck_and_specks_are_dropped() -> None:
    brain = ball((110, 110, 150), (55, 55, 100), 45)
    noisy = brain.copy()
    noisy[51:60, 51:60, 2:60] = True
    noisy[5:8, 5:8, 5:8] = True
    solid = solid_brain(noisy, 1.0)
    assert not solid[:, :, :35].any()
    np.testing.assert_array_equal(solid[:, :, 80:], brain[:, :, 80:])


@pytest.mark.parametrize("size", [3, 12, 21, 40, 60])
def test_boxes_keep_their_corners(size: int) -> None:
    brain = np.zeros((70, 70, 70), bool)
    brain[5 : 5 + size, 5 : 5 + size, 5 : 5 + size] = True
    np.testing.assert_array_equal(solid_brain(brain, 1.0), brain)
