"""The probability maps beside a label map: whether they are its own, and the labels that they give on another grid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otfsynth.volumes import Grid, read_volume, resample_to_grid, to_canonical, volume_stem

ROUNDING = 5e-3
"""Of probabilities stored as half floats, summed over the targets: what is less likely by less is as likely."""


@dataclass(frozen=True)
class Shares:
    """Probability maps of one case in RAS order; background has what the others leave.

    Args:
        maps: float32 (x, y, z) by target value, all of them.
        grid: of the maps.
    """

    maps: Mapping[int, np.ndarray]
    grid: Grid

    def give(self, labels: np.ndarray) -> bool:
        """Whether every label of a map is the likeliest one, up to rounding.

        Args:
            labels: uint8 (x, y, z) target values on the grid of the maps.
        """
        background = 1 - sum(self.maps.values(), np.zeros(labels.shape, np.float32))
        best = np.maximum.reduce([background, *self.maps.values()])
        own = np.where(labels == 0, background, -np.inf)
        for value, share in self.maps.items():
            np.copyto(own, share, where=labels == value)
        return bool((own >= best - ROUNDING).all())

    def likeliest_on(self, grid: Grid) -> np.ndarray:
        """Labels on another grid, uint8: linear interpolation map by map; what no structure claims is background."""
        best, winner = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.uint8)
        claimed = np.zeros(grid.shape, np.float32)
        for value, share in sorted(self.maps.items()):
            moved = resample_to_grid(share, self.grid.affine, grid, order=1)
            claimed += moved
            better = moved > best
            best[better], winner[better] = moved[better], value
        winner[1.0 - claimed >= best] = 0
        return winner


def read_shares(files: Mapping[int, Path]) -> Shares | None:
    """Read the maps of all targets, by target value; ``None`` where there are none or their grids differ.

    Raises:
        VolumeError: a file can't be read; the message names it.
    """
    maps, grids = {}, []
    for value, file in sorted(files.items()):
        volume = read_volume(file, np.float32)
        maps[value], affine = to_canonical(volume.data, volume.affine)
        x, y, z = maps[value].shape
        grids.append(Grid((x, y, z), affine))
    if not grids or any(
        grid.shape != grids[0].shape or not np.allclose(grid.affine, grids[0].affine) for grid in grids
    ):
        return None
    return Shares(maps, grids[0])


def probability_files(path: Path, target_names: Sequence[str]) -> dict[int, Path]:
    """The ``_label-NAME_probseg`` files beside a label map, by target value; empty unless all targets have one."""
    own = _undescribed(path)
    found = {}
    for value, name in enumerate(target_names[1:], start=1):
        label = "".join(character for character in name if character.isalnum())  # as BIDS wants it
        for candidate in sorted(path.parent.glob(f"*_label-{label}_*probseg.*")):
            if _undescribed(candidate).replace(f"_label-{label}", "") == own:
                found[value] = candidate
    return found if len(found) == len(target_names) - 1 else {}


def _undescribed(path: Path) -> str:
    """Name without what label maps and probabilities of one case differ in."""
    return re.sub(r"_(dseg|probseg)$|_desc-[A-Za-z0-9]+", "", volume_stem(path))
