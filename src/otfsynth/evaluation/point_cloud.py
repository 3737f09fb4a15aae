"""Whether points lie inside a cloud of others, whatever its shape: distances to the k-th nearest neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otfsynth.config.checks import InputError

NEIGHBOURS = 5
COVERAGE = 0.95


@dataclass(frozen=True)
class PointCloud:
    """A cloud with the measure of its own sparseness.

    No shape is assumed, since contrasts of tissues fill a ring: the middle of such a cloud is not inside, though it is
    where a Gaussian fitted to it would be densest.

    Args:
        points: (n, d), in axes of comparable units.
        own_distances: (n,) ascending distances of each point to its k-th nearest other one.
        neighbours: k.
        limit: points nearer than this to their k-th nearest neighbour in the cloud are inside; the share
            :data:`COVERAGE` of the cloud's own points is, the rest are its fringe.
    """

    points: np.ndarray
    own_distances: np.ndarray
    neighbours: int
    limit: float

    @classmethod
    def from_points(cls, points: np.ndarray, neighbours: int = NEIGHBOURS, coverage: float = COVERAGE) -> PointCloud:
        """Measure a cloud.

        Raises:
            InputError: there are not more points than ``neighbours``.
        """
        from scipy.spatial import cKDTree

        points = np.asarray(points, float)
        if len(points) <= neighbours:
            raise InputError(f"{len(points)} points are no cloud; more than {neighbours} are needed")
        distances, _ = cKDTree(points).query(points, [neighbours + 1])  # the nearest one is the point itself
        own = np.sort(distances[:, 0])
        return cls(points, own, neighbours, float(np.quantile(own, coverage)))

    def distances(self, points: np.ndarray) -> np.ndarray:
        """(m,) distances of (m, d) points to their k-th nearest one in the cloud."""
        from scipy.spatial import cKDTree

        distances, _ = cKDTree(self.points).query(np.asarray(points, float), [self.neighbours])
        return np.asarray(distances[:, 0])

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(m,) bool: which of (m, d) points are inside."""
        return self.distances(points) <= self.limit

    def rarity(self, points: np.ndarray) -> np.ndarray:
        """(m,) in [0, 1]: the share of the cloud's own points that lie less sparsely; 0 amid it, 1 outside of all."""
        return np.searchsorted(self.own_distances, self.distances(points)) / len(self.own_distances)
