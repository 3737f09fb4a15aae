"""Lesions: where they lie, how they look, what they are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.lesions import LesionsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesions import LesionParameters
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters
from tests.synthesis.heads import TISSUE, Size, assert_agrees, plain_config, plain_record, render_one, synthesizer

FLAT = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
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


def test_lesions_are_drawn_in_their_hosts(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.5, ["WM"], "CSF", 12, [1.5, 8.0], [20.0, 80.0]))
    engine = synthesizer(tissue_bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(300)]
    drawn = [record.lesions for record in records if record.lesions is not None]
    assert stats.binomtest(len(drawn), 300, 0.5).pvalue > 0.002
    assert {lesions.target for lesions in drawn} == {3}
    assert {lesions.hosts for lesions in drawn} == {(2,)}
    radii = np.concatenate([lesions.radii_voxels for lesions in drawn])
    assert stats.kstest(np.log(radii), stats.uniform(np.log(1.5), np.log(8 / 1.5)).cdf).pvalue > 0.002
    for record in records:
        if record.lesions is not None:
            indices = tissue_bank[record.map_index].indices.numpy()
            for x, y, z in np.array(record.lesions.centres_voxels, int):
                assert TISSUE.target_table[indices[x, y, z]] == 2


def test_an_unknown_target_is_an_error(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, target="lesion"))
    with pytest.raises(ConfigurationError, match=r"lesions\.target=lesion.*background, GM, WM, CSF"):
        synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0)


def test_a_scheme_without_hosts_has_none(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, ["marrow"]))
    assert synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0).lesions is None
