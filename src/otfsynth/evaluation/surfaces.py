"""Distances between the surfaces of two masks, in millimetres, and what is read from them.

Tools differ by what they call a surface; here it is DeepMind's definition (Nikolov et al. 2018, arXiv:1809.04430), in
MONAI's implementation. A **surface element** lies at every corner of voxels whose 2x2x2 neighbours are not all inside
or all outside the mask; its area is that of the marching-cubes triangles of the neighbourhood, scaled by the voxel
size. What lies beyond the volume is outside. The distance of an element is the Euclidean one to the nearest element of
the other mask. Every statistic weighs the elements by their areas, so that anisotropic voxels do not count some sides
twice.

If **one** mask is empty they are infinitely far apart, with a surface Dice of 0; two empty masks have no distance
(NaN).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otfsynth.volumes import bounding_box

ROUNDING_MM = 1e-4
"""Voxel sizes in headers are float32: a distance of one voxel of 1 mm may read as 1.0000001."""


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances of the surface elements of two masks.

    Args:
        from_prediction_mm: (n,) of the prediction's elements to the reference's surface; infinite where it has none.
        from_reference_mm: (m,) of the reference's elements to the prediction's surface.
        prediction_areas_mm2: (n,) areas of the prediction's elements.
        reference_areas_mm2: (m,) areas of the reference's elements.
    """

    from_prediction_mm: np.ndarray
    from_reference_mm: np.ndarray
    prediction_areas_mm2: np.ndarray
    reference_areas_mm2: np.ndarray

    @property
    def both_empty(self) -> bool:
        """Neither mask has a surface, so nothing can be measured."""
        return not len(self.from_prediction_mm) and not len(self.from_reference_mm)

    @property
    def one_empty(self) -> bool:
        """Only one mask has a surface: the structure is missing on the other side."""
        return bool(len(self.from_prediction_mm)) != bool(len(self.from_reference_mm))


def surface_distances(
    prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float] | np.ndarray
) -> SurfaceDistances:
    """Measure both directions at once.

    Args:
        prediction: bool (x, y, z).
        reference: bool, of the same shape.
        spacing_mm: voxel size per axis.

    Raises:
        ValueError: the shapes differ or are not three-dimensional.
    """
    if prediction.shape != reference.shape or prediction.ndim != 3:
        raise ValueError(f"masks of shape {prediction.shape} and {reference.shape}; both must be the same (x, y, z)")
    either = prediction | reference
    if not either.any():
        nothing = np.zeros(0)
        return SurfaceDistances(nothing, nothing, nothing, nothing)
    box = bounding_box(either)
    import torch  # late: the definitions above need neither
    from monai.metrics.utils import get_mask_edges

    spacing = tuple(float(size) for size in spacing_mm)
    # A margin of one voxel, so that corners at the edge of the volume count; MONAI's own cropping takes thrice as long.
    masks = [torch.from_numpy(np.pad(mask[box], 1)) for mask in (prediction, reference)]
    edges_areas = get_mask_edges(masks[0], masks[1], crop=False, spacing=spacing)
    prediction_edges, reference_edges, prediction_areas, reference_areas = (np.asarray(part) for part in edges_areas)
    return SurfaceDistances(
        _nearest_mm(prediction_edges, reference_edges, spacing),
        _nearest_mm(reference_edges, prediction_edges, spacing),
        prediction_areas[prediction_edges].astype(np.float64),
        reference_areas[reference_edges].astype(np.float64),
    )


def hausdorff_95_mm(distances: SurfaceDistances) -> float:
    """The larger of the two directed 95th percentiles, each over the area of its own surface.

    The percentile is the smallest distance that 95 % of the area does not exceed (no interpolation). Infinite where one
    mask is empty, NaN where both are.
    """
    if distances.both_empty:
        return math.nan
    if distances.one_empty:
        return math.inf
    return max(
        _percentile(distances.from_prediction_mm, distances.prediction_areas_mm2, 0.95),
        _percentile(distances.from_reference_mm, distances.reference_areas_mm2, 0.95),
    )


def average_symmetric_surface_distance_mm(distances: SurfaceDistances) -> float:
    """Mean distance over the area of **both** surfaces together (ASSD).

    Infinite where one mask is empty, NaN where both are.
    """
    if distances.both_empty:
        return math.nan
    if distances.one_empty:
        return math.inf
    total = float(distances.from_prediction_mm @ distances.prediction_areas_mm2)
    total += float(distances.from_reference_mm @ distances.reference_areas_mm2)
    return total / float(distances.prediction_areas_mm2.sum() + distances.reference_areas_mm2.sum())


def surface_dice_at_tolerance(distances: SurfaceDistances, tolerance_mm: float) -> float:
    """Share of both surfaces' area that lies within the tolerance of the other surface (normalised surface Dice).

    In [0, 1]; 0 where one mask is empty, NaN where both are.
    """
    if distances.both_empty:
        return math.nan
    limit = tolerance_mm + ROUNDING_MM
    near = float(distances.prediction_areas_mm2[distances.from_prediction_mm <= limit].sum())
    near += float(distances.reference_areas_mm2[distances.from_reference_mm <= limit].sum())
    return near / float(distances.prediction_areas_mm2.sum() + distances.reference_areas_mm2.sum())


def _nearest_mm(edges: np.ndarray, others: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    from monai.metrics.utils import get_surface_distance

    if not edges.any():  # MONAI would return the distances of the others
        return np.zeros(0)
    if not others.any():
        return np.full(int(edges.sum()), np.inf)
    return np.asarray(get_surface_distance(edges, others, spacing=spacing_mm), np.float64)


def _percentile(distances_mm: np.ndarray, areas_mm2: np.ndarray, share: float) -> float:
    order = np.argsort(distances_mm)
    cumulative = np.cumsum(areas_mm2[order])
    position = int(np.searchsorted(cumulative, share * cumulative[-1]))
    return float(distances_mm[order][min(position, len(order) - 1)])
