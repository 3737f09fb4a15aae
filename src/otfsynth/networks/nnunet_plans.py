"""Reading a network from nnU-Net's ``plans.json``.

nnU-Net imports whatever class its plans name. Here the names are only compared with the few that nnU-Net's planners
write; anything else is refused, so that a foreign plan can run no code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otfsynth.config.checks import ConfigurationError
from otfsynth.networks.plan import NetworkPlan, _tuples

_ARCHITECTURES = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "PlainConvUNet",
    "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet": "ResidualEncoderUNet",
    "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet": "ResidualEncoderUNet",
}
_EXPECTED = {
    "conv_op": ("torch.nn.modules.conv.Conv3d", "torch.nn.Conv3d"),
    "norm_op": ("torch.nn.modules.instancenorm.InstanceNorm3d", "torch.nn.InstanceNorm3d"),
    "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
    "conv_bias": (True,),
    "dropout_op": (None,),
}


def read_nnunet_plans(path: str | Path, configuration: str, input_channels: int, output_channels: int) -> NetworkPlan:
    """Read one 3-D configuration of a ``plans.json`` (nnU-Net 2.3 or newer, plain or residual-encoder planner).

    Axes: nnU-Net's arrays are (z, y, x) for its usual readers and ``transpose_forward`` permutes them; sizes, spacings
    and strides are brought to (x, y, z) here.

    Raises:
        ConfigurationError: the file is missing, is not such a plan, or asks for something that is not built here.
    """
    plans = _load(Path(path))
    configurations = plans.get("configurations", {})
    if configuration not in configurations:
        raise ConfigurationError(
            f"network.plans_configuration={configuration} is not in {path}; it has: {', '.join(configurations)}"
        )
    record = _inherit(configurations, configuration, str(path))
    try:
        architecture = record["architecture"]
        arguments: dict[str, Any] = architecture["arch_kwargs"]
        name = _ARCHITECTURES[architecture["network_class_name"]]
        order = _axis_order(plans.get("transpose_forward", [0, 1, 2]))
        blocks = arguments["n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage"]
        for key, allowed in _EXPECTED.items():
            if arguments.get(key) not in allowed:
                raise ConfigurationError(
                    f"network.plans={path} has {key}={arguments.get(key)}; only {allowed[0]} is built"
                )
        return NetworkPlan(
            architecture=name,
            input_channels=input_channels,
            output_channels=output_channels,
            patch_size=_permute(record["patch_size"], order),
            spacing_mm=_permute(record["spacing"], order),
            features_per_stage=tuple(arguments["features_per_stage"]),
            kernel_sizes=tuple(_permute(kernel, order) for kernel in arguments["kernel_sizes"]),
            strides=tuple(_permute(stride, order) for stride in arguments["strides"]),
            blocks_per_stage=tuple(blocks),
            decoder_blocks_per_stage=tuple(arguments["n_conv_per_stage_decoder"]),
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"network.plans={path}: configuration {configuration} is not a 3-D plan that can be built ({error!r}); "
            "give a plans.json written by nnU-Net 2.3 or newer for PlainConvUNet or ResidualEncoderUNet"
        ) from error


def _load(path: Path) -> dict[str, Any]:
    try:
        plans = json.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(
            f"network.plans={path} cannot be read ({error}); give the path of a plans.json"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"network.plans={path} is not JSON ({error}); give a plans.json of nnU-Net") from error
    if not isinstance(plans, dict):
        raise ConfigurationError(f"network.plans={path} is not a plans.json of nnU-Net (no mapping at its top)")
    return plans


def _inherit(configurations: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    """Resolve nnU-Net's ``inherits_from``, child over parent."""
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        if current in chain or current not in configurations:
            raise ConfigurationError(
                f"network.plans={path}: configuration {name} inherits from {current}, which is no end"
            )
        chain.append(current)
        current = configurations[current].get("inherits_from")
    merged: dict[str, Any] = {}
    for ancestor in reversed(chain):
        merged.update(configurations[ancestor])
    return merged


def _axis_order(transpose_forward: list[int]) -> list[int]:
    """For each of x, y, z: where nnU-Net's transposed (z, y, x) arrays keep it."""
    return [transpose_forward.index(2), transpose_forward.index(1), transpose_forward.index(0)]


def _permute(values: Any, order: list[int]) -> Any:
    triple = _tuples(values) if isinstance(values, (list, tuple)) else (values,) * 3
    if len(triple) != 3:
        raise ValueError(f"{values} has {len(triple)} axes, not 3")
    return tuple(triple[axis] for axis in order)
