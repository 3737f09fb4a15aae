"""Skull-strips that leave nothing but CSF around the brain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.synthesis import SkullStripConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import (
    DeformationParameters,
    MixtureParameters,
    PartialVolumeParameters,
    SkullStripParameters,
)
from otfsynth.synthesis.real import with_real_image
from otfsynth.synthesis.shell import ShellParameters
from tests.synthesis.heads import (
    TISSUE,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

CSF_INDEX = TISSUE.generation_labels.index(24)
CSF_TARGET = CSF_INDEX  # the scheme of the fixture has a target for each label
ROOMY = SkullStripParameters(3.0, 0.0, 16, fluid=CSF_INDEX)
FLAT = MixtureParameters((20.0, 200.0, 90.0, 120.0, 160.0, 140.0, 70.0), (0.0,) * 7, "random")
"""One intensity for each class: background 20, scalp 200, CSF 90."""


def test_what_the_mask_leaves_around_the_brain_is_csf(bank: LabelBank) -> None:
    record = plain_record(bank, tuple(bank[0].indices.shape), mixture=FLAT, skull_strip=ROOMY)
    image, target = render_one(bank, record)
    indices, distance = bank[0].indices.numpy(), bank[0].brain_distance.numpy()
    rim = (distance < 128 + 24) & ~TISSUE.brain_indices[indices]
    assert (indices[rim] == 1).any()
    np.testing.assert_array_equal(image[rim], 90.0)
    np.testing.assert_array_equal(target[rim], CSF_TARGET)
    beyond = distance >= 128 + 24
    assert not image[beyond].any()
    assert not target[beyond].any()
    without = dataclasses.replace(record, skull_strip=dataclasses.replace(ROOMY, fluid=None))
    plain_image, plain_target = render_one(bank, without)
    assert set(np.unique(plain_image[rim])) <= {20.0, 200.0}
    np.testing.assert_array_equal(plain_target[rim], indices[rim])  # background and scalp
    np.testing.assert_array_equal(image[~rim], plain_image[~rim])
    np.testing.assert_array_equal(target[~rim], plain_target[~rim])


def test_a_background_of_zeros_becomes_fluid_too() -> None:
    """Inside the mask there is none left; outside everything is 0 anyway."""
    indices = head_indices()
    bank = bank_of(np.where(indices == 1, 0, indices))
    textured = plain_record(bank, tuple(bank[0].indices.shape), mixture=FLAT, skull_strip=ROOMY)
    zero = dataclasses.replace(textured, background="zero")
    image, target = render_one(bank, zero)
    expected, expected_target = render_one(bank, textured)
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(target, expected_target)
    air = (bank[0].indices.numpy() == 0) & (bank[0].brain_distance.numpy() < 128 + 24)
    assert air.sum() > 100
    np.testing.assert_array_equal(image[air], 90.0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("background", ["textured", "zero"])
def test_it_agrees_with_the_oracle(bank: LabelBank, flip: bool, background: str) -> None:
    matrix = ((0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (25.3, 28.9, 23.6), 2.0, 20.0)
    strip = SkullStripParameters(2.0, 1.5, 8, fluid=CSF_INDEX)
    record = plain_record(
        bank,
        (47, 54, 45),
        deformation=deformation,
        mixture=FLAT,
        skull_strip=strip,
        background=background,
        partial_volume=PartialVolumeParameters(1.2),
        shell=ShellParameters((2.0, 6.0, 10.0), (60.0, 10.0, 200.0), (0.0, 0.0, 0.0), 0.0),
    )
    assert_agrees(bank, record)


def test_share_and_crude_tools(bank: LabelBank) -> None:
    config = plain_config(skull_strip=SkullStripConfig(1.0, fluid_probability=0.5, fluid=["CSF"], poor_probability=0.3))
    engine = synthesizer(bank, (8, 8, 8), config)
    strips = [engine.sample_parameters(index).skull_strip for index in range(600)]
    fluids = [strip.fluid for strip in strips if strip is not None]
    assert set(fluids) == {None, CSF_INDEX}
    share = np.mean([fluid is not None for fluid in fluids])
    assert abs(share - 0.5 * 0.7) < 3.5 * np.sqrt(0.35 * 0.65 / len(fluids))
    never = dataclasses.replace(config.skull_strip, fluid_probability=0.0)
    others = synthesizer(bank, (8, 8, 8), dataclasses.replace(config, skull_strip=never))
    for index, strip in enumerate(strips[:50]):
        assert strip is not None
        assert others.sample_parameters(index).skull_strip == dataclasses.replace(strip, fluid=None)


def test_what_a_real_scan_shows_around_the_brain_stays_what_it_is(bank: LabelBank) -> None:
    record = with_real_image(plain_record(bank, (8, 8, 8), skull_strip=ROOMY), bank[0])
    assert record.skull_strip == dataclasses.replace(ROOMY, fluid=None)


def test_a_name_that_no_scheme_has_is_told(bank: LabelBank) -> None:
    config = plain_config(skull_strip=SkullStripConfig(1.0, fluid=["liquor"]))
    with pytest.raises(ConfigurationError, match=r"synthesis\.skull_strip\.fluid names 'liquor'.*choose from"):
        synthesizer(bank, (8, 8, 8), config)
