"""Planning: nnU-Net's own topologies, memory budget, presets, errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.network import NetworkConfig
from otfsynth.networks import NetworkPlan, build_network, estimate_memory_gb, parameter_count, plan_network
from otfsynth.resources import conf_folder

PRESETS = sorted(path.stem for path in (conf_folder() / "network").glob("*.yaml"))


def preset(name: str) -> NetworkConfig:
    return NetworkConfig(**yaml.safe_load((conf_folder() / "network" / f"{name}.yaml").read_text()))


def test_default_network_is_nnunets_at_128() -> None:
    plan = plan_network(preset("nnunet"), 4, (128, 128, 128))
    assert plan.features_per_stage == (32, 64, 128, 256, 320, 320)
    assert plan.strides == ((1, 1, 1), *[(2, 2, 2)] * 5)
    assert plan.kernel_sizes == ((3, 3, 3),) * 6
    assert plan.divisor == (32, 32, 32)
    # 31.2 M is what nnU-Net reports for its 3-D full-resolution network; 8 GB is its budget for a batch of 2.
    assert parameter_count(build_network(plan, seed=0)) == pytest.approx(31.2e6, rel=0.01)
    assert estimate_memory_gb(plan, 2) == pytest.approx(6.5, abs=0.1)


def test_thick_slices_get_flat_kernels_and_strides() -> None:
    plan = plan_network(NetworkConfig(), 3, (128, 128, 32), spacing_mm=(1.0, 1.0, 4.0))
    assert plan.kernel_sizes[0] == (3, 3, 1)
    assert plan.strides[1] == (2, 2, 1)
    assert plan.divisor[2] < plan.divisor[0]


def test_memory_budget_chooses_the_patch() -> None:
    small, large = (plan_network(NetworkConfig(memory_budget_gb=budget), 4) for budget in (6.5, 24.0))
    assert estimate_memory_gb(small, 2) <= 6.5
    assert estimate_memory_gb(large, 2) <= 24.0
    assert sum(large.patch_size) > sum(small.patch_size)
    assert plan_network(NetworkConfig(), 4).patch_size == (128, 128, 128)


def test_patch_beyond_the_budget_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"needs about 6\.5 GB, more than network\.memory_budget_gb=4"):
        plan_network(NetworkConfig(memory_budget_gb=4.0), 4, (128, 128, 128))


def test_patch_that_does_not_fit_gets_two_suggestions() -> None:
    with pytest.raises(ConfigurationError, match=r"\[100, 96, 96\].*multiples of.*\[96, 96, 96\] or \[112, 96, 96\]"):
        plan_network(NetworkConfig(), 4, (100, 96, 96))


def test_tiny_patch_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="too small for a U-Net"):
        plan_network(NetworkConfig(), 4, (7, 7, 7))


@pytest.mark.parametrize(("name", "low", "high"), [("tiny", 0.5e6, 1.4e6), ("laptop", 1.4e6, 4.5e6)])
def test_sizes_of_the_small_presets(name: str, low: float, high: float) -> None:
    assert low < parameter_count(build_network(plan_network(preset(name), 4, (96, 96, 96)), seed=0)) < high


@pytest.mark.parametrize("name", PRESETS)
def test_presets_plan_and_survive_plain_data(name: str) -> None:
    plan = plan_network(preset(name), 4, (64, 64, 64))
    record = plan.to_dict()
    assert NetworkPlan.from_dict(record) == plan
    assert isinstance(record["strides"][1], list)


@pytest.mark.parametrize("architecture", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_outputs_of_a_network(architecture: str) -> None:
    config = NetworkConfig(architecture=architecture, base_features=4, max_features=8, max_stages=3)
    network = build_network(plan_network(config, 4, (16, 16, 24)), seed=1)
    outputs = network(torch.zeros(2, 1, 16, 16, 24))
    assert [tuple(output.shape) for output in outputs] == [(2, 4, 16, 16, 24), (2, 4, 8, 8, 12)]


def test_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    plan = plan_network(NetworkConfig(base_features=4, max_features=8), 4, (16, 16, 16))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (build_network(plan, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    states = [torch.cat([weights.flatten() for weights in network.parameters()]) for network in (first, second, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_plan_with_missing_or_unknown_fields() -> None:
    record = plan_network(NetworkConfig(base_features=4), 4, (16, 16, 16)).to_dict()
    with pytest.raises(ValueError, match=r"missing \['strides'\], unknown \['stride'\]"):
        NetworkPlan.from_dict({("stride" if key == "strides" else key): value for key, value in record.items()})


def test_configuration_errors_name_field_and_choices() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'PlainConvUNet'.*ResidualEncoderUNet"):
        NetworkConfig(architecture="PlainConvUnet")
    with pytest.raises(ConfigurationError, match="blocks_per_stage"):
        NetworkConfig(blocks_per_stage=[])


def test_presets_are_listed() -> None:
    assert {"tiny", "laptop", "nnunet", "residual_encoder_m", "residual_encoder_l"} <= set(PRESETS)
    assert Path(conf_folder()).is_dir()
