"""Reading nnU-Net's plans.json: the same network as nnU-Net builds, and nothing imported from the file."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.network import NetworkConfig
from otfsynth.networks import build_network, plan_network

ARCHITECTURE: dict[str, Any] = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 3,
        "features_per_stage": [4, 8, 16],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
PLANS: dict[str, Any] = {
    "transpose_forward": [0, 1, 2],
    "configurations": {
        "3d_fullres": {"patch_size": [16, 32, 64], "spacing": [3.0, 1.0, 0.9], "architecture": ARCHITECTURE},
        "3d_big": {"inherits_from": "3d_fullres", "patch_size": [32, 32, 64]},
        "2d": {"patch_size": [32, 64], "spacing": [1.0, 0.9], "architecture": ARCHITECTURE},
    },
}


def written(folder: Path, plans: dict[str, Any]) -> str:
    path = folder / "plans.json"
    path.write_text(json.dumps(plans))
    return str(path)


def test_same_weights_and_axes_turned_to_xyz(tmp_path: Path) -> None:
    plan = plan_network(NetworkConfig(plans=written(tmp_path, PLANS)), 4)
    assert plan.patch_size == (64, 32, 16)
    assert plan.spacing_mm == (0.9, 1.0, 3.0)
    assert plan.strides == ((1, 1, 1), (2, 2, 1), (2, 2, 2))
    assert plan.kernel_sizes[0] == (3, 3, 1)
    arguments, imports = ARCHITECTURE["arch_kwargs"], ARCHITECTURE["_kw_requires_import"]
    theirs = get_network_from_plans(ARCHITECTURE["network_class_name"], arguments, imports, 1, 4, deep_supervision=True)
    shapes = {name: sorted(weights.shape) for name, weights in theirs.state_dict().items()}
    assert {name: sorted(weights.shape) for name, weights in build_network(plan).state_dict().items()} == shapes


def test_transposed_plan(tmp_path: Path) -> None:
    plans = PLANS | {"transpose_forward": [2, 0, 1]}  # arrays are (x, z, y) then
    plan = plan_network(NetworkConfig(plans=written(tmp_path, plans)), 4)
    assert plan.patch_size == (16, 64, 32)


def test_inherited_configuration(tmp_path: Path) -> None:
    config = NetworkConfig(plans=written(tmp_path, PLANS), plans_configuration="3d_big")
    assert plan_network(config, 4).patch_size == (64, 32, 32)


def test_foreign_classes_are_never_imported(tmp_path: Path) -> None:
    for key, value in (("conv_op", "os.system"), ("nonlin", "tests.evil.Evil"), ("norm_op", "torch.nn.BatchNorm3d")):
        plans = copy.deepcopy(PLANS)
        plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"][key] = value
        with pytest.raises(ConfigurationError, match=f"{key}={value}"):
            plan_network(NetworkConfig(plans=written(tmp_path, plans)), 4)
    plans = copy.deepcopy(PLANS)
    plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "tests.evil.Evil"
    with pytest.raises(ConfigurationError, match=r"tests\.evil\.Evil"):
        plan_network(NetworkConfig(plans=written(tmp_path, plans)), 4)


def test_errors_name_the_file_and_what_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, PLANS)
    with pytest.raises(ConfigurationError, match="it has: 3d_fullres, 3d_big, 2d"):
        plan_network(NetworkConfig(plans=path, plans_configuration="3d_lowres"), 4)
    with pytest.raises(ConfigurationError, match="not a 3-D plan"):
        plan_network(NetworkConfig(plans=path, plans_configuration="2d"), 4)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        plan_network(NetworkConfig(plans=str(tmp_path / "none.json")), 4)
    Path(path).write_text("{")
    with pytest.raises(ConfigurationError, match="is not JSON"):
        plan_network(NetworkConfig(plans=path), 4)
