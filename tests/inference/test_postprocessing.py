"""Islands and holes."""

from __future__ import annotations

import numpy as np
import pytest

from otfsynth.inference.postprocessing import fill_holes, keep_largest_component, largest_share


def labels() -> np.ndarray:
    """A cube of 125 voxels with a hole of one, an island of 8 and an open dent."""
    volume = np.zeros((12, 12, 12), np.uint8)
    volume[1:6, 1:6, 1:6] = 1
    volume[4:6, 1:6, 1:6] = 2
    volume[3, 3, 3] = 0
    volume[1, 3, 3] = 0
    volume[8:10, 8:10, 8:10] = 3
    return volume


def test_only_the_largest_island_is_kept_with_all_its_labels() -> None:
    kept = keep_largest_component(labels())
    expected = labels()
    expected[8:, 8:, 8:] = 0
    assert np.array_equal(kept, expected)
    assert largest_share(labels()) == pytest.approx(123 / 131)
    assert largest_share(kept) == 1


def test_voxels_that_share_a_corner_are_one_island() -> None:
    volume = np.zeros((4, 4, 4), np.uint8)
    volume[0, 0, 0] = volume[1, 1, 1] = volume[2, 2, 2] = 1
    assert np.array_equal(keep_largest_component(volume), volume)


def test_enclosed_holes_are_filled_from_their_nearest_neighbour() -> None:
    volume = labels()
    volume[3, 3, 3] = 0
    filled = fill_holes(volume)
    changed = np.argwhere(filled != volume).tolist()
    assert changed == [[3, 3, 3]]  # the dent at [1, 3, 3] is open
    assert filled[3, 3, 3] in (1, 2)
    volume[2:4, 2:5, 2:5] = 0  # two layers: the lower one has label 1 nearest, the upper one 2
    filled = fill_holes(volume)
    assert filled[2, 3, 3] == 0  # connected to the outside through the dent
    volume[1, 3, 3] = 1
    filled = fill_holes(volume)
    assert filled[2, 3, 3] == 1
    assert filled[3, 3, 3] == 2


def test_nothing_segmented_stays_nothing() -> None:
    empty = np.zeros((5, 5, 5), np.uint8)
    assert np.array_equal(keep_largest_component(empty), empty)
    assert np.array_equal(fill_holes(empty), empty)
    assert np.isnan(largest_share(empty))
