"""The curriculum: which samples are easier ones, that these are the easier model's, and mistakes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from scipy import stats

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose
from otfsynth.config.curriculum import CurriculumConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis import Synthesizer

SIZE = (24, 24, 24)
EASY = {"gamma": {"probability": 0.0}, "bias_field": {"std_max": 0.1}}


def curriculum(first: float, last: float, samples: int, **easy: object) -> CurriculumConfig:
    return CurriculumConfig(share=[first, last], samples=samples, easy=easy or EASY)


def whole_model() -> SynthesisConfig:
    config = compose(["synthesis=clean"]).synthesis
    gamma = dataclasses.replace(config.gamma, probability=1.0, std=0.5)
    bias_field = dataclasses.replace(config.bias_field, probability=1.0, std_max=0.7)
    return dataclasses.replace(config, gamma=gamma, bias_field=bias_field)


def test_the_share_changes_linearly_and_stays() -> None:
    ramp = curriculum(1.0, 0.2, 100)
    assert [ramp.share_at(index) for index in (0, 50, 100, 5000)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_samples_are_of_one_model_or_the_other(tissue_bank: LabelBank) -> None:
    """Each record equals the one that a synthesizer of its model alone draws at that index."""
    config, ramp = whole_model(), curriculum(0.5, 0.5, 1)
    mixed = Synthesizer(config, tissue_bank, SIZE, 7, curriculum=ramp)
    whole, easier = (Synthesizer(model, tissue_bank, SIZE, 7) for model in (config, ramp.easier(config)))
    kinds = []
    for index in range(60):
        record = mixed.sample_parameters(index)
        kinds.append(record.gamma is None)
        assert record == (easier if kinds[-1] else whole).sample_parameters(index)
    assert 15 < sum(kinds) < 45
    indices = range(6)
    assert len(set(kinds[:6])) == 2
    batch = mixed(indices)
    for index in indices:
        alone = (easier if kinds[index] else whole)([index])
        assert torch.equal(batch.image[index], alone.image[0])
        assert torch.equal(batch.target[index], alone.target[0])


def test_the_drawn_share_follows_the_ramp(tissue_bank: LabelBank) -> None:
    ramp = curriculum(1.0, 0.0, 400)
    mixed = Synthesizer(whole_model(), tissue_bank, SIZE, 3, curriculum=ramp)
    easy = [mixed.sample_parameters(index).gamma is None for index in range(600)]
    assert easy[0]
    assert not any(easy[400:])
    for begin in (0, 100, 200, 300):
        expected = sum(ramp.share_at(index) for index in range(begin, begin + 100)) / 100
        assert stats.binomtest(sum(easy[begin : begin + 100]), 100, expected).pvalue > 1e-4


def test_off_it_changes_no_sample(tissue_bank: LabelBank) -> None:
    plain = Synthesizer(whole_model(), tissue_bank, SIZE, 1)
    off = Synthesizer(whole_model(), tissue_bank, SIZE, 1, curriculum=CurriculumConfig())
    assert plain.sample_parameters(5) == off.sample_parameters(5)


def test_the_shipped_curriculum_fits_every_model(tissue_bank: LabelBank) -> None:
    for name in ("randomized", "synthseg", "lab2im"):
        config = compose(["curriculum=widening", f"synthesis={name}"])
        easier = config.curriculum.easier(config.synthesis)
        assert easier.contrast.engines.physics == 1.0
        assert easier.mixture == config.synthesis.mixture
        assert config.curriculum.share_at(0) == 1.0
        record = Synthesizer(config.synthesis, tissue_bank, SIZE, 0, curriculum=config.curriculum).sample_parameters(0)
        assert record.sequence is not None


@pytest.mark.parametrize(
    ("easy", "message"),
    [
        ("{noise: {std: 0.1}}", r"curriculum\.easy\.noise\.std: .*takes the settings of synthesis"),
        ("{noise: {std_max: high}}", r"curriculum\.easy\.noise\.std_max: .*could not be converted"),
        ("{noise: {std_max: -1.0}}", r"noise\.std_max=-1"),
        ("7", r"curriculum\.easy=7 is no table"),
    ],
)
def test_mistakes_are_told_before_anything_runs(easy: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose(["curriculum.share=[1.0,0.5]", f"++curriculum.easy={easy}"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("curriculum.share=[1.0]", r"no pair of shares"),
        ("curriculum.share=[1.5,0.0]", r"curriculum\.share=1\.5"),
        ("curriculum.samples=0", r"curriculum\.samples=0"),
    ],
)
def test_impossible_ramps_are_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose([override])


def test_both_models_move_the_same_boundaries(tissue_bank: LabelBank) -> None:
    shape_variety = dataclasses.replace(whole_model().shape_variety, probability=1.0)
    config = dataclasses.replace(whole_model(), shape_variety=shape_variety)
    other = curriculum(1, 1, 1, shape_variety={"ventricles": ["thalamus"]})
    with pytest.raises(ConfigurationError, match=r"curriculum\.easy\.shape_variety names other structures"):
        Synthesizer(config, tissue_bank, SIZE, 0, curriculum=other)
