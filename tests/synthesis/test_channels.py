"""Channels: several images of one head, each a record of its own; missing ones; how they lie on another."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from otfsynth.config.channels import ChannelsConfig
from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose
from otfsynth.config.contrast import ContrastConfig, EnginesConfig, PhysicsConfig
from otfsynth.config.synthesis import AffineConfig, SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis import SynthesisParameters
from otfsynth.synthesis.physics.engine import load_physics
from otfsynth.types import SampleKey
from tests.references.geometry import source_coordinates
from tests.synthesis.heads import Size, assert_agrees, plain_config, synthesizer

SIZE: Size = (24, 28, 20)
PHYSICS = ContrastConfig(EnginesConfig(mixture=0.0, priors=0.0, physics=1.0))


def with_channels(config: SynthesisConfig | None = None, **channels: Any) -> SynthesisConfig:
    return dataclasses.replace(config or compose([]).synthesis, channels=ChannelsConfig(**channels))


def test_the_first_channel_is_the_sample_of_one_channel(tissue_bank: LabelBank) -> None:
    alone = synthesizer(tissue_bank, SIZE, compose([]).synthesis, threads=1)(range(12))
    several = synthesizer(tissue_bank, SIZE, with_channels(count=3, missing_probability=0.0), threads=1)(range(12))
    assert several.image.shape == (12, 3, *SIZE)
    assert several.target.shape == (12, 1, *SIZE)
    assert torch.equal(several.image[:, :1], alone.image)
    assert torch.equal(several.target, alone.target)
    assert [dataclasses.replace(record, channels=None) for record in several.parameters] == alone.parameters


def test_a_batch_is_its_samples_and_records_replay_from_json(tissue_bank: LabelBank) -> None:
    engine = synthesizer(tissue_bank, SIZE, with_channels(count=3, missing_probability=0.4), threads=1)
    batch = engine(range(6))
    for index in range(6):
        one = engine([index])
        assert torch.equal(one.image[0], batch.image[index])
        assert torch.equal(one.target[0], batch.target[index])
    replayed = [SynthesisParameters.from_json(record.to_json()) for record in batch.parameters]
    assert replayed == batch.parameters
    again = synthesizer(tissue_bank, SIZE, compose([]).synthesis, threads=2).render(replayed)
    assert torch.equal(again.image, batch.image)


def test_every_channel_agrees_with_the_oracle(tissue_bank: LabelBank) -> None:
    config = with_channels(
        count=2, missing_probability=0.0, rotation_max_deg=5.0, translation_max_mm=3.0, misregistration_probability=1.0
    )
    engine = synthesizer(tissue_bank, (36, 40, 33), config)
    for index in range(6):
        (second,) = engine.sample_parameters(index).channels or ()
        assert second.key.channel == 1
        assert_agrees(tissue_bank, dataclasses.replace(second, motion=None, ghosting=None, spikes=None), 5e-4)


def test_channels_have_their_own_look_of_one_head(tissue_bank: LabelBank) -> None:
    engine = synthesizer(tissue_bank, SIZE, with_channels(count=2, misregistration_probability=0.0))
    for index in range(40):
        first, second = engine.sample_parameters(index).all_channels
        of_the_head = ("label_map", "map_index", "size", "deformation", "skull_strip", "field_of_view", "background")
        for name in (*of_the_head, "shape", "defacing", "mass_effect", "signal_loss"):
            assert getattr(first, name) == getattr(second, name), name
        assert first.mixture != second.mixture
        if first.lesions is not None:
            assert second.lesions is not None
            assert second.lesions.centres_voxels == first.lesions.centres_voxels
            assert second.lesions.radii_voxels == first.lesions.radii_voxels
        if first.shell is not None:
            assert second.shell is not None
            assert second.shell.ends_mm == first.shell.ends_mm
            assert second.shell.means != first.shell.means
        if first.subclasses is not None:
            assert second.subclasses is not None
            assert second.subclasses.spacing_voxels == first.subclasses.spacing_voxels
            assert len(second.subclasses.mean_offsets) == len(first.subclasses.mean_offsets)
            assert second.subclasses.mean_offsets != first.subclasses.mean_offsets


def test_noise_of_channels_is_independent(tissue_bank: LabelBank) -> None:
    engine = synthesizer(
        tissue_bank,
        (40, 44, 37),
        with_channels(plain_config(), count=2, missing_probability=0.0, misregistration_probability=0.0),
    )
    record = engine.sample_parameters(0)
    (second,) = record.channels or ()
    flat = dataclasses.replace(record.mixture, means=(100.0,) * 7, stds=(5.0,) * 7)
    record = dataclasses.replace(record, mixture=flat, channels=(dataclasses.replace(second, mixture=flat),))
    first, second_image = engine.render([record]).image[0].flatten(1).numpy()
    assert first.std() == pytest.approx(5.0, rel=0.02)
    assert second_image.std() == pytest.approx(5.0, rel=0.02)
    assert abs(np.corrcoef(first, second_image)[0, 1]) < 4 / np.sqrt(first.size)


def test_misregistration_is_a_rigid_change_of_the_patch(bank: LabelBank) -> None:
    config = with_channels(
        plain_config(affine=AffineConfig(1.0, 0.2, 15.0, 0.05, 0.0)),
        count=2, missing_probability=0.0, misregistration_probability=1.0, rotation_max_deg=4.0, translation_max_mm=2.0,
    )  # fmt: skip
    engine = synthesizer(bank, SIZE, config)
    angles, shifts = [], []
    for index in range(200):
        first, second = engine.sample_parameters(index).all_channels
        matrix = np.array(first.deformation.matrix)
        turned = np.linalg.solve(matrix, np.array(second.deformation.matrix))
        np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turned) == pytest.approx(1.0)
        moved = np.array(second.deformation.centre_voxels) - first.deformation.centre_voxels
        shifts.append(np.linalg.solve(matrix, moved))
        angles.append(np.rad2deg(-np.arcsin(turned[2, 0])))
        # The patch's point x shows in the second channel what lies at R (x - middle) + t + middle in the first
        middle = (np.array(SIZE) - 1) / 2
        here = source_coordinates(second.key, second.deformation, SIZE)[:, 3, 5, 7]
        there = turned @ (np.array([3, 5, 7]) - middle) + shifts[-1]
        np.testing.assert_allclose(here, matrix @ there + first.deformation.centre_voxels, atol=1e-6)
    assert stats.kstest(np.concatenate(shifts), stats.uniform(-2, 4).cdf).pvalue > 0.002
    assert stats.kstest(angles, stats.uniform(-4, 8).cdf).pvalue > 0.002


def test_missing_channels_are_zero_and_one_remains(tissue_bank: LabelBank) -> None:
    config = with_channels(count=3, missing_probability=0.6)
    engine = synthesizer(tissue_bank, SIZE, config, threads=1)
    batch = engine(range(80))
    missing = np.array([[channel.missing for channel in record.all_channels] for record in batch.parameters])
    assert not missing.all(axis=1).any()
    for images, flags in zip(batch.image, missing, strict=True):
        for image, flag in zip(images, flags, strict=True):
            assert (not image.any()) == bool(flag)
    # P(missing) of one channel: 0.6 less a third of the chance 0.6**3 that all would be
    expected = 0.6 - 0.6**3 / 3
    assert stats.binomtest(int(missing.sum()), missing.size, expected).pvalue > 0.002
    alone = synthesizer(tissue_bank, SIZE, compose([]).synthesis, threads=1)(range(80))
    assert torch.equal(batch.target, alone.target)  # also where the first is missing


def test_a_joint_session_has_one_field_strength_and_one_person(tissue_bank: LabelBank) -> None:
    config = with_channels(
        plain_config(contrast=PHYSICS, physics=PhysicsConfig(noise_std_max=0.0, texture_spread=0.0)),
        count=3, relation="joint", contrasts=["T1w", "T2w", "FLAIR"],
    )  # fmt: skip
    engine = synthesizer(tissue_bank, SIZE, config)
    strengths = set()
    for index in range(60):
        channels = engine.sample_parameters(index).all_channels
        sequences = [channel.sequence for channel in channels]
        assert [sequence.contrast for sequence in sequences if sequence] == ["T1w", "T2w", "FLAIR"]
        assert len({sequence.field_strength_t for sequence in sequences if sequence}) == 1
        strengths |= {sequence.field_strength_t for sequence in sequences if sequence}
    assert len(strengths) > 2
    assert 7.0 not in strengths  # where the table has no FLAIR


def test_one_person_has_one_tissue(tissue_bank: LabelBank) -> None:
    """One fixed sequence gives the same means in all channels of a session, and others in independent channels."""
    config = plain_config(contrast=PHYSICS, physics=PhysicsConfig(noise_std_max=0.0, peak_range=[200.0, 200.0]))
    physics = load_physics(config, tissue_bank.scheme)
    assert physics is not None
    protocol = physics.protocols[0]
    ranges = {name: (low, low) for name, (low, _) in protocol.ranges.items()}
    fixed = dataclasses.replace(protocol, ranges=ranges, field_strengths_t=protocol.field_strengths_t[:1])
    engine = dataclasses.replace(physics, protocols=[fixed])
    first, second = SampleKey(7, 5), SampleKey(7, 5, 1)
    means, stds, _ = engine.draw(first)
    joint, joint_stds, _ = engine.draw(second, session=first)
    independent, _, _ = engine.draw(second)
    np.testing.assert_allclose(joint, means)
    np.testing.assert_allclose(joint_stds, stds)
    assert np.abs(independent - means).max() > 1.0


def test_channels_of_whole_heads_lie_as_those_of_patches(tissue_bank: LabelBank) -> None:
    config = with_channels(count=2, misregistration_probability=1.0, translation_max_mm=3.0)
    engine = synthesizer(tissue_bank, SIZE, config)
    record, moved = (engine.sample_parameters(1, whole_head=whole_head) for whole_head in (False, True))
    (first, second), (middle, shown) = (
        [np.array(channel.deformation.centre_voxels) for channel in drawn.all_channels] for drawn in (record, moved)
    )
    assert np.abs(middle - first).max() > 1
    np.testing.assert_allclose(shown - middle, second - first)
    assert moved.all_channels[1].deformation.matrix == record.all_channels[1].deformation.matrix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, r"channels\.count=0"),
        ({"count": 2, "contrasts": ["T1w"]}, r"names 1 contrast\(s\) for .*count=2"),
        ({"relation": "some"}, "independent, joint"),
    ],
)
def test_values_that_can_not_work_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ChannelsConfig(**changes)


def test_an_unknown_contrast_is_told_with_the_known_ones(tissue_bank: LabelBank) -> None:
    config = with_channels(count=2, contrasts=["T1w", "T9w"])
    with pytest.raises(ConfigurationError, match=r"contrast T9w; choose among .*T1w"):
        synthesizer(tissue_bank, SIZE, config)


def test_records_of_different_channel_counts_do_not_mix(tissue_bank: LabelBank) -> None:
    one = synthesizer(tissue_bank, SIZE).sample_parameters(0)
    engine = synthesizer(tissue_bank, SIZE, with_channels(count=2))
    with pytest.raises(ValueError, match="one number of channels"):
        engine.render([one, engine.sample_parameters(0)])
