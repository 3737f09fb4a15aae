"""Building a network from its plan, by the classes that nnU-Net builds its own from."""

from __future__ import annotations

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from otfsynth.networks.plan import NetworkPlan

# Only these classes are ever built: a plan names them by a word, and nothing it says is imported.
_CLASSES: dict[str, Any] = {"PlainConvUNet": PlainConvUNet, "ResidualEncoderUNet": ResidualEncoderUNet}
_BLOCKS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}


def build_network(plan: NetworkPlan, seed: int | None = None) -> nn.Module:
    """Build and initialise the network (He, leaky slope 0.01, as nnU-Net).

    Shape: (b, input_channels, x, y, z) -> list of logits (b, output_channels, x / s, y / s, z / s), finest first, with
    deep supervision; otherwise the finest tensor alone.

    Args:
        plan: what to build.
        seed: seed of the initial weights; ``None`` draws from torch's global generator.
    """
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_network(plan)
    network = _CLASSES[plan.architecture](**_arguments(plan))
    network.apply(network.initialize)
    return network


def set_deep_supervision(network: nn.Module, enabled: bool) -> None:
    """Switch the coarser outputs on or off; the weights stay as they are."""
    network.get_submodule("decoder").deep_supervision = enabled  # type: ignore[assignment]


def feature_map_elements(plan: NetworkPlan) -> int:
    """Elements of all feature maps of one sample, the measure of memory in nnU-Net's planner; allocates nothing."""
    with torch.device("meta"):
        network = _CLASSES[plan.architecture](**_arguments(plan))
    return int(network.compute_conv_feature_map_size(plan.patch_size))


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _arguments(plan: NetworkPlan) -> dict[str, Any]:
    return {
        "input_channels": plan.input_channels,
        "num_classes": plan.output_channels,
        "n_stages": plan.stage_count,
        "features_per_stage": plan.features_per_stage,
        "conv_op": nn.Conv3d,
        "kernel_sizes": plan.kernel_sizes,
        "strides": plan.strides,
        _BLOCKS[plan.architecture]: plan.blocks_per_stage,
        "n_conv_per_stage_decoder": plan.decoder_blocks_per_stage,
        "conv_bias": True,
        "norm_op": nn.InstanceNorm3d,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": plan.deep_supervision,
    }
