"""nnU-Net's loss: soft Dice of the foreground labels plus cross-entropy, at every output of the decoder.

The arithmetic is float32 whatever the precision of the network (nnU-Net's own runs in the network's), targets stay
uint8 until one gather needs an index, and Dice is summed label by label: no one-hot copy of the target exists. Values
agree with ``DC_and_CE_loss`` (Isensee et al. 2021), and the CPU needs about half its time for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMOOTH = 1e-5


class DiceCrossEntropyLoss(nn.Module):
    """Cross-entropy minus mean soft Dice of the labels above 0; from about ln(labels) for guesses down to -1.

    Shape: logits (b, labels, x, y, z), any float type; target uint8 (b, 1, x, y, z) -> scalar float32.

    Args:
        batch_dice: one Dice per label over the whole batch (of all ranks, while training) instead of one per label and
            sample.
    """

    def __init__(self, batch_dice: bool = False) -> None:
        super().__init__()
        self.batch_dice = batch_dice

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        log_probabilities = F.log_softmax(logits.float(), dim=1)
        log_likelihood = log_probabilities.gather(1, target.long())
        cross_entropy = -log_likelihood.mean()
        dice = self._soft_dice(log_probabilities, log_likelihood, target)
        return cross_entropy - dice.mean()

    def _soft_dice(self, log_probabilities: Tensor, log_likelihood: Tensor, target: Tensor) -> Tensor:
        """Soft Dice, (b, labels - 1), or (labels - 1,) with ``batch_dice``."""
        predicted = log_probabilities[:, 1:].exp().flatten(2).sum(2)
        likelihood, flat_target = log_likelihood.exp().flatten(1), target.flatten(1)
        shared, present = [], []
        for label in range(1, log_probabilities.shape[1]):
            mask = flat_target == label
            shared.append((likelihood * mask).sum(1))
            present.append(mask.sum(1, dtype=torch.float32))
        sums = torch.stack([torch.stack(shared, 1), torch.stack(present, 1), predicted])
        if self.batch_dice:
            sums = sums.sum(1)
            if self.training and _is_distributed():  # ranks validate different numbers of batches, each for itself
                sums = _SumOverRanks.apply(sums)
        intersection, reference, prediction = sums
        return (2 * intersection + SMOOTH) / (reference + prediction + SMOOTH)


class DeepSupervisionLoss(nn.Module):
    """Weighted sum of a loss over the decoder's outputs, the target brought to each one's size.

    Weights are 1, 1/2, 1/4 ...; the coarsest output's is 0, and they are scaled to sum 1, as in nnU-Net. A single
    output has weight 1.

    Args:
        loss: takes (logits, target).
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Sequence[Tensor], target: Tensor) -> Tensor:
        """Outputs (b, labels, x / s, y / s, z / s), finest first; target uint8 (b, 1, x, y, z) -> scalar."""
        total = torch.zeros((), device=target.device)
        for weight, logits in zip(deep_supervision_weights(len(outputs)), outputs, strict=True):
            # A weight of 0 still touches its output: DDP otherwise complains of parameters without gradient.
            term = self.loss(logits, downsample_target(target, logits.shape[2:])) if weight else 0.0 * logits.sum()
            total = total + weight * term
        return total


def deep_supervision_weights(count: int) -> list[float]:
    """Weights of ``count`` outputs, finest first; they sum to 1."""
    if count == 1:
        return [1.0]
    weights = [0.5**level for level in range(count - 1)] + [0.0]
    return [weight / sum(weights) for weight in weights]


def downsample_target(target: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest neighbour as in nnU-Net's loader (``nearest-exact``: voxel centres are aligned); uint8 stays uint8."""
    if tuple(target.shape[2:]) == tuple(size):
        return target
    return F.interpolate(target, size=tuple(size), mode="nearest-exact")


class _SumOverRanks(torch.autograd.Function):
    """Sum over the processes of a distributed run; gradients are summed back, as every rank's loss uses the sum."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
