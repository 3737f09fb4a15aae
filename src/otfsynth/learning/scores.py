"""Scores of one validation, and their moving average over the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otfsynth.data.validation import ValidationCase
from otfsynth.evaluation import dice_per_label

PICTURED = 4
"""Validation samples, and real scans, that are drawn; of further scans only the scores are kept, or a hundred heads
would fill memory."""
EMA_KEPT = 0.9
"""Share of the moving average of the pseudo-Dice kept at each validation, nnU-Net's."""


@dataclass(frozen=True)
class ScanScore:
    """One real scan: its picture's ingredients and its Dice per target."""

    case: ValidationCase
    labels: np.ndarray
    """uint8 (x, y, z), on the scan's grid."""
    dice: tuple[float, ...]
    """Per target above 0; NaN where neither segmentation has it."""


class ValidationScores:
    """Collects one validation's counts and turns them into named numbers.

    The pseudo-Dice is nnU-Net's: counts of all patches together, averaged over the foreground targets. Its moving
    average over validations chooses the best checkpoint.

    Args:
        target_names: names of the targets, background first.
    """

    def __init__(self, target_names: Sequence[str]) -> None:
        self.target_names = tuple(target_names)
        self.metrics: dict[str, float] = {}
        """Named scores of the last validation."""
        self.scans: list[ScanScore] = []
        """The first real scans of the validation, until it ends."""
        self.pseudo_dice_ema: float | None = None
        self.start(torch.device("cpu"))

    def start(self, device: torch.device) -> None:
        """Forget the last validation's counts."""
        labels = len(self.target_names)
        self._confusion = torch.zeros(labels, labels, dtype=torch.int64, device=device)
        kind = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        self._loss = torch.zeros((), dtype=kind, device=device)
        self._samples = torch.zeros((), dtype=kind, device=device)
        self._rows: list[tuple[str, tuple[float, ...]]] = []
        self.scans = []

    def add_synthetic(self, confusion: Tensor, loss: Tensor) -> None:
        """Add one synthetic batch."""
        self._confusion += confusion
        self._loss += loss.detach()
        self._samples += 1

    def add_scan(self, case: ValidationCase, labels: np.ndarray, confusion: Tensor) -> None:
        """Add one real scan."""
        dice = tuple(dice_per_label(confusion)[1:].tolist())
        self._rows.append((case.scan.contrast, dice))
        if len(self.scans) < PICTURED:
            self.scans.append(ScanScore(case, labels, dice))

    def release(self) -> None:
        """Let go of the scans."""
        self.scans = []

    def finish(self, strategy: Any, world_size: int) -> None:
        """Compute :attr:`metrics` from the counts of all ranks."""
        if world_size > 1:
            for counts in (self._confusion, self._loss, self._samples):
                torch.distributed.all_reduce(counts)
        self.metrics = self._synthetic() | self._real(world_size)
        strategy.barrier("validation scores")

    def _synthetic(self) -> dict[str, float]:
        if self._samples == 0:
            return {}
        dice = dice_per_label(self._confusion.cpu())[1:]
        present = dice[~dice.isnan()]
        mean = float(present.mean()) if present.numel() else 0.0
        self.pseudo_dice_ema = mean if self.pseudo_dice_ema is None else _follow(self.pseudo_dice_ema, mean)
        named = {f"validation/dice/{name}": float(d) for name, d in zip(self.target_names[1:], dice, strict=True)}
        return {
            "validation/loss": float(self._loss / self._samples),
            "validation/dice": mean,
            "validation/dice_ema": self.pseudo_dice_ema,
            **named,
        }

    def _real(self, world_size: int) -> dict[str, float]:
        rows = self._rows
        if world_size > 1:
            gathered: list[Any] = [None] * world_size
            torch.distributed.all_gather_object(gathered, rows)
            rows = [row for part in gathered for row in part]
        if not rows:
            return {}
        named: dict[str, float] = {}
        table = np.array([dice for _, dice in rows], np.float64)
        named["real/dice"] = _mean(table)
        for column, name in enumerate(self.target_names[1:]):
            named[f"real/dice/{name}"] = _mean(table[:, column])
        for contrast in sorted({contrast for contrast, _ in rows if contrast}):
            chosen = np.array([row_contrast == contrast for row_contrast, _ in rows])
            named[f"real/dice/contrast/{contrast}"] = _mean(table[chosen])
        return named


def _follow(average: float, value: float) -> float:
    return EMA_KEPT * average + (1.0 - EMA_KEPT) * value


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN where all is."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")
