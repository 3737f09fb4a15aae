"""Networks: planned as nnU-Net plans them, built by its factory, kept in checkpoints of plain data."""

from otfsynth.networks.build import build_network, parameter_count, set_deep_supervision
from otfsynth.networks.checkpoint import Checkpoint, CheckpointError, save_checkpoint
from otfsynth.networks.loading import load_checkpoint
from otfsynth.networks.plan import NetworkPlan
from otfsynth.networks.planner import estimate_memory_gb, plan_network

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "NetworkPlan",
    "build_network",
    "estimate_memory_gb",
    "load_checkpoint",
    "parameter_count",
    "plan_network",
    "save_checkpoint",
    "set_deep_supervision",
]
