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
    """Tissue at distance r from the centre, in the label map, comes from *r (1 - strength w(r))*.

    *w = exp(-r^2 / 2 reach^2) max(1 - r^2 / end^2, 0)^2* falls from 1, so that nothing folds, to 0 at ``end_voxels``.
    """

    centre_voxels: Vector
    strength: float
    """In [0, 1): the displacement never folds."""
    reach_voxels: float
    end_voxels: float | None = None
    """Where the skull begins, which does not give way; ``None``: nowhere."""

    def source_radius(self, radius: float) -> float:
        """Where the tissue at a distance from the centre comes from."""
        left = 1.0 if self.end_voxels is None else max(1.0 - (radius / self.end_voxels) ** 2, 0.0) ** 2
        return radius * (1.0 - self.strength * left * math.exp(-(radius**2) / (2.0 * self.reach_voxels**2)))

    @property
    def farthest_voxels(self) -> float:
        """No displacement is greater: that of either factor alone, at a distance of the reach or of end / sqrt(5)."""
        bounds = [self.reach_voxels * math.exp(-0.5)]
        if self.end_voxels is not None:
            bounds.append(0.64 * self.end_voxels / math.sqrt(5.0))
        return self.strength * min(bounds)


@dataclass(frozen=True)
class LesionLabelParameters:
    """Labels of the map that are lesions, by index, and the target that they get."""

    labels: tuple[int, ...]
    target: int
