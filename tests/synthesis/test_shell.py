"""The head around brain-only maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.config.shell import ShellConfig
from otfsynth.config.synthesis import BackgroundConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters, SkullStripParameters
from otfsynth.synthesis.shell import ShellParameters, is_brain_only
from otfsynth.synthesis.tissue import PartialVolumeParameters
from tests.synthesis.heads import (
    TISSUE,
    Size,
    assert_agrees,
    bank_of,
    ellipsoid,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

FLAT = MixtureParameters((50.0,) + (100.0,) * 6, (0.0,) * 7, "random")
EVEN = ShellParameters((2.0, 5.0, 8.0), (60.0, 10.0, 200.0), (0.0, 0.0, 0.0), 0.0)
THICK = ShellParameters((5.0, 9.0, 14.0), (60.0, 10.0, 200.0), (3.0, 2.0, 9.0), 0.3)
UNEVEN = ShellParameters((2.0, 5.0, 8.0), (60.0, 10.0, 200.0), (3.0, 2.0, 9.0), 0.3)


@pytest.fixture(scope="module")
def brains() -> LabelBank:
    """Brains of about 30 voxels without scalp or CSF, in wide maps."""
    indices = np.zeros((60, 64, 58), np.uint8)
    indices[5:55, 5:61, 5:51] = head_indices((50, 56, 46))
    indices[indices <= 2] = 0
    return bank_of(indices, scheme=TISSUE)


def test_layers_follow_the_distance(brains: LabelBank) -> None:
    record = plain_record(brains, (54, 58, 52), shell=EVEN)
    image, target = render_one(brains, record)
    bare, labels = render_one(brains, dataclasses.replace(record, shell=None))
    np.testing.assert_array_equal(target, labels)
    first = (np.array(record.deformation.centre_voxels) - (np.array(record.size) - 1) / 2).astype(int)
    crop = tuple(slice(start, start + length) for start, length in zip(first, record.size, strict=True))
    distance = (brains[0].brain_distance.numpy()[crop].astype(float) - 128) / 8
    outside = brains[0].indices.numpy()[crop] == 0
    for low, high, value in ((-1.0, 2.0, 60.0), (2.0, 5.0, 10.0), (5.0, 8.0, 200.0)):
        layer = outside & (distance >= low) & (distance < high)
        assert layer.sum() > 500
        np.testing.assert_array_equal(image[layer], value)
    same = ~outside | (distance >= 8.0)
    np.testing.assert_array_equal(image[same], bare[same])


RADIUS = 14.0


@pytest.fixture(scope="module")
def balls() -> LabelBank:
    """A ball of white matter that fills its file."""
    return LabelBank.from_volumes(TISSUE, [2 * ellipsoid((29, 29, 29), (0, 0, 0), (RADIUS,) * 3)])


def from_middle(size: Size) -> np.ndarray:
    return np.linalg.norm(np.indices(size) - (np.reshape(size, (3, 1, 1, 1)) - 1) / 2, axis=0)


def test_layers_end_where_distances_do_and_not_with_the_file(balls: LabelBank) -> None:
    size = (81, 81, 81)
    thick = dataclasses.replace(EVEN, ends_mm=(4.0, 10.0, 14.0))
    image, _ = render_one(balls, plain_record(balls, size, shell=thick, mixture=FLAT))
    distance = from_middle(size) - RADIUS
    for low, high, value in ((1.0, 3.0, 60.0), (5.0, 9.0, 10.0), (11.0, 13.0, 200.0), (15.0, 99.0, 50.0)):
        assert (image[(distance > low) & (distance < high)] == value).all()
    thicker = dataclasses.replace(EVEN, ends_mm=(8.0, 20.0, 31.5))
    image, _ = render_one(balls, plain_record(balls, size, shell=thicker, mixture=FLAT))
    for low, high, value in ((1.0, 3.0, 60.0), (5.0, 9.0, 10.0), (11.0, 15.0, 200.0), (17.5, 99.0, 50.0)):
        assert (image[(distance > low) & (distance < high)] == value).all(), (
            "all layers, on the map's sides as at corners"
        )


def test_masks_are_round_beside_a_map_that_ends_with_the_brain(balls: LabelBank) -> None:
    size = (71, 71, 71)
    strip = SkullStripParameters(8.0, 0.0, 16)
    image, _ = render_one(balls, plain_record(balls, size, mixture=FLAT, skull_strip=strip))
    distance = from_middle(size) - RADIUS
    assert (image[distance < 7.0] > 0).all()
    assert not image[distance > 9.5].any()


@pytest.mark.parametrize("size", [(50, 54, 47), (20, 60, 9)])
@pytest.mark.parametrize("drawn", [EVEN, UNEVEN, THICK])
@pytest.mark.parametrize("width", [None, 1.4])
def test_shells_agree_with_the_oracle(
    brains: LabelBank, drawn: ShellParameters, size: Size, width: float | None
) -> None:
    matrix = ((0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(False, matrix, (29.3, 31.9, 27.6), 2.0, 20.0)
    mixed = None if width is None else PartialVolumeParameters(width)
    assert_agrees(brains, plain_record(brains, size, deformation=deformation, shell=drawn, partial_volume=mixed))


def test_only_brains_get_a_shell(brains: LabelBank, tissue_bank: LabelBank) -> None:
    assert is_brain_only(brains[0].indices, brains[0].brain_distance)
    assert not is_brain_only(tissue_bank[0].indices, tissue_bank[0].brain_distance)
    config = plain_config(shell=ShellConfig(1.0))
    shells = [synthesizer(brains, (8, 8, 8), config).sample_parameters(index).shell for index in range(100)]
    ends = np.array([shell.ends_mm for shell in shells if shell is not None])
    thickness = np.diff(ends, axis=1, prepend=0.0)
    assert len(ends) == 100
    assert (thickness.min(axis=0) >= (0.5, 2.0, 2.0)).all()
    assert (thickness.max(axis=0) <= (4.0, 6.0, 5.0)).all()
    assert synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0).shell is None
    zero = plain_config(shell=ShellConfig(1.0), background=BackgroundConfig(1.0, 0.0, 0.0))
    assert synthesizer(brains, (8, 8, 8), zero).sample_parameters(0).shell is None
