"""New runs that begin with the weights of another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose
from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.learning import fit
from otfsynth.learning.initial_weights import begin_with
from otfsynth.networks import CheckpointError, load_checkpoint, save_checkpoint
from otfsynth.networks.model_folder import write_model_folder
from tests.learning.fakes import toy_data, toy_module, toy_trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    fit(toy_trainer(folder, max_steps=4), toy_module(), toy_data())
    return folder / "checkpoints" / "last.ckpt"


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_network_and_average_begin_with_the_averaged_weights(trained: Path, decay: float) -> None:
    module = toy_module(OptimizerConfig(ema_decay=decay))
    begin_with(module, trained)
    weights = load_checkpoint(trained).ema_weights
    assert weights is not None
    networks = [module.network] if module.average is None else [module.network, module.average.network]
    for network in networks:
        for name, value in network.state_dict().items():
            assert torch.equal(value, weights[name]), name


def test_steps_begin_anew_and_patches_may_differ(trained: Path, tmp_path: Path) -> None:
    module = toy_module()
    module.plan = dataclasses.replace(module.plan, patch_size=(24, 24, 24))
    begin_with(module, trained)
    fit(toy_trainer(tmp_path, max_steps=2), module, toy_data())
    assert load_checkpoint(tmp_path / "checkpoints" / "last.ckpt").step == 2


def test_a_published_model_is_a_beginning_too(trained: Path, tmp_path: Path) -> None:
    write_model_folder(load_checkpoint(trained), tmp_path / "model", "toy", "1")
    module = toy_module()
    begin_with(module, tmp_path / "model")
    weights = load_checkpoint(trained).ema_weights
    assert weights is not None
    for name, value in module.network.state_dict().items():
        assert torch.allclose(value, weights[name], rtol=1e-3, atol=1e-6), name


def test_a_missing_file_is_told_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match=r"initial_weights=nowhere\.ckpt does not exist; give a checkpoint"):
        compose(["initial_weights=nowhere.ckpt"])


def test_another_network_or_other_targets_are_refused(trained: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(trained)
    plan = {**checkpoint.network_plan, "features_per_stage": [4, 8, 8]}
    other = tmp_path / "other.ckpt"
    save_checkpoint(dataclasses.replace(checkpoint, network_plan=plan), other)
    with pytest.raises(CheckpointError, match=r"features_per_stage \[4, 8, 8\], here \[4, 8, 16\]; choose the same"):
        begin_with(toy_module(), other)
    scheme = {**checkpoint.label_scheme, "target_names": ["background", "white", "grey", "fluid"]}
    save_checkpoint(dataclasses.replace(checkpoint, label_scheme=scheme), other)
    with pytest.raises(CheckpointError, match=r"targets background, white"):
        begin_with(toy_module(), other)
