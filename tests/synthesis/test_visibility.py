"""What is left out can't be seen: samples are the same, bit for bit, as with every voxel computed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from otfsynth.synthesis.artefacts import FieldOfViewParameters, RingingParameters
from otfsynth.synthesis.parameters import (
    AcquisitionParameters,
    DeformationParameters,
    SkullStripParameters,
    SynthesisParameters,
)
from otfsynth.synthesis.rendering import sequence, visibility
from otfsynth.synthesis.resampling import sampling_matrix
from otfsynth.synthesis.tissue import PartialVolumeParameters
from tests.synthesis import heads

SIZE = (70, 84, 100)
BANK = heads.bank_of(heads.head_indices())
TURNED = ((0.9, 0.3, -0.1), (-0.25, 1.05, 0.2), (0.1, -0.2, 0.95))
STRIP = SkullStripParameters(edge_offset_mm=-3.0, edge_roughness_mm=1.5, edge_spacing_voxels=16)
NATIVE = AcquisitionParameters((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), 0.03)
THICK = AcquisitionParameters((1.0, 4.5, 1.0), (0.5, 2.7, 0.5), 0.03, 3)
COARSE = AcquisitionParameters((2.3, 1.7, 3.1), (1.2, 0.9, 1.8), 0.03)
VIEW = FieldOfViewParameters((0, 20, 0), (70, 84, 61))


def record(**changes: Any) -> SynthesisParameters:
    plain = heads.plain_record(BANK, SIZE)
    deformation = DeformationParameters(False, TURNED, plain.deformation.centre_voxels, 3.0, 24.0)
    return dataclasses.replace(plain, **({"deformation": deformation, "gamma": 0.8} | changes))


CASES = {
    "strip": record(skull_strip=STRIP, acquisition=NATIVE),
    "even strip": record(skull_strip=dataclasses.replace(STRIP, edge_roughness_mm=0.0), acquisition=NATIVE),
    "fluid strip": record(
        skull_strip=dataclasses.replace(STRIP, edge_offset_mm=2.0, fluid=2), acquisition=COARSE, background="zero"
    ),
    "poor strip": record(skull_strip=SkullStripParameters(2.0, 5.0, 8), acquisition=NATIVE),
    "fine edge": record(skull_strip=dataclasses.replace(STRIP, edge_spacing_voxels=4), acquisition=NATIVE),
    "strip, thick": record(skull_strip=STRIP, acquisition=THICK, background="zero"),
    "strip, coarse": record(skull_strip=STRIP, acquisition=COARSE),
    "strip, ringing": record(skull_strip=STRIP, acquisition=NATIVE, ringing=RingingParameters((1.0, 0.7, 0.6))),
    "zero": record(background="zero", acquisition=COARSE),
    "view": record(field_of_view=VIEW, acquisition=THICK),
    "view and strip": record(field_of_view=VIEW, skull_strip=STRIP, acquisition=COARSE),
    "nothing cut": record(acquisition=NATIVE),
    "nothing cut, partial volume": record(acquisition=NATIVE, partial_volume=PartialVolumeParameters(1.6)),
}


@pytest.mark.parametrize("name", CASES)
def test_samples_are_those_of_every_voxel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, target = heads.render_one(BANK, CASES[name])
    nothing = visibility.Visibility(0, (0, 0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    monkeypatch.setattr(sequence, "visible_columns", lambda *_: nothing)
    monkeypatch.setattr(sequence, "inhabited_region", lambda *_: nothing.region(0, (False, False, False)))
    expected_image, expected_target = heads.render_one(BANK, CASES[name])
    np.testing.assert_array_equal(target, expected_target)
    np.testing.assert_array_equal(image, expected_image)
    assert target.any()


@pytest.mark.parametrize("name", ["strip", "zero", "view and strip", "poor strip"])
def test_less_is_painted_where_less_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, target = _spans(CASES[name], monkeypatch)
    assert seen[target > 0].all()
    assert target.any()
    assert seen.mean() < (0.9 if name == "poor strip" else 0.5)


@pytest.mark.parametrize("name", ["strip", "strip, coarse", "strip, ringing"])
def test_what_lies_out_of_sight_may_be_anything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image's own memory, of which only a part is painted, holds numbers that would show."""
    synthesizer = heads.synthesizer(BANK, SIZE, threads=1, reuse_buffers=True)
    first = synthesizer.render([CASES[name]])
    image = first.image.clone()
    first.image.fill_(float("nan"))
    assert torch.equal(synthesizer.render([CASES[name]]).image, image)


@pytest.mark.parametrize(("spacing", "sigma"), [(1.0, 0.0), (1.0, 0.6), (2.7, 1.5)])
def test_reach_is_that_of_the_farthest_tap(spacing: float, sigma: float) -> None:
    band = sampling_matrix(50, spacing, sigma)
    taps = band.starts + np.arange(band.taps)[:, None]
    positions = (50 - 1) / 2 + (np.arange(band.outputs) - (band.outputs - 1) / 2) * spacing
    farthest = np.abs(taps - positions)[band.weights > 0].max()
    assert farthest <= visibility._reach(band, 50, spacing) + 1e-6 <= farthest + 1.01


def _spans(parameters: SynthesisParameters, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """Voxels inside the spans, bool (x, y, z), and the target of a record."""
    found: list[np.ndarray] = []
    find = sequence.visible_columns

    def spy(launch: Any, *arguments: Any) -> visibility.Visibility:
        result = find(launch, *arguments)
        columns = launch.workspace.tensor("columns", (*result.shape, 2)).numpy().view(np.int32)
        found.append(columns.copy())
        return result

    monkeypatch.setattr(sequence, "visible_columns", spy)
    _, target = heads.render_one(BANK, parameters)
    spans = found[0].repeat(8, axis=0)[: SIZE[0]].repeat(8, axis=1)[:, : SIZE[1]]
    z = np.arange(SIZE[2])
    return (z >= spans[..., :1]) & (z < spans[..., 1:]), target
