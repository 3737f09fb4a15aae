"""The configuration of skull-stripping, and of ``python -m otfsynth.skullstrip``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks
from otfsynth.config.layouts import LAYOUTS

METHODS = ("auto", "hd-bet", "deepbet", "mask", "command", "none")
"""``auto`` leaves stripped scans as they are and takes HD-BET where its weights are, else deepbet."""


@dataclass
class StrippingConfig:
    """What the skull-strippers need to know; which of them is used is said elsewhere, by ``method``."""

    hd_bet_weights: str = "~/hd-bet_params/release_2.0.0"
    """Folder of HD-BET 2's weights, the one that HD-BET itself uses by default; nothing is downloaded."""
    hd_bet_tta: bool = False
    """HD-BET averages over eight mirrored copies: slightly better, eight times the time."""
    mask_folder: str | None = None
    """Folder of brain masks, for ``method=mask``."""
    command: str | None = None
    """Command line, for ``method=command``, e.g. ``"bet {input} {output} -m"``; see docs/skullstrip.md."""
    timeout_s: float = 1800.0
    """Longest time that the command may take for one scan."""
    device: str = "auto"
    """Where the networks run: auto, cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        checks.check_positive("stripping.timeout_s", self.timeout_s)


@dataclass
class SkullStripConfig:
    """Everything that ``python -m otfsynth.skullstrip`` reads."""

    input: str = ""
    """A scan, a folder, a list (.txt, .csv), a BIDS tree or an OASIS-3 tree."""
    output: str = ""
    """Folder of the results."""
    method: str = "auto"
    """One of :data:`METHODS`, except ``none``."""
    input_layout: str = "auto"
    """How ``input`` is arranged."""
    resume: bool = False
    """Leave out scans whose results are there, whole, and made by the same skull-stripper."""
    pictures: bool = True
    """Draw the outline of every mask on its scan, in ``qc/``."""
    progress: bool = True
    """Show a bar with the time left."""
    stripping: StrippingConfig = field(default_factory=StrippingConfig)
    """What the skull-strippers need to know."""

    def __post_init__(self) -> None:
        methods = tuple(method for method in METHODS if method != "none")
        checks.check_choice("method", self.method, methods)
        checks.check_choice("input_layout", self.input_layout, LAYOUTS)
        check_paths(self.input, self.output)


def check_paths(given: str, output: str, join: str = "") -> None:
    """Check the input and the output folder of a command that works on many scans.

    Args:
        given: input.
        output: folder of the results.
        join: what may stand between several files of the input; empty: it is one path.

    Raises:
        ConfigurationError: one is not given, the input is not there, or the output is a file.
    """
    if not given:
        raise checks.ConfigurationError("input is not given; write input=SCAN.nii.gz, or a folder, a list, a BIDS tree")
    if not output:
        raise checks.ConfigurationError("output is not given; write output=FOLDER")
    paths = [given] if not join or Path(given).expanduser().exists() else given.split(join)
    for path in (path.strip() for path in paths):
        if path and not Path(path).expanduser().exists():
            raise checks.ConfigurationError(f"input={path} does not exist; check the path")
    if Path(output).expanduser().is_file():
        raise checks.ConfigurationError(f"output={output} is a file; give a folder for the results")
