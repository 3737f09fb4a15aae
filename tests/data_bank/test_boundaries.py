"""Distances to movable boundaries and the labels beyond them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from otfsynth.config.data import DataConfig
from otfsynth.data import bank as bank_module
from otfsynth.data.bank import LabelBank
from otfsynth.data.boundaries import boundary_maps
from otfsynth.labels import LabelScheme

CORTEX, WHITE, FLUID = (1, 2), (3, 4), (5,)
BOUNDARIES = ((CORTEX, WHITE), (CORTEX, FLUID), ((), WHITE))


def blobs(seed: int, shape: tuple[int, int, int] = (34, 30, 37)) -> np.ndarray:
    """Smooth pieces of labels 0 to 5."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(6, *shape)), (0, 3, 3, 3))
    return noise.argmax(axis=0).astype(np.uint8)


def nearest(indices: np.ndarray, own: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    distance = ndimage.distance_transform_edt(~np.isin(indices, other))
    return np.where(np.isin(indices, own), distance, np.inf)


@pytest.mark.parametrize("spacing_mm", [1.0, 0.5, 2.0])
def test_distances_match_scipy(spacing_mm: float) -> None:
    indices = blobs(int(10 * spacing_mm))
    alternate, encoded = boundary_maps(indices, BOUNDARIES, spacing_mm)
    sides = [
        nearest(indices, *pair) for inside, outside in BOUNDARIES[:2] for pair in ((inside, outside), (outside, inside))
    ]
    units = np.rint(8 * spacing_mm * (np.stack(sides) - 0.5))
    expected = np.where(units.min(axis=0) <= 31, 32 * units.argmin(axis=0) + units.min(axis=0), 255)
    found = encoded != 255
    assert found.mean() > 0.1
    reach = int(3.875 / spacing_mm + 0.5)
    beyond = np.stack(sides).min(axis=0) > reach
    np.testing.assert_array_equal(encoded[found], expected[found])
    assert not (found & beyond).any()
    np.testing.assert_array_equal(alternate[~found], indices[~found])


def test_the_alternate_is_a_nearest_label_of_the_other_side() -> None:
    indices = blobs(3)
    alternate, encoded = boundary_maps(indices, BOUNDARIES, 1.0)
    groups = {0: WHITE, 1: CORTEX, 2: FLUID, 3: CORTEX}
    for code, other in groups.items():
        here = encoded // 32 == code
        assert here.sum() > 50
        assert np.isin(alternate[here], other).all()
        for x, y, z in np.argwhere(here)[::17]:
            members = np.argwhere(np.isin(indices, other))
            squared = ((members - (x, y, z)) ** 2).sum(axis=1)
            candidates = {indices[tuple(member)] for member in members[squared == squared.min()]}
            assert alternate[x, y, z] in candidates


def test_the_middle_of_a_structure_stays() -> None:
    indices = np.full((30, 20, 20), 3, np.uint8)
    indices[10:12], indices[20:25] = 1, 1
    _, encoded = boundary_maps(np.pad(indices, 1), BOUNDARIES, 1.0)
    line = encoded[1:-1, 10, 10]
    assert list(line[10:12]) == [255, 255]  # two voxels: both are the middle
    assert list(line[20:25]) == [4, 12, 255, 12, 4]
    assert list(line[12:20]) == [36, 44, 52, 255, 255, 52, 44, 36]
    thin = np.full((12, 9, 9), 3, np.uint8)
    thin[5:7], thin[7:] = 1, 5
    assert list(boundary_maps(thin, BOUNDARIES, 1.0)[1][5:7, 4, 4]) == [255, 68]


def test_maps_without_boundaries_are_left_alone() -> None:
    indices = np.zeros((9, 9, 9), np.uint8)
    indices[3:6, 3:6, 3:6] = 6
    alternate, encoded = boundary_maps(indices, BOUNDARIES, 1.0)
    np.testing.assert_array_equal(alternate, indices)
    assert (encoded == 255).all()


def test_the_bank_keeps_them_on_disk(
    tmp_path: Path,
    scheme: LabelScheme,
    save,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save("a.nii.gz")
    config = DataConfig(label_maps=str(tmp_path / "maps"), cache_dir=str(tmp_path / "cache"))
    boundaries = (((1, 2), (3, 4)), ((1, 2), (5,)), ((), ()))
    plain = LabelBank.from_config(config, scheme, show_progress=False)
    first = plain.with_boundaries(boundaries)
    assert plain[0].boundaries is None
    assert first[0].boundaries is not None
    assert first.memory_bytes == 2 * plain.memory_bytes
    assert plain.with_boundaries(boundaries) is first
    assert first[0].indices.data_ptr() == plain[0].indices.data_ptr()

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(bank_module, "boundary_maps", refuse)
    again = LabelBank.from_config(config, scheme, show_progress=False)
    second = again.with_boundaries(boundaries)[0].boundaries
    assert second is not None
    assert torch.equal(first[0].boundaries.distance, second.distance)
    assert torch.equal(first[0].boundaries.alternate, second.alternate)
    with pytest.raises(AssertionError, match="computed again"):
        again.with_boundaries((((1,), (3,)),))
