"""From working voxels to the output grid: interpolation, averages, streaming, volumes and entropy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.inference.projection import AxisWeights, Projected, Projector, averaged, on_grid
from otfsynth.volumes import Grid


def random_probabilities(shape: tuple[int, int, int], labels: int = 3, seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (labels, *shape)).astype(np.float32)
    exponentials = np.exp(ndimage.gaussian_filter(logits, (0, 1, 1, 1)) * 3)
    return exponentials / exponentials.sum(0)


def project(values: np.ndarray, affine: np.ndarray, grid: Grid, *cuts: int) -> Projected:
    projector = Projector(values.shape[1:], affine, grid, len(values), True)  # type: ignore[arg-type]
    for start, stop in zip((0, *cuts), (*cuts, values.shape[1]), strict=True):
        projector.add(values[:, start:stop].copy())
    return projector.finish()


def scaled(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def test_the_same_grid_gives_the_same_probabilities() -> None:
    values = random_probabilities((7, 6, 5))
    result = project(values, np.eye(4), Grid((7, 6, 5), np.eye(4)))
    assert np.array_equal(result.labels, values.argmax(0))
    np.testing.assert_allclose(result.probabilities, values, atol=5e-4)
    np.testing.assert_allclose(result.expected_voxels, values.sum((1, 2, 3)), rtol=1e-5)


def test_finer_voxels_are_interpolated_linearly() -> None:
    values = random_probabilities((9, 8, 7))
    grid = Grid((14, 12, 11), scaled((0.5, 0.5, 0.6), (1.3, 1.1, 0.4)))
    places = np.meshgrid(*[o + s * np.arange(n) for o, s, n in ((1.3, 0.5, 14), (1.1, 0.5, 12), (0.4, 0.6, 11))])
    places = [np.swapaxes(axis, 0, 1) for axis in places]
    expected = np.stack([ndimage.map_coordinates(volume, places, order=1, mode="nearest") for volume in values])
    result = project(values, np.eye(4), grid)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-3)


def test_thick_slices_show_the_average_of_what_is_in_them() -> None:
    values = random_probabilities((8, 6, 9))
    grid = Grid((4, 6, 3), scaled((2, 1, 3), (0.5, 0, 1)))
    expected = values.reshape(3, 4, 2, 6, 3, 3).mean(axis=(2, 5))
    result = project(values, np.eye(4), grid)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-3)
    assert np.array_equal(result.labels, expected.argmax(0))
    np.testing.assert_allclose(result.expected_voxels * 6, values.sum((1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("spacing", [(0.4, 0.7, 1.0), (1.0, 1.0, 1.0), (2.3, 1.7, 5.0), (0.9375, 1.5, 0.9375)])
def test_planes_may_come_in_any_portions(spacing: tuple[float, float, float]) -> None:
    values = random_probabilities((23, 9, 8))
    grid = Grid((60, 20, 20), scaled(spacing, (-4.2, -3, -2)))
    whole = project(values, np.eye(4), grid)
    for cuts in ((1, 2, 3), (11,), (5, 6, 22), tuple(range(1, 23))):
        parts = project(values, np.eye(4), grid, *cuts)
        assert np.array_equal(parts.labels, whole.labels)
        assert np.array_equal(parts.probabilities, whole.probabilities)
        np.testing.assert_allclose(parts.expected_voxels, whole.expected_voxels, rtol=1e-6)
        assert parts.entropy == pytest.approx(whole.entropy)


def test_beyond_the_working_image_all_is_background() -> None:
    values = np.zeros((2, 4, 4, 4), np.float32)
    values[1] = 1
    result = project(values, np.eye(4), Grid((10, 10, 10), scaled((1, 1, 1), (-3, -3, -3))))
    assert result.labels.sum() == 64
    assert result.labels[3:7, 3:7, 3:7].all()
    assert result.expected_voxels.tolist() == [936, 64]
    assert result.probabilities is not None
    assert result.probabilities[0, 0, 0, 0] == 1
    nowhere = project(values, np.eye(4), Grid((4, 4, 4), scaled((1, 1, 1), (50, 50, 50))))
    assert nowhere.labels.max() == 0
    assert nowhere.expected_voxels.tolist() == [64, 0]
    assert np.isnan(nowhere.entropy)


def test_the_outer_half_of_the_outermost_voxels_belongs_to_them() -> None:
    weights = AxisWeights.of(inputs=4, outputs=12, scale=0.5, shift=-1.25)
    centres = 0.5 * np.arange(12) - 1.25
    assert (weights.reach.start, weights.reach.stop) == (2, 10)  # centres -0.25 to 3.25
    np.testing.assert_allclose(weights.weights.sum(0), 1)
    reached = np.take_along_axis(np.arange(4.0)[:, None].repeat(8, 1), weights.taps, 0)
    np.testing.assert_allclose((reached * weights.weights).sum(0), np.clip(centres[2:10], 0, 3))


def test_entropy_is_that_of_the_labelled_voxels() -> None:
    values = np.zeros((4, 3, 1, 1), np.float32)
    values[:, 0, 0, 0] = [0, 0.5, 0.5, 0]  # ln 2
    values[:, 1, 0, 0] = [0, 0, 0, 1]  # certain
    values[:, 2, 0, 0] = [0.4, 0.3, 0.2, 0.1]  # background: not counted
    result = project(values, np.eye(4), Grid((3, 1, 1), np.eye(4)))
    assert result.entropy == pytest.approx((np.log(2) + 0) / 2 / np.log(4), abs=1e-6)


@pytest.mark.parametrize("spacing", [(0.8, 1.25, 1.0), (1.2, 1.2, 1.2)])
@pytest.mark.parametrize("origin", [(0.0, 0.0, 0.0), (2.0, -1.0, 0.3)])
def test_a_stream_on_another_grid_has_all_its_planes(
    spacing: tuple[float, float, float], origin: tuple[float, float, float]
) -> None:
    values = random_probabilities((9, 8, 7))
    grid = Grid((10, 6, 8), scaled(spacing, origin))
    portions = [values[:, :2].copy(), values[:, 2:3].copy(), values[:, 3:].copy()]
    stream = np.concatenate(list(on_grid(portions, (9, 8, 7), np.eye(4), grid)), axis=1)
    np.testing.assert_allclose(stream, project(values, np.eye(4), grid).probabilities, atol=1e-3)
    np.testing.assert_allclose(stream.sum(0), 1, atol=1e-5)


def test_streams_in_other_portions_are_averaged() -> None:
    first, second, third = (random_probabilities((11, 4, 5), seed=seed) for seed in range(3))
    cuts = ((first, (3, 8)), (second, (1, 2, 9, 10)), (third, ()))
    streams = [iter(np.split(values, cut, axis=1)) for values, cut in cuts]
    mean = np.concatenate(list(averaged(streams)), axis=1)
    np.testing.assert_allclose(mean, (first + second + third) / 3, rtol=1e-5)
