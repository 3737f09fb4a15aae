"""From the name of a method to a skull-stripper that is ready to work, or to one message that says what it lacks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otfsynth.config.checks import check_choice
from otfsynth.config.skullstrip import METHODS, StrippingConfig
from otfsynth.inference.skullstrip.command import CommandStripper
from otfsynth.inference.skullstrip.decision import has_skull, stripped_mask
from otfsynth.inference.skullstrip.deepbet import DeepBetStripper
from otfsynth.inference.skullstrip.hd_bet import HdBetStripper, missing_files
from otfsynth.inference.skullstrip.mask_folder import MaskFolderStripper
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper
from otfsynth.volumes import Volume

UNIMPORTANT = ("device", "timeout_s")
"""Settings that change no mask."""


@dataclass(frozen=True)
class Brain:
    """The brain of a scan.

    Args:
        mask: bool (x, y, z) on the scan's grid.
        method: the stripper that found it, or ``none`` where the scan was stripped already.
        reason: one sentence.
    """

    mask: np.ndarray
    method: str
    reason: str


class KeepEverything(Stripper):
    """``method=none``: every voxel counts."""

    name = "none"
    reason = "no skull-stripping"

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """All voxels, see :class:`Stripper`."""
        return np.ones(volume.data.shape, bool)


def choose_stripper(method: str, config: StrippingConfig) -> Stripper:
    """A stripper whose weights, folder or program are there.

    Args:
        method: one of :data:`otfsynth.config.skullstrip.METHODS`.
        config: what the strippers need to know.

    Raises:
        ConfigurationError: unknown method.
        SkullStripError: what the method needs is missing; says where to get it.
    """
    check_choice("method", method, METHODS)
    if method == "none":
        return KeepEverything()
    if method == "mask":
        return MaskFolderStripper(config.mask_folder)
    if method == "command":
        return CommandStripper(config.command, config.timeout_s)
    if method == "deepbet":
        return DeepBetStripper(config.device)
    if method == "hd-bet":
        return HdBetStripper(config.hd_bet_weights, config.device, config.hd_bet_tta)
    return _best(config)


def what_decides(method: str, config: StrippingConfig, stripper: Stripper) -> dict[str, Any]:
    """What decides which brains are found, as plain data: results of others have to be made again when resuming.

    With ``method=auto`` the stripper that was chosen is part of it: it changes when HD-BET's weights come or go.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in UNIMPORTANT}
    return {"method": method, "stripper": stripper.name, **settings}


def _best(config: StrippingConfig) -> Stripper:
    missing = missing_files(config.hd_bet_weights)
    if not missing:
        reason = f"HD-BET, since its weights are in '{config.hd_bet_weights}'"
        return HdBetStripper(config.hd_bet_weights, config.device, config.hd_bet_tta, reason)
    return DeepBetStripper(config.device, f"deepbet, since HD-BET's weights are not in '{config.hd_bet_weights}'")


def find_brain(volume: Volume, method: str, stripper: Stripper, path: Path | None = None, case: str = "") -> Brain:
    """The brain of a scan; with ``method=auto`` a scan that is stripped already is left as it is.

    Args:
        volume: the scan.
        method: as given to :func:`choose_stripper`, which made ``stripper``.
        stripper: finds the brain.
        path: the scan's file, where it has one.
        case: its name.

    Raises:
        SkullStripError: no brain was found; names the scan.
    """
    if method == "auto":
        decision = has_skull(volume.data, volume.affine)
        if not decision.needed:
            mask = stripped_mask(volume.data)
            if not mask.any():
                raise SkullStripError(f"'{case or volume.name}' is empty or constant: there is no brain in it")
            return Brain(mask, "none", decision.reason)
        return Brain(stripper.mask(volume, path, case), stripper.name, decision.reason)
    return Brain(stripper.mask(volume, path, case), stripper.name, stripper.reason)
