"""Sliding-window segmentation: geometry is given back exactly, tiles and mirrors do not show."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from otfsynth.config.network import NetworkConfig
from otfsynth.inference import ImageError, SlidingWindowPredictor, prepare_image
from otfsynth.inference.preparation import PreparedImage, from_canonical, normalise
from otfsynth.networks import Checkpoint, build_network, plan_network, save_checkpoint
from otfsynth.volumes import Grid, to_canonical
from tests.learning.fakes import toy_scheme


class Threshold(nn.Module):
    """Label 1 above intensity -0.5, label 2 above 0.5, voxel by voxel, as confident logits."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """(b, 1, x, y, z) -> [(b, 3, x, y, z)]."""
        return [torch.cat([20 * (-0.5 - image), torch.zeros_like(image), 20 * (image - 0.5)], 1)]


class LeftRight(nn.Module):
    """Label 1 in the first half of the patch along x: what mirroring must average out."""

    def forward(self, image: Tensor) -> Tensor:
        """(b, 1, x, y, z) -> (b, 2, x, y, z)."""
        ramp = torch.linspace(1, -1, image.shape[2]).view(1, 1, -1, 1, 1).expand_as(image)
        return torch.cat([torch.zeros_like(image), ramp], 1)


def head(shape: tuple[int, int, int] = (30, 26, 22)) -> np.ndarray:
    """A box of intensity 100 with a corner of 200, zero around it."""
    image = np.zeros(shape, np.float32)
    image[4:-4, 4:-4, 4:-4] = 100
    image[4:12, 4:10, 4:9] = 200
    return image


def expected(image: np.ndarray) -> np.ndarray:
    scaled = normalise(image, image != 0)
    return np.where(image == 0, 1, np.where(scaled > 0.5, 2, np.where(scaled > -0.5, 1, 0))) * (image != 0)


def test_labels_come_back_on_the_scans_grid_in_every_orientation() -> None:
    image = head()
    base = np.diag([1.0, 1.0, 1.0, 1.0])
    base[:3, 3] = [-10, 4, 7]
    predictor = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0)
    canonical = predictor.predict(image, base).labels
    assert np.array_equal(canonical, expected(image))
    for axes in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            orientation = np.array([[axis, flip] for axis, flip in zip(axes, flips, strict=True)])
            stored = nib.orientations.apply_orientation(image, orientation)
            affine = base @ nib.orientations.inv_ornt_aff(orientation, image.shape)
            labels = predictor.predict(np.ascontiguousarray(stored), affine).labels
            assert np.array_equal(labels, nib.orientations.apply_orientation(canonical, orientation))
            assert np.array_equal(from_canonical(to_canonical(stored, affine)[0], affine), stored)


def test_other_voxel_size_is_resampled_and_back() -> None:
    image = head((40, 36, 32)).repeat(2, axis=2)
    affine = np.diag([1.0, 1.0, 0.5, 1.0])
    labels = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0).predict(image, affine).labels
    assert labels.shape == image.shape
    assert np.mean(labels == expected(image)) > 0.99


def test_copies_of_other_sizes_are_averaged() -> None:
    image = head((40, 36, 32)) + np.random.default_rng(0).normal(0, 5, (40, 36, 32)).astype(np.float32)
    image[head((40, 36, 32)) == 0] = 0
    scales = (0.8, 1.25)
    predictor = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0, scales=scales)
    found = predictor.predict(image, np.eye(4), True).probabilities
    assert found is not None
    base = prepare_image(image, np.eye(4), 1.0)
    own = Grid(tuple(base.mask.shape), base.affine)  # type: ignore[arg-type]
    mean = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0).predict_prepared(torch.from_numpy(base.data)).numpy()
    for scale in scales:
        single = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0 / scale)
        copy = single.segment(prepare_image(image, np.eye(4), 1.0 / scale), grid=own, keep_probabilities=True)
        assert copy.probabilities is not None
        mean += copy.probabilities.astype(np.float32)
    inside = np.asarray(found, np.float32)[:, image != 0]
    np.testing.assert_allclose(inside, (mean / 3)[:, base.mask], atol=0.02)
    assert np.abs(inside - mean[:, base.mask]).max() > 0.1
    assert (found[0, image == 0] == 1).all()


def test_probabilities_sum_to_one_and_agree_with_labels() -> None:
    image = head()
    prediction = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0).predict(image, np.eye(4), True)
    assert prediction.probabilities is not None
    assert prediction.probabilities.shape == (3, *image.shape)
    np.testing.assert_allclose(prediction.probabilities.astype(np.float32).sum(0), 1.0, atol=2e-3)
    assert np.array_equal(prediction.probabilities.argmax(0), prediction.labels)


def test_tiles_agree_with_one_large_patch() -> None:
    data = torch.randn(20, 24, 18)
    tiled = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0, overlap=0.5, batch_size=3).predict_prepared(data)
    whole = SlidingWindowPredictor(Threshold(), (32, 32, 32), 1.0).predict_prepared(data)
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=1e-4)


def test_mirroring_averages_the_probabilities_of_flipped_patches() -> None:
    data = torch.randn(16, 16, 16)
    plain = SlidingWindowPredictor(LeftRight(), (16, 16, 16), 1.0).predict_prepared(data)
    mirrored = SlidingWindowPredictor(LeftRight(), (16, 16, 16), 1.0, mirror_axes=(0, 1, 2)).predict_prepared(data)
    assert plain[1, 0].mean() > 0.7
    torch.testing.assert_close(mirrored, torch.full_like(mirrored, 0.5), atol=1e-5, rtol=0)


def test_image_smaller_than_the_patch() -> None:
    image = head((12, 13, 14))
    labels = SlidingWindowPredictor(Threshold(), (32, 32, 32), 1.0).predict(image, np.eye(4)).labels
    assert labels.shape == image.shape


def test_prepared_image_is_normalised_over_its_own_voxels() -> None:
    prepared = prepare_image(head(), np.eye(4), 1.0)
    assert prepared.data.shape == (22, 18, 14)  # cropped to what is not 0
    assert prepared.affine[:3, 3].tolist() == [4, 4, 4]
    assert prepared.data.mean() == pytest.approx(0, abs=1e-5)
    assert prepared.data.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("image", [np.zeros((8, 8, 8)), np.full((8, 8, 8), 7.0), np.zeros((8, 8))])
def test_images_that_show_nothing_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"empty or constant|not a 3-D volume"):
        SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0).predict(image, np.eye(4))


def test_voxels_that_are_not_finite_count_as_zero(caplog: pytest.LogCaptureFixture) -> None:
    image = head()
    image[0, 0, :3] = [np.nan, np.inf, -np.inf]
    labels = SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0).predict(image, np.eye(4)).labels
    assert labels[0, 0].max() == 0
    assert "3 voxels are not finite" in caplog.text


def test_predictor_of_a_checkpoint(tmp_path: Path) -> None:
    plan = plan_network(NetworkConfig(base_features=4, max_features=8, max_stages=2), 4, (16, 16, 16))
    network = build_network(plan, 3)
    save_checkpoint(Checkpoint(network.state_dict(), plan.to_dict(), toy_scheme().to_dict(), {}), tmp_path / "a.ckpt")
    image = head() + np.random.default_rng(0).normal(size=(30, 26, 22)).astype(np.float32)
    loaded = SlidingWindowPredictor.from_checkpoint(tmp_path / "a.ckpt").predict(image, np.eye(4), True)
    direct = SlidingWindowPredictor(network, (24, 24, 24), 1.0).predict(image, np.eye(4), True)
    np.testing.assert_array_equal(loaded.labels, direct.labels)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="overlap 1"):
        SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0, overlap=1.0)
    with pytest.raises(ValueError, match="32-true"):
        SlidingWindowPredictor(Threshold(), (16, 16, 16), 1.0, precision="half")


def test_copies_of_other_sizes_are_the_mirrored_ones() -> None:
    base, copy = (prepare_image(head(), np.eye(4), spacing_mm) for spacing_mm in (1.0, 1.25))
    grid = Grid(tuple(base.mask.shape), base.affine)  # type: ignore[arg-type]

    def left(*copies: PreparedImage, mirror_axes: tuple[int, ...] = (0,)) -> np.ndarray:
        predictor = SlidingWindowPredictor(LeftRight(), (24, 24, 24), 1.0, mirror_axes=mirror_axes)
        probabilities = predictor.segment(*copies, grid=grid, keep_probabilities=True).probabilities
        assert probabilities is not None
        return np.asarray(probabilities[1, :, 9, 7], np.float32)

    straight = left(base, mirror_axes=())
    assert straight[0] > 0.7
    assert straight[-1] < 0.3
    np.testing.assert_allclose(left(base), 0.5, atol=1e-3)
    np.testing.assert_allclose(left(base, copy), (straight + left(copy, mirror_axes=())[::-1]) / 2, atol=0.02)


def test_very_large_scans_have_no_further_copies(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain, scaled = (
        SlidingWindowPredictor(LeftRight(), (24, 24, 24), 1.0, mirror_axes=(0,), scales=scales)
        for scales in ((), (0.8,))
    )
    expected = plain.predict(head(), np.eye(4), True).probabilities
    assert not np.array_equal(scaled.predict(head(), np.eye(4), True).probabilities, expected)  # type: ignore[arg-type]
    assert "too many for copies" not in caplog.text
    monkeypatch.setattr("otfsynth.inference.predictor.MOST_COPIED_VOXELS", 1000)
    np.testing.assert_array_equal(scaled.predict(head(), np.eye(4), True).probabilities, expected)
    assert "too many for copies of other sizes" in caplog.text
