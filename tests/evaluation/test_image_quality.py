"""Images made comparable, and the numbers of their comparison, against closed forms."""

from __future__ import annotations

import math

import nibabel as nib
import numpy as np
import pytest

from otfsynth.evaluation.image_quality import ImageQualityError, Preparation, PreparedImage, brain_of, prepare
from otfsynth.evaluation.image_quality_scores import histogram, intensity_statistics, likeness
from otfsynth.volumes import to_canonical

SMALL = Preparation(1.0, (20.0, 24.0, 18.0))


def head(shift: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """Random intensities from 10 to 110 in a box of 12 x 14 x 10 voxels, 0 around it."""
    volume = np.zeros((30, 34, 28), np.float32)
    x, y, z = (4 + shift[0], 5 + shift[1], 6 + shift[2])
    volume[x : x + 12, y : y + 14, z : z + 10] = np.random.default_rng(0).uniform(10, 110, (12, 14, 10))
    return volume


def constant(value: float, outside: int = 0) -> PreparedImage:
    """(16, 16, 8) of one value, the last ``outside`` columns background."""
    foreground = np.ones((16, 16, 8), bool)
    foreground[16 - outside :] = False
    return PreparedImage(np.where(foreground, value, 0.0).astype(np.float32), foreground)


def test_place_orientation_and_scale_do_not_matter() -> None:
    plain = prepare(head(), np.eye(4), SMALL, "a")
    assert plain.image.shape == plain.foreground.shape == (20, 24, 18)
    assert plain.foreground.sum() == 12 * 14 * 10
    assert np.argwhere(plain.foreground).mean(0) == pytest.approx([9.5, 11.5, 8.5])
    moved = prepare(head((7, 3, 5)), np.eye(4), SMALL, "b")
    lia = nib.orientations.axcodes2ornt("LIA")
    turned = nib.orientations.apply_orientation(3 * head(), nib.orientations.ornt_transform(_ras(), lia))
    affine = nib.orientations.inv_ornt_aff(nib.orientations.ornt_transform(_ras(), lia), head().shape)
    assert np.array_equal(to_canonical(turned, affine)[0], 3 * head())
    for other in (moved, prepare(turned, affine, SMALL, "c")):
        assert np.array_equal(other.foreground, plain.foreground)
        assert other.image == pytest.approx(plain.image, abs=1e-5)


def test_normalisation_by_percentiles_and_by_extremes() -> None:
    data = head()
    values = data[data > 0]
    robust = prepare(data, np.eye(4), SMALL, "a")
    low, high = np.percentile(values, (0.5, 99.5))
    assert sorted(robust.image[robust.foreground]) == pytest.approx(
        sorted(np.clip((values - low) / (high - low), 0, 1)), abs=1e-5
    )
    assert not robust.image[~robust.foreground].any()
    extremes = prepare(data, np.eye(4), Preparation(1.0, SMALL.box_mm, "minmax"), "a")
    assert extremes.image.max() == pytest.approx(1.0)
    assert np.median(extremes.image[extremes.foreground]) == pytest.approx(
        (np.median(values) - values.min()) / np.ptp(values), abs=1e-5
    )


def test_resampling_does_not_darken_the_edge() -> None:
    data = np.zeros((40, 20, 40), np.float32)
    data[8:33, 4:16, 8:33] = 50.0
    data[8:20] *= 2
    coarse = prepare(data, np.diag([1.0, 2.0, 1.0, 1.0]), Preparation(1.5, (60.0, 60.0, 60.0), "minmax"), "a")
    values = coarse.image[coarse.foreground]
    assert (np.minimum(values, 1 - values) < 0.01).mean() > 0.9  # 50 or 100 but for the plane between them
    assert coarse.foreground.sum() * 1.5**3 == pytest.approx(25 * 24 * 25, rel=0.1)


def test_what_leaves_the_box_is_cut_and_a_region_narrows() -> None:
    data = np.random.default_rng(1).uniform(1, 2, (40, 40, 40)).astype(np.float32)
    assert prepare(data, np.eye(4), SMALL, "a").foreground.all()
    region = np.zeros(data.shape, bool)
    region[10:14, 10:14, 10:14] = True
    assert prepare(data, np.eye(4), SMALL, "a", region).foreground.sum() == 64


def test_a_few_negative_values_are_overshoot_and_many_are_meant() -> None:
    few, many = head(), head()
    few[4, 5, 6:9] = -3.0
    many[many > 0] -= 60
    assert prepare(few, np.eye(4), SMALL, "a").foreground.sum() == 1680 - 3
    assert prepare(many, np.eye(4), SMALL, "a").foreground.sum() == 1680
    few[4, 5, 10] = np.nan
    assert prepare(few, np.eye(4), SMALL, "a").foreground.sum() == 1680 - 4


def test_images_that_show_nothing_are_refused_by_name() -> None:
    with pytest.raises(ImageQualityError, match=r"'dark\.nii' is 0 everywhere"):
        prepare(np.zeros((9, 9, 9)), np.eye(4), SMALL, "dark.nii")
    with pytest.raises(ImageQualityError, match="has the value 7 in all of its foreground"):
        prepare(np.full((9, 9, 9), 7), np.eye(4), SMALL, "flat.nii")
    with pytest.raises(ImageQualityError, match=r"shape \(30, 34, 28\), its labels \(3, 3, 3\)"):
        prepare(head(), np.eye(4), SMALL, "a", np.ones((3, 3, 3), bool))


def test_the_brain_has_no_gaps() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[4:16, 4:16, 4:16] = 1
    labels[8:12, 8:12, 8:12] = 0
    labels[4:16, 9:11, 12:16] = 0
    brain = brain_of(labels)
    assert brain[8:12, 8:12, 8:12].all()
    assert brain[5:15, 9:11, 12:15].all()
    assert not brain[0].any()


def test_statistics_by_hand() -> None:
    foreground = np.ones((4, 4, 4), bool)
    foreground[:, :, 3] = False
    image = np.zeros((4, 4, 4), np.float32)
    image[:2, :, :3] = 1.0
    prepared = PreparedImage(image, foreground)
    found = intensity_statistics(prepared, 2.0)
    assert found["mean"] == 0.5
    assert found["std"] == 0.5
    assert found["skewness"] == pytest.approx(0)
    assert found["kurtosis"] == pytest.approx(-2)
    assert found["entropy_bits"] == pytest.approx(1)
    assert (found["p01"], found["p50"], found["p99"]) == (0.0, 0.5, 1.0)
    assert found["foreground_ml"] == pytest.approx(48 * 8 / 1000)
    assert histogram(prepared, 4).tolist() == [2.0, 0.0, 0.0, 2.0]


def test_equal_images_are_perfectly_alike() -> None:
    prepared = prepare(head(), np.eye(4), SMALL, "a")
    alike = likeness(prepared, prepared)
    assert (alike.ssim, alike.ssim_foreground) == (pytest.approx(1), pytest.approx(1))
    assert math.isinf(alike.psnr_db)
    assert math.isinf(alike.psnr_foreground_db)


def test_constant_images_have_a_closed_form() -> None:
    alike = likeness(constant(0.4), constant(0.6))
    expected = (2 * 0.4 * 0.6 + 0.01**2) / (0.4**2 + 0.6**2 + 0.01**2)
    assert alike.ssim == pytest.approx(expected, abs=1e-6)
    assert alike.ssim_foreground == pytest.approx(expected, abs=1e-6)
    assert alike.psnr_db == pytest.approx(-20 * math.log10(0.2), abs=1e-5)
    half = likeness(constant(0.4, outside=8), constant(0.6, outside=8))
    assert half.psnr_db == pytest.approx(-10 * math.log10(0.2**2 / 2), abs=1e-5)
    assert half.psnr_foreground_db == pytest.approx(-20 * math.log10(0.2), abs=1e-5)


def test_ssim_is_that_of_wang_et_al() -> None:
    generator = np.random.default_rng(2)
    first, second = (generator.random((9, 9, 1)).astype(np.float32) for _ in range(2))
    everything = np.ones((9, 9, 1), bool)
    local = [
        _ssim(first[x : x + 7, y : y + 7, 0].astype(float), second[x : x + 7, y : y + 7, 0].astype(float))
        for x in range(3)
        for y in range(3)
    ]
    alike = likeness(PreparedImage(first, everything), PreparedImage(second, everything))
    assert alike.ssim == pytest.approx(np.mean(local), abs=1e-5)


def test_every_so_many_slices_enter_the_ssim() -> None:
    first, second = constant(0.5), constant(0.5)
    second.image[:, :, 1::2] = 0.9
    assert likeness(first, second, slice_step=2).ssim == pytest.approx(1)
    assert likeness(first, second).ssim < 0.95


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Of one window, with unbiased variances."""
    covariance = np.cov(first.ravel(), second.ravel())
    means = first.mean(), second.mean()
    luminance = (2 * means[0] * means[1] + 0.01**2) / (means[0] ** 2 + means[1] ** 2 + 0.01**2)
    return float(luminance * (2 * covariance[0, 1] + 0.03**2) / (covariance[0, 0] + covariance[1, 1] + 0.03**2))


def _ras() -> np.ndarray:
    return nib.orientations.axcodes2ornt("RAS")
