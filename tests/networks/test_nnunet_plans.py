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
from otfsynth.networks import NetworkPlan, build_network, plan_network
from otfsynth.networks.nnunet_plans import read_nnunet_plans

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


def planned(path: str, configuration: str = "3d_fullres") -> NetworkPlan:
    return read_nnunet_plans(path, configuration, 1, 4)


def test_same_weights_and_axes_turned_to_xyz(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, PLANS))
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
    plan = planned(written(tmp_path, plans))
    assert plan.patch_size == (16, 64, 32)


def test_inherited_configuration(tmp_path: Path) -> None:
    assert planned(written(tmp_path, PLANS), "3d_big").patch_size == (64, 32, 32)


def test_foreign_classes_are_never_imported(tmp_path: Path) -> None:
    for key, value in (("conv_op", "os.system"), ("nonlin", "tests.evil.Evil"), ("norm_op", "torch.nn.BatchNorm3d")):
        plans = copy.deepcopy(PLANS)
        plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"][key] = value
        with pytest.raises(ConfigurationError, match=f"{key}={value}"):
            planned(written(tmp_path, plans))
    plans = copy.deepcopy(PLANS)
    plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "tests.evil.Evil"
    with pytest.raises(ConfigurationError, match=r"tests\.evil\.Evil"):
        planned(written(tmp_path, plans))


def test_errors_name_the_file_and_what_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, PLANS)
    with pytest.raises(ConfigurationError, match="it has: 3d_fullres, 3d_big, 2d"):
        planned(path, "3d_lowres")
    with pytest.raises(ConfigurationError, match="not a 3-D plan"):
        planned(path, "2d")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        planned(str(tmp_path / "none.json"))
    Path(path).write_text("{")
    with pytest.raises(ConfigurationError, match="is not JSON"):
        planned(path)


def test_a_plan_for_other_voxels_is_refused(tmp_path: Path) -> None:
    """Scans would be brought to the plan's voxels, and heads come out larger than any that the network saw."""
    plans = copy.deepcopy(PLANS)
    with pytest.raises(ConfigurationError, match=r"voxels of 0.9 x 1 x 3 mm, and the samples have 1 x 1 x 1 mm.*cubic"):
        plan_network(NetworkConfig(plans=written(tmp_path, plans)), 4)
    plans["configurations"]["3d_fullres"]["spacing"] = [0.7, 0.7, 0.7]
    config = NetworkConfig(plans=written(tmp_path, plans))
    with pytest.raises(ConfigurationError, match=r"set data.spacing_mm=0.7"):
        plan_network(config, 4)
    assert plan_network(config, 4, spacing_mm=(0.7, 0.7, 0.7)).patch_size == (64, 32, 16)
