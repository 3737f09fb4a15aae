"""Defaced heads, and images that end below the brain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.defacing import DefacingConfig, NeckConfig
from otfsynth.config.synthesis import AffineConfig, SkullStripConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.defacing import DefacingParameters
from otfsynth.synthesis.parameters import DeformationParameters, SynthesisParameters
from tests.synthesis.heads import (
    TISSUE,
    Size,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

PLANE = (0.0, 0.8, -0.6, -20.03)
BUMPY = DefacingParameters((PLANE, (0.9, 0.0, -0.4, -28.0), (-0.9, 0.0, -0.4, 14.0)), 2.0, 2.5, 8)


@pytest.fixture(scope="module")
def bodies() -> LabelBank:
    """A head with room around it, its scalp going on below as a neck."""
    indices = np.zeros((60, 70, 80), np.uint8)
    indices[5:55, 7:63, 28:74] = head_indices()
    neck = np.zeros_like(indices)
    neck[18:42, 24:46, 1:50] = 1
    indices[(indices == 0) & (neck == 1)] = 1
    return bank_of(indices, scheme=TISSUE)


def whole(bank: LabelBank, **more: object) -> SynthesisParameters:
    shape = tuple(bank[0].indices.shape)
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    middle = tuple((length - 1) / 2 for length in shape)
    return plain_record(bank, shape, deformation=DeformationParameters(False, identity, middle, 0.0, 20.0), **more)


def test_beyond_the_plane_all_is_zero_but_the_brain(bodies: LabelBank) -> None:
    record = whole(bodies, defacing=DefacingParameters((PLANE,), 3.0, 0.0, 8))
    before, labels = render_one(bodies, dataclasses.replace(record, defacing=None))
    image, target = render_one(bodies, record)
    _, y, z = np.indices(image.shape)
    distance = (bodies[0].brain_distance.numpy().astype(float) - 128) / 8
    gone = (0.8 * y - 0.6 * z - 20.03 > 0) & (distance >= 3.0)
    assert 0.05 < gone.mean() < 0.6
    assert gone[bodies[0].indices.numpy() == 1].sum() > 1000
    np.testing.assert_array_equal(image, np.where(gone, 0.0, before))
    np.testing.assert_array_equal(target, np.where(gone, 0, labels))
    assert (target == labels)[TISSUE.brain_indices[bodies[0].indices.numpy()]].all()


@pytest.mark.parametrize("size", [(52, 60, 57), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
def test_defacing_agrees_with_the_oracle(bodies: LabelBank, size: Size, flip: bool) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (29.3, 37.9, 42.6), 2.0, 20.0)
    assert_agrees(bodies, plain_record(bodies, size, deformation=deformation, defacing=BUMPY))


def test_drawn_surfaces_spare_the_brain_and_take_the_front(bodies: LabelBank) -> None:
    config = plain_config(defacing=DefacingConfig(0.5, gap_mm=[-8.0, 4.0], ears_probability=0.5))
    engine = synthesizer(bodies, (8, 8, 8), config)
    records = [engine.sample_parameters(index) for index in range(200)]
    drawn = [record.defacing for record in records if record.defacing is not None]
    assert stats.binomtest(len(drawn), 200, 0.5).pvalue > 0.002
    assert stats.binomtest(sum(len(entry.planes) == 3 for entry in drawn), len(drawn), 0.5).pvalue > 0.002
    _, labels = render_one(bodies, whole(bodies))
    brain = TISSUE.brain_indices[bodies[0].indices.numpy()]
    for entry in drawn[:12]:
        image, target = render_one(bodies, whole(bodies, defacing=entry))
        gone = image == 0
        assert not (gone & brain).any()
        np.testing.assert_array_equal(target[brain], labels[brain])
        y, z = (np.indices(image.shape)[axis][gone].mean() for axis in (1, 2))
        assert (y - 35) / 35 > (z - 40) / 40  # what is gone lies in front or below
        angle = np.degrees(np.arctan2(-entry.planes[0][2], entry.planes[0][1]))
        assert 15.0 <= angle <= 50.0
        assert 3.0 <= entry.spared_mm <= 10.0
    assert SynthesisParameters.from_json(records[0].to_json()) == records[0]


def test_stripped_heads_have_no_face(bodies: LabelBank) -> None:
    config = plain_config(defacing=DefacingConfig(1.0), skull_strip=SkullStripConfig(1.0))
    assert synthesizer(bodies, (8, 8, 8), config).sample_parameters(0).defacing is None


def test_images_end_below_the_brain(bodies: LabelBank) -> None:
    view = NeckConfig(0.5, [3.0, 9.0])
    affine = AffineConfig(1.0, 0.1, 10.0, 0.01, 3.0)
    engine = synthesizer(bodies, (64, 72, 90), plain_config(neck=view, affine=affine))
    records = [engine.sample_parameters(index) for index in range(120)]
    cut = [record for record in records if record.field_of_view is not None]
    assert stats.binomtest(len(cut), 120, 0.5).pvalue > 0.002
    for record in cut[:10]:
        image, target = render_one(bodies, record)
        view = record.field_of_view
        assert view is not None
        first = view.first_voxel[2]
        assert view.end_voxel == record.size
        assert (image[:, :, :first] == 0).all()
        assert (image[:, :, first] != 0).any()
        lowest = np.flatnonzero(np.isin(target, (1, 2)).any(axis=(0, 1)))[0]
        assert 1.0 <= lowest - first <= 11.0


def test_patches_that_end_above_are_left_alone(bodies: LabelBank) -> None:
    view = NeckConfig(1.0, [60.0, 60.0])
    assert synthesizer(bodies, (24, 24, 24), plain_config(neck=view)).sample_parameters(0).field_of_view is None
