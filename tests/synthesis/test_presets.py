"""The presets that imitate published generators draw from their published distributions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.compose import compose
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.synthesis.heads import synthesizer
from tests.synthesis.test_parameters import assert_share, assert_uniform

COUNT = 600
SCALE = {"lab2im": 0.15, "synthseg": 0.2}
ROTATION_DEG = {"lab2im": 10.0, "synthseg": 15.0}
SHEAR = {"lab2im": 0.02, "synthseg": 0.012}


def preset(name: str) -> SynthesisConfig:
    return compose([f"+experiment={name}", "hardware=laptop"]).synthesis


def draw(bank: LabelBank, config: SynthesisConfig, count: int = COUNT) -> list[SynthesisParameters]:
    engine = synthesizer(bank, (24, 24, 24), config)
    return [engine.sample_parameters(index) for index in range(count)]


@pytest.fixture(scope="module")
def lab2im(bank: LabelBank) -> list[SynthesisParameters]:
    return draw(bank, preset("lab2im"))


@pytest.fixture(scope="module")
def synthseg(bank: LabelBank) -> list[SynthesisParameters]:
    return draw(bank, preset("synthseg"))


def test_lab2im_intensities(lab2im: list[SynthesisParameters]) -> None:
    """Billot et al. 2020: mu ~ U(25, 225), sigma ~ U(5, 25) for every class, background too; gamma exp(N(0, .2^2))."""
    for group in (0, 1, 4, 6):
        assert_uniform([record.mixture.means[group] for record in lab2im], 25.0, 225.0)
        assert_uniform([record.mixture.stds[group] for record in lab2im], 5.0, 25.0)
    assert {record.mixture.source for record in lab2im} == {"random"}
    assert {record.background for record in lab2im} == {"textured"}
    assert stats.kstest(np.log([record.gamma for record in lab2im]), stats.norm(0.0, 0.2).cdf).pvalue > 0.002
    assert {record.clip_max for record in lab2im} == {300.0}
    assert_share([record.bias_field is not None for record in lab2im], 0.95)
    assert_uniform([r.bias_field.std for r in lab2im if r.bias_field is not None], 0.0, 0.3)


def test_lab2im_has_no_flips_strips_noise_or_resolution(lab2im: list[SynthesisParameters]) -> None:
    for record in lab2im:
        assert not record.deformation.flip
        assert record.skull_strip is None
        assert record.acquisition.noise_std == 0.0
        assert record.acquisition.spacing_voxels == (1.0, 1.0, 1.0)
        assert record.acquisition.psf_sigma_voxels == pytest.approx((0.5, 0.5, 0.5))


def test_synthseg_intensities(synthseg: list[SynthesisParameters]) -> None:
    """Billot et al. 2023: mu ~ U(0, 250), sigma ~ U(0, 30), background 5 % zero, 25 % dark; gamma exp(N(0, .5^2))."""
    for group in (1, 4, 6):
        assert_uniform([record.mixture.means[group] for record in synthseg], 0.0, 250.0)
        assert_uniform([record.mixture.stds[group] for record in synthseg], 0.0, 30.0)
    kinds = [sum(record.background == kind for record in synthseg) for kind in ("zero", "dark", "textured")]
    assert stats.chisquare(kinds, np.multiply((0.05, 0.25, 0.7), len(synthseg))).pvalue > 0.002
    dark = [record.mixture for record in synthseg if record.background == "dark"]
    assert_uniform([mixture.means[0] for mixture in dark], 0.0, 15.0)
    assert_uniform([mixture.stds[0] for mixture in dark], 0.0, 5.0)
    assert stats.kstest(np.log([record.gamma for record in synthseg]), stats.norm(0.0, 0.5).cdf).pvalue > 0.002
    assert_share([record.bias_field is not None for record in synthseg], 0.95)
    assert_uniform([r.bias_field.std for r in synthseg if r.bias_field is not None], 0.0, 0.7)


def test_synthseg_resolution(synthseg: list[SynthesisParameters]) -> None:
    """5 % native, 9.5 % isotropic U(1, 4) mm, 85.5 % U(1, 8) mm along one axis; sigma .75 thickness, jitter 1.03."""
    spacings = np.array([record.acquisition.spacing_voxels for record in synthseg])
    thick = (spacings > 1.0).sum(axis=1)
    kinds = [(thick == count).sum() for count in (0, 3, 1)]
    assert stats.chisquare(kinds, np.multiply((0.05, 0.095, 0.855), COUNT)).pvalue > 0.002
    assert_uniform(spacings[thick == 3, 0], 1.0, 4.0)
    np.testing.assert_array_equal(spacings[thick == 3, 0], spacings[thick == 3, 1])
    assert_uniform(spacings[thick == 1].max(axis=1), 1.0, 8.0)
    axes = np.bincount(spacings[thick == 1].argmax(axis=1), minlength=3)
    assert stats.chisquare(axes).pvalue > 0.002
    sigmas = np.array([record.acquisition.psf_sigma_voxels for record in synthseg])
    shares = (sigmas[thick == 1].max(axis=1) / 0.75 - 1.0) / (spacings[thick == 1].max(axis=1) - 1.0)
    wide = spacings[thick == 1].max(axis=1) > 4.0  # where the jitter of the point spread function hides little
    assert stats.kstest(np.clip(shares[wide], 0.0, 1.0), stats.uniform(0.0, 1.0).cdf).statistic < 0.1
    assert {record.acquisition.noise_std for record in synthseg} == {0.0}
    assert_share([record.deformation.flip for record in synthseg], 0.5)
    assert {record.skull_strip for record in synthseg} == {None}


@pytest.mark.parametrize("name", ["lab2im", "synthseg"])
def test_affine_parts_are_uniform(bank: LabelBank, name: str) -> None:
    config = preset(name)
    still = dataclasses.replace(config.affine, scale_max=0.0, rotation_max_deg=0.0, shear_max=0.0)
    flip = dataclasses.replace(config.flip, probability=0.0)

    def matrices(**part: float) -> np.ndarray:
        affine = dataclasses.replace(still, **part)
        records = draw(bank, dataclasses.replace(config, affine=affine, flip=flip), 250)
        return np.array([record.deformation.matrix for record in records])

    for axis in range(3):
        scales = matrices(scale_max=config.affine.scale_max)[:, axis, axis]
        assert_uniform(scales, 1.0 - SCALE[name], 1.0 + SCALE[name])
    rotations = matrices(rotation_max_deg=config.affine.rotation_max_deg)
    assert_uniform(
        np.degrees(np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])), -ROTATION_DEG[name], ROTATION_DEG[name]
    )
    assert_uniform(matrices(shear_max=config.affine.shear_max)[:, 0, 1], -SHEAR[name], SHEAR[name])


@pytest.mark.parametrize(("name", "spacing_voxels"), [("lab2im", 16.0), ("synthseg", 25.0)])
def test_velocity_fields(bank: LabelBank, name: str, spacing_voxels: float) -> None:
    """Standard deviation U(0, 4) voxels; control points at 1 / .0625 voxels in lab2im, 1 / .04 in SynthSeg."""
    drawn = [record.deformation for record in draw(bank, preset(name), 300)]
    assert_uniform([deformation.velocity_std_voxels for deformation in drawn], 0.0, 4.0)
    assert {deformation.velocity_spacing_voxels for deformation in drawn} == {spacing_voxels}


def test_thesis_is_lab2im_on_one_class_per_target() -> None:
    thesis = compose(["+experiment=thesis", "hardware=laptop"])
    assert thesis.synthesis == preset("lab2im")
    assert thesis.labels.one_class_per_target


def test_physics_presets_draw_what_they_say(tissue_bank: LabelBank) -> None:
    physics = draw(tissue_bank, preset("physics"), 200)
    assert {record.mixture.source for record in physics} == {"physics"}
    assert {record.sequence.contrast for record in physics if record.sequence} == {"T1w", "T2w", "FLAIR", "PDw", "T2*w"}
    for name, strengths in (("hyperfine", {0.064}), ("clinical", {1.5, 3.0})):
        records = draw(tissue_bank, preset(name), 200)
        assert_share([record.sequence is not None for record in records], 0.5)
        assert {record.sequence.field_strength_t for record in records if record.sequence} == strengths
    assert_share([record.sequence is not None for record in draw(tissue_bank, preset("randomized"), 300)], 0.5)
