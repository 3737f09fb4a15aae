"""Schedules as functions of the step, the weights' moving average, the choice of precision."""

from __future__ import annotations

import pytest
import torch
import yaml

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.config.trainer import TrainerConfig
from otfsynth.learning.averaging import MovingAverage
from otfsynth.learning.optimization import build_optimizer, build_schedule, learning_rate_factor
from otfsynth.networks.precision import choose_precision
from otfsynth.resources import conf_folder


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("polynomial", 0, 1.0),
        ("polynomial", 50, 0.5**0.9),
        ("polynomial", 100, 0.0),
        ("cosine", 0, 1.0),
        ("cosine", 50, 0.5),
        ("cosine", 100, 0.0),
        ("one_cycle", 0, 0.04),
        ("one_cycle", 15, 0.5),
        ("one_cycle", 30, 1.0),
        ("one_cycle", 65, 0.5),
        ("one_cycle", 100, 0.0),
        ("constant", 99, 1.0),
        ("cosine", 1000, 0.0),
    ],
)
def test_learning_rate_factor(schedule: str, step: int, expected: float) -> None:
    assert learning_rate_factor(OptimizerConfig(schedule=schedule), step, 100) == pytest.approx(expected, abs=1e-9)


def test_warm_up_is_linear_and_then_the_schedule_begins() -> None:
    config = OptimizerConfig(schedule="cosine", warmup_steps=4)
    assert [learning_rate_factor(config, step, 104) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert learning_rate_factor(config, 54, 104) == pytest.approx(0.5)


def test_polynomial_decay_is_nnunets() -> None:
    from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

    weights = [torch.nn.Parameter(torch.zeros(1))]
    theirs = torch.optim.SGD(weights, lr=0.01)
    scheduler = PolyLRScheduler(theirs, 0.01, 20)
    config = OptimizerConfig()
    for step in range(20):
        scheduler.step(step)
        assert theirs.param_groups[0]["lr"] == pytest.approx(0.01 * learning_rate_factor(config, step, 20))


def test_optimizers() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    sgd = build_optimizer(OptimizerConfig(), weights)
    assert isinstance(sgd, torch.optim.SGD)
    group = sgd.param_groups[0]
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.01, 0.99, True, 3e-5)
    adamw = build_optimizer(OptimizerConfig(name="adamw", betas=[0.8, 0.9]), weights)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["betas"] == (0.8, 0.9)
    assert build_schedule(OptimizerConfig(warmup_steps=9), sgd, 100).get_last_lr() == [pytest.approx(0.001)]


@pytest.mark.parametrize("name", [path.stem for path in sorted((conf_folder() / "optimizer").glob("*.yaml"))])
def test_optimizer_presets(name: str) -> None:
    OptimizerConfig(**yaml.safe_load((conf_folder() / "optimizer" / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("name", [path.stem for path in sorted((conf_folder() / "trainer").glob("*.yaml"))])
def test_trainer_presets(name: str) -> None:
    TrainerConfig(**yaml.safe_load((conf_folder() / "trainer" / f"{name}.yaml").read_text()))


def test_moving_average_by_hand() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 0.0)
    average = MovingAverage(network, decay=0.9)
    torch.nn.init.constant_(network.weight, 1.0)
    average.update(network, updates_done=0)  # keeps 1 / 10
    assert average.network.weight.item() == pytest.approx(0.9)
    average.update(network, updates_done=10_000)  # keeps 0.9
    assert average.network.weight.item() == pytest.approx(0.9 * 0.9 + 0.1)
    assert not average.network.weight.requires_grad


def test_precision_is_taken_as_asked_or_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("32-true", "cpu") == "32-true"
    for supported, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr("otfsynth.networks.precision.cpu_computes_bfloat16", lambda answer=supported: answer)
        assert choose_precision("auto", "cpu") == expected


def test_configuration_errors() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'adamw'"):
        OptimizerConfig(name="adam")
    with pytest.raises(ConfigurationError, match="schedule"):
        OptimizerConfig(schedule="linear")
    with pytest.raises(ConfigurationError, match=r"optimizer\.betas"):
        OptimizerConfig(betas=[0.9])
    with pytest.raises(ConfigurationError, match=r"trainer\.max_steps=0"):
        TrainerConfig(max_steps=0)
    with pytest.raises(ConfigurationError, match=r"trainer\.precision"):
        TrainerConfig(precision="bf16")
