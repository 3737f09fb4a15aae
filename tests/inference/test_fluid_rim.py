"""Fluid at the edge of the brain's mask: where it is taken as such, and for which networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from otfsynth.config.labels import LabelRow, LabelsConfig
from otfsynth.config.synthesis import SkullStripConfig
from otfsynth.data.scans import describe
from otfsynth.inference.ensemble import Ensemble
from otfsynth.inference.fluid_rim import FluidRim, fluid_target
from otfsynth.inference.predictor import SlidingWindowPredictor
from otfsynth.inference.projection import Projector
from otfsynth.inference.segmenter import ScanSegmenter, SegmentationOptions
from otfsynth.inference.skullstrip import StrippingConfig, choose_stripper
from otfsynth.labels import LabelScheme
from otfsynth.models import shipped_model
from otfsynth.networks import load_checkpoint
from otfsynth.synthesis.appearance import sample_skull_strip
from otfsynth.types import SampleKey
from otfsynth.volumes import Grid
from tests.inference.heads import write_checkpoint, write_scan
from tests.learning.fakes import toy_scheme

SHAPE = (25, 27, 23)
FLUID = 3


def strip_config(**changes: object) -> dict[str, object]:
    return {"skull_strip": {"probability": 0.7, "fluid_probability": 0.6, "fluid": ["fluid"], **changes}}


def radius() -> np.ndarray:
    places = np.stack(np.meshgrid(*[np.arange(size) - size // 2 for size in SHAPE], indexing="ij"))
    return np.sqrt((places**2).sum(0))


def probabilities(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four labels, tissue in the middle and background around it, and a mask that is larger than the tissue."""
    values = np.random.default_rng(seed).uniform(0, 0.3, (4, *SHAPE)).astype(np.float32)
    values[0] += np.where(radius() > 6, 1, 0)
    values[1] += np.where(radius() <= 6, 0.6, 0)
    mask = radius() < 10
    mask[20:] = False
    return values / values.sum(0), mask


def portions(values: np.ndarray, lengths: tuple[int, ...]) -> Iterator[np.ndarray]:
    start = 0
    for length in lengths:
        yield values[:, start : start + length].copy()
        start += length
    assert start == values.shape[1]


def fill(values: np.ndarray, mask: np.ndarray, reach: float, lengths: tuple[int, ...] = (11, 14)) -> np.ndarray:
    return np.concatenate(list(FluidRim(mask, FLUID, reach).fill(portions(values, lengths))), axis=1)


@pytest.mark.parametrize("lengths", [(25,), (1,) * 25, (2, 9, 1, 13), (24, 1)])
@pytest.mark.parametrize("reach", [1.0, 2.3, 30.0])
def test_background_in_the_mask_near_the_brain_becomes_fluid(lengths: tuple[int, ...], reach: float) -> None:
    values, mask = probabilities(len(lengths))
    rule = FluidRim(mask, FLUID, reach)
    filled = np.concatenate(list(rule.fill(portions(values, lengths))), axis=1)
    labelled = values.argmax(0) > 0
    distance = ndimage.distance_transform_edt(~ndimage.binary_erosion(labelled, np.ones((3, 3, 3))))
    rim = mask & (distance <= reach + 1)
    assert (rim & ~labelled).sum() > 50
    expected = values.copy()
    expected[FLUID] += np.where(rim, values[0], 0)
    expected[0] = np.where(rim, 0, values[0])
    np.testing.assert_array_equal(filled, expected)
    np.testing.assert_allclose(filled.sum(0), 1, atol=1e-5)
    assert rule.filled_voxels == (rim & ~labelled).sum()
    projector = Projector(SHAPE, np.eye(4), Grid(SHAPE, np.eye(4)), 4)
    projector.add(values)
    assert rule.entropy == pytest.approx(projector.finish().entropy, rel=1e-5)  # as without the rule


@pytest.mark.parametrize("reach", [1.0, 2.0, 3.0])
def test_the_rim_is_as_wide_as_asked_for(reach: float) -> None:
    values = np.zeros((4, *SHAPE), np.float32)
    values[0] = 1
    values[:, 10:15, 10:15, 10:15] = np.array([0, 1, 0, 0])[:, None, None, None]
    line = fill(values, np.ones(SHAPE, bool), reach).argmax(0)[:, 12, 12]
    assert list(np.flatnonzero(line == FLUID)) == [*range(10 - int(reach), 10), *range(15, 15 + int(reach))]
    assert list(np.flatnonzero(line == 1)) == [10, 11, 12, 13, 14]


def test_specks_and_sheets_get_no_rim() -> None:
    values = np.zeros((4, *SHAPE), np.float32)
    values[0] = 1
    values[:, 3, 3, 3] = values[:, 18:20, :, 5] = values[:, 10:12, 10:12, 10:12] = 0
    values[1][values.sum(0) == 0] = 1
    np.testing.assert_array_equal(fill(values, np.ones(SHAPE, bool), 3.0), values)


def test_where_nothing_is_labelled_nothing_is_filled() -> None:
    values = np.zeros((4, *SHAPE), np.float32)
    values[0] = 1
    rule = FluidRim(np.ones(SHAPE, bool), FLUID, 3.0)
    np.testing.assert_array_equal(np.concatenate(list(rule.fill(portions(values, (8, 17)))), axis=1), values)
    assert np.isnan(rule.entropy)


def two_fluids(sulcal: str, ventricles: str) -> LabelScheme:
    rows = [
        LabelRow("cortex", left=3, right=42, target="GM"),
        LabelRow("sulcal CSF", labels=24, target=sulcal),
        LabelRow("CSF", labels=14, target=ventricles),
    ]
    names = list(dict.fromkeys(["background", *(row.target for row in rows)]))
    return LabelScheme.from_config(LabelsConfig(name="two fluids", rows=rows, target_names=names))


@pytest.mark.parametrize(
    ("scheme", "changes"),
    [
        (toy_scheme(), {}),
        (toy_scheme(), {"fluid_probability": 0.0}),
        (toy_scheme(), {"probability": 0.0}),
        (toy_scheme(), {"poor_probability": 1.0}),
        (toy_scheme(), {"fluid": ["white matter", "fluid"]}),
        (toy_scheme(), {"fluid": ["sulcal CSF"]}),
        (two_fluids("background", "CSF"), {"fluid": ["sulcal CSF", "CSF"]}),
        (two_fluids("CSF", "ventricles"), {"fluid": ["sulcal CSF", "CSF"]}),
    ],
)
def test_it_is_the_target_that_training_painted(scheme: LabelScheme, changes: dict[str, object]) -> None:
    config = strip_config(**changes)
    drawn = SkullStripConfig(**{"poor_probability": 0.0, **config["skull_strip"]})  # type: ignore[dict-item]
    samples = [sample_skull_strip(drawn, scheme, 1.0, SampleKey(1, index)) for index in range(40)]
    painted = {int(scheme.target_table[one.fluid]) for one in samples if one is not None and one.fluid is not None}
    assert fluid_target({"synthesis": config}, scheme) == (max(painted, default=0) or None)


def test_networks_must_agree_on_it(tmp_path: Path) -> None:
    taught = write_checkpoint(tmp_path / "taught.ckpt", 1, synthesis=strip_config())
    other = write_checkpoint(tmp_path / "other.ckpt", 2)
    assert Ensemble.load(str(taught)).predictor("cpu", 0.25).fluid == FLUID
    assert Ensemble.load([str(taught), str(other)]).predictor("cpu", 0.25).fluid is None
    assert SlidingWindowPredictor.from_checkpoint(taught).fluid == FLUID
    shipped = load_checkpoint(shipped_model())
    assert fluid_target(shipped.config, shipped.scheme) == shipped.scheme.target_names.index("CSF")


class Bright(nn.Module):
    """Label 1 in what is brighter than the mean, background in the rest of the mask."""

    def forward(self, image: Tensor) -> Tensor:
        """(b, 1, x, y, z) -> (b, 4, x, y, z)."""
        nothing = torch.full_like(image, -20)
        return torch.cat([torch.zeros_like(image), 20 * image, nothing, nothing], 1)


def ball() -> np.ndarray:
    """(44, 44, 44) at 4 mm: a bright ball of radius 6 voxels in a mask of radius 12, background 0."""
    places = np.stack(np.meshgrid(*[np.arange(44) - 21.5] * 3, indexing="ij"))
    distance = np.sqrt((places**2).sum(0))
    return np.where(distance < 6, 200, np.where(distance < 12, 50, 0)).astype(np.float32)


def test_the_rim_of_a_stripped_scan_is_fluid_that_of_a_whole_head_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = describe(write_scan(tmp_path / "scan.nii.gz", ball(), np.diag([4.0, 4.0, 4.0, 1.0])))

    def segmented(rim_mm: float, skullstrip: str = "auto"):  # type: ignore[no-untyped-def]
        predictor = SlidingWindowPredictor(Bright(), (24,) * 3, 4.0, fluid=FLUID, rim_mm=rim_mm)
        stripper = choose_stripper(skullstrip, StrippingConfig())
        return ScanSegmenter(predictor, stripper, SegmentationOptions(skullstrip))(scan)

    plain, filled = segmented(0.0), segmented(8.0)
    assert np.array_equal(plain.labels == 1, ball() > 100)
    rim = filled.labels == FLUID
    near = ndimage.distance_transform_edt(plain.labels == 0)
    assert rim.sum() > 500
    assert near[rim].max() < 3
    far = (ball() > 0) & (near > 3)
    assert far.sum() > 500
    assert not filled.labels[far].any()
    assert np.array_equal(filled.labels == 1, plain.labels == 1)
    assert filled.measures.rim_mm3 == rim.sum() * 64
    assert plain.measures.rim_mm3 == 0
    assert filled.measures.entropy == pytest.approx(plain.measures.entropy, rel=1e-4)
    monkeypatch.setattr(
        "otfsynth.inference.segmenter.has_skull", lambda *_: type("Decision", (), {"needed": True, "reason": "skull"})()
    )
    np.testing.assert_array_equal(segmented(8.0, "none").labels, plain.labels)


def test_in_python_the_caller_says_that_a_scan_is_stripped() -> None:
    predictor = SlidingWindowPredictor(Bright(), (24,) * 3, 4.0, fluid=FLUID, rim_mm=8.0, scales=(0.9, 1.2))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    head, brain = (predictor.predict(ball(), affine, stripped=stripped).labels for stripped in (False, True))
    assert set(np.unique(head)) == {0, 1}
    assert (brain == FLUID).sum() > 500
    assert np.mean((brain == 1) != (head == 1)) < 0.002


class OutOfMemoryOnce(Bright):
    """Fails in the middle of its first scan."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        """As :class:`Bright`."""
        self.calls += 1
        if self.calls == 5:
            raise RuntimeError("out of memory")
        return super().forward(image)


def test_running_out_of_memory_begins_the_rim_and_the_copies_again() -> None:
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    expected, found = (
        SlidingWindowPredictor(
            network, (24,) * 3, 4.0, divisor=(4, 4, 4), fluid=FLUID, rim_mm=8.0, scales=(0.9, 1.2)
        ).predict(ball(), affine, True, stripped=True)
        for network in (Bright(), OutOfMemoryOnce())
    )
    assert expected.rim_mm3 == found.rim_mm3 > 0
    assert found.entropy == pytest.approx(expected.entropy, rel=1e-3)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=2e-3)  # type: ignore[arg-type]
