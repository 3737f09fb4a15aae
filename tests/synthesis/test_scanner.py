"""Coils, noise of varying strength, storage, ringing, menus of voxel sizes and signal loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from otfsynth.config.acquisition import CoilsConfig, MenuConfig, NoiseConfig, NoiseFieldConfig, StorageConfig
from otfsynth.config.artefacts import FieldOfViewConfig, RingingConfig, SignalLossConfig
from otfsynth.config.synthesis import SkullStripConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.artefacts import (
    FieldOfViewParameters,
    RingingParameters,
    SignalLossParameters,
    sample_signal_loss,
)
from otfsynth.synthesis.parameters import (
    AcquisitionParameters,
    MixtureParameters,
    NoiseFieldParameters,
    StorageParameters,
    SynthesisParameters,
)
from otfsynth.synthesis.resampling import truncated_matrix
from otfsynth.types import SampleKey
from tests.synthesis.heads import (
    LEVELS,
    Size,
    assert_agrees,
    bank_of,
    plain_config,
    plain_record,
    reference,
    render,
    render_one,
    synthesizer,
)

NATIVE = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
BRIGHT = MixtureParameters((0.0, 0.0) + (200.0,) * 5, (0.0,) * 7, "random")


def noisy(bank: LabelBank, size: Size, std: float, coils: int = 1, **changes: object) -> SynthesisParameters:
    acquisition = AcquisitionParameters(*NATIVE, std, coils)
    return plain_record(bank, size, gamma=1.0, mixture=BRIGHT, acquisition=acquisition, **changes)


@pytest.mark.parametrize("coils", [2, 3, 5, 8])
def test_several_coils_give_non_central_chi_noise(bank: LabelBank, coils: int) -> None:
    image, target = render_one(bank, noisy(bank, (46, 52, 42), 0.25, coils))
    for signal, inside in ((0.0, target <= 1), (1.0, target > 1)):
        squares = (image[inside].astype(np.float64) / 0.25) ** 2
        expected = stats.ncx2(2 * coils, (signal / 0.25) ** 2) if signal else stats.chi2(2 * coils)
        assert squares.mean() == pytest.approx(expected.mean(), abs=4.5 * expected.std() / np.sqrt(squares.size))
        assert stats.kstest(squares, expected.cdf).pvalue > 0.005


def test_noise_follows_its_field(bank: LabelBank) -> None:
    black = MixtureParameters((0.0,) * 7, (0.0,) * 7, "random")
    records = [
        dataclasses.replace(
            noisy(bank, (40, 40, 40), 10.0, noise_field=NoiseFieldParameters(0.5, 16)), mixture=black, gamma=None
        )
    ]
    records += [dataclasses.replace(records[0], noise_field=None)]
    varying, even = render(bank, *records)[0]
    ratio = np.log(varying / even)
    assert ratio.std() == pytest.approx(0.5, abs=0.15)
    assert np.abs(np.diff(ratio, axis=0)).max() < 0.2  # smooth: the same noise, stronger here and weaker there


@pytest.mark.parametrize(("bits", "highest"), [(3, 1.0), (8, 0.6), (12, 1.1)])
def test_storage_clips_and_rounds(bank: LabelBank, bits: int, highest: float) -> None:
    record = noisy(bank, (30, 34, 31), 0.05, storage=StorageParameters(highest, 2**bits - 1))
    image, _ = render_one(bank, record)
    whole = image * (2**bits - 1) / highest
    np.testing.assert_allclose(whole, np.rint(whole), atol=2e-3)
    plain, _ = render_one(bank, dataclasses.replace(record, storage=None))
    assert np.abs(image - np.minimum(plain, highest)).max() <= 0.5 * highest / (2**bits - 1) + 1e-6
    assert len(np.unique(image)) <= 2**bits


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ringing_overshoots_a_step_by_nine_percent(axis: int) -> None:
    halves = np.ones((82, 82, 82), np.uint8)
    halves[np.indices(halves.shape)[axis] > 40] = 2
    bank = bank_of(halves, scheme=LEVELS)
    shares = [1.0, 1.0, 1.0]
    shares[axis] = 0.5
    size = [12, 12, 12]
    size[axis] = 80
    mixture = MixtureParameters((0.0, 100.0, 200.0) + (0.0,) * 253, (0.0,) * 256, "random")
    record = plain_record(bank, tuple(size), mixture=mixture, ringing=RingingParameters(tuple(shares)))
    image, target = render_one(bank, record)
    line = np.moveaxis(image, axis, 0)[:, 6, 6]
    assert 207.0 < line[20:60].max() < 210.0
    assert 90.0 < line[20:60].min() < 93.0
    crossing = np.interp(150.0, line[38:42], np.arange(38, 42))
    assert crossing == pytest.approx(np.argmax(np.moveaxis(target, axis, 0)[:, 6, 6] == 2) - 0.5, abs=0.05)


def test_ringing_cuts_k_space() -> None:
    matrix = truncated_matrix(256, 1.0, 0.6)
    dense = np.zeros((256, 256))
    for output in range(256):
        taps = matrix.starts[output] + np.arange(matrix.taps)
        inside = (taps >= 0) & (taps < 256)
        dense[output, taps[inside]] = matrix.weights[inside, output]
    middle = slice(64, 192)
    for frequency, kept in ((0.2, 1.0), (0.27, 1.0), (0.33, 0.0), (0.45, 0.0)):
        wave = np.cos(2 * np.pi * frequency * np.arange(256))
        np.testing.assert_allclose((dense @ wave)[middle], kept * wave[middle], atol=0.06)
    np.testing.assert_allclose(dense.sum(axis=1), 1.0, atol=1e-5)


def test_signal_is_lost_around_its_centre(bank: LabelBank) -> None:
    flat = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
    loss = SignalLossParameters(((20.0, 22.0, 18.0),), (4.0,), (0.9,))
    record = plain_record(bank, (40, 44, 37), mixture=flat, signal_loss=loss)
    image, _ = render_one(bank, record)
    place = np.unravel_index(np.argmin(image), image.shape)
    first = np.array(record.deformation.centre_voxels) - (np.array(record.size) - 1) / 2
    np.testing.assert_allclose(place + first, loss.centres_voxels[0], atol=0.51)
    assert image.min() == pytest.approx(10.0, abs=0.5)
    assert image[place[0] + 4, place[1], place[2]] == pytest.approx(100.0 * (1 - 0.9 * np.exp(-0.5)), abs=0.5)
    assert image[-1, -1, -1] == pytest.approx(100.0, abs=0.01)


SCANS = {
    "coils": {"acquisition": AcquisitionParameters((1.0, 1.0, 3.4), (0.5, 0.5, 2.0), 0.05, 4)},
    "many coils": {"acquisition": AcquisitionParameters((1.0, 2.0, 1.0), (0.5, 1.0, 0.5), 0.05, 11)},
    "noise field": {
        "acquisition": AcquisitionParameters((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), 0.05),
        "noise_field": NoiseFieldParameters(0.4, 16),
    },
    "ringing": {"ringing": RingingParameters((0.6, 0.8, 0.5))},
    "ringing of coarse voxels": {
        "acquisition": AcquisitionParameters((1.5, 1.5, 5.0), (0.8, 0.8, 3.0), 0.03),
        "ringing": RingingParameters((0.7, 1.0, 1.0)),
    },
    "signal loss": {
        "signal_loss": SignalLossParameters(((20.0, 22.0, 18.0), (30.0, 30.0, 30.0)), (4.0, 9.0), (0.9, 0.4))
    },
}


@pytest.mark.parametrize("stage", list(SCANS))
@pytest.mark.parametrize("size", [(40, 44, 37), (19, 9, 30)])
def test_every_stage_agrees_with_the_oracle(bank: LabelBank, stage: str, size: Size) -> None:
    assert_agrees(bank, plain_record(bank, size, gamma=0.9, **SCANS[stage]), tolerance=5e-4)


def test_storage_agrees_with_the_oracle_to_a_level(bank: LabelBank) -> None:
    record = noisy(bank, (40, 44, 37), 0.05, storage=StorageParameters(0.9, 255))
    difference = np.abs(render_one(bank, record)[0] - reference(bank, record)[0])
    assert np.mean(difference > 1e-4) < 2e-3  # values that lie between two whole numbers round either way
    assert difference.max() < 0.9 / 255 + 1e-4


def test_drawn_numbers_are_as_configured(bank: LabelBank) -> None:
    config = plain_config(
        noise=NoiseConfig(1.0, 0.1),
        menu=MenuConfig(0.3, 0.2, 0.1),
        coils=CoilsConfig(0.4, [2, 5]),
        noise_field=NoiseFieldConfig(0.3, 0.4, [24.0, 64.0]),
        storage=StorageConfig(0.5, [0.7, 1.2], [6, 12]),
        ringing=RingingConfig(1.0, [0.5, 0.9]),
        signal_loss=SignalLossConfig(0.5, 3, [0.3, 1.0], [5.0, 15.0]),
    )
    engine = synthesizer(bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(400)]
    spacings = np.array([record.acquisition.spacing_voxels for record in records])
    coarse = (spacings > 1).sum(axis=1)
    cubes = (spacings[:, 0] > 1) & (np.ptp(spacings, axis=1) == 0)
    kinds = np.where(cubes, 2, coarse)
    assert stats.chisquare(np.bincount(kinds, minlength=4), np.multiply((0.4, 0.3, 0.1, 0.2), 400)).pvalue > 0.002
    assert stats.kstest(spacings[cubes, 0], stats.uniform(2.0, 3.0).cdf).pvalue > 0.002
    slices = spacings[coarse == 1].max(axis=1)
    assert stats.kstest(slices, stats.uniform(2.5, 6.0).cdf).pvalue > 0.002
    low_field = np.sort(spacings[kinds == 3], axis=1)
    np.testing.assert_array_equal(low_field[:, 0], low_field[:, 1])
    assert 1.3 <= low_field[:, 0].min() <= low_field[:, 0].max() <= 1.7
    assert 4.5 <= low_field[:, 2].min() <= low_field[:, 2].max() <= 5.5
    several = [record.acquisition.coils for record in records if record.acquisition.coils > 1]
    assert set(several) == {2, 3, 4, 5}
    assert stats.binomtest(len(several), 400, 0.4).pvalue > 0.002
    assert stats.binomtest(sum(record.noise_field is not None for record in records), 400, 0.3).pvalue > 0.002
    stored = [record.storage for record in records if record.storage is not None]
    assert {record.levels for record in stored} == {2**bits - 1 for bits in range(6, 13)}
    for record in records:
        if record.ringing is not None:
            kept, spacing = np.array(record.ringing.kept_shares), np.array(record.acquisition.spacing_voxels)
            assert (kept < 1).any()
            assert (spacing[kept < 1] == spacing.min()).all()
    depths = [depth for record in records if record.signal_loss is not None for depth in record.signal_loss.depths]
    assert stats.kstest(depths, stats.uniform(0.3, 0.7).cdf).pvalue > 0.002


def test_signal_is_lost_in_the_brain_whatever_neck_the_map_has() -> None:
    axes = np.meshgrid(*(np.arange(size) - size / 2 for size in (60, 76, 64)), indexing="ij")
    radius = np.sqrt((axes[0] / 27) ** 2 + (axes[1] / 35) ** 2 + (axes[2] / 28) ** 2)
    above_neck = np.array([0, 0, 100])
    white = np.argwhere(radius < 0.8) + above_neck
    grey = np.argwhere((radius >= 0.8) & (radius < 1)) + above_neck
    neck = np.stack([np.full(100, 30), np.full(100, 30), np.arange(100)], axis=1)
    fluid = np.concatenate([np.argwhere(radius < 0.2) + above_neck, neck])
    foreground = [torch.from_numpy(voxels) for voxels in (grey, white, fluid)]
    places = {tuple(voxel) for voxel in np.concatenate([grey, white, fluid]).tolist()}
    config = SignalLossConfig(1.0, 1, [0.3, 1.0], [5.0, 15.0])
    drawn = [sample_signal_loss(config, foreground, 1.0, SampleKey(0, index)) for index in range(300)]
    centres = np.array([record.centres_voxels[0] for record in drawn if record is not None])
    assert all(tuple(centre) in places for centre in centres.astype(int).tolist())
    front = centres[(centres[:, 1] > 55) & (np.abs(centres[:, 0] - 30) < 12) & (centres[:, 2] > 100)]
    sides = [centres[side & (centres[:, 2] > 100)] for side in (centres[:, 0] < 20, centres[:, 0] > 40)]
    for site in (front, *sides):  # a quarter of the blobs each, and what is anywhere
        assert len(site) > 40
        assert np.median(site[:, 2]) < 132  # the lower half of the brain, beside the skull's base


@pytest.mark.parametrize(
    ("first", "end"), [((0, 0, 9), (40, 44, 37)), ((5, 0, 0), (30, 44, 37)), ((0, 3, 0), (40, 44, 37))]
)
def test_what_is_not_imaged_is_zero_and_background(bank: LabelBank, first: Size, end: Size) -> None:
    record = noisy(bank, (40, 44, 37), 0.05)
    whole, labels = render_one(bank, record)
    image, target = render_one(bank, dataclasses.replace(record, field_of_view=FieldOfViewParameters(first, end)))
    seen = np.zeros(record.size, bool)
    seen[first[0] : end[0], first[1] : end[1], first[2] : end[2]] = True
    np.testing.assert_array_equal(image, np.where(seen, whole, 0.0))
    np.testing.assert_array_equal(target, np.where(seen, labels, 0))


def test_fields_of_view_are_drawn_as_configured(bank: LabelBank) -> None:
    config = plain_config(field_of_view=FieldOfViewConfig(0.5, [0.1, 0.3]))
    engine = synthesizer(bank, (100, 100, 100), config)
    views = [engine.sample_parameters(index).field_of_view for index in range(300)]
    drawn = [view for view in views if view is not None]
    assert stats.binomtest(len(drawn), 300, 0.5).pvalue > 0.002
    missing = np.array([(*view.first_voxel, *(100 - end for end in view.end_voxel)) for view in drawn])
    assert set(np.sum(missing > 0, axis=1)) == {1, 2}
    assert 10 <= missing[missing > 0].min() <= missing.max() <= 30
    np.testing.assert_array_equal((missing[:, :3] > 0) | (missing[:, 3:] > 0), np.eye(3)[np.argmax(missing, 1) % 3] > 0)


def test_a_share_of_the_skull_strips_is_poor(bank: LabelBank) -> None:
    engine = synthesizer(bank, (8, 8, 8), plain_config(skull_strip=SkullStripConfig(1.0, poor_probability=0.3)))
    strips = [engine.sample_parameters(index).skull_strip for index in range(300)]
    poor = [strip for strip in strips if strip.edge_spacing_voxels > 32]
    assert len(poor) > 30
    assert max(strip.edge_offset_mm for strip in strips) > 6.0
    good = plain_config(skull_strip=SkullStripConfig(1.0, poor_probability=0.0))
    same = [synthesizer(bank, (8, 8, 8), good).sample_parameters(index).skull_strip for index in range(300)]
    assert stats.binomtest(sum(a == b for a, b in zip(strips, same, strict=True)), 300, 0.7).pvalue > 0.002
