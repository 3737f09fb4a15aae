"""What every skull-stripper is: something that finds the brain of a scan, on the scan's own grid."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.volumes import Volume


class SkullStripError(InputError):
    """A scan, or a method, with which no brain could be found; the message says why and what to do."""


class Stripper(Protocol):
    """Finds brains. Everything that can be wrong with the method itself is found when it is built.

    Args:
        name: the method, one of :data:`otfsynth.config.skullstrip.METHODS` and never ``auto``.
        reason: one line: what is used and why.
    """

    name: str
    reason: str

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """The brain.

        Args:
            volume: the scan.
            path: its file, where it has one.
            case: its name, by which masks of a folder are found.

        Returns:
            bool (x, y, z) on the grid of ``volume``.

        Raises:
            SkullStripError: no brain was found; names the scan.
        """
        ...

    def sources(self, path: Path, case: str) -> tuple[Path, ...]:
        """Files that the mask of a scan is read from; none where it is computed.

        Args:
            path: the scan's file.
            case: its name.
        """
        return ()


def finite(data: np.ndarray) -> np.ndarray:
    """float32 copy with NaN and infinities as 0, as every network here needs it."""
    return np.nan_to_num(data.astype(np.float32), copy=False, posinf=0.0, neginf=0.0)


def torch_device(name: str) -> str:
    """The device that ``auto`` stands for, or the one that was named.

    Raises:
        SkullStripError: this machine does not have it.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises AssertionError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SkullStripError(f"stripping.device={name} can't be used ({reason}); choose auto or cpu") from error
    return name
