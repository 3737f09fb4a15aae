"""Drawn parameters follow the configured distributions, and each stage has its own random numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.acquisition import CoilsConfig, MenuConfig, NoiseFieldConfig
from otfsynth.config.artefacts import RingingConfig
from otfsynth.config.defacing import DefacingConfig, NeckConfig
from otfsynth.config.synthesis import (
    AffineConfig,
    BiasFieldConfig,
    FlipConfig,
    GammaConfig,
    MixtureConfig,
    NoiseConfig,
    ResolutionConfig,
    SkullStripConfig,
    SynthesisConfig,
    VelocityFieldConfig,
)
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.synthesis.heads import RANDOM_CONTRASTS, bare_config, plain_config, synthesizer

SIZE = (24, 24, 24)
COUNT = 400
CONFIG = SynthesisConfig(
    flip=FlipConfig(0.5),
    affine=AffineConfig(1.0, 0.2, 15.0, 0.012, 10.0),
    velocity_field=VelocityFieldConfig(0.8, 4.0, [20.0, 40.0]),
    skull_strip=SkullStripConfig(0.7, [-2.0, 3.0], 1.5, [8.0, 32.0], poor_probability=0.0),
    bias_field=BiasFieldConfig(0.95, 0.7, [40.0, 96.0]),
    gamma=GammaConfig(0.9, 0.5, 300.0),
    resolution=ResolutionConfig(0.35, 0.25, 0.4, [1.0, 3.0], [1.0, 7.0], 0.5, 1.03),
    noise=NoiseConfig(0.9, 0.06),
    menu=MenuConfig(0.0, 0.0, 0.0),
    ringing=RingingConfig(0.0),
    coils=CoilsConfig(0.0),
    noise_field=NoiseFieldConfig(0.0),
    neck=NeckConfig(0.0),  # where it ends depends on the affine
    defacing=DefacingConfig(0.0),  # what is stripped is not defaced
    contrast=RANDOM_CONTRASTS,
    mixture=MixtureConfig("uniform", [0.0, 250.0], [0.0, 30.0]),
)


def draw(bank: LabelBank, config: SynthesisConfig, count: int = COUNT) -> list[SynthesisParameters]:
    engine = synthesizer(bank, SIZE, config)
    return [engine.sample_parameters(index) for index in range(count)]


@pytest.fixture(scope="module")
def records(bank: LabelBank) -> list[SynthesisParameters]:
    return draw(bank, CONFIG)


def assert_uniform(values: Sequence[float], low: float, high: float) -> None:
    drawn = np.asarray(values)
    assert drawn.size > 50
    assert low <= drawn.min() <= drawn.max() <= high
    assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 0.002


def assert_share(happened: Sequence[bool], probability: float) -> None:
    assert stats.binomtest(int(np.sum(happened)), len(happened), probability).pvalue > 0.002


def test_a_bare_model_draws_no_stage(bank: LabelBank) -> None:
    """What a sample may lack it lacks, whatever stage comes later."""
    optional = [field.name for field in dataclasses.fields(SynthesisParameters) if field.default is None]
    optional.remove("map_shape")  # of the map
    assert len(optional) > 20
    optional += ["skull_strip", "bias_field", "gamma"]
    for record in draw(bank, bare_config(), 20):
        assert not [name for name in optional if getattr(record, name) is not None]
        assert not record.deformation.flip
        assert record.deformation.velocity_std_voxels == 0.0
        np.testing.assert_array_equal(record.deformation.matrix, np.eye(3))
        assert record.acquisition.noise_std == 0.0
        assert record.acquisition.spacing_voxels == (1.0, 1.0, 1.0)


def test_maps_and_flips_are_fair(records: list[SynthesisParameters]) -> None:
    assert_share([record.map_index == 1 for record in records], 0.5)
    assert_share([record.deformation.flip for record in records], 0.5)
    for record in records:
        assert (np.linalg.det(record.deformation.matrix) < 0) == record.deformation.flip


def test_velocity_field_is_uniform(records: list[SynthesisParameters]) -> None:
    used = [r.deformation for r in records if r.deformation.velocity_std_voxels > 0]
    assert_share([r.deformation.velocity_std_voxels > 0 for r in records], 0.8)
    assert_uniform([d.velocity_std_voxels for d in used], 0.0, 4.0)
    assert_uniform([d.velocity_spacing_voxels for d in used], 20.0, 40.0)


def test_scaling_is_uniform_and_independent_per_axis(bank: LabelBank) -> None:
    config = plain_config(affine=AffineConfig(1.0, 0.2, 0.0, 0.0, 0.0))
    matrices = np.array([record.deformation.matrix for record in draw(bank, config)])
    np.testing.assert_array_equal(matrices[:, ~np.eye(3, dtype=bool)], 0.0)
    scales = matrices[:, np.eye(3, dtype=bool)]
    for axis in range(3):
        assert_uniform(scales[:, axis], 0.8, 1.2)
    assert abs(np.corrcoef(scales.T) - np.eye(3)).max() < 0.2


def test_rotation_is_uniform_about_each_axis(bank: LabelBank) -> None:
    config = plain_config(affine=AffineConfig(1.0, 0.0, 15.0, 0.0, 0.0))
    matrices = np.array([record.deformation.matrix for record in draw(bank, config)])
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), matrices.shape), atol=1e-9
    )
    assert np.linalg.det(matrices).min() > 0.99
    angles = np.degrees([np.arctan2(matrices[:, 2, 1], matrices[:, 2, 2]), -np.arcsin(matrices[:, 2, 0])])
    for drawn in (*angles, np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))):
        assert_uniform(drawn, -15.0, 15.0)


def test_shear_is_uniform(bank: LabelBank) -> None:
    config = plain_config(affine=AffineConfig(1.0, 0.0, 0.0, 0.1, 0.0))
    matrices = np.array([record.deformation.matrix for record in draw(bank, config)])
    for row, column in ((0, 1), (1, 0), (2, 0), (1, 2)):
        assert_uniform(matrices[:, row, column], -0.1, 0.1)
    np.testing.assert_allclose(matrices[:, np.eye(3, dtype=bool)], 1.0)


def test_translation_is_uniform(bank: LabelBank) -> None:
    still = draw(bank, plain_config(affine=AffineConfig(0.0)))
    moved = draw(bank, plain_config(affine=AffineConfig(1.0, 0.0, 0.0, 0.0, 10.0)))
    shifts = np.array([m.deformation.centre_voxels for m in moved]) - [s.deformation.centre_voxels for s in still]
    for axis in range(3):
        assert_uniform(shifts[:, axis], -10.0, 10.0)


def test_mixture_and_background_are_as_configured(records: list[SynthesisParameters]) -> None:
    shares = (0.3, 0.5, 0.2)
    observed = [sum(record.background == kind for record in records) for kind in ("zero", "dark", "textured")]
    assert stats.chisquare(observed, np.multiply(shares, len(records))).pvalue > 0.002
    for group in (1, 4, 6):
        assert_uniform([record.mixture.means[group] for record in records], 0.0, 250.0)
        assert_uniform([record.mixture.stds[group] for record in records], 0.0, 30.0)
    dark = [record.mixture for record in records if record.background == "dark"]
    assert_uniform([mixture.means[0] for mixture in dark], 0.0, 15.0)
    assert_uniform([mixture.stds[0] for mixture in dark], 0.0, 5.0)
    assert_uniform([r.mixture.means[0] for r in records if r.background == "textured"], 0.0, 250.0)
    assert {(r.mixture.means[0], r.mixture.stds[0]) for r in records if r.background == "zero"} == {(0.0, 0.0)}
    assert {record.mixture.source for record in records} == {"random"}


def test_normal_mixture_is_normal(bank: LabelBank) -> None:
    config = plain_config(mixture=MixtureConfig("normal", [120.0, 20.0], [15.0, 2.0]))
    means = np.array([record.mixture.means for record in draw(bank, config, 100)]).ravel()
    stds = np.array([record.mixture.stds for record in draw(bank, config, 100)]).ravel()
    assert stats.kstest(means, stats.norm(120.0, 20.0).cdf).pvalue > 0.002
    assert stats.kstest(stds, stats.norm(15.0, 2.0).cdf).pvalue > 0.002


def test_tissue_contrast_is_met_by_nearly_all(tissue_bank: LabelBank) -> None:
    scheme, indices = tissue_bank.scheme, tissue_bank[0].indices.numpy()
    volumes = np.zeros((scheme.target_count - 1, scheme.class_count))  # voxels of each class in each target
    for index, count in zip(*np.unique(indices, return_counts=True), strict=True):
        if scheme.target_table[index] > 0:
            volumes[scheme.target_table[index] - 1, scheme.class_table[index]] += count

    def contrasts(mixture: MixtureConfig) -> np.ndarray:
        found = []
        for record in draw(tissue_bank, plain_config(mixture=mixture), 200):
            averages = [np.average(record.mixture.means, weights=row) for row in volumes]
            found.append(np.diff(np.sort(averages)).min())
        return np.array(found)

    assert np.mean(contrasts(MixtureConfig(tissue_contrast_probability=0.0)) >= 20.0) < 0.7
    asked = contrasts(MixtureConfig(tissue_contrast_min=20.0, tissue_contrast_probability=1.0))
    assert np.mean(asked >= 18.0) > 0.99  # shares come from at most 4096 voxels a target


def test_skull_strip_is_uniform(records: list[SynthesisParameters]) -> None:
    used = [record.skull_strip for record in records if record.skull_strip is not None]
    assert_share([record.skull_strip is not None for record in records], 0.7)
    assert_uniform([strip.edge_offset_mm for strip in used], -2.0, 3.0)
    assert_uniform([strip.edge_roughness_mm for strip in used], 0.0, 1.5)
    assert {strip.edge_spacing_voxels for strip in used} == {8, 16, 24, 32}


def test_bias_and_gamma_are_as_configured(records: list[SynthesisParameters]) -> None:
    fields = [record.bias_field for record in records if record.bias_field is not None]
    assert_share([record.bias_field is not None for record in records], 0.95)
    assert_uniform([bias.std for bias in fields], 0.0, 0.7)
    assert {bias.spacing_voxels for bias in fields} == {40, 48, 56, 64, 72, 80, 88, 96}
    assert_share([record.gamma is not None for record in records], 0.9)
    exponents = np.log([record.gamma for record in records if record.gamma is not None])
    assert stats.kstest(exponents, stats.norm(0.0, 0.5).cdf).pvalue > 0.002


def test_noise_is_a_share_of_the_intensity_range(records: list[SynthesisParameters]) -> None:
    assert_share([record.acquisition.noise_std > 0 for record in records], 0.9)
    noisy = [record for record in records if record.acquisition.noise_std > 0]
    assert_uniform([r.acquisition.noise_std for r in noisy if r.gamma is not None], 0.0, 0.06)
    unscaled = [r.acquisition.noise_std / r.clip_max for r in noisy if r.gamma is None]
    assert len(unscaled) > 15
    assert 0.03 < max(unscaled) <= 0.06


def test_resolution_menu_is_as_configured(records: list[SynthesisParameters]) -> None:
    spacings = np.array([record.acquisition.spacing_voxels for record in records])
    sigmas = np.array([record.acquisition.psf_sigma_voxels for record in records])
    thick = (spacings > 1).sum(axis=1)
    assert set(thick) == {0, 1, 3}
    assert stats.chisquare(np.bincount(thick)[[0, 3, 1]], np.multiply((0.35, 0.25, 0.4), COUNT)).pvalue > 0.002
    isotropic = spacings[thick == 3]
    np.testing.assert_array_equal(isotropic, isotropic[:, :1].repeat(3, axis=1))
    assert_uniform(isotropic[:, 0], 1.0, 3.0)
    assert_uniform(spacings[thick == 1].max(axis=1), 1.0, 7.0)
    assert stats.chisquare(np.bincount(spacings[thick == 1].argmax(axis=1))).pvalue > 0.002
    native = sigmas[spacings == 1]
    assert 0.5 / 1.03 <= native.min() < native.max() <= 0.5 * 1.03
    blurred = spacings > 1
    assert (sigmas[blurred] >= 0.75 / 1.03 - 1e-12).all()
    assert (sigmas[blurred] <= 0.75 * 1.03 * spacings[blurred] + 1e-12).all()


def test_no_random_number_is_used_twice(records: list[SynthesisParameters]) -> None:
    """Uniform draws, scaled back to [0, 1]: streams that overlap between stages or samples would repeat a number."""
    units = []
    for record in records:
        units += [mean / 250.0 for mean in record.mixture.means[1:]] + [std / 30.0 for std in record.mixture.stds[1:]]
        units.append((record.deformation.velocity_spacing_voxels - 20.0) / 20.0)
        if record.bias_field is not None:
            units.append(record.bias_field.std / 0.7)
        if record.skull_strip is not None:
            units.append((record.skull_strip.edge_offset_mm + 2.0) / 5.0)
            units.append(record.skull_strip.edge_roughness_mm / 1.5)
        if record.gamma is not None and record.acquisition.noise_std > 0:
            units.append(record.acquisition.noise_std / 0.06)
    assert len(units) > 14 * COUNT
    assert len(np.unique(np.round(units, 12))) == len(units)


CHANGES = {
    "flip": FlipConfig(0.0),
    "affine": AffineConfig(0.0),
    "velocity_field": VelocityFieldConfig(0.0),
    "mixture": MixtureConfig(
        "uniform", [10.0, 20.0], [0.0, 1.0], tissue_contrast_min=5.0, tissue_contrast_probability=1.0
    ),
    "skull_strip": SkullStripConfig(0.0),
    "bias_field": BiasFieldConfig(0.0),
    "gamma": GammaConfig(1.0, 0.1),
    "resolution": ResolutionConfig(0.0, 1.0, 0.0),
    "noise": NoiseConfig(1.0, 0.5),
}


@pytest.mark.parametrize("stage", list(CHANGES))
def test_a_change_of_one_stage_leaves_the_others(bank: LabelBank, stage: str) -> None:
    base = dataclasses.replace(CONFIG, gamma=GammaConfig(1.0))  # gamma sets the unit of noise, so it stays on
    changed = dataclasses.replace(base, **{stage: CHANGES[stage]})
    same = 0
    for before, after in zip(draw(bank, base, 40), draw(bank, changed, 40), strict=True):
        first, second = flatten(before), flatten(after)
        differing = {name for name in first if first[name] != second[name]}
        assert differing <= FIELDS[stage], f"{stage} changed {differing - FIELDS[stage]}"
        same += not differing
    assert same < 40, "the change did not show: this test would not see a leak"


FIELDS = {
    "flip": {"flip", "matrix"},
    "affine": {"matrix", "centre_voxels"},
    "velocity_field": {"velocity_std_voxels", "velocity_spacing_voxels"},
    "mixture": {"means", "stds"},
    "skull_strip": {"skull_strip"},
    "bias_field": {"bias_field"},
    "gamma": {"gamma"},
    "resolution": {"spacing_voxels", "psf_sigma_voxels"},
    "noise": {"noise_std"},
}


def flatten(record: SynthesisParameters) -> dict[str, object]:
    plain = dataclasses.asdict(record)
    return {**plain.pop("deformation"), **plain.pop("mixture"), **plain.pop("acquisition"), **plain}


def test_records_are_reproducible_and_read_errors_name_the_remedy(
    bank: LabelBank, records: list[SynthesisParameters]
) -> None:
    assert draw(bank, CONFIG, 20) == records[:20]
    assert SynthesisParameters.from_json(records[7].to_json()) == records[7]
    with pytest.raises(ValueError, match="gama"):
        SynthesisParameters.from_json(records[0].to_json().replace('"gamma"', '"gama"'))
    with pytest.raises(ValueError, match="parameter record"):
        SynthesisParameters.from_json("[1, 2]")
