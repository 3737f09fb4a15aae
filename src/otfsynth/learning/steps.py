"""Where a batch ends a step of the optimiser, and what that means for a run that continues another."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl


def ends_step(trainer: pl.Trainer, batch_index: int) -> bool:
    """Whether the optimiser has moved after this batch; with gradient accumulation it does so after every n-th."""
    return (batch_index + 1) % trainer.accumulate_grad_batches == 0


def count_batches_anew(checkpoint: dict[str, Any], batches_per_step: int) -> None:
    """Let the loop of a checkpoint go on as if all its steps had taken ``batches_per_step`` batches, in place.

    Lightning accumulates and validates by the number of batches. A run that is continued on other machines, with other
    batches in a step, would otherwise make its first step of a part of them.
    """
    batches = int(checkpoint["global_step"]) * batches_per_step
    for counts in (
        checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"][which] for which in ("total", "current")
    ):
        counts.update(dict.fromkeys(counts, batches))
