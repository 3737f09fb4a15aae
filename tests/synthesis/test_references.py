"""The oracle itself, against closed forms and integrators of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.integrate import solve_ivp
from scipy.interpolate import BSpline

from otfsynth.synthesis.parameters import BiasFieldParameters, DeformationParameters
from otfsynth.types import SampleKey
from tests import references

KEY = SampleKey(seed=2**40 + 17, index=5)
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def test_lattice_is_the_tensor_product_b_spline() -> None:
    coefficients = np.random.default_rng(0).normal(size=(7, 8, 9))
    points = np.random.default_rng(1).uniform(0.5, 15.5, size=(3, 40))
    nodes = (points + 4.0) / 4.0
    basis = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    weights = [np.nan_to_num(basis(nodes[a][:, None] - np.arange(n))) for a, n in enumerate(coefficients.shape)]
    expected = np.einsum("ijk,pi,pj,pk->p", coefficients, *weights)
    np.testing.assert_allclose(references.evaluate_lattice(coefficients, -4.0, 4.0, points), expected, atol=1e-12)


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_quasi_interpolant_reproduces_cubics_inside(power: int) -> None:
    nodes = np.arange(12.0)
    values = np.broadcast_to(nodes[:, None, None] ** power, (12, 8, 8))
    points = np.stack([np.linspace(3.0, 8.0, 21), np.full(21, 3.5), np.full(21, 4.2)])
    spline = references.evaluate_lattice(references.quasi_interpolate(values), 0.0, 1.0, points)
    np.testing.assert_allclose(spline, points[0] ** power, rtol=1e-12, atol=1e-12)


def test_flow_of_the_opposite_velocity_is_the_inverse() -> None:
    size, spacing = (24, 24, 24), 40.0
    control = references.velocity_lattice(KEY, 4.0, spacing, size)
    forward = references.integrate_velocity(control, spacing, size)
    backward = references.integrate_velocity(-control, spacing, size)
    grid = references.patch_grid(size)
    moved = grid + references.geometry.evaluate_flow(forward, grid)
    returned = moved + references.geometry.evaluate_flow(backward, moved)
    assert np.abs(moved - grid).max() > 1.5
    # The lattice ends three nodes outside the patch, so the two flows differ most at its faces.
    assert np.abs(returned - grid).max() < 0.1
    assert np.sqrt(np.mean((returned - grid) ** 2)) < 0.02


def test_flow_follows_the_differential_equation() -> None:
    size, spacing = (17, 17, 17), 40.0
    control = references.velocity_lattice(KEY, 4.0, spacing, size)
    coefficients = references.integrate_velocity(control, spacing, size)
    points = np.array([[2.0, 8.0, 13.0], [8.0, 8.5, 3.0], [15.0, 1.0, 8.0]])

    def velocity(_: float, flat: np.ndarray) -> np.ndarray:
        return references.geometry.evaluate_velocity(control, spacing, flat.reshape(3, 3)).ravel()

    solution = solve_ivp(velocity, (0.0, 1.0), points.ravel(), rtol=1e-8, atol=1e-8).y[:, -1].reshape(3, 3)
    moved = points + references.geometry.evaluate_flow(coefficients, points)
    assert np.abs(moved - points).max() > 1.0
    np.testing.assert_allclose(moved, solution, atol=0.06)


def test_constant_velocity_is_a_translation() -> None:
    size, spacing = (20, 12, 9), 20.0
    control = np.zeros_like(references.velocity_lattice(KEY, 1.0, spacing, size))
    control += np.array([1.5, -2.0, 0.25]).reshape(3, 1, 1, 1)
    moved = references.displacement(references.integrate_velocity(control, spacing, size), size)
    np.testing.assert_allclose(moved, np.broadcast_to([[[[1.5]]], [[[-2.0]]], [[[0.25]]]], moved.shape), atol=1e-12)


def test_normals_are_standard_and_stages_differ() -> None:
    drawn = references.row_normals(KEY, references.STAGES["mixture"], (16, 16, 51))
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    lag_one = np.corrcoef(drawn[:, :, :-1].ravel(), drawn[:, :, 1:].ravel())[0, 1]
    assert abs(lag_one) < 0.03
    other = references.row_normals(KEY, references.STAGES["acquisition"], (16, 16, 51))
    assert abs(np.corrcoef(other.ravel(), drawn.ravel())[0, 1]) < 0.03


def test_bias_field_has_the_requested_log_std() -> None:
    fields = [
        np.log(references.bias_field(SampleKey(3, index), BiasFieldParameters(0.5, 8), (40, 40, 40)))
        for index in range(8)
    ]
    assert np.sqrt(np.mean(np.square(fields))) == pytest.approx(0.5, rel=0.05)


def test_source_of_the_centred_identity_is_the_crop() -> None:
    size = (4, 5, 6)
    deformation = DeformationParameters(False, IDENTITY, (11.5, 12.0, 13.5), 0.0, 20.0)
    source = references.source_coordinates(KEY, deformation, size)
    np.testing.assert_allclose(source, references.patch_grid(size) + np.array([10, 10, 11]).reshape(3, 1, 1, 1))


@pytest.mark.parametrize(("spacing", "sigma"), [(1.0, 1.3), (1.0, 0.5), (2.0, 1.5), (3.7, 2.8)])
def test_acquisition_keeps_constants_and_ramps(spacing: float, sigma: float) -> None:
    size = 41
    down, up = references.downsample_matrix(size, spacing, sigma), references.upsample_matrix(size, spacing)
    np.testing.assert_allclose(up @ (down @ np.ones(size)), 1.0, atol=1e-12)
    ramp = up @ (down @ np.arange(size, dtype=float))
    inner = slice(14, 27)
    np.testing.assert_allclose(ramp[inner], np.arange(size)[inner], atol=2e-3)
    np.testing.assert_allclose(down, down[::-1, ::-1], atol=1e-12)


def test_unit_spacing_blur_is_the_gaussian_filter() -> None:
    line = np.random.default_rng(2).normal(size=64)
    blurred = references.downsample_matrix(64, 1.0, 1.7) @ line
    expected = ndimage.gaussian_filter1d(line, 1.7, truncate=4.0)
    np.testing.assert_allclose(blurred[8:-8], expected[8:-8], atol=1e-12)


def test_rician_noise_has_its_moments() -> None:
    image = np.full((20, 20, 30), 0.4)
    noisy = references.acquire(KEY, image, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.2)
    expected = stats.rice(0.4 / 0.2, scale=0.2)
    assert noisy.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(image.size))
    assert noisy.std() == pytest.approx(expected.std(), rel=0.03)


def test_normalize_keeps_zeros_and_gives_unit_moments() -> None:
    image = np.array([[[0.0, 1.0, 3.0, 0.0]]])
    np.testing.assert_allclose(references.normalize(image, "zscore"), [[[0.0, -1.0, 1.0, 0.0]]])
    np.testing.assert_allclose(references.normalize(image, "minmax"), [[[0.0, 0.0, 1.0, 0.0]]])
    np.testing.assert_allclose(references.normalize(np.full((1, 1, 3), 2.0), "zscore"), 0.0)
