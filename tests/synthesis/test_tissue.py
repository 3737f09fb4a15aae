"""Partial volume, sub-classes, texture and slow variation inside tissues."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage, stats

from otfsynth.config.tissue import HeterogeneityConfig, PartialVolumeConfig, SubclassesConfig, TextureConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters, SynthesisParameters
from otfsynth.synthesis.tissue import (
    HeterogeneityParameters,
    PartialVolumeParameters,
    SubclassParameters,
    TextureParameters,
    row_spacing,
)
from tests import references
from tests.references.tissue import subclass_numbers
from tests.synthesis.heads import (
    IDENTITY,
    LEVELS,
    Size,
    assert_agrees,
    bank_of,
    plain_config,
    plain_record,
    render,
    render_one,
    synthesizer,
)

FLAT = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
NOISY = MixtureParameters((100.0,) * 7, (10.0,) * 7, "random")
TURN = ((0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))


def plane(axis: int) -> LabelBank:
    """Class 1 below the middle of one axis, class 2 above: the border lies at 15.5."""
    halves = np.ones((32, 32, 32), np.uint8)
    halves[np.indices(halves.shape)[axis] > 15] = 2
    return bank_of(halves, scheme=LEVELS)


def crossing(bank: LabelBank, axis: int, offset: float, width: float, stds: tuple[float, float]) -> SynthesisParameters:
    """A patch whose voxel 4 of one axis has its middle ``offset`` beyond the plane; means 0 and 200."""
    centre = [15.0, 15.0, 15.0]
    centre[axis] = 15.5 + offset
    deformation = DeformationParameters(False, IDENTITY, (centre[0], centre[1], centre[2]), 0.0, 20.0)
    mixture = MixtureParameters((0.0, 100.0, 200.0) + (0.0,) * 253, (0.0, *stds) + (0.0,) * 253, "random")
    return plain_record(
        bank, (9, 9, 9), deformation=deformation, mixture=mixture, partial_volume=PartialVolumeParameters(width)
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("width", [1.0, 1.6])
def test_a_plane_at_a_known_offset_gives_its_share(axis: int, width: float) -> None:
    bank = plane(axis)
    offsets = (np.arange(40) + 0.47) / 20 - 1.0
    shares = []
    for offset in offsets:
        record = crossing(bank, axis, offset, width, (0.0, 0.0))
        image, target = render_one(bank, record)
        voxel = np.take(image, 4, axis)[2:-2, 2:-2]
        np.testing.assert_allclose(voxel, voxel[0, 0])
        np.testing.assert_array_equal(np.take(target, 4, axis), 2 if offset > 0 else 1)
        shares.append(voxel[0, 0] / 100.0 - 1.0)
    exact = np.clip(0.5 + offsets / width, 0.0, 1.0)
    assert np.abs(shares - exact).max() <= 0.125 + 1e-5  # four points meet a border at quarters
    assert np.mean(shares - exact) == pytest.approx(0.0, abs=0.02)
    assert set(np.round(shares, 5)) == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_a_mixed_voxel_has_the_mean_variance_of_its_parts() -> None:
    bank = plane(0)
    record = crossing(bank, 0, 1e-3, 1.0, (2.0, 8.0))
    images, _ = render(
        bank, *[dataclasses.replace(record, key=dataclasses.replace(record.key, index=i)) for i in range(60)]
    )
    mixed = images[:, 4]
    assert mixed.mean() == pytest.approx(150.0, abs=0.3)
    assert mixed.std() == pytest.approx(np.sqrt((2.0**2 + 8.0**2) / 2), rel=0.03)


def test_targets_and_the_inside_of_tissues_stay(bank: LabelBank) -> None:
    record = plain_record(bank, (40, 44, 37))
    image, target = render_one(bank, record)
    mixed, same = render_one(bank, dataclasses.replace(record, partial_volume=PartialVolumeParameters(1.4)))
    np.testing.assert_array_equal(target, same)
    changed = np.abs(mixed - image) > 1e-3
    assert 0.05 < changed.mean() < 0.5
    inside = ndimage.maximum_filter(target, 3) == ndimage.minimum_filter(target, 3)
    inner = (slice(1, -1),) * 3  # what lies beyond the patch is not seen here
    assert not (changed & inside)[inner].any()


@pytest.mark.parametrize("count", [2, 4])
def test_subclasses_paint_each_piece_with_its_own_mean(bank: LabelBank, count: int) -> None:
    offsets = tuple((0.0, *(10.0 * (number + 1),) * 6) for number in range(count))
    record = plain_record(bank, (40, 44, 37), mixture=FLAT, subclasses=SubclassParameters(16, offsets))
    image, target = render_one(bank, record)
    np.testing.assert_array_equal(image[target == 0], 100.0)
    pieces = np.where(target == 0, -1, np.rint((image - 110.0) / 10.0)).astype(int)
    expected = np.where(target == 0, -1, subclass_numbers(record))
    assert np.mean(pieces != expected) < 1e-3
    shares = np.bincount(pieces[pieces >= 0], minlength=count) / np.sum(pieces >= 0)
    assert shares.min() > 0.05
    same = [np.mean(np.diff(pieces, axis=axis) == 0) for axis in range(3)]
    assert min(same) > 0.85  # pieces, not salt and pepper


@pytest.mark.parametrize("spacing", [2, 4, 8, 24])
def test_texture_keeps_the_variance_and_correlates_neighbours(bank: LabelBank, spacing: int) -> None:
    records = [
        plain_record(bank, (48, 48, 48), index=index, mixture=NOISY, texture=TextureParameters(spacing, 0.6))
        for index in range(6)
    ]
    noise = (render(bank, *records)[0] - 100.0) / 10.0
    assert noise.var() == pytest.approx(1.0, abs=0.03 if spacing < 8 else 0.25)
    for axis in (1, 2, 3):
        product = np.mean(np.delete(noise, 0, axis) * np.delete(noise, -1, axis)) / noise.var()
        assert 0.35 < product < 0.68  # 0.6 times the spline's correlation one voxel apart


def test_heterogeneity_varies_each_class_by_its_strength(bank: LabelBank) -> None:
    strengths = (0.0, 0.05, 0.1, 0.05, 0.1, 0.05, 0.1)
    records = [
        plain_record(bank, (46, 52, 42), index=index, mixture=FLAT, heterogeneity=HeterogeneityParameters(8, strengths))
        for index in range(6)
    ]
    images, targets = render(bank, *records)
    classes = bank.scheme.class_table[targets]
    np.testing.assert_array_equal(images[classes == 0], 100.0)
    for group in (1, 3, 4):
        assert images[classes == group].std() == pytest.approx(100.0 * strengths[group], rel=0.15)


EVERYTHING = {
    "partial_volume": PartialVolumeParameters(1.3),
    "subclasses": SubclassParameters(8, tuple((0.0, *np.linspace(-30, 25, 6) * sign) for sign in (1, -1, 0.5, -0.2))),
    "texture": TextureParameters(4, 0.5),
    "heterogeneity": HeterogeneityParameters(16, (0.0, 0.1, 0.05, 0.08, 0.02, 0.1, 0.0)),
}


@pytest.mark.parametrize("stage", [*EVERYTHING, "all"])
@pytest.mark.parametrize("size", [(40, 44, 37), (9, 6, 21)])
@pytest.mark.parametrize("flip", [False, True])
def test_every_stage_agrees_with_the_oracle(bank: LabelBank, stage: str, size: Size, flip: bool) -> None:
    matrix = tuple(tuple(np.array(row) * ([-1, 1, 1] if flip else 1)) for row in TURN)
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    stages = EVERYTHING if stage == "all" else {stage: EVERYTHING[stage]}
    assert_agrees(bank, plain_record(bank, size, deformation=deformation, **stages))


@pytest.mark.parametrize("spacing", [2, 4, 8, 40])
def test_fields_of_every_spacing_agree_with_the_oracle(bank: LabelBank, spacing: int) -> None:
    record = plain_record(bank, (13, 10, 27), mixture=NOISY, texture=TextureParameters(spacing, 1.0))
    expected = 100.0 + 10.0 * references.tissue.texture_noise(record)
    np.testing.assert_allclose(render_one(bank, record)[0], expected, atol=2e-3)


def test_drawn_numbers_are_as_configured(tissue_bank: LabelBank) -> None:
    config = plain_config(
        partial_volume=PartialVolumeConfig(0.5, [0.8, 1.6]),
        subclasses=SubclassesConfig(0.7, 8, 25.0, [8.0, 40.0]),
        texture=TextureConfig(0.5, 0.8, [2.0, 16.0]),
        heterogeneity=HeterogeneityConfig(0.5, 0.08, [16.0, 48.0]),
    )
    engine = synthesizer(tissue_bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(400)]
    for stage, probability in (("partial_volume", 0.5), ("subclasses", 0.7), ("texture", 0.5), ("heterogeneity", 0.5)):
        happened = sum(getattr(record, stage) is not None for record in records)
        assert stats.binomtest(happened, 400, probability).pvalue > 0.002
    widths = [record.partial_volume.width_voxels for record in records if record.partial_volume]
    assert stats.kstest(widths, stats.uniform(0.8, 0.8).cdf).pvalue > 0.002
    offsets = np.concatenate([np.array(r.subclasses.mean_offsets)[:, 1:].ravel() for r in records if r.subclasses])
    assert stats.kstest(offsets, stats.norm(0, 25).cdf).pvalue > 0.002
    assert {len(record.subclasses.mean_offsets) for record in records if record.subclasses} == {2, 4}
    assert {row[0] for record in records if record.subclasses for row in record.subclasses.mean_offsets} == {0.0}
    assert {record.texture.spacing_voxels for record in records if record.texture} == {2, 4, 8, 16}
    strengths = np.concatenate([record.heterogeneity.strengths[1:] for record in records if record.heterogeneity])
    assert stats.kstest(strengths, stats.uniform(0, 0.08).cdf).pvalue > 0.002


def test_schemes_of_many_classes_have_no_subclasses(bank: LabelBank) -> None:
    engine = synthesizer(bank, (8, 8, 8), plain_config(subclasses=SubclassesConfig(1.0, most_classes=6)))
    assert engine.sample_parameters(0).subclasses is None


def test_records_of_before_these_stages_still_load(bank: LabelBank) -> None:
    record = plain_record(bank, (8, 8, 8))
    older = {name: value for name, value in json.loads(record.to_json()).items() if name not in EVERYTHING}
    assert SynthesisParameters.from_json(json.dumps(older)) == record
    newer = dataclasses.replace(record, **EVERYTHING)
    assert SynthesisParameters.from_json(newer.to_json()) == newer


@pytest.mark.parametrize(("voxels", "spacing"), [(0.5, 2), (2.9, 2), (3.1, 4), (5.9, 4), (6.1, 8), (13.0, 16)])
def test_spacings_are_those_that_rows_can_be_evaluated_on(voxels: float, spacing: int) -> None:
    assert row_spacing(voxels) == spacing
    assert row_spacing(voxels, 8) == max(spacing, 8)
