"""The plan of a network: plain data that says everything needed to build it again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class NetworkPlan:
    """Topology of a 3-D U-Net of ``dynamic_network_architectures``.

    Stages run from full resolution to the bottleneck; ``strides[0]`` is (1, 1, 1). Convolutions carry a bias and are
    followed by instance normalisation and a leaky ReLU, as in every network that nnU-Net plans.
    """

    architecture: str
    """``PlainConvUNet`` or ``ResidualEncoderUNet``."""
    input_channels: int
    output_channels: int
    """Target labels, background included."""
    patch_size: Triple
    """Voxels of one training patch; each edge is a multiple of the product of its axis' strides."""
    spacing_mm: tuple[float, float, float]
    features_per_stage: tuple[int, ...]
    kernel_sizes: tuple[Triple, ...]
    strides: tuple[Triple, ...]
    blocks_per_stage: tuple[int, ...]
    decoder_blocks_per_stage: tuple[int, ...]
    deep_supervision: bool = True

    def __post_init__(self) -> None:
        stages = len(self.features_per_stage)
        lengths = (len(self.kernel_sizes), len(self.strides), len(self.blocks_per_stage))
        if lengths != (stages, stages, stages) or len(self.decoder_blocks_per_stage) != stages - 1:
            raise ValueError(
                f"network plan with {stages} stages of features has {lengths[0]} kernel sizes, {lengths[1]} strides, "
                f"{lengths[2]} encoder and {len(self.decoder_blocks_per_stage)} decoder entries; give {stages}, "
                f"{stages}, {stages} and {stages - 1}"
            )
        for edge, divisor in zip(self.patch_size, self.divisor, strict=True):
            if edge % divisor:
                raise ValueError(
                    f"patch size {self.patch_size} does not fit the network's strides; "
                    f"choose multiples of {self.divisor}"
                )

    @property
    def stage_count(self) -> int:
        return len(self.features_per_stage)

    @property
    def divisor(self) -> Triple:
        """Product of the strides per axis: patches must be multiples of it, in voxels."""
        products = [1, 1, 1]
        for stride in self.strides:
            products = [product * step for product, step in zip(products, stride, strict=True)]
        return (products[0], products[1], products[2])

    def to_dict(self) -> dict[str, Any]:
        """Lists, numbers and strings only, as checkpoints and JSON need them."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> NetworkPlan:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ValueError: a field is missing or unknown; the message lists them.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if set(record) != known:
            raise ValueError(
                f"not a network plan of otfsynth: missing {sorted(known - set(record))}, "
                f"unknown {sorted(set(record) - known)}"
            )
        return cls(**{name: _tuples(value) for name, value in record.items()})


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, (tuple, list)) else value
