"""Fluid at the edge of the brain's mask: where it is taken as such, and for which networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.data.scans import describe
from otfsynth.inference.ensemble import Ensemble
from otfsynth.inference.fluid_rim import fill_rim, fluid_target
from otfsynth.inference.predictor import SlidingWindowPredictor
from otfsynth.inference.segmenter import ScanSegmenter, SegmentationOptions
from otfsynth.inference.skullstrip import StrippingConfig, choose_stripper
from otfsynth.models import shipped_model
from otfsynth.networks import load_checkpoint
from tests.inference.heads import SPACING_MM, brain, write_checkpoint, write_scan

SHAPE = (17, 19, 15)
FLUID = 3


def strip_config(**changes: object) -> dict[str, object]:
    return {"skull_strip": {"probability": 0.7, "fluid_probability": 0.6, "fluid": ["fluid"], **changes}}


def probabilities(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four labels, tissue in the middle and background around it, and a mask that is larger than the tissue."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 0.3, (4, *SHAPE)).astype(np.float32)
    places = np.stack(np.meshgrid(*[np.arange(size) - size // 2 for size in SHAPE], indexing="ij"))
    radius = np.sqrt((places**2).sum(0))
    values[0] += np.where(radius > 4, 1, 0)
    values[1] += np.where(radius <= 4, 0.6, 0)
    return values / values.sum(0), (radius < 7) & (places[0] < 5)


def portions(values: np.ndarray, lengths: tuple[int, ...]) -> Iterator[np.ndarray]:
    start = 0
    for length in lengths:
        yield values[:, start : start + length].copy()
        start += length
    assert start == values.shape[1]


@pytest.mark.parametrize("lengths", [(17,), (1,) * 17, (2, 9, 1, 5), (16, 1)])
@pytest.mark.parametrize("reach", [1.0, 2.3, 30.0])
def test_background_in_the_mask_near_the_brain_becomes_fluid(lengths: tuple[int, ...], reach: float) -> None:
    values, mask = probabilities(len(lengths))
    filled = np.concatenate(list(fill_rim(portions(values, lengths), mask, FLUID, reach)), axis=1)
    rim = mask & (ndimage.distance_transform_edt(values.argmax(0) == 0) <= reach)
    assert 0.05 < rim.mean() < 0.9
    expected = values.copy()
    expected[FLUID] += np.where(rim, values[0], 0)
    expected[0] = np.where(rim, 0, values[0])
    np.testing.assert_array_equal(filled, expected)
    np.testing.assert_allclose(filled.sum(0), 1, atol=1e-5)


def test_where_nothing_is_labelled_nothing_is_filled() -> None:
    values = np.zeros((4, *SHAPE), np.float32)
    values[0] = 1
    filled = np.concatenate(list(fill_rim(portions(values, (8, 9)), np.ones(SHAPE, bool), FLUID, 3.0)), axis=1)
    np.testing.assert_array_equal(filled, values)


def test_networks_that_learned_fluid_around_the_brain_are_known(tmp_path: Path) -> None:
    def target(**config: object) -> int | None:
        return fluid_target(load_checkpoint(write_checkpoint(tmp_path / "a.ckpt", **config)))

    assert target(synthesis=strip_config()) == FLUID
    assert target(synthesis=strip_config(fluid_probability=0.0)) is None
    assert target(synthesis=strip_config(probability=0.0)) is None
    assert target(synthesis=strip_config(fluid=["white matter", "fluid"])) is None
    assert target(synthesis=strip_config(fluid=["sulcal CSF"])) is None
    assert target() is None
    assert fluid_target(load_checkpoint(shipped_model())) == 3


def test_networks_must_agree_on_it(tmp_path: Path) -> None:
    taught = write_checkpoint(tmp_path / "taught.ckpt", 1, synthesis=strip_config())
    other = write_checkpoint(tmp_path / "other.ckpt", 2)
    assert Ensemble.load(str(taught)).predictor("cpu", 0.25).fluid == FLUID
    assert Ensemble.load([str(taught), str(other)]).predictor("cpu", 0.25).fluid is None
    assert SlidingWindowPredictor.from_checkpoint(taught).fluid == FLUID


def test_the_rim_of_a_stripped_scan_is_fluid_that_of_a_whole_head_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = Ensemble.load(str(write_checkpoint(tmp_path / "a.ckpt", 3, synthesis=strip_config())))
    scan = describe(write_scan(tmp_path / "scan.nii.gz"))

    def labels(rim_mm: float, skullstrip: str = "auto") -> np.ndarray:
        predictor = ensemble.predictor("cpu", 0.25, rim_mm=rim_mm)
        stripper = choose_stripper(skullstrip, StrippingConfig())
        return ScanSegmenter(predictor, stripper, SegmentationOptions(skullstrip))(scan).labels

    plain, filled = labels(0.0), labels(2 * SPACING_MM)
    background = (plain == 0) & (brain() != 0)
    assert background.sum() > 100
    near = ndimage.distance_transform_edt(plain == 0) <= 2
    assert (filled[background & near] == FLUID).all()
    assert (filled[background & ~near] == 0).all()
    assert (filled[brain() == 0] == 0).all()
    assert np.isin(filled[filled != plain], FLUID).all()  # what was grey or white matter may become fluid, too
    monkeypatch.setattr(
        "otfsynth.inference.segmenter.has_skull", lambda *_: type("Decision", (), {"needed": True, "reason": "skull"})()
    )
    np.testing.assert_array_equal(labels(2 * SPACING_MM, "none"), plain)
