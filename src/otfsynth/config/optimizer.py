"""Configuration of the optimiser and its learning-rate schedule; defaults are nnU-Net's."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("polynomial", "cosine", "one_cycle", "constant")


@dataclass
class OptimizerConfig:
    """SGD with Nesterov momentum and polynomial decay, or AdamW; schedules are functions of the step alone."""

    name: str = "sgd"
    learning_rate: float = 0.01
    """The highest learning rate of the run."""
    weight_decay: float = 3e-5
    momentum: float = 0.99
    """Nesterov momentum of ``sgd``."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    """Decay rates of the two moment estimates of ``adamw``."""
    schedule: str = "polynomial"
    """``polynomial``: (1 - t)**power; ``cosine``: half a cosine to 0; ``one_cycle``: cosine up over
    ``one_cycle_rise`` of the run, then down (Smith and Topin 2019); ``constant``."""
    polynomial_power: float = 0.9
    one_cycle_rise: float = 0.3
    warmup_steps: int = 0
    """Steps over which the learning rate grows linearly from near 0, before the schedule begins."""
    gradient_clip: float = 12.0
    """Largest norm of the whole gradient; 0 leaves it alone."""
    ema_decay: float = 0.0
    """Decay per step of the moving average of the weights, which then validates and predicts; 0 keeps none."""

    def __post_init__(self) -> None:
        checks.check_choice("optimizer.name", self.name, OPTIMIZERS)
        checks.check_positive("optimizer.learning_rate", self.learning_rate)
        checks.check_at_least("optimizer.weight_decay", self.weight_decay, 0.0)
        checks.check_between("optimizer.momentum", self.momentum, 0.0, 0.9999)
        if len(self.betas) != 2:
            raise checks.ConfigurationError(
                f"optimizer.betas={list(self.betas)} must be two numbers, e.g. [0.9, 0.999]"
            )
        for beta in self.betas:
            checks.check_between("optimizer.betas", beta, 0.0, 0.99999)
        checks.check_choice("optimizer.schedule", self.schedule, SCHEDULES)
        checks.check_positive("optimizer.polynomial_power", self.polynomial_power)
        checks.check_probability("optimizer.one_cycle_rise", self.one_cycle_rise)
        checks.check_at_least("optimizer.warmup_steps", self.warmup_steps, 0)
        checks.check_at_least("optimizer.gradient_clip", self.gradient_clip, 0.0)
        checks.check_between("optimizer.ema_decay", self.ema_decay, 0.0, 0.99999)
