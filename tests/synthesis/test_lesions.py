"""Lesions: painted where the record says, in their hosts, under their target."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.lesions import LesionsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesion_parameters import LesionParameters
from otfsynth.synthesis.parameters import DeformationParameters, SynthesisParameters
from otfsynth.types import vector
from tests import references
from tests.synthesis.heads import (
    IDENTITY,
    TISSUE,
    Size,
    assert_agrees,
    bank_of,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)
from tests.synthesis.lesion_records import FLAT

BALL = LesionParameters(((25.0, 27.0, 22.0),), (6.02,), 180.0, 0.0, 0.0, 0.5, (2,), 3)
MANY = LesionParameters(
    ((20.0, 22.0, 18.0), (30.0, 30.0, 26.0), (12.0, 28.0, 23.0)), (5.0, 3.0, 8.0), 150.0, 6.0, 0.4, 2.0, (1, 2), None
)


@pytest.mark.parametrize("target", [None, 3])
def test_a_ball_replaces_its_tissue(tissue_bank: LabelBank, target: int | None) -> None:
    record = plain_record(tissue_bank, (40, 44, 37), mixture=FLAT)
    _, before = render_one(tissue_bank, record)
    image, after = render_one(
        tissue_bank, dataclasses.replace(record, lesions=dataclasses.replace(BALL, target=target))
    )
    first = np.array(record.deformation.centre_voxels) - (np.array(record.size) - 1) / 2
    distance = np.sqrt(np.sum((np.indices(record.size).T + first - BALL.centres_voxels[0]) ** 2, axis=-1)).T
    white = before == 2
    np.testing.assert_array_equal(image[white & (distance < 5.7)], 180.0)
    np.testing.assert_array_equal(image[~white | (distance > 6.3)], 100.0)
    expected = np.where(white & (distance < 6.02), 3 if target else 2, before)
    np.testing.assert_array_equal(after, expected)
    assert 300 < np.sum(white & (distance < 6.02)) < 930


@pytest.mark.parametrize("size", [(40, 44, 37), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("drawn", [BALL, MANY])
def test_lesions_agree_with_the_oracle(tissue_bank: LabelBank, drawn: LesionParameters, flip: bool, size: Size) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    assert_agrees(tissue_bank, plain_record(tissue_bank, size, deformation=deformation, lesions=drawn))


def test_a_target_that_the_scheme_lacks_is_told_before_anything_is_drawn(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.01, ["WM"], "tumour"))
    with pytest.raises(ConfigurationError, match=r"lesions\.target=tumour is no target .*CSF"):
        synthesizer(tissue_bank, (24, 24, 24), config)


def test_an_unknown_target_is_an_error(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, target="lesion"))
    with pytest.raises(ConfigurationError, match=r"lesions\.target=lesion.*background, GM, WM, CSF"):
        synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0)


def test_records_of_before_the_kinds_still_load(tissue_bank: LabelBank) -> None:
    record = plain_record(tissue_bank, (8, 8, 8), lesions=BALL)
    fields = json.loads(record.to_json())
    for name in ("edge_spacing_voxels", "host_labels", "kind"):
        del fields["lesions"][name]
    for name in ("oedema", "necrosis", "mass_effect", "lesion_labels", "shape"):
        del fields[name]
    assert SynthesisParameters.from_json(json.dumps(fields)) == record


def test_a_target_that_the_scheme_lacks_does_no_harm_where_lesions_are_off(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.0, target="lesion"))
    record = synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0)
    assert record.lesions is None
    assert record.lesion_labels is None


def test_lesions_show_where_the_flow_bends_rows_far() -> None:
    """Small ones, where a row lies farthest from the line between its ends."""
    solid = np.zeros((130, 130, 220), np.uint8)
    solid[1:-1, 1:-1, 1:-1] = 5
    maps = bank_of(solid, scheme=TISSUE)
    deformation = DeformationParameters(False, IDENTITY, (64.5, 64.5, 109.5), 8.0, 40.0)
    record = plain_record(maps, (40, 40, 168), index=5, deformation=deformation, mixture=FLAT)
    source = references.source_coordinates(record.key, deformation, record.size)
    line = np.linspace(source[..., 0], source[..., -1], record.size[2], axis=-1)
    bends = np.linalg.norm(source - line, axis=0)
    x, y, z = np.unravel_index(bends.argmax(), bends.shape)
    assert bends.max() > 24
    place = vector(source[:, x, y, z])
    image, _ = render_one(
        maps,
        dataclasses.replace(record, lesions=dataclasses.replace(BALL, centres_voxels=(place,), radii_voxels=(2.0,))),
    )
    near = np.linalg.norm(source - np.reshape(place, (3, 1, 1, 1)), axis=0) < 1.7
    assert near.sum() > 5
    np.testing.assert_array_equal(image[near], BALL.mean)
