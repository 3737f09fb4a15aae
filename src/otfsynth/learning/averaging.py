"""Exponential moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage(nn.Module):
    """A copy of a network whose weights follow the original's slowly.

    Update n (from 0) keeps min(decay, (1 + n) / (10 + n)) of the average, so that the first steps are forgotten soon
    (as in TensorFlow's ExponentialMovingAverage). Buffers are copied.

    Args:
        network: the network that trains.
        decay: share of the average kept at each step, in (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, updates_done: int) -> None:
        """Move towards the network's present weights.

        Args:
            network: the network that trains.
            updates_done: calls before this one.
        """
        decay = min(self.decay, (1 + updates_done) / (10 + updates_done))
        averages: list[torch.Tensor] = list(self.network.parameters())
        weights = [weight.detach() for weight in network.parameters()]
        torch._foreach_lerp_(averages, weights, 1.0 - decay)  # one launch for all tensors
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)
