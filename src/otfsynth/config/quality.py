"""The configuration of ``python -m otfsynth.quality``: that of a training run, and what to compare with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks
from otfsynth.config.root import TrainConfig

FRESH = "fresh"
REGIONS = ("brain", "all")
NORMALIZATIONS = ("robust", "minmax")
MOST_SAMPLES = 100_000
SMALLEST_BOX_VOXELS = 7
"""Width of the SSIM's window."""


@dataclass
class QualityConfig(TrainConfig):
    """Everything that ``python -m otfsynth.quality`` reads; settings of training are accepted and have no effect."""

    synthetic: str = FRESH
    """``fresh`` draws samples as ``preview`` does; else scans in any layout, e.g. a folder that ``freeze`` wrote."""
    real: str = ""
    """Real scans: a file, a folder, a list or a BIDS tree; a list may give their contrasts."""
    real_layout: str = "auto"
    output: str = ""
    """Folder of tables, plots and ``report.html``."""
    n: int = 40
    """Number of fresh samples."""
    index: int = 0
    """Position of the first one in the stream of ``seed``."""
    region: str = "brain"
    """``brain`` leaves of synthetic images what their labels call brain, for skull-stripped real scans; ``all``: all
    that is not 0."""
    spacing_mm: float = 1.0
    """Cubic voxels that all images are brought to."""
    box_mm: list[float] = field(default_factory=lambda: [176.0, 208.0, 176.0])
    """Box (x, y, z) around the centre of mass that is compared."""
    normalization: str = "robust"
    """``robust``: percentiles 0.5 and 99.5 of the foreground become 0 and 1; ``minmax``: its extremes."""
    slice_step: int = 1
    """Every so many axial slices enter the SSIM."""
    bins: int = 64
    """Of the histograms."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("real", "output"):
            if not getattr(self, name):
                raise checks.ConfigurationError(f"{name} is not given; write {name}=PATH")
        for name in ("synthetic", "real"):
            value = getattr(self, name)
            if value != FRESH and not Path(value).expanduser().exists():
                raise checks.ConfigurationError(f"{name}={value} does not exist; check the path")
        checks.check_between("n", self.n, 1, MOST_SAMPLES)
        checks.check_between("index", self.index, 0, 2**32 - MOST_SAMPLES)
        checks.check_choice("region", self.region, REGIONS)
        checks.check_choice("normalization", self.normalization, NORMALIZATIONS)
        checks.check_between("spacing_mm", self.spacing_mm, 0.2, 8.0)
        checks.check_between("slice_step", self.slice_step, 1, 100)
        checks.check_between("bins", self.bins, 8, 1024)
        self._check_box()

    def _check_box(self) -> None:
        if len(self.box_mm) != 3:
            raise checks.ConfigurationError(f"box_mm={self.box_mm} must be three extents (x, y, z)")
        for extent in self.box_mm:
            checks.check_between("box_mm", extent, SMALLEST_BOX_VOXELS * self.spacing_mm, 1000.0)
