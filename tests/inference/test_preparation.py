"""What counts as head or brain, and the intensities that the network is given."""

from __future__ import annotations

import numpy as np
import pytest

from otfsynth.inference.preparation import (
    ImageError,
    clean_image,
    foreground_mask,
    normalise,
    prepare_clean_image,
    prepare_image,
)


def box(value: float = 50.0, shape: tuple[int, int, int] = (20, 20, 20)) -> np.ndarray:
    image = np.zeros(shape, np.float32)
    image[5:15, 5:15, 5:15] = value
    image[5:10, 5:15, 5:15] *= 2
    return image


def test_a_few_negative_values_are_ringing_and_are_clipped() -> None:
    image = box()
    image[4, 5:15, 5:8] = -3  # 30 of 1030
    values, missing = clean_image(image)
    assert values.min() == 0
    assert missing == 0
    assert image.min() == -3  # the caller's array is left alone


def test_intensities_centred_by_someone_else_keep_their_negative_values() -> None:
    image = box()
    image[image != 0] -= 75
    values, _ = clean_image(image)
    assert np.array_equal(values, image)


def test_nan_outside_is_background_and_inside_a_fault() -> None:
    image = box()
    image[:3] = np.nan
    values, missing = clean_image(image)
    assert missing == 1200
    assert np.array_equal(values, box())
    image = box()
    image[8:10, 8:10, 8:10] = np.nan
    with pytest.raises(ImageError, match=r"8 voxels inside the head are NaN"):
        clean_image(image)


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
def test_one_value_everywhere_is_refused(value: float) -> None:
    with pytest.raises(ImageError, match="empty or constant"):
        clean_image(np.full((10, 10, 10), value, np.float32))


def test_fluid_that_is_exactly_zero_belongs_to_the_brain() -> None:
    image = box()
    image[8:10, 8:10, 8:10] = 0
    mask = foreground_mask(image)
    assert mask.sum() == 1000
    prepared = prepare_image(image, np.eye(4), 1.0)
    values = image[5:15, 5:15, 5:15]
    np.testing.assert_allclose(prepared.data, (values - values.mean()) / values.std(), atol=1e-5)


def test_the_mask_decides_what_is_normalised_and_what_is_zero() -> None:
    image = np.random.default_rng(0).normal(100, 20, (16, 16, 16)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[4:12, 3:13, 4:12] = True
    mask[4, 3, 4] = False
    prepared = prepare_clean_image(image, np.eye(4), 1.0, mask)
    inside = prepared.data[prepared.mask]
    assert prepared.data.shape == (8, 10, 8)
    assert inside.mean() == pytest.approx(0, abs=1e-5)
    assert inside.std() == pytest.approx(1, abs=1e-5)
    assert prepared.data[0, 0, 0] == 0


@pytest.mark.parametrize("spacing", [0.7, 1.6, 3.0])
def test_neither_skull_nor_black_outside_bleeds_into_the_rim_at_another_voxel_size(spacing: float) -> None:
    image = np.zeros((30, 30, 30), np.float32)
    image[4:26, 4:26, 4:26] = 1000  # skull
    image[8:22, 8:22, 8:15] = 40
    image[8:22, 8:22, 15:22] = 60
    mask = np.zeros(image.shape, bool)
    mask[8:22, 8:22, 8:22] = True
    prepared = prepare_clean_image(image, np.eye(4), spacing, mask, "minmax")
    low, high = prepared.data[:, :, 0], prepared.data[:, :, -1]
    assert low[prepared.mask[:, :, 0]] == pytest.approx(0, abs=1e-3)
    assert high[prepared.mask[:, :, -1]] == pytest.approx(1, abs=1e-3)
    assert (prepared.mask.sum() * spacing**3) ** (1 / 3) == pytest.approx(14, rel=0.08)


def test_normalisations() -> None:
    data = np.array([[[0.0, 2.0, 4.0, 6.0]]], np.float32)
    mask = np.array([[[False, True, True, True]]])
    assert normalise(data, mask, "minmax").ravel().tolist() == [0, 0, 0.5, 1]
    np.testing.assert_allclose(normalise(data, mask).ravel(), [0, -1.2247449, 0, 1.2247449], rtol=1e-6)
    with pytest.raises(ValueError, match="zscore, minmax"):
        normalise(data, mask, "none")


def test_a_mask_without_voxels_is_refused() -> None:
    with pytest.raises(ImageError, match="brain mask is empty"):
        prepare_clean_image(box(), np.eye(4), 1.0, np.zeros((20, 20, 20), bool))
