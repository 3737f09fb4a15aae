"""Z-score and min-max over the voxels that are not zero."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import MixtureParameters, SkullStripParameters
from tests.synthesis.heads import assert_agrees, plain_record, render_one


@pytest.mark.parametrize("background", ["zero", "textured"])
def test_zscore_has_zero_mean_and_unit_variance(bank: LabelBank, background: str) -> None:
    record = plain_record(bank, (40, 44, 37), background=background, normalization="zscore", gamma=1.3)
    image, _ = render_one(bank, record)
    used = image[image != 0].astype(np.float64)
    assert used.mean() == pytest.approx(0.0, abs=1e-4)
    assert used.std() == pytest.approx(1.0, abs=1e-4)
    assert_agrees(bank, record)


def test_zscore_is_affine_in_the_intensities(bank: LabelBank) -> None:
    record = plain_record(bank, (30, 34, 31), background="zero")
    raw, _ = render_one(bank, record)
    image, _ = render_one(bank, dataclasses.replace(record, normalization="zscore"))
    used = raw != 0
    np.testing.assert_array_equal(image[~used], 0.0)
    expected = (raw[used].astype(np.float64) - raw[used].mean(dtype=np.float64)) / raw[used].std(dtype=np.float64)
    np.testing.assert_allclose(image[used], expected, atol=1e-4)


def test_minmax_spans_zero_to_one(bank: LabelBank) -> None:
    record = plain_record(bank, (40, 44, 37), background="zero")
    raw, _ = render_one(bank, record)
    image, _ = render_one(bank, dataclasses.replace(record, normalization="minmax"))
    used = raw != 0
    expected = (raw - raw[used].min()) / (raw[used].max() - raw[used].min())
    np.testing.assert_allclose(image[used], expected[used], atol=1e-5)
    np.testing.assert_array_equal(image[~used], 0.0)
    assert image.max() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("normalization", ["zscore", "minmax"])
def test_constant_and_empty_images_stay_finite(bank: LabelBank, normalization: str) -> None:
    flat = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
    record = plain_record(bank, (9, 8, 7), mixture=flat, normalization=normalization)
    np.testing.assert_allclose(render_one(bank, record)[0], 0.0, atol=1e-5)
    nothing = dataclasses.replace(record, skull_strip=SkullStripParameters(-15.9, 0.0, 16))
    np.testing.assert_array_equal(render_one(bank, nothing)[0], 0.0)
