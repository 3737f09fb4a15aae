"""The configuration of image preparation, and of ``python -m otfsynth.preprocess``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks
from otfsynth.config.layouts import LAYOUTS
from otfsynth.config.skullstrip import METHODS, StrippingConfig, check_paths

NORMALIZATIONS = ("zscore", "minmax", "none")
DIRECTIONS = ("RL", "AP", "SI")


@dataclass
class PreparationConfig:
    """The steps of image preparation, in their order.

    Of reorientation, resampling, skull-stripping, N4, denoising and histogram matching only a common voxel size changed
    what networks learned (Kondrateva et al., 2024); therefore the others are off.
    """

    bias_correction: bool = False
    """N4 (Tustison et al., 2010): divide by a smooth field that sharpens the histogram."""
    bias_shrink: int = 4
    """N4 estimates the field on every so many voxels, and divides all of them by it."""
    denoising: bool = False
    """Curvature flow: smooths tissue, keeps borders."""
    orientation: str | None = "RAS"
    """Where the axes point, e.g. LPS; ``null`` leaves them."""
    spacing_mm: list[float] | None = field(default_factory=lambda: [1.0, 1.0, 1.0])
    """Voxel size along each axis after reorientation; ``null`` leaves it."""
    shape: list[int] | None = None
    """Voxels along each axis, cropped or padded around the middle of the mask; ``null`` leaves them."""
    clip_percentiles: list[float] | None = None
    """Percentiles of the masked voxels at which intensities are cut, e.g. [0.5, 99.5]."""
    histogram_reference: str | None = None
    """A scan, stripped if these are, whose histogram is given to all of them."""
    normalization: str = "zscore"
    """One of :data:`NORMALIZATIONS`, over the mask."""

    def __post_init__(self) -> None:
        checks.check_between("steps.bias_shrink", self.bias_shrink, 1, 16)
        checks.check_choice("steps.normalization", self.normalization, NORMALIZATIONS)
        if self.orientation is not None:
            check_orientation(self.orientation)
        if self.spacing_mm is not None:
            _check_triple("steps.spacing_mm", self.spacing_mm, 0.1, 20)
        if self.shape is not None:
            _check_triple("steps.shape", self.shape, 1, 2048)
        if self.clip_percentiles is not None:
            checks.check_range("steps.clip_percentiles", self.clip_percentiles, 0, 100)
            if self.clip_percentiles[0] == self.clip_percentiles[1]:
                raise checks.ConfigurationError(
                    f"steps.clip_percentiles={list(self.clip_percentiles)} leaves one intensity; give e.g. [0.5, 99.5]"
                )
        if self.histogram_reference is not None and not Path(self.histogram_reference).expanduser().is_file():
            raise checks.ConfigurationError(
                f"steps.histogram_reference={self.histogram_reference} is no file; give a NIfTI or MGZ scan"
            )


@dataclass
class PreprocessConfig:
    """Everything that ``python -m otfsynth.preprocess`` reads."""

    input: str = ""
    """A scan, a folder, a list (.txt, .csv), a BIDS tree or an OASIS-3 tree."""
    output: str = ""
    """Folder of the results."""
    input_layout: str = "auto"
    """How ``input`` is arranged."""
    method: str = "auto"
    """How brains are found, as in ``otfsynth skullstrip``; ``none`` keeps heads whole."""
    resume: bool = False
    """Leave out scans whose results are there and whole."""
    pictures: bool = True
    """Draw every result with the outline of its mask, in ``qc/``."""
    progress: bool = True
    """Show a bar with the time left."""
    steps: PreparationConfig = field(default_factory=PreparationConfig)
    stripping: StrippingConfig = field(default_factory=StrippingConfig)

    def __post_init__(self) -> None:
        checks.check_choice("method", self.method, METHODS)
        checks.check_choice("input_layout", self.input_layout, LAYOUTS)
        check_paths(self.input, self.output)


def check_orientation(code: str) -> None:
    """Check that a code such as ``RAS`` names each of the three directions once.

    Raises:
        ConfigurationError: it does not.
    """
    named = sorted(next((pair for pair in DIRECTIONS if letter in pair), "") for letter in code)
    if named != sorted(DIRECTIONS):
        raise checks.ConfigurationError(
            f"steps.orientation={code} is no orientation; give three letters, one of R and L, of A and P, of S and I"
        )


def _check_triple(name: str, values: list[float] | list[int], low: float, high: float) -> None:
    if len(values) != 3:
        raise checks.ConfigurationError(f"{name}={list(values)} must have three numbers [x, y, z]")
    for value in values:
        checks.check_between(name, value, low, high)
