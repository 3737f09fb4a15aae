"""Planning a network as nnU-Net does: topology from patch and spacing, patch from the memory budget.

nnU-Net's own ``get_pool_and_conv_props`` decides strides and kernels; its estimate of feature-map memory and its loop
that shrinks the patch until it fits are repeated here on :class:`NetworkPlan` (``ExperimentPlanner`` itself needs a
data set on disk).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.network import NetworkConfig
from otfsynth.networks.build import feature_map_elements
from otfsynth.networks.nnunet_plans import read_nnunet_plans
from otfsynth.networks.plan import NetworkPlan, Triple

# nnU-Net's calibration: feature-map elements of a network that takes 8 GB at a batch of 2 (its planners' constants).
REFERENCE_ELEMENTS = {"PlainConvUNet": 560e6, "ResidualEncoderUNet": 680e6}
REFERENCE_GB = 8.0
REFERENCE_BATCH = 2
LARGEST_VOLUME_VOXELS: Triple = (192, 224, 192)
"""A head at 1 mm: no patch needs to be larger."""


def plan_network(
    config: NetworkConfig,
    output_channels: int,
    patch_size: Sequence[int] | None = None,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    batch_size: int = REFERENCE_BATCH,
    input_channels: int = 1,
) -> NetworkPlan:
    """Plan the network for a given patch, or for the largest patch that the memory budget allows.

    Args:
        config: architecture and widths; ``config.plans`` names an nnU-Net plan to be read instead.
        output_channels: target labels, background included.
        patch_size: edge lengths in voxels; ``None`` plans them from ``config.memory_budget_gb`` (8 GB where unset).
        spacing_mm: voxel size of the working grid.
        batch_size: samples per step, for the memory estimate.
        input_channels: image channels.

    Raises:
        ConfigurationError: the patch does not fit the strides or the memory budget, or the plan not the voxels.
    """
    if config.plans is not None:
        plan = read_nnunet_plans(config.plans, config.plans_configuration, input_channels, output_channels)
        if not np.allclose(plan.spacing_mm, spacing_mm, rtol=1e-3):
            raise ConfigurationError(
                f"network.plans={config.plans} is for voxels of {_spelled(plan.spacing_mm)} mm, and the samples have "
                f"{_spelled(spacing_mm)} mm: {_remedy(plan.spacing_mm)}"
            )
        return dataclasses.replace(plan, spacing_mm=_floats(spacing_mm))
    if patch_size is None:
        return _plan_patch(config, output_channels, spacing_mm, batch_size, input_channels)
    plan = _plan_topology(config, patch_size, spacing_mm, input_channels, output_channels)
    if plan.patch_size != tuple(patch_size):
        lower = tuple(max(edge // divisor, 1) * divisor for edge, divisor in zip(patch_size, plan.divisor, strict=True))
        raise ConfigurationError(
            f"data.patch_size={list(patch_size)} does not fit the network's strides; choose multiples of "
            f"{list(plan.divisor)}, for instance {list(lower)} or {list(plan.patch_size)}"
        )
    if config.memory_budget_gb is not None:
        needed = estimate_memory_gb(plan, batch_size)
        if needed > config.memory_budget_gb:
            raise ConfigurationError(
                f"data.patch_size={list(patch_size)} with batch size {batch_size} needs about {needed:.1f} GB, more "
                f"than network.memory_budget_gb={config.memory_budget_gb:g}; choose a smaller patch or network, or "
                "leave data.patch_size to the planner"
            )
    return plan


def estimate_memory_gb(plan: NetworkPlan, batch_size: int) -> float:
    """GPU memory that training takes by nnU-Net's estimate, in GB (mixed precision; a rule of thumb, not a bound)."""
    elements = feature_map_elements(plan) * batch_size / REFERENCE_BATCH
    return REFERENCE_GB * elements / REFERENCE_ELEMENTS[plan.architecture]


def _plan_topology(
    config: NetworkConfig,
    patch_size: Sequence[int] | np.ndarray,
    spacing_mm: Sequence[float],
    input_channels: int,
    output_channels: int,
) -> NetworkPlan:
    """Plan for one patch; nnU-Net pads the patch to the next multiple of the strides."""
    max_pooling = 999 if config.max_stages is None else config.max_stages - 1
    _, strides, kernels, padded, _ = get_pool_and_conv_props(
        list(spacing_mm), list(patch_size), config.min_feature_map_voxels, max_pooling
    )
    stages = len(strides)
    if stages < 2:
        raise ConfigurationError(
            f"data.patch_size={list(patch_size)} is too small for a U-Net; each edge needs at least "
            f"{2 * config.min_feature_map_voxels} voxels (2 * network.min_feature_map_voxels)"
        )
    blocks = list(config.blocks_per_stage) + [config.blocks_per_stage[-1]] * stages
    return NetworkPlan(
        architecture=config.architecture,
        input_channels=input_channels,
        output_channels=output_channels,
        patch_size=_triple(padded),
        spacing_mm=_floats(spacing_mm),
        features_per_stage=tuple(min(config.base_features * 2**stage, config.max_features) for stage in range(stages)),
        kernel_sizes=tuple(_triple(kernel) for kernel in kernels),
        strides=tuple(_triple(stride) for stride in strides),
        blocks_per_stage=tuple(blocks[:stages]),
        decoder_blocks_per_stage=(config.decoder_blocks_per_stage,) * (stages - 1),
        deep_supervision=config.deep_supervision,
    )


def _plan_patch(
    config: NetworkConfig, output_channels: int, spacing_mm: Sequence[float], batch_size: int, input_channels: int
) -> NetworkPlan:
    """Start from a whole head and shorten the axis that is longest beside the head's until the estimate fits."""
    budget = REFERENCE_GB if config.memory_budget_gb is None else config.memory_budget_gb
    head = np.array([max(round(edge / step), 1) for edge, step in zip(LARGEST_VOLUME_VOXELS, spacing_mm, strict=True)])
    patch = head.copy()
    while True:
        plan = _plan_topology(config, patch, spacing_mm, input_channels, output_channels)
        if estimate_memory_gb(plan, batch_size) <= budget:
            return plan
        patch = np.array(plan.patch_size)
        axis = int(np.argsort(patch / head)[-1])
        shorter = patch.copy()
        shorter[axis] -= plan.divisor[axis]
        if shorter[axis] < 2 * config.min_feature_map_voxels:
            raise ConfigurationError(
                f"network.memory_budget_gb={budget:g} is too small for {config.architecture} with "
                f"network.base_features={config.base_features}; choose a smaller network, e.g. network=tiny"
            )
        # The shorter axis may allow fewer poolings and thus a finer step: nnU-Net subtracts that one, so that sizes
        # such as 224 are not skipped on the way from 256 to 192.
        finer = _plan_topology(config, shorter, spacing_mm, input_channels, output_channels).divisor[axis]
        patch[axis] -= finer


def _spelled(spacing_mm: Sequence[float]) -> str:
    return " x ".join(f"{step:g}" for step in spacing_mm)


def _remedy(spacing_mm: Sequence[float]) -> str:
    if max(spacing_mm) - min(spacing_mm) < 1e-3:
        return f"set data.spacing_mm={spacing_mm[0]:g}"
    return "samples have cubic voxels; let nnU-Net plan for a cubic spacing, or do without a plan"


def _floats(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return (first, second, third)


def _triple(values: Sequence[int]) -> Triple:
    first, second, third = (int(value) for value in values)
    return (first, second, third)
