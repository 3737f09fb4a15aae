"""Several images of one head before a network of several channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from otfsynth.inference import SlidingWindowPredictor
from otfsynth.inference.channels import prepare_channels
from otfsynth.inference.preparation import ImageError, prepare_image


class Difference(nn.Module):
    """Label 1 where the second channel is brighter than the first."""

    def forward(self, image: Tensor) -> Tensor:
        difference = image[:, 1:2] - image[:, :1]
        return torch.cat([-difference, difference], dim=1) * 50


def image(seed: int = 0) -> np.ndarray:
    inside = np.zeros((20, 24, 22), np.float32)
    inside[3:17, 4:20, 2:20] = np.random.default_rng(seed).uniform(50, 200, (14, 16, 18))
    return inside


def test_one_channel_is_prepared_as_a_single_image() -> None:
    single = prepare_image(image(), np.diag([1.5, 1.0, 1.2, 1]), 1.0)
    several = prepare_channels([image(), None], [np.diag([1.5, 1.0, 1.2, 1]), None], 1.0)
    np.testing.assert_allclose(several.data[0], single.data, atol=1e-5)
    np.testing.assert_array_equal(several.mask, single.mask)
    np.testing.assert_allclose(several.affine, single.affine)
    assert not several.data[1].any()


def test_each_channel_is_normalised_over_its_own_voxels_on_the_first_ones_grid() -> None:
    shifted = np.eye(4)
    shifted[:3, 3] = (3, 0, 0)
    second = np.zeros((14, 24, 22), np.float32)
    second[:14] = image(1)[3:17]  # the same head, cut off at x = 3
    prepared = prepare_channels([image(), second], [np.eye(4), shifted], 1.0)
    assert prepared.data.shape == (2, 14, 16, 18)
    for channel, seed in zip(prepared.data, (0, 1), strict=True):
        values = image(seed)[3:17, 4:20, 2:20]
        np.testing.assert_allclose(channel, (values - values.mean()) / values.std(), atol=1e-4)


def test_a_network_of_two_channels_sees_both() -> None:
    both = np.stack([image(0), image(1)])
    predictor = SlidingWindowPredictor(Difference(), (16, 16, 16), 1.0, input_channels=2)
    labels = predictor.predict(both, np.eye(4)).labels
    prepared = prepare_channels(list(both), [np.eye(4)] * 2, 1.0)
    expected = prepared.data[1] > prepared.data[0]
    np.testing.assert_array_equal(labels[3:17, 4:20, 2:20], expected)
    assert not labels[:3].any()


def test_a_channel_of_zeros_is_missing() -> None:
    predictor = SlidingWindowPredictor(Difference(), (16, 16, 16), 1.0, input_channels=2)
    labels = predictor.predict(np.stack([image(), np.zeros((20, 24, 22), np.float32)]), np.eye(4)).labels
    expected = prepare_image(image(), np.eye(4), 1.0).data < 0  # brighter than the first is the 0 of what is missing
    np.testing.assert_array_equal(labels[3:17, 4:20, 2:20], expected)


def test_too_few_images_are_told() -> None:
    predictor = SlidingWindowPredictor(Difference(), (16, 16, 16), 1.0, input_channels=2)
    with pytest.raises(ImageError, match=r"takes 2 image\(s\) of a head, 1 given"):
        predictor.predict(image(), np.eye(4))


def test_no_image_at_all_and_an_empty_one_are_told() -> None:
    with pytest.raises(ImageError, match="every channel is missing"):
        prepare_channels([None, None], [None, None], 1.0)
    with pytest.raises(ImageError, match=r"channel 1: .*empty or constant"):
        prepare_channels([image(), np.zeros((4, 4, 4))], [np.eye(4)] * 2, 1.0)
