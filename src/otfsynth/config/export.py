"""The configuration of ``python -m otfsynth.export``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks


@dataclass
class ExportConfig:
    """Everything that ``python -m otfsynth.export`` reads."""

    checkpoint: str = ""
    """A ``.ckpt`` file of a run, or a model folder whose card is written anew; runs and results that it tells of are
    kept where none are given."""
    output: str = ""
    """Folder of the model."""
    name: str | None = None
    """Of the model; by default that of the folder."""
    version: str = "1"
    """Of the model."""
    runs: list[str] = field(default_factory=list)
    """Folders of the training runs that led to the checkpoint, the last one last; by default the one it lies in."""
    reports: list[str] = field(default_factory=list)
    """Output folders of ``evaluate``, or folders of such, whose figures go into the card."""
    anatomies: str | None = None
    """What was trained on, in words; by default the name of ``data.label_maps``."""
    machine: str | None = None
    """What it was trained with, in words; by default the hardware preset."""
    limits: list[str] = field(default_factory=list)
    """Sentences that the card adds to its limits."""
    licence: str = "MIT, as the package."
    notes: str | None = None
    """More text at the end of the card."""
    overwrite: bool = False
    """Replace a model that is in the folder already."""

    def __post_init__(self) -> None:
        if not self.checkpoint:
            raise checks.ConfigurationError("checkpoint is not given; write checkpoint=RUN/checkpoints/best.ckpt")
        if not self.output:
            raise checks.ConfigurationError("output is not given; write output=FOLDER")
        if Path(self.output).expanduser().is_file():
            raise checks.ConfigurationError(f"output={self.output} is a file; give a folder for the model")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.model_name):
            raise checks.ConfigurationError(f"name={self.model_name} may hold letters, digits, '.', '_' and '-' only")
        if not re.fullmatch(r"[A-Za-z0-9.+-]+", self.version):
            raise checks.ConfigurationError(f"version={self.version} may hold letters, digits, '.', '+' and '-' only")

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.name or Path(self.output).expanduser().resolve().name
