"""A new run that begins with the weights of another."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from otfsynth.learning.module import SegmentationModule
from otfsynth.networks import CheckpointError, load_checkpoint

FREE = ("patch_size", "spacing_mm", "deep_supervision")
"""Parts of a plan that leave the shapes of the weights alone."""

logger = logging.getLogger(__name__)


def begin_with(module: SegmentationModule, path: str | Path) -> None:
    """Copy the weights (the averaged ones where they are kept) of a checkpoint into network and average.

    Steps, optimiser and schedule begin anew, and patch size and generative model may differ: for the next stage of a
    training in stages, and for fine-tuning.

    Raises:
        CheckpointError: the file can't be read, or is of another network or of other targets.
    """
    checkpoint = load_checkpoint(Path(path).expanduser())
    theirs, ours = (_shape(plan) for plan in (checkpoint.network_plan, module.plan.to_dict()))
    different = [
        f"{name} {theirs.get(name)}, here {value}" for name, value in ours.items() if theirs.get(name) != value
    ]
    targets = checkpoint.scheme.target_names
    if targets != module.scheme.target_names:
        different.append(f"targets {', '.join(targets)}, here {', '.join(module.scheme.target_names)}")
    if different:
        raise CheckpointError(
            f"initial_weights={path} has {'; '.join(different)}; choose the same network and labels, or leave it out"
        )
    weights = checkpoint.network_weights if checkpoint.ema_weights is None else checkpoint.ema_weights
    module.network.load_state_dict(weights)
    if module.average is not None:
        module.average.network.load_state_dict(weights)
    logger.info("beginning with the weights of '%s' (%d steps)", path, checkpoint.step)


def _shape(plan: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if name not in FREE}
