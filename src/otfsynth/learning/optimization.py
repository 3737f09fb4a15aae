"""Optimisers and learning-rate schedules; a schedule is a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from otfsynth.config.optimizer import OptimizerConfig


def build_optimizer(config: OptimizerConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """SGD with Nesterov momentum, or AdamW."""
    kind = torch.optim.SGD if config.name == "sgd" else torch.optim.AdamW
    return kind(parameters, lr=config.learning_rate, **_settings(config))


def _settings(config: OptimizerConfig) -> dict[str, Any]:
    """What every group of parameters holds beside its learning rate."""
    if config.name == "sgd":
        return {
            "momentum": config.momentum,
            "nesterov": config.momentum > 0,
            "weight_decay": config.weight_decay,
        }
    return {"betas": (config.betas[0], config.betas[1]), "weight_decay": config.weight_decay}


def settle(config: OptimizerConfig, optimizer: Optimizer, schedule: LambdaLR) -> None:
    """Give a continued run its own settings: the state that it was loaded with brought those of the run before."""
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    schedule.base_lrs = [config.learning_rate] * len(optimizer.param_groups)
    for group in optimizer.param_groups:
        group.update(_settings(config), initial_lr=config.learning_rate, lr=config.learning_rate * factor)


def build_schedule(config: OptimizerConfig, optimizer: Optimizer, max_steps: int) -> LambdaLR:
    """Learning rate of every step, to be advanced once per optimiser step."""
    return LambdaLR(optimizer, lambda step: learning_rate_factor(config, step, max_steps))


def learning_rate_factor(config: OptimizerConfig, step: int, max_steps: int) -> float:
    """Share of ``config.learning_rate`` in force at a step.

    Args:
        config: schedule, warm-up and shape.
        step: optimiser steps done, from 0.
        max_steps: length of the run; from there on the factor stays at its end.
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    progress = min((step - config.warmup_steps) / max(max_steps - config.warmup_steps, 1), 1.0)
    if config.schedule == "polynomial":
        return (1.0 - progress) ** config.polynomial_power
    if config.schedule == "cosine":
        return _half_cosine(progress)
    if config.schedule == "one_cycle":
        rise = config.one_cycle_rise
        if progress < rise:
            return max(_half_cosine(1.0 - progress / rise), 0.04)
        return _half_cosine((progress - rise) / (1.0 - rise)) if rise < 1 else 1.0
    return 1.0


def _half_cosine(progress: float) -> float:
    """From 1 at progress 0 to 0 at progress 1."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))
