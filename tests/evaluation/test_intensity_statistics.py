"""Intensities by tissue of images whose means, spreads, edges and noise are known; clouds whose shape is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.config.checks import InputError
from otfsynth.evaluation.image_quality import ImageQualityError
from otfsynth.evaluation.intensity_statistics import (
    STATISTICS,
    Moments,
    brain_moments,
    gradients,
    measure_intensities,
    noise,
    possible_contrasts,
    tissue_contrasts,
    tissue_moments,
)
from otfsynth.evaluation.point_cloud import PointCloud

GM, WM, CSF = 1, 2, 3
CENTRES = {GM: 100.0, WM: 160.0, CSF: 40.0}
BRAIN_CENTRE = 0.5 * 100 + 0.35 * 160 + 0.15 * 40
"""112, of the fixed shares of the tissues."""


def slabs(noise_std: float = 0.0, edge: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Background, GM, WM and CSF behind each other along x, a quarter of the cube each."""
    tissues = np.zeros((edge, edge, edge), np.uint8)
    for value in CENTRES:
        tissues[value * edge // 4 : (value + 1) * edge // 4] = value
    image = np.zeros(tissues.shape, np.float32)
    for value, centre in CENTRES.items():
        image[tissues == value] = centre
    image += np.random.default_rng(0).normal(0, noise_std, image.shape) * (tissues > 0) if noise_std else 0
    return image, tissues


def test_means_and_spreads_of_tissues_in_units_of_the_brain() -> None:
    found = measure_intensities(*slabs(noise_std=8.0), 1.0, "slabs")
    assert tuple(found) == STATISTICS
    variance = 0.5 * 12**2 + 0.35 * 48**2 + 0.15 * 72**2 + 8.0**2
    spread = math.sqrt(variance)
    assert found["gm_mean"] == pytest.approx((100 - BRAIN_CENTRE) / spread, abs=0.01)
    assert found["wm_mean"] == pytest.approx((160 - BRAIN_CENTRE) / spread, abs=0.01)
    assert found["csf_mean"] == pytest.approx((40 - BRAIN_CENTRE) / spread, abs=0.01)
    for tissue in ("gm", "wm", "csf"):
        assert found[f"{tissue}_spread"] == pytest.approx(8 / spread, rel=0.03)
    assert found["wm_minus_gm"] == pytest.approx(60 / spread, rel=0.01)
    assert found["csf_minus_gm"] == pytest.approx(-60 / spread, rel=0.01)
    assert found["wm_noise"] == pytest.approx(8 / spread, rel=0.03)
    assert found["wm_noise_ratio"] == pytest.approx(1, abs=0.05)


def test_scale_offset_and_sign_of_the_intensities() -> None:
    image, tissues = slabs(noise_std=8.0)
    plain = measure_intensities(image, tissues, 1.0, "a")
    scaled = measure_intensities(np.where(tissues > 0, 7 * image - 300, 0), tissues, 1.0, "b")
    inverted = measure_intensities(np.where(tissues > 0, 900 - image, 0), tissues, 1.0, "c")
    assert list(scaled.values()) == pytest.approx(list(plain.values()), rel=1e-3)
    for name, sign in (("wm_minus_gm", -1), ("csf_mean", -1), ("gm_spread", 1), ("gradient_boundary_per_mm", 1)):
        assert inverted[name] == pytest.approx(sign * plain[name], rel=1e-3)


def test_the_unit_does_not_depend_on_how_much_of_a_tissue_the_reference_holds() -> None:
    image, tissues = slabs(noise_std=8.0)
    fewer = np.where((tissues == CSF) & (np.arange(48) >= 6), 0, tissues)
    for name in ("wm_minus_gm", "csf_minus_gm", "gm_mean"):
        expected = measure_intensities(image, tissues, 1.0, "all")[name]
        assert measure_intensities(image, fewer, 1.0, "few")[name] == pytest.approx(expected, rel=0.01)


def test_stray_values_and_stripped_voxels_do_not_count() -> None:
    image, tissues = slabs(noise_std=8.0)
    plain = tissue_moments(image, tissues)["WM"]
    image[tissues == WM] = np.where(np.random.default_rng(1).random((tissues == WM).sum()) < 0.02, 9000, 160)
    assert tissue_moments(image, tissues)["WM"] == (160, 0)
    stripped, _ = slabs(noise_std=8.0)
    stripped[:, :20] = 0
    found = measure_intensities(stripped, tissues, 1.0, "stripped")
    whole = measure_intensities(slabs(noise_std=8.0)[0], tissues, 1.0, "whole")
    assert plain.centre == pytest.approx(160, abs=0.2)
    assert list(found.values()) == pytest.approx(list(whole.values()), rel=0.02, abs=0.005)


def test_moments_of_a_mixture_and_contrasts_by_hand() -> None:
    tissues = {"GM": Moments(0, 1), "WM": Moments(2, 1), "CSF": Moments(-2, 1)}
    brain = brain_moments(tissues)
    assert brain.centre == pytest.approx(0.35 * 2 - 0.15 * 2)
    assert brain.spread == pytest.approx(math.sqrt(1 + 0.5 * 4 - 0.4**2))
    assert tissue_contrasts(tissues) == pytest.approx((2 / brain.spread, -2 / brain.spread))


def test_possible_contrasts_fill_the_ellipse_of_noiseless_brains() -> None:
    pairs = possible_contrasts(0.02)
    determinant = 0.35 * 0.65 * 0.15 * 0.85 - (0.35 * 0.15) ** 2
    assert len(pairs) * 0.02**2 == pytest.approx(math.pi / math.sqrt(determinant), rel=1e-3)
    random = np.random.default_rng(0)
    for _ in range(50):
        white, fluid = tissue_contrasts({name: Moments(random.normal(), 0) for name in ("GM", "WM", "CSF")})
        assert np.linalg.norm(pairs - (white, fluid), axis=1).min() < 0.05


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0])
def test_gradients_at_boundaries_and_inside(spacing_mm: float) -> None:
    image, tissues = slabs()
    boundary, inside = gradients(image, tissues, spacing_mm)
    # Beside both boundaries: steps of 60 and 120 over two voxels
    assert boundary == pytest.approx((60 + 120) / 2 / (2 * spacing_mm))
    assert inside == 0
    ramp = 3.0 * np.arange(48, dtype=np.float32)[None, :, None] + np.zeros_like(image)
    assert gradients(ramp, tissues, spacing_mm) == pytest.approx((3 / spacing_mm, 3 / spacing_mm))


def test_noise_ignores_shading_and_tells_smooth_from_white() -> None:
    white = np.random.default_rng(0).normal(0, 2, (40, 40, 40)).astype(np.float32)
    region = np.ones(white.shape, bool)
    assert noise(white, region) == pytest.approx((2, 1), rel=0.03)
    shaded = white + 5 * np.linspace(0, 10, 40, dtype=np.float32)[:, None, None]
    assert noise(shaded, region) == pytest.approx((2, 1), rel=0.03)
    smooth, ratio = noise(ndimage.gaussian_filter(white, 1.0), region)
    assert smooth < 0.2
    assert ratio < 0.6
    assert all(math.isnan(value) for value in noise(white, np.zeros_like(region)))
    assert all(math.isnan(value) for value in noise(white[:2], region[:2]))


def test_images_that_show_no_contrast_or_lack_a_tissue_are_named() -> None:
    image, tissues = slabs()
    with pytest.raises(ImageQualityError, match="'flat' has the value 5 in all of the brain"):
        measure_intensities(np.where(tissues > 0, 5.0, 0.0), tissues, 1.0, "flat")
    with pytest.raises(ImageQualityError, match="'dry' has 0 voxels of CSF"):
        measure_intensities(image, np.where(tissues == CSF, 0, tissues), 1.0, "dry")


def test_the_hole_of_a_ring_is_outside() -> None:
    angles = np.random.default_rng(0).uniform(0, 2 * math.pi, 400)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cloud = PointCloud.from_points(ring)
    assert cloud.contains(np.array([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])).tolist() == [True, False, False]
    assert cloud.rarity(np.array([[0.0, 0.0]])) == 1
    assert cloud.contains(np.array([[0.0, 1.0 + 2 * cloud.limit]])).tolist() == [False]


def test_distances_to_the_kth_neighbour_on_a_line() -> None:
    cloud = PointCloud.from_points(np.arange(101.0)[:, None], neighbours=2)
    assert cloud.limit == 1  # but for both ends, which have their second neighbour at 2
    assert cloud.own_distances.tolist() == [1.0] * 99 + [2.0] * 2
    assert cloud.distances(np.array([[50.0], [50.5], [-3.0]])) == pytest.approx([1, 0.5, 4])
    assert cloud.contains(np.array([[50.5], [0.0], [-1.0]])).tolist() == [True, True, False]
    assert cloud.rarity(np.array([[50.5], [0.0], [-0.5], [-3.0]])) == pytest.approx([0, 0, 99 / 101, 1])


def test_95_percent_of_points_from_the_cloud_itself_are_inside() -> None:
    random = np.random.default_rng(0)
    cloud = PointCloud.from_points(random.normal(size=(1000, 2)))
    assert cloud.contains(random.normal(size=(4000, 2))).mean() == pytest.approx(0.95, abs=0.02)


def test_few_points_are_no_cloud() -> None:
    with pytest.raises(InputError, match="5 points are no cloud; more than 5"):
        PointCloud.from_points(np.zeros((5, 2)))
