"""The configuration of ``python -m otfsynth.oasis3``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks

ACTIONS = ("list", "split")
CONTRASTS = ("T1w", "T2w", "FLAIR", "T2star")
"""BIDS suffixes of the structural scans that OASIS-3 has."""


@dataclass
class Oasis3Config:
    """Everything that ``python -m otfsynth.oasis3`` reads."""

    root: str = ""
    """Folder that holds OASIS-3's sessions, in any of its layouts."""
    action: str = "list"
    """``list`` shows what is there, ``split`` writes lists for training and testing; the bare word will do."""
    freesurfer: str | None = None
    """Folder of the FreeSurfer results, where they are not below ``root``."""
    output: str | None = None
    """``list``: a ``.csv`` file for the table; ``split``: a folder for the lists."""
    check: bool = False
    """Open the header of every scan and segmentation; damaged ones are reported and left out of a split."""
    seed: int = 0
    """Of a split; in [0, 2**31 - 1]."""
    training: int = 50
    """Label maps to train on, one of each subject."""
    testing: int = 100
    """Scans to test on, of other subjects."""
    contrasts: list[str] = field(default_factory=lambda: ["T1w", "T2w", "FLAIR"])
    """BIDS suffixes of the testing scans, wanted in equal numbers."""
    per_subject: int = 1
    """Most testing scans of a subject, each of another contrast; with more than one, evaluate compares contrasts."""
    allow_fewer: bool = False
    """Divide what is there where it is less than was asked for."""
    progress: bool = True
    """Show how many folders were searched."""

    def __post_init__(self) -> None:
        checks.check_choice("action", self.action, ACTIONS)
        if not self.root:
            raise checks.ConfigurationError("root is empty; give the folder of OASIS-3: root=DIR")
        for name, folder in (("root", self.root), ("freesurfer", self.freesurfer)):
            if folder is not None and not Path(folder).expanduser().is_dir():
                raise checks.ConfigurationError(f"{name}={folder} is no folder; give one that holds OASIS-3")
        self._check_output()
        checks.check_between("seed", self.seed, 0, 2**31 - 1)
        checks.check_at_least("training", self.training, 1)
        checks.check_at_least("testing", self.testing, 1)
        if not self.contrasts:
            raise checks.ConfigurationError("contrasts is empty; name at least one, e.g. contrasts=[T1w,T2w]")
        for contrast in self.contrasts:
            checks.check_choice("contrasts", contrast, CONTRASTS)
        if len(set(self.contrasts)) < len(self.contrasts):
            raise checks.ConfigurationError(f"contrasts={list(self.contrasts)} names one twice; name each once")
        checks.check_between("per_subject", self.per_subject, 1, len(self.contrasts))

    def _check_output(self) -> None:
        if self.action == "split":
            if not self.output:
                raise checks.ConfigurationError("output is empty; split writes into a folder: output=DIR")
            if Path(self.output).expanduser().is_file():
                raise checks.ConfigurationError(f"output={self.output} is a file; split writes into a folder")
        elif self.output and not self.output.lower().endswith(".csv"):
            raise checks.ConfigurationError(f"output={self.output} must be the name of a .csv file for the table")
