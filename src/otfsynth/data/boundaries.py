"""Where a label map may change its shape: distance to the nearest movable boundary, and the label beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from otfsynth.data.brain_distance import capped_squared_distance
from otfsynth.volumes import bounding_box

UNITS_PER_MM = 8
CODE_STEP = 32
"""Distances take the lowest five bits of a byte; above them stands twice the number of the boundary plus the side."""
NONE = 255
LONGEST = CODE_STEP - 1
RIDGE = 4
"""Units by which a voxel in the middle of a structure may be nearer to a boundary than a neighbour; with none, what is
left of a sheet is specks."""

Boundary = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class BoundaryMaps:
    """Two volumes on the grid of a label map.

    Args:
        alternate: uint8 (x, y, z): label index on the other side of the nearest boundary; the voxel's own where none is
            near.
        distance: uint8 (x, y, z): ``32 * (2 * boundary + side) + 8 * mm``, side 0 inside and 1 outside; 255 where no
            boundary is near, and in the middle of every structure, which so never vanishes.
        structures: what the boundaries part; see :func:`otfsynth.synthesis.shape.structures_digest`.
    """

    alternate: Tensor
    distance: Tensor
    structures: str

    def to(self, device: torch.device) -> BoundaryMaps:
        """The same volumes on ``device``."""
        alternate, distance = (volume.to(device, non_blocking=True) for volume in (self.alternate, self.distance))
        return BoundaryMaps(alternate, distance, self.structures)

    def pin_memory(self) -> BoundaryMaps:
        """The same volumes in host memory that a GPU copies from by itself."""
        return BoundaryMaps(self.alternate.pin_memory(), self.distance.pin_memory(), self.structures)


def boundary_maps(
    indices: np.ndarray, boundaries: Sequence[Boundary], spacing_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Alternate labels and encoded distances of a label map; see :class:`BoundaryMaps`.

    A boundary lies half-way between the last voxel inside and the first one outside. Of several, the nearest counts, of
    equally near ones the first.

    Args:
        indices: uint8 (x, y, z), label indices.
        boundaries: at most three pairs of label indices (inside, outside).
        spacing_mm: size of the cubic voxels.
    """
    alternate, encoded = indices.copy(), np.full(indices.shape, NONE, np.uint8)
    members = np.zeros(256, bool)
    members[[label for pair in boundaries for side in pair for label in side]] = True
    wanted = members[indices]
    if not wanted.any():
        return alternate, encoded
    box = bounding_box(wanted, 1)
    reach = int(LONGEST / UNITS_PER_MM / spacing_mm + 0.5)
    found, distance = _nearest_boundaries(np.pad(indices[box], reach), boundaries, spacing_mm, reach)
    inner = tuple(slice(reach, length - reach) for length in found[0].shape)
    labels, codes = (volume[inner] for volume in found)
    units = distance[inner]
    movable = (codes != NONE) & ~_middles(indices[box], boundaries, codes, units)
    encoded[box] = np.where(movable, CODE_STEP * codes + units, NONE)
    alternate[box] = np.where(movable, labels, indices[box])
    return alternate, encoded


def _nearest_boundaries(
    indices: np.ndarray, boundaries: Sequence[Boundary], spacing_mm: float, reach: int
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Label beyond the nearest boundary, its code (255: none), and its distance in units; all uint8."""
    labels, codes = np.zeros_like(indices), np.full_like(indices, NONE)
    units = np.full_like(indices, CODE_STEP)
    shells = _shells(reach, indices.shape)
    flat = indices.ravel()
    for number, pair in enumerate(boundaries):
        sides = [_is_any(indices, side) for side in pair]
        for side, (own, other) in enumerate((sides, sides[::-1])):
            squared = np.where(own, capped_squared_distance(other, reach), np.uint16(0))
            for length, offsets in shells.items():
                distance = int(np.rint(UNITS_PER_MM * spacing_mm * (np.sqrt(length) - 0.5)))
                positions = np.flatnonzero((squared == length) & (units > distance))
                units.ravel()[positions] = distance
                codes.ravel()[positions] = 2 * number + side
                for offset in offsets:  # the first neighbour at this distance that lies on the other side
                    beyond = other.ravel()[positions + offset]
                    labels.ravel()[positions[beyond]] = flat[positions[beyond] + offset]
                    positions = positions[~beyond]
    return (labels, codes), units


def _shells(reach: int, shape: Sequence[int]) -> dict[int, list[int]]:
    """Flat offsets to the voxels at each squared distance up to ``reach`` voxels."""
    cube = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    squared = (cube**2).sum(1)
    flat = cube @ np.array([shape[1] * shape[2], shape[2], 1])
    return {int(length): flat[squared == length].tolist() for length in np.unique(squared) if 0 < length <= reach**2}


def _middles(indices: np.ndarray, boundaries: Sequence[Boundary], codes: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Voxels about as far from all boundaries as any neighbour in the same structure: they keep their label.

    A sheet of two voxels between two boundaries keeps the one beside the first.
    """
    kinds = np.zeros(256, np.uint8)
    for side in (list(side) for pair in boundaries for side in pair):
        known = kinds[side][kinds[side] > 0]  # groups that share labels are one structure: white matter is deep tissue
        kinds[side] = known[0] if known.size else kinds.max() + 1
    kind = kinds[indices]
    depth = np.where(codes == NONE, 2 * CODE_STEP, units + (RIDGE + 1) * (codes < 2)).astype(np.uint8)
    middles = np.zeros(indices.shape, bool)
    for number in range(1, int(kinds.max()) + 1):
        own = kind == number
        depths = np.where(own, depth, 0)
        middles |= own & (ndimage.maximum_filter(depths, 3) <= depths + RIDGE)
    return middles


def _is_any(indices: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(labels)] = True
    return table[indices]
