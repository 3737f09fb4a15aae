"""Intensity priors in the files of lab2im and SynthSeg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import ContrastConfig, EnginesConfig
from otfsynth.config.synthesis import MixtureConfig, SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import MixtureParameters
from tests.synthesis.heads import plain_config, synthesizer

CLASSES = 7
COUNT = 300


def prior_config(folder: Path, means: np.ndarray, stds: np.ndarray, distribution: str, share: float) -> SynthesisConfig:
    np.save(folder / "means.npy", means)
    np.save(folder / "stds.npy", stds)
    return plain_config(
        contrast=ContrastConfig(EnginesConfig(mixture=1.0 - share, priors=share, physics=0.0)),
        mixture=MixtureConfig(
            mean_range=[500.0, 600.0],
            prior_means=str(folder / "means.npy"),
            prior_stds=str(folder / "stds.npy"),
            prior_distribution=distribution,
        ),
    )


def draw(bank: LabelBank, config: SynthesisConfig) -> list[MixtureParameters]:
    engine = synthesizer(bank, (8, 8, 8), config)
    return [engine.sample_parameters(index).mixture for index in range(COUNT)]


def test_uniform_priors_are_ranges_per_class(bank: LabelBank, tmp_path: Path) -> None:
    low = 10.0 * np.arange(1, CLASSES + 1)
    config = prior_config(tmp_path, np.stack([low, low + 5]), np.stack([low / 10, low / 5]), "uniform", 1.0)
    drawn = draw(bank, config)
    for group in range(CLASSES):
        means = [mixture.means[group] for mixture in drawn]
        stds = [mixture.stds[group] for mixture in drawn]
        assert stats.kstest(means, stats.uniform(low[group], 5.0).cdf).pvalue > 0.002
        assert stats.kstest(stds, stats.uniform(low[group] / 10, low[group] / 10).cdf).pvalue > 0.002
    assert {mixture.source for mixture in drawn} == {"prior"}


def test_normal_priors_are_mean_and_deviation_per_class(bank: LabelBank, tmp_path: Path) -> None:
    centre = 50.0 + 20.0 * np.arange(CLASSES)
    means, stds = np.stack([centre, np.full(CLASSES, 4.0)]), np.stack([centre / 5, np.full(CLASSES, 1.0)])
    drawn = draw(bank, prior_config(tmp_path, means, stds, "normal", 1.0))
    for group in range(CLASSES):
        assert stats.kstest([m.means[group] for m in drawn], stats.norm(centre[group], 4.0).cdf).pvalue > 0.002
        assert stats.kstest([m.stds[group] for m in drawn], stats.norm(centre[group] / 5, 1.0).cdf).pvalue > 0.002


def test_priors_mix_with_random_contrasts(bank: LabelBank, tmp_path: Path) -> None:
    means = np.stack([np.full(CLASSES, 90.0), np.full(CLASSES, 95.0)])
    drawn = draw(bank, prior_config(tmp_path, means, means / 20, "uniform", 0.6))
    from_prior = [mixture.source == "prior" for mixture in drawn]
    assert stats.binomtest(sum(from_prior), COUNT, 0.6).pvalue > 0.002
    for mixture in drawn:
        low, high = (90.0, 95.0) if mixture.source == "prior" else (500.0, 600.0)
        assert low <= min(mixture.means[1:]) <= max(mixture.means[1:]) <= high


def test_one_sample_takes_all_classes_from_one_contrast(bank: LabelBank, tmp_path: Path) -> None:
    means = np.repeat([[10.0], [10.0], [200.0], [200.0]], CLASSES, axis=1)
    stds = np.repeat([[1.0], [1.0], [8.0], [8.0]], CLASSES, axis=1)
    drawn = {
        (mixture.means, mixture.stds) for mixture in draw(bank, prior_config(tmp_path, means, stds, "uniform", 1.0))
    }
    assert drawn == {((10.0,) * CLASSES, (1.0,) * CLASSES), ((200.0,) * CLASSES, (8.0,) * CLASSES)}


def test_a_prior_for_other_classes_is_refused(bank: LabelBank, tmp_path: Path) -> None:
    table = np.ones((2, CLASSES + 1))
    with pytest.raises(ConfigurationError, match=r"means\.npy.*8 classes.*7"):
        synthesizer(bank, (8, 8, 8), prior_config(tmp_path, table, table, "normal", 1.0))


@pytest.mark.parametrize("table", [np.ones(CLASSES), np.ones((3, CLASSES)), np.full((2, CLASSES), np.nan)])
def test_malformed_priors_are_refused(bank: LabelBank, tmp_path: Path, table: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match=r"means\.npy"):
        synthesizer(bank, (8, 8, 8), prior_config(tmp_path, table, table, "normal", 1.0))


def test_missing_or_foreign_files_are_refused(bank: LabelBank, tmp_path: Path) -> None:
    table = np.ones((2, CLASSES))
    config = prior_config(tmp_path, table, table, "normal", 1.0)
    (tmp_path / "stds.npy").unlink()
    with pytest.raises(ConfigurationError, match=r"stds\.npy.*no such file"):
        synthesizer(bank, (8, 8, 8), config)
    (tmp_path / "stds.npy").write_text("not an array")
    with pytest.raises(ConfigurationError, match=r"stds\.npy.*can't be read"):
        synthesizer(bank, (8, 8, 8), config)
    np.save(tmp_path / "stds.npy", np.ones((4, CLASSES)))
    with pytest.raises(ConfigurationError, match="contrasts"):
        synthesizer(bank, (8, 8, 8), config)
