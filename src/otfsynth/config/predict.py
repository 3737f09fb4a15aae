"""The configuration of ``python -m otfsynth.predict``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from otfsynth.config import checks
from otfsynth.config.layouts import LAYOUTS
from otfsynth.config.skullstrip import METHODS, StrippingConfig, check_paths

NATIVE = "native"
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
LEAST_SPACE_MM, MOST_SPACE_MM = 0.2, 8.0
LEAST_SCALE, MOST_SCALE = 0.5, 2.0


@dataclass
class PredictConfig:
    """Everything that ``python -m otfsynth.predict`` reads."""

    input: str = ""
    """A scan, a folder, a list (.txt, .csv), a BIDS tree or an OASIS-3 tree; the images of one head joined by ``;``."""
    output: str = ""
    """Folder of the results."""
    checkpoint: Any = None
    """A checkpoint, a model folder, a folder of them, a glob, or a list of those; the probabilities of several are
    averaged. ``null``: the model that comes with the package."""
    input_layout: str = "auto"
    """How ``input`` is arranged: auto, scan, folder, list, bids, oasis3."""
    channels: list[str] = field(default_factory=list)
    """Contrast of each image that a network of several channels takes, in its order, e.g. ``[T1w,FLAIR]``; by default
    those it was trained on."""
    skullstrip: str = "auto"
    """auto, hd-bet, deepbet, mask, command or none; auto leaves stripped scans as they are."""
    stripping: StrippingConfig = field(default_factory=StrippingConfig)
    """What the skull-strippers need to know."""
    space: str = NATIVE
    """Grid of the results: ``native``, the scan's own, or cubic voxels along the scan's axes, e.g. ``1mm``."""
    tta: bool = True
    """Average the head with copies of other sizes, mirrored from left to right where networks know no sides."""
    tta_scales: list[float] = field(default_factory=lambda: [0.9, 1.2])
    """Sizes of these copies; each takes as long as a head of its size. Empty: the mirror image alone."""
    overlap: float = 0.25
    """Share of a tile that its neighbour covers too; 0.5 takes twice as long."""
    batch_size: int = 1
    """Tiles a pass."""
    max_tile: int | None = None
    """Longest edge of a tile in voxels, where memory is short; by default the training patch, or up to
    half as much again where that has less than 96 voxels."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    precision: str = "auto"
    """auto, 32-true, bf16-mixed, 16-mixed."""
    threads: int | None = None
    """Threads of the network on a CPU; by default one per core."""
    fluid_rim_mm: float = 3.0
    """In the brain mask and so near to what is labelled, background is CSF, for networks that were trained with fluid
    around stripped brains; 0: it stays background."""
    keep_largest_component: bool = False
    """Remove islands of labelled voxels beside the largest one."""
    fill_holes: bool = False
    """Give background that labelled voxels enclose the label of its nearest neighbour."""
    save_probabilities: bool = False
    """Write a probability map per target, too."""
    save_mask: bool = False
    """Write the brain mask, too."""
    resume: bool = False
    """Leave out scans whose results are whole, and made from the same file and brain mask by the same
    checkpoints, skull-stripper and settings."""
    progress: bool = True
    """Show a bar with the time left."""

    def __post_init__(self) -> None:
        checks.check_choice("input_layout", self.input_layout, LAYOUTS)
        checks.check_choice("skullstrip", self.skullstrip, METHODS)
        checks.check_choice("precision", self.precision, PRECISIONS)
        checks.check_between("overlap", self.overlap, 0.0, 0.9)
        checks.check_at_least("batch_size", self.batch_size, 1)
        for scale in self.tta_scales:
            checks.check_between("tta_scales", scale, LEAST_SCALE, MOST_SCALE)
        checks.check_between("fluid_rim_mm", self.fluid_rim_mm, 0.0, 20.0)
        for name in ("max_tile", "threads"):
            value = getattr(self, name)
            if value is not None:
                checks.check_at_least(name, value, 1)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", self.device):
            raise checks.ConfigurationError(f"device={self.device} is unknown; choose auto, cpu, cuda, cuda:1 or mps")
        _ = self.space_mm
        check_paths(self.input, self.output, join=";")

    @property
    def space_mm(self) -> float | None:
        """Voxel size of the results, ``None`` for the scan's own grid."""
        if self.space == NATIVE:
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*mm", self.space)
        if match is None:
            raise checks.ConfigurationError(f"space={self.space} is unknown; write native, or a voxel size such as 1mm")
        checks.check_between("space (mm)", float(match.group(1)), LEAST_SPACE_MM, MOST_SPACE_MM)
        return float(match.group(1))

    @property
    def checkpoints(self) -> list[str]:
        """What ``checkpoint`` names, as a list; empty for the shipped model."""
        given = self.checkpoint if isinstance(self.checkpoint, (list, tuple)) else [self.checkpoint]
        return [str(entry) for entry in given if entry not in (None, "")]
