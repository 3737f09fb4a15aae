"""Configuration of where runs are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PathsConfig:
    """Folders of the results; Hydra adds the experiment's name and the time of the start."""

    runs: str = "runs"
    """Single runs: ``runs/EXPERIMENT/TIME``."""
    multirun: str = "multirun"
    """Sweeps: ``multirun/EXPERIMENT/TIME/NUMBER``."""
