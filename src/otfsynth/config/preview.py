"""The configuration of ``python -m otfsynth.preview``: that of a training run, and what to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otfsynth.config import checks
from otfsynth.config.root import TrainConfig
from otfsynth.config.sweeps import check_sweep, register_sweeps

MOST_SAMPLES = 400
MOST_VALUES = 12
PLANES = ("sagittal", "coronal", "axial")

register_sweeps()  # before Hydra reads sweep=NAME


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
    sweep: str | None = None
    """A setting of the generative model, e.g. ``gamma.std``: a strip of sample ``index`` at several values of it."""
    sweep_values: list[Any] | None = None
    """Its values, numbers or ranges; by default over its span, by the rule of :mod:`otfsynth.config.sweeps`."""
    sweep_planes: list[str] = field(default_factory=lambda: ["axial", "coronal"])
    """Rows of the strip: ``axial``, ``coronal``, ``sagittal``."""
    sweep_width: int = 240
    """Pixels of a column of the strip."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.check_between("n", self.n, 1, MOST_SAMPLES)
        checks.check_between("index", self.index, 0, 2**32 - MOST_SAMPLES)
        checks.check_between("columns", self.columns, 1, 16)
        if Path(self.output).suffix.lower() != ".png":
            raise checks.ConfigurationError(f"output={self.output} must be the name of a .png file")
        if self.parameters is not None and not Path(self.parameters).expanduser().is_file():
            raise checks.ConfigurationError(f"parameters={self.parameters} is no file; give the .json of a preview")
        self._check_strip()

    def _check_strip(self) -> None:
        for plane in self.sweep_planes:
            checks.check_choice("sweep_planes", plane, PLANES)
        if not self.sweep_planes:
            raise checks.ConfigurationError(
                f"sweep_planes=[] leaves nothing to draw; choose some of: {', '.join(PLANES)}"
            )
        checks.check_between("sweep_width", self.sweep_width, 60, 1000)
        if self.sweep is not None:
            check_sweep(self.sweep)
            if self.parameters is not None:
                raise checks.ConfigurationError("parameters and sweep exclude each other; leave one out")
        if self.sweep_values is not None:
            if self.sweep is None:
                raise checks.ConfigurationError("sweep_values need a setting to give them to; add sweep=NAME")
            checks.check_between("the number of sweep_values", len(self.sweep_values), 1, MOST_VALUES)
