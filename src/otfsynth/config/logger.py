"""Configuration of the loggers: CSV is always written, Weights & Biases where it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

MODES = ("auto", "online", "offline", "disabled")


@dataclass
class LoggerConfig:
    """Weights & Biases (W&B); ``metrics.csv`` in the run's folder does not depend on it."""

    mode: str = "auto"
    """``auto``: online where a W&B key is found, else offline (``wandb sync`` sends the run later)."""
    project: str = "otfsynth"
    entity: str | None = None
    group: str | None = None
    """Runs of one group are shown together; the jobs of a sweep share the sweep's by themselves."""
    run_name: str | None = None
    """By default the run's folder."""
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        checks.check_choice("logger.mode", self.mode, MODES)
        if not self.project:
            raise checks.ConfigurationError("logger.project is empty; name the W&B project")
