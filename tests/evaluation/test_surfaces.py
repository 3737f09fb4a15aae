"""Surface distances: cases to count by hand, DeepMind's worked examples, brute force, symmetry."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from otfsynth.evaluation.surfaces import (
    SurfaceDistances,
    average_symmetric_surface_distance_mm,
    hausdorff_95_mm,
    surface_dice_at_tolerance,
    surface_distances,
)
from otfsynth.evaluation.targets import reference_targets
from otfsynth.labels import LabelScheme
from otfsynth.volumes import read_volume


def voxel(shape: tuple[int, int, int], *places: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def measures(distances: SurfaceDistances) -> tuple[float, float, float]:
    return (
        hausdorff_95_mm(distances),
        average_symmetric_surface_distance_mm(distances),
        surface_dice_at_tolerance(distances, 1.0),
    )


def test_two_voxels_two_millimetres_apart_as_in_deepminds_example() -> None:
    one, other = voxel((10, 10, 10), (5, 6, 7)), voxel((10, 10, 10), (5, 6, 9))
    distances = surface_distances(one, other, (3, 2, 1))
    # Each voxel has eight corners; four of them are 1 mm from the other voxel's corners, four are 2 mm away.
    assert sorted(distances.from_prediction_mm) == [1.0] * 4 + [2.0] * 4
    assert measures(distances) == pytest.approx((2.0, 1.5, 0.5))


def test_half_spaces_one_voxel_apart_as_in_deepminds_example() -> None:
    one, other = np.zeros((100, 100, 100), bool), np.zeros((100, 100, 100), bool)
    one[:50], other[:51] = True, True
    distances = surface_distances(other, one, (2, 1, 1))
    from_one = np.average(distances.from_reference_mm, weights=distances.reference_areas_mm2)
    from_other = np.average(distances.from_prediction_mm, weights=distances.prediction_areas_mm2)
    assert (from_one, from_other) == pytest.approx((0.322, 0.339), abs=1e-3)
    assert surface_dice_at_tolerance(distances, 1.0) == pytest.approx(0.836145008498)


def test_a_single_voxel_has_the_area_of_its_marching_cubes_octahedron() -> None:
    mask = voxel((3, 3, 3), (1, 1, 1))
    distances = surface_distances(mask, mask, (1, 1, 1))
    # Each corner cuts a triangle through three midpoints of edges of length 1: side sqrt(1/2), area sqrt(3)/8.
    assert distances.prediction_areas_mm2 == pytest.approx([math.sqrt(3) / 8] * 8)
    assert measures(distances) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("gap_voxels", "axis"), [(3, 0), (3, 1), (2, 2)])
def test_sheets_at_a_known_distance(gap_voxels: int, axis: int) -> None:
    spacing = (1.0, 0.5, 3.0)
    one, other = np.zeros((2, 40, 40, 40), bool)
    across: list[slice | int] = [slice(None)] * 3
    across[axis] = 10
    one[tuple(across)] = True
    across[axis] = 10 + gap_voxels
    other[tuple(across)] = True
    gap_mm = gap_voxels * spacing[axis]
    thickness_mm = spacing[axis]
    distances = surface_distances(one, other, spacing)
    # The far face of each sheet is gap away from the near face's partner, the near face gap - thickness.
    inner = distances.from_prediction_mm[distances.prediction_areas_mm2 == distances.prediction_areas_mm2.max()]
    assert set(np.round(inner, 5)) == {round(gap_mm, 5), round(gap_mm - thickness_mm, 5)}
    assert hausdorff_95_mm(distances) == pytest.approx(gap_mm)
    assert average_symmetric_surface_distance_mm(distances) == pytest.approx(gap_mm - thickness_mm / 2, rel=0.02)


def test_shifted_cubes_on_anisotropic_voxels() -> None:
    one, other = np.zeros((2, 30, 30, 30), bool)
    one[5:15, 5:15, 5:15] = True
    other[7:17, 5:15, 5:15] = True
    distances = surface_distances(one, other, (2.5, 1.0, 1.0))
    assert distances.from_prediction_mm.max() == pytest.approx(5.0)
    assert hausdorff_95_mm(distances) == pytest.approx(5.0)  # the end face alone is more than 5 % of the surface
    assert distances.from_prediction_mm.min() == 0.0


def test_random_masks_against_brute_force() -> None:
    generator = np.random.default_rng(3)
    spacing = np.array([0.9, 1.5, 1.1])
    for density in (0.02, 0.5):
        one, other = generator.random((2, 9, 8, 7)) < density
        distances = surface_distances(one, other, spacing)
        points, other_points = corners(one) * spacing, corners(other) * spacing
        table = cdist(points, other_points)
        assert distances.from_prediction_mm == pytest.approx(table.min(1), rel=1e-6)
        assert distances.from_reference_mm == pytest.approx(table.min(0), rel=1e-6)
        expected = max(
            area_percentile(table.min(1), distances.prediction_areas_mm2),
            area_percentile(table.min(0), distances.reference_areas_mm2),
        )
        assert hausdorff_95_mm(distances) == pytest.approx(expected, rel=1e-6)
        assert measures(distances) == pytest.approx(measures(surface_distances(other, one, spacing)))


def area_percentile(distances: np.ndarray, areas: np.ndarray) -> float:
    """Smallest distance that 95 % of the area does not exceed, by definition."""
    return min(limit for limit in distances if areas[distances <= limit].sum() >= 0.95 * areas.sum())


def corners(mask: np.ndarray) -> np.ndarray:
    """Corners between mixed neighbours, counted by loops."""
    padded = np.pad(mask, 1)
    found = []
    for corner in np.ndindex(*(size - 1 for size in padded.shape)):
        x, y, z = corner
        inside = int(padded[x : x + 2, y : y + 2, z : z + 2].sum())
        if 0 < inside < 8:
            found.append(corner)
    return np.array(found, float)


def test_structures_missing_on_one_side_or_both() -> None:
    empty, some = np.zeros((5, 5, 5), bool), voxel((5, 5, 5), (2, 2, 2))
    for distances in (surface_distances(empty, some, (1, 1, 1)), surface_distances(some, empty, (1, 1, 1))):
        assert measures(distances) == (math.inf, math.inf, 0.0)
    assert all(math.isnan(value) for value in measures(surface_distances(empty, empty, (1, 1, 1))))


def test_a_distance_equal_to_the_tolerance_is_within_it_whatever_float32_made_of_the_voxel_size() -> None:
    one, other = voxel((6, 6, 6), (2, 2, 2)), voxel((6, 6, 6), (2, 2, 3))
    for size in (1.0, float(np.float32(1.0000001)), 1.00001):
        assert surface_dice_at_tolerance(surface_distances(one, other, (size, size, size)), 1.0) == pytest.approx(1.0)
    assert surface_dice_at_tolerance(surface_distances(one, other, (1.01, 1.01, 1.01)), 1.0) < 0.7


def test_a_structure_at_the_edge_of_the_volume_has_a_surface_there() -> None:
    whole = np.ones((4, 4, 4), bool)
    inside = np.zeros((8, 8, 8), bool)
    inside[2:6, 2:6, 2:6] = True
    at_edge, in_middle = surface_distances(whole, whole, (1, 1, 1)), surface_distances(inside, inside, (1, 1, 1))
    assert at_edge.prediction_areas_mm2.sum() == pytest.approx(in_middle.prediction_areas_mm2.sum())


@pytest.mark.shared
def test_a_real_brain_has_the_distances_that_deepminds_own_package_computes(shared_data: Path) -> None:
    volume = read_volume(shared_data / "freesurfer_like" / "neuroguessr_aparc+aseg.nii.gz")
    targets = reference_targets(LabelScheme.load("freesurfer"), None).apply(volume)
    moved = np.roll(targets, (2, 1, 0), (0, 1, 2))
    # Computed once with surface-distance 0.1; its average distances weighted by the areas of both surfaces
    expected = {2: (2.0, 0.8495493845063221, 0.6756221541907956), 3: (2.0, 0.9258175629537595, 0.6411930861440288)}
    for label, values in expected.items():
        distances = surface_distances(moved == label, targets == label, (1.0, 1.5, 0.9))
        assert measures(distances) == pytest.approx(values, rel=1e-6)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="same"):
        surface_distances(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool), (1, 1, 1))
