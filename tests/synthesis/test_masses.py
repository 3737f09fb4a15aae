"""Masses: a core, its oedema and what they push aside."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesion_parameters import LesionParameters, MassEffectParameters
from otfsynth.synthesis.lesion_places import Anatomy
from otfsynth.synthesis.parameters import DeformationParameters, SynthesisParameters
from tests import references
from tests.synthesis.heads import (
    IDENTITY,
    LEVELS,
    TISSUE,
    Size,
    assert_agrees,
    bank_of,
    head_indices,
    plain_record,
    render_one,
)
from tests.synthesis.lesion_records import FLAT, records_of

EFFECT = MassEffectParameters((25.0, 27.0, 22.0), 0.6, 9.0)
RING = LesionParameters(((25.0, 27.0, 22.0),), (9.0,), 60.0, 2.0, 0.3, 1.0, (2,), None, 16, kind="mass")
CORE = dataclasses.replace(RING, radii_voxels=(5.0,), mean=200.0, hosts=(1, 2, 3), target=1)
DEAD = dataclasses.replace(CORE, radii_voxels=(2.5,), mean=20.0)
MASS = {"lesions": CORE, "oedema": RING, "necrosis": DEAD, "mass_effect": EFFECT}
ENDED = dataclasses.replace(EFFECT, end_voxels=14.0)


def test_the_displacement_of_a_mass_is_its_closed_form() -> None:
    line = np.zeros((257, 3, 3), np.uint8)
    line[1:-1, 1, 1] = np.arange(1, 256)
    lines = bank_of(line, scheme=LEVELS)
    effect = MassEffectParameters((130.0, 1.0, 1.0), 0.7, 12.0)
    deformation = DeformationParameters(False, IDENTITY, (128.0, 1.0, 1.0), 0.0, 20.0)
    record = plain_record(lines, (121, 1, 1), deformation=deformation, mass_effect=effect)
    _, target = render_one(lines, record)
    place = np.arange(121) + 68.0
    away = place - 130.0
    expected = 130.0 + away - 0.7 * away * np.exp(-(away**2) / (2 * 12.0**2))
    assert np.abs(target[:, 0, 0] - expected).max() <= 0.5 + 1e-4
    assert np.abs(expected - place).max() == pytest.approx(effect.farthest_voxels, rel=1e-2)
    assert effect.source_radius(20.0) == pytest.approx(20.0 * (1 - 0.7 * np.exp(-400 / 288)))
    ended = dataclasses.replace(effect, end_voxels=30.0)
    _, target = render_one(lines, dataclasses.replace(record, mass_effect=ended))
    pull = 0.7 * np.exp(-(away**2) / (2 * 12.0**2)) * np.maximum(1 - (away / 30.0) ** 2, 0) ** 2
    assert np.abs(target[:, 0, 0] - (place - pull * away)).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(target[np.abs(away) >= 30.0, 0, 0], place[np.abs(away) >= 30.0])
    assert 0.6 * ended.farthest_voxels < np.abs(pull * away).max() < ended.farthest_voxels
    assert ended.source_radius(20.0) == pytest.approx(20.0 * (1 - 0.7 * np.exp(-400 / 288) * (5 / 9) ** 2))


@pytest.mark.parametrize("strength", [0.1, 0.7, 0.95])
@pytest.mark.parametrize("reach", [3.0, 12.0])
@pytest.mark.parametrize("end", [None, 9.0])
def test_a_mass_never_folds_tissue(strength: float, reach: float, end: float | None) -> None:
    """Jacobian of the closed form by central differences, on a grid of quarters of a voxel."""
    grid = np.stack(np.meshgrid(*[np.arange(-40, 41) / 4] * 3, indexing="ij"))
    source = references.pushed_aside(grid, MassEffectParameters((0.3, -0.2, 0.1), strength, reach, end))
    gradients = np.stack([np.stack(np.gradient(component, 0.25)) for component in source])
    determinants = np.linalg.det(np.moveaxis(gradients, (0, 1), (-2, -1)))
    assert determinants.min() > 0
    assert determinants.min() == pytest.approx((1 - strength) ** 3, rel=0.2, abs=1e-4)


@pytest.mark.parametrize("size", [(40, 44, 37), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("effect", [EFFECT, ENDED])
def test_masses_agree_with_the_oracle(
    tissue_bank: LabelBank, effect: MassEffectParameters, flip: bool, size: Size
) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    masses = {**MASS, "mass_effect": effect}
    assert_agrees(tissue_bank, plain_record(tissue_bank, size, deformation=deformation, **masses))


def test_the_skull_does_not_give_way(tissue_bank: LabelBank) -> None:
    """Wherever a mass grows, everything outside the brain comes from where it lies."""
    deep = 0.0
    for record in records_of(tissue_bank, "mass", 30):
        effect, volume = record.mass_effect, tissue_bank[record.map_index]
        assert effect is not None
        places = np.stack(np.nonzero(volume.brain_distance.numpy() > 128 + 8))[:, :, None, None].astype(float)
        pushed = references.pushed_aside(places, effect)
        assert np.linalg.norm(pushed - places, axis=0).max() < 0.1
        assert effect.end_voxels is not None
        deep = max(deep, effect.end_voxels)
    assert deep > 10


def test_the_depth_of_a_place_is_that_to_the_nearest_voxel_outside() -> None:
    grid = np.indices((90, 100, 80)) - np.array([44.0, 50.0, 38.0]).reshape(3, 1, 1, 1)
    signed = np.linalg.norm(grid / np.array([1.0, 1.2, 0.9]).reshape(3, 1, 1, 1), axis=0) - 33.0
    ball = (signed < 0).astype(np.uint8) * 5
    volume = bank_of(ball, scheme=TISSUE)[0]
    anatomy = Anatomy(volume.indices, volume.brain_distance, volume.foreground, TISSUE, 1.0)
    outside = np.argwhere(ball == 0)
    for place in ((44, 50, 38), (50, 40, 35), (60, 60, 40), (44, 75, 38), (44, 50, 64)):
        way = np.linalg.norm(outside - np.array(place), axis=1).min()
        assert anatomy.depth_mm(np.array(place, np.int32)) == pytest.approx(way, abs=1.0)


def test_oedema_lies_in_white_matter_alone_and_the_core_over_it(tissue_bank: LabelBank) -> None:
    record = plain_record(tissue_bank, (46, 50, 42), mixture=FLAT, **MASS)
    sharp = {
        name: dataclasses.replace(part, std=0.0, softness_voxels=0.1)
        for name, part in MASS.items()
        if name != "mass_effect"
    }
    record = dataclasses.replace(record, **sharp)
    image, target = render_one(tissue_bank, record)
    healthy = dataclasses.replace(record, lesions=None, oedema=None, necrosis=None)
    _, tissue = render_one(tissue_bank, healthy)
    assert (tissue[image == 60.0] == 2).all()
    assert np.sum(image == 60.0) > 500
    assert np.sum(image == 200.0) > np.sum(image == 20.0) > 30
    assert (target[image == 200.0] == 1).all()
    np.testing.assert_array_equal(target[image == 60.0], tissue[image == 60.0])


def test_maps_without_white_matter_have_masses_without_oedema() -> None:
    indices = head_indices()
    indices[np.isin(indices, (5, 6))] = 3
    grey = bank_of(indices, scheme=TISSUE)
    nowhere = dataclasses.replace(TISSUE, target_names=("background", "GM", "other", "CSF"))
    for maps in (grey, bank_of(head_indices(), scheme=nowhere)):
        for record in records_of(maps, "mass", 20):
            assert record.lesions is not None
            assert record.oedema is None


def test_masses_are_seen_in_the_drawn_size(tissue_bank: LabelBank) -> None:
    for record in records_of(tissue_bank, "mass", 40, edge_roughness=0.0):
        core, effect = record.lesions, record.mass_effect
        assert core is not None
        assert effect is not None
        seen = np.linspace(0.0, 80.0, 8001)
        source = np.array([effect.source_radius(radius) for radius in seen])
        assert (np.diff(source) > 0).all()
        radius = np.interp(core.radii_voxels[0], source, seen)
        assert 6.0 - 0.02 <= radius <= 25.0 + 0.02
        if record.oedema is not None:
            assert 4.0 - 0.05 <= np.interp(record.oedema.radii_voxels[0], source, seen) - radius <= 20.0 + 0.05
            assert record.oedema.hosts == (2,)
        assert effect.farthest_voxels < effect.reach_voxels
        assert SynthesisParameters.from_json(record.to_json()) == record
