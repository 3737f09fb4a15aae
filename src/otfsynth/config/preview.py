"""The configuration of ``python -m otfsynth.preview``: that of a training run, and what to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otfsynth.config import checks
from otfsynth.config.root import TrainConfig

MOST_SAMPLES = 400


@dataclass
class PreviewConfig(TrainConfig):
    """Everything that ``python -m otfsynth.preview`` reads; settings of training are accepted and have no effect.

    ``data.patch_size`` is the size of the samples; without it they show whole heads.
    """

    n: int = 16
    """Number of samples."""
    index: int = 0
    """Position of the first one in the stream of ``seed``."""
    output: str = "sheet.png"
    """Picture to write; the records of its samples are beside it, in ``.json``."""
    contours: bool = True
    """Show every picture a second time with the outlines of the targets."""
    columns: int = 4
    """Samples beside each other."""
    parameters: str | None = None
    """Records of an earlier preview: draws those samples again, from the same label maps, instead of ``n`` new ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.check_between("n", self.n, 1, MOST_SAMPLES)
        checks.check_between("index", self.index, 0, 2**32 - MOST_SAMPLES)
        checks.check_between("columns", self.columns, 1, 16)
        if Path(self.output).suffix.lower() != ".png":
            raise checks.ConfigurationError(f"output={self.output} must be the name of a .png file")
        if self.parameters is not None and not Path(self.parameters).expanduser().is_file():
            raise checks.ConfigurationError(f"parameters={self.parameters} is no file; give the .json of a preview")
