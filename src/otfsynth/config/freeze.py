"""The configuration of ``python -m otfsynth.freeze``: that of a training run, and what to write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from otfsynth.config import checks
from otfsynth.config.root import TrainConfig

MOST_SAMPLES = 100_000


@dataclass
class FreezeConfig(TrainConfig):
    """Everything that ``python -m otfsynth.freeze`` reads; settings of training are accepted and have no effect.

    ``data.patch_size`` is the size of the volumes; without it they show whole heads.
    """

    n: int = 500
    """Number of volumes."""
    index: int = 0
    """Position of the first one in the stream of ``seed``."""
    output: str = ""
    """Folder of the dataset, in nnU-Net's raw layout."""
    prefix: str = "synthetic"
    """Volumes are called ``PREFIX_000000`` and so on, by their position in the stream."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.check_between("n", self.n, 1, MOST_SAMPLES)
        checks.check_between("index", self.index, 0, 2**32 - MOST_SAMPLES)
        if not self.output:
            raise checks.ConfigurationError("output is missing; give a folder, e.g. output=Dataset501_Synthetic")
        if not re.fullmatch(r"[A-Za-z0-9-]+", self.prefix):
            raise checks.ConfigurationError(f"prefix={self.prefix} may hold letters, digits and '-' only")
