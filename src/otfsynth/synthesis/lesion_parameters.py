"""Records of lesions: their parts, what they push aside, and labels of the map that are lesions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otfsynth.types import Vector

SMALL_BUMPS_VOXELS, LARGE_BUMPS_VOXELS = 8, 16


@dataclass(frozen=True)
class LesionParameters:
    """One entry a blob in ``centres_voxels``, voxels of the label map, and ``radii_voxels``."""

    centres_voxels: tuple[Vector, ...]
    radii_voxels: tuple[float, ...]
    mean: float
    std: float
    edge_roughness: float
    softness_voxels: float
    hosts: tuple[int, ...]
    """Target values in which lesions lie."""
    target: int | None
    """Target value of lesion voxels; ``None`` leaves their own."""
    edge_spacing_voxels: int = SMALL_BUMPS_VOXELS
    host_labels: tuple[int, ...] = ()
    """Label indices of the map to which the hosts are restricted; all where empty."""
    kind: str = "blobs"


@dataclass(frozen=True)
class MassEffectParameters:
    """Tissue at distance r from the centre comes from *r (1 - strength exp(-r^2 / 2 reach^2))*, in the label map."""

    centre_voxels: Vector
    strength: float
    """In [0, 1): the displacement never folds."""
    reach_voxels: float

    def source_radius(self, radius: float) -> float:
        """Where the tissue at a distance from the centre comes from."""
        return radius * (1.0 - self.strength * math.exp(-(radius**2) / (2.0 * self.reach_voxels**2)))

    @property
    def farthest_voxels(self) -> float:
        """The greatest displacement, at a distance of ``reach_voxels``."""
        return self.strength * self.reach_voxels * math.exp(-0.5)


@dataclass(frozen=True)
class LesionLabelParameters:
    """Labels of the map that are lesions, by index, and the target that they get."""

    labels: tuple[int, ...]
    target: int
