"""Configuration of the network: which U-Net, how wide, how deep; the topology itself is planned as nnU-Net plans it.

Reference: Isensee et al. 2021 (nnU-Net, Nature Methods 18), Isensee et al. 2024 (nnU-Net Revisited, MICCAI).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")


@dataclass
class NetworkConfig:
    """A U-Net of nnU-Net; number of stages, strides and kernels follow from the patch and the voxel spacing."""

    architecture: str = "PlainConvUNet"
    base_features: int = 32
    """Feature maps of the first stage; each further stage doubles them."""
    max_features: int = 320
    max_stages: int | None = None
    """Most resolution levels, the first included; ``null`` goes down as far as ``min_feature_map_voxels`` allows."""
    blocks_per_stage: list[int] = field(default_factory=lambda: [2])
    """Convolutions (plain) or residual blocks of each encoder stage; the last number repeats for deeper stages."""
    decoder_blocks_per_stage: int = 2
    min_feature_map_voxels: int = 4
    """Least edge length of the feature maps at the bottleneck."""
    deep_supervision: bool = True
    memory_budget_gb: float | None = None
    """Memory that training may take, by nnU-Net's estimate; it bounds the patch that is planned or refused."""
    plans: str | None = None
    """Path of an nnU-Net ``plans.json``; its architecture and patch replace everything above. Its voxels must be
    those of ``data.spacing_mm``."""
    plans_configuration: str = "3d_fullres"

    def __post_init__(self) -> None:
        checks.check_choice("network.architecture", self.architecture, ARCHITECTURES)
        checks.check_at_least("network.base_features", self.base_features, 1)
        checks.check_at_least("network.max_features", self.max_features, self.base_features)
        if self.max_stages is not None:
            checks.check_at_least("network.max_stages", self.max_stages, 2)
        if not self.blocks_per_stage or min(self.blocks_per_stage) < 1:
            raise checks.ConfigurationError(
                f"network.blocks_per_stage={list(self.blocks_per_stage)} must list whole numbers from 1 on, e.g. [2]"
            )
        checks.check_at_least("network.decoder_blocks_per_stage", self.decoder_blocks_per_stage, 1)
        checks.check_at_least("network.min_feature_map_voxels", self.min_feature_map_voxels, 1)
        if self.memory_budget_gb is not None:
            checks.check_positive("network.memory_budget_gb", self.memory_budget_gb)
