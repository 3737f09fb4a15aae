"""Mixture, bias field, gamma, background and skull-stripping."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import BiasFieldParameters, MixtureParameters, SkullStripParameters
from tests import references
from tests.synthesis.heads import Size, assert_agrees, plain_record, reference, render, render_one

FLAT = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
"""Every class the same grey, without noise."""


def test_std_zero_gives_the_class_means_exactly(bank: LabelBank) -> None:
    means = (10.0, 33.25, 250.0, 0.125, 77.7, 140.3, 201.9)
    record = plain_record(bank, (40, 44, 37), mixture=MixtureParameters(means, (0.0,) * 7, "random"))
    image, target = render_one(bank, record)
    np.testing.assert_array_equal(image, np.float32(means)[bank.scheme.class_table[target]])


@pytest.mark.parametrize("size", [(16, 12, 20), (11, 9, 37), (6, 5, 3), (1, 7, 1)])
def test_mixture_agrees_with_the_oracle(bank: LabelBank, size: Size) -> None:
    record = plain_record(bank, size)
    image, expected = render_one(bank, record)[0], reference(bank, record)[0]
    np.testing.assert_allclose(image, expected, atol=2e-3)
    assert expected.std() > 1.0


def test_mixture_has_the_moments_of_each_class(bank: LabelBank) -> None:
    record = plain_record(bank, (48, 54, 44))
    image, target = render_one(bank, record)
    for group in range(1, 7):
        drawn = image[bank.scheme.class_table[target] == group]
        mean, std = record.mixture.means[group], record.mixture.stds[group]
        assert drawn.size > 200
        assert drawn.mean() == pytest.approx(mean, abs=4.5 * std / np.sqrt(drawn.size))
        assert drawn.std() == pytest.approx(std, rel=4.5 / np.sqrt(2 * drawn.size))


def test_mixture_noise_is_normal_and_white(bank: LabelBank) -> None:
    record = plain_record(bank, (32, 32, 32), mixture=MixtureParameters((100.0,) * 7, (10.0,) * 7, "random"))
    noise = (render_one(bank, record)[0] - 100.0) / 10.0
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    for axis in range(3):
        first, second = np.delete(noise, 0, axis).ravel(), np.delete(noise, -1, axis).ravel()
        assert abs(np.corrcoef(first, second)[0, 1]) < 4.0 / np.sqrt(first.size)


def test_intensities_are_clipped(bank: LabelBank) -> None:
    mixture = MixtureParameters((0.0,) + (60.0,) * 6, (20.0,) * 7, "random")
    image, _ = render_one(bank, plain_record(bank, (40, 40, 40), mixture=mixture, clip_max=70.0))
    assert image.min() == 0.0
    assert image.max() == 70.0
    assert np.mean(image == 0.0) > 0.03
    assert np.mean(image == 70.0) > 0.1


@pytest.mark.parametrize(
    ("std", "spacing", "size"), [(0.5, 40, (40, 33, 29)), (0.7, 16, (18, 40, 27)), (0.3, 96, (9, 8, 64))]
)
def test_bias_field_agrees_with_the_oracle(bank: LabelBank, std: float, spacing: int, size: Size) -> None:
    bias = BiasFieldParameters(std, spacing)
    record = plain_record(bank, size, mixture=FLAT, bias_field=bias, clip_max=1e6)
    field = render_one(bank, record)[0] / 100.0
    np.testing.assert_allclose(field, references.bias_field(record.key, bias, size), rtol=1e-4)


def test_bias_field_has_the_requested_log_std_and_no_plateau(bank: LabelBank) -> None:
    size = (48, 48, 48)
    records = [
        plain_record(bank, size, index=index, mixture=FLAT, bias_field=BiasFieldParameters(0.5, 16), clip_max=1e6)
        for index in range(12)
    ]
    fields = np.log(render(bank, *records)[0] / 100.0)
    assert np.sqrt(np.mean(np.square(fields))) == pytest.approx(0.5, rel=0.08)
    for axis in (1, 2, 3):
        slopes = np.abs(np.diff(fields, axis=axis)).mean(axis=tuple(a for a in range(4) if a != axis))
        assert slopes[:4].mean() > 0.6 * slopes.mean()
        assert slopes[-4:].mean() > 0.6 * slopes.mean()


@pytest.mark.parametrize("gamma", [0.4, 1.0, 2.7])
def test_gamma_agrees_with_the_oracle(bank: LabelBank, gamma: float) -> None:
    record = plain_record(bank, (36, 40, 30), gamma=gamma)
    image, _ = render_one(bank, record)
    assert image.min() == 0.0
    assert image.max() == pytest.approx(1.0, abs=1e-5)
    plain, _ = render_one(bank, dataclasses.replace(record, gamma=None))
    scaled = (plain - plain.min()) / (plain.max() - plain.min())
    np.testing.assert_allclose(image, scaled.astype(np.float64) ** gamma, atol=2e-4)
    assert_agrees(bank, record)


def test_gamma_of_a_constant_patch_is_zero(bank: LabelBank) -> None:
    image, _ = render_one(bank, plain_record(bank, (12, 10, 9), mixture=FLAT, gamma=0.8))
    np.testing.assert_array_equal(image, 0.0)


def test_background_zero_stays_zero_after_noise_and_blur(bank: LabelBank) -> None:
    record = plain_record(bank, (48, 50, 44), background="zero", gamma=0.9, normalization="zscore")
    noisy = dataclasses.replace(record.acquisition, psf_sigma_voxels=(0.8, 0.8, 0.8), noise_std=0.1)
    record = dataclasses.replace(record, acquisition=noisy)
    image, target = render_one(bank, record)
    np.testing.assert_array_equal(image[target == 0], 0.0)
    assert np.mean(target == 0) > 0.2
    assert np.mean(image[target > 0] == 0.0) < 1e-3
    assert_agrees(bank, record)


@pytest.mark.parametrize("background", ["dark", "textured"])
def test_other_backgrounds_are_painted(bank: LabelBank, background: str) -> None:
    mixture = MixtureParameters((12.0, *plain_record(bank, (4, 4, 4)).mixture.means[1:]), (2.0,) * 7, "random")
    image, target = render_one(bank, plain_record(bank, (48, 50, 44), background=background, mixture=mixture))
    outside = image[target == 0]
    assert outside.mean() == pytest.approx(12.0, abs=0.1)
    assert outside.std() == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("offset", [-1.5, 0.0, 2.0])
def test_skull_strip_cuts_at_the_distance(bank: LabelBank, offset: float) -> None:
    strip = SkullStripParameters(offset, 0.0, 16)
    record = plain_record(bank, tuple(bank[0].indices.shape), mixture=FLAT, skull_strip=strip)
    image, _ = render_one(bank, record)
    np.testing.assert_array_equal(image > 0, bank[0].brain_distance.numpy() < 128 + 8 * offset)


def test_skull_strip_removes_extracerebral_voxels(bank: LabelBank) -> None:
    strip = SkullStripParameters(0.0, 0.0, 16)
    record = plain_record(bank, (48, 54, 44), skull_strip=strip)
    image, target = render_one(bank, record)
    _, whole_head = render_one(bank, dataclasses.replace(record, skull_strip=None))
    scalp = whole_head == bank.scheme.generation_labels.index(500)
    assert scalp.sum() > 5000
    np.testing.assert_array_equal(image[scalp | (whole_head == 0)], 0.0)
    assert np.mean(image[~scalp & (whole_head > 0)] > 0) > 0.99
    # What is cut away is background to the network as well.
    np.testing.assert_array_equal(target, np.where(image > 0, whole_head, 0))


def test_skull_strip_edge_agrees_with_the_oracle(bank: LabelBank) -> None:
    strip = SkullStripParameters(1.0, 1.5, 8)
    record = plain_record(bank, (47, 54, 45), mixture=FLAT, skull_strip=strip)
    image, expected = render_one(bank, record)[0], reference(bank, record)[0]
    smooth = reference(bank, dataclasses.replace(record, skull_strip=SkullStripParameters(1.0, 0.0, 8)))[0]
    assert np.mean((expected > 0) != (smooth > 0)) > 0.01
    assert np.mean((image > 0) != (expected > 0)) < 1e-4


def test_skull_strip_acts_after_noise(bank: LabelBank) -> None:
    record = plain_record(bank, (48, 54, 44), gamma=1.0, skull_strip=SkullStripParameters(0.0, 0.0, 16))
    record = dataclasses.replace(record, acquisition=dataclasses.replace(record.acquisition, noise_std=0.2))
    image, target = render_one(bank, record)
    np.testing.assert_array_equal(image[target <= 1], 0.0)
    assert np.mean(image[target > 1] == 0.0) < 1e-3
