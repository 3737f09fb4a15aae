"""Lesions: where they lie, how they look, what they are called."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage, stats

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import ContrastConfig, EnginesConfig, PhysicsConfig
from otfsynth.config.lesions import HyperintensitiesConfig, LesionKindsConfig, LesionsConfig, StrokeConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesion_parameters import LesionLabelParameters, LesionParameters, MassEffectParameters
from otfsynth.synthesis.lesions import KINDS
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters, SynthesisParameters
from tests import references
from tests.synthesis.heads import (
    IDENTITY,
    LEVELS,
    TISSUE,
    Size,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

FLAT = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
BALL = LesionParameters(((25.0, 27.0, 22.0),), (6.02,), 180.0, 0.0, 0.0, 0.5, (2,), 3)
MANY = LesionParameters(
    ((20.0, 22.0, 18.0), (30.0, 30.0, 26.0), (12.0, 28.0, 23.0)), (5.0, 3.0, 8.0), 150.0, 6.0, 0.4, 2.0, (1, 2), None
)


def only(kind: str) -> LesionKindsConfig:
    return LesionKindsConfig(**{name: float(name == kind) for name in KINDS})


def records_of(bank: LabelBank, kind: str, count: int, **more: object) -> list[SynthesisParameters]:
    engine = synthesizer(bank, (24, 24, 24), plain_config(lesions=LesionsConfig(1.0, kinds=only(kind), **more)))
    return [engine.sample_parameters(index) for index in range(count)]


@pytest.mark.parametrize("target", [None, 3])
def test_a_ball_replaces_its_tissue(tissue_bank: LabelBank, target: int | None) -> None:
    record = plain_record(tissue_bank, (40, 44, 37), mixture=FLAT)
    _, before = render_one(tissue_bank, record)
    image, after = render_one(
        tissue_bank, dataclasses.replace(record, lesions=dataclasses.replace(BALL, target=target))
    )
    first = np.array(record.deformation.centre_voxels) - (np.array(record.size) - 1) / 2
    distance = np.sqrt(np.sum((np.indices(record.size).T + first - BALL.centres_voxels[0]) ** 2, axis=-1)).T
    white = before == 2
    np.testing.assert_array_equal(image[white & (distance < 5.7)], 180.0)
    np.testing.assert_array_equal(image[~white | (distance > 6.3)], 100.0)
    expected = np.where(white & (distance < 6.02), 3 if target else 2, before)
    np.testing.assert_array_equal(after, expected)
    assert 300 < np.sum(white & (distance < 6.02)) < 930


@pytest.mark.parametrize("size", [(40, 44, 37), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("drawn", [BALL, MANY])
def test_lesions_agree_with_the_oracle(tissue_bank: LabelBank, drawn: LesionParameters, flip: bool, size: Size) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    assert_agrees(tissue_bank, plain_record(tissue_bank, size, deformation=deformation, lesions=drawn))


def test_a_target_that_the_scheme_lacks_is_told_before_anything_is_drawn(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.01, ["WM"], "tumour"))
    with pytest.raises(ConfigurationError, match=r"lesions\.target=tumour is no target .*CSF"):
        synthesizer(tissue_bank, (24, 24, 24), config)


def test_lesions_are_drawn_in_their_hosts(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(0.5, ["WM"], "CSF", 12, [1.5, 8.0], [20.0, 80.0], kinds=only("blobs")))
    engine = synthesizer(tissue_bank, (24, 24, 24), config)
    records = [engine.sample_parameters(index) for index in range(300)]
    drawn = [record.lesions for record in records if record.lesions is not None]
    assert stats.binomtest(len(drawn), 300, 0.5).pvalue > 0.002
    assert {lesions.target for lesions in drawn} == {3}
    assert {lesions.hosts for lesions in drawn} == {(2,)}
    radii = np.concatenate([lesions.radii_voxels for lesions in drawn])
    assert stats.kstest(np.log(radii), stats.uniform(np.log(1.5), np.log(8 / 1.5)).cdf).pvalue > 0.002
    for record in records:
        if record.lesions is not None:
            indices = tissue_bank[record.map_index].indices.numpy()
            for x, y, z in np.array(record.lesions.centres_voxels, int):
                assert TISSUE.target_table[indices[x, y, z]] == 2


def test_an_unknown_target_is_an_error(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, target="lesion"))
    with pytest.raises(ConfigurationError, match=r"lesions\.target=lesion.*background, GM, WM, CSF"):
        synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0)


def test_a_scheme_without_hosts_has_none(tissue_bank: LabelBank) -> None:
    config = plain_config(lesions=LesionsConfig(1.0, ["marrow"], kinds=only("blobs")))
    assert synthesizer(tissue_bank, (8, 8, 8), config).sample_parameters(0).lesions is None


EFFECT = MassEffectParameters((25.0, 27.0, 22.0), 0.6, 9.0)
RING = LesionParameters(((25.0, 27.0, 22.0),), (9.0,), 60.0, 2.0, 0.3, 1.0, (2,), None, 16, kind="mass")
CORE = dataclasses.replace(RING, radii_voxels=(5.0,), mean=200.0, hosts=(1, 2, 3), target=1)
DEAD = dataclasses.replace(CORE, radii_voxels=(2.5,), mean=20.0)
MASS = {"lesions": CORE, "oedema": RING, "necrosis": DEAD, "mass_effect": EFFECT}


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


@pytest.mark.parametrize("strength", [0.1, 0.7, 0.95])
@pytest.mark.parametrize("reach", [3.0, 12.0])
def test_a_mass_never_folds_tissue(strength: float, reach: float) -> None:
    """Jacobian of the closed form by central differences, on a grid of quarters of a voxel."""
    grid = np.stack(np.meshgrid(*[np.arange(-40, 41) / 4] * 3, indexing="ij"))
    source = references.pushed_aside(grid, MassEffectParameters((0.3, -0.2, 0.1), strength, reach))
    gradients = np.stack([np.stack(np.gradient(component, 0.25)) for component in source])
    determinants = np.linalg.det(np.moveaxis(gradients, (0, 1), (-2, -1)))
    assert determinants.min() > 0
    assert determinants.min() == pytest.approx((1 - strength) ** 3, rel=0.2, abs=1e-4)


@pytest.mark.parametrize("size", [(40, 44, 37), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
def test_masses_agree_with_the_oracle(tissue_bank: LabelBank, flip: bool, size: Size) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    assert_agrees(tissue_bank, plain_record(tissue_bank, size, deformation=deformation, **MASS))


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


def test_strokes_stay_on_their_side(tissue_bank: LabelBank) -> None:
    sides = set()
    for record in records_of(tissue_bank, "stroke", 30):
        drawn = record.lesions
        assert drawn is not None
        names = {TISSUE.label_names[label].split()[0] for label in drawn.host_labels}
        assert len(names) == 1
        sides |= names
        assert drawn.hosts == (1, 2)
        full = dataclasses.replace(drawn, mean=250.0, std=0.0, softness_voxels=0.1)
        shown = dataclasses.replace(record, size=(50, 56, 46), lesions=full, mixture=FLAT)
        indices = tissue_bank[record.map_index].indices.numpy()
        whole = dataclasses.replace(
            shown,
            size=indices.shape,
            deformation=dataclasses.replace(
                record.deformation, centre_voxels=tuple((n - 1) / 2 for n in indices.shape)
            ),
        )
        image, _ = render_one(tissue_bank, whole)
        hit = image > 150
        assert hit.sum() > 50
        assert np.isin(indices[hit], drawn.host_labels).all()
    assert sides == {"left", "right"}


def test_strokes_of_maps_without_sides_end_before_the_middle() -> None:
    scheme = dataclasses.replace(TISSUE, sided_pairs=())
    maps = bank_of(head_indices(), scheme=scheme)
    for record in records_of(maps, "stroke", 30):
        drawn = record.lesions
        assert drawn is not None
        radius, centre = drawn.radii_voxels[0], drawn.centres_voxels[0]
        assert radius <= max(abs(centre[0] - 24.5) + 1.0, 6.0)


def test_hyperintensities_prefer_the_ventricles(tissue_bank: LabelBank) -> None:
    near, far = (
        [
            np.mean(to_ventricle(tissue_bank, record))
            for record in records_of(
                tissue_bank,
                "hyperintensities",
                30,
                hyperintensities=HyperintensitiesConfig([20, 20], [0.8, 2.0], share),
            )
        ]
        for share in (1.0, 0.0)
    )
    assert np.mean(near) < 0.5 * np.mean(far)
    for record in records_of(tissue_bank, "hyperintensities", 30):
        drawn = record.lesions
        assert drawn is not None
        assert 5 <= len(drawn.radii_voxels) <= 40
        assert 0.8 <= min(drawn.radii_voxels) <= max(drawn.radii_voxels) <= 5.0


def to_ventricle(bank: LabelBank, record: SynthesisParameters) -> np.ndarray:
    indices = bank[record.map_index].indices.numpy()
    distance = ndimage.distance_transform_edt(~np.isin(indices, (9, 10)))
    assert record.lesions is not None
    places = np.array(record.lesions.centres_voxels, int)
    assert (TISSUE.target_table[indices[tuple(places.T)]] == 2).all()
    return distance[tuple(places.T)]


def test_kinds_come_in_their_shares(tissue_bank: LabelBank) -> None:
    shares = {"blobs": 0.1, "hyperintensities": 0.4, "mass": 0.2, "stroke": 0.3}
    config = plain_config(lesions=LesionsConfig(1.0, kinds=LesionKindsConfig(**shares)))
    engine = synthesizer(tissue_bank, (8, 8, 8), config)
    kinds = [engine.sample_parameters(index).lesions.kind for index in range(300)]  # type: ignore[union-attr]
    counts = [kinds.count(kind) for kind in shares]
    assert stats.chisquare(counts, 300 * np.array(list(shares.values()))).pvalue > 0.002


@pytest.mark.parametrize(("contrast", "darker"), [("T1w", True), ("T2w", False), ("FLAIR", False)])
@pytest.mark.parametrize("kind", ["hyperintensities", "stroke", "mass"])
def test_lesions_look_as_on_a_scanner(contrast: str, darker: bool, kind: str) -> None:
    """In T1w darker than white matter, in T2w and FLAIR brighter (fluid in the middle of old infarcts aside)."""
    scheme = dataclasses.replace(
        TISSUE,
        class_names=("background", "skin", "CSF", "cerebral cortex", "cerebral white matter", "thalamus", "ventricles"),
    )
    maps = bank_of(head_indices(), scheme=scheme)
    lesions = LesionsConfig(1.0, kinds=only(kind), stroke=StrokeConfig(chronic_probability=0.0))
    physics = PhysicsConfig(contrasts=[contrast], field_strengths_t=[1.5, 3.0])
    config = plain_config(lesions=lesions, physics=physics, contrast=ContrastConfig(EnginesConfig(0.0, 0.0, 1.0)))
    engine = synthesizer(maps, (8, 8, 8), config)
    for index in range(60):
        record = engine.sample_parameters(index)
        assert record.lesions is not None
        white = record.mixture.means[4]
        # Cores of tumours are darker than it or brighter in FLAIR
        core = None if (kind, contrast) == ("mass", "FLAIR") else record.lesions
        for part in (core, record.oedema):
            if part is not None and not (kind == "hyperintensities" and part.mean == white):
                assert (part.mean < 1.02 * white) if darker else (part.mean > 0.98 * white), part
                assert part.std >= 0


def test_labels_of_the_map_that_are_lesions_look_and_are_called_like_them() -> None:
    names = ("background", "scalp", "CSF", "cortex", "white", "white-matter lesion", "ventricle")
    scheme = dataclasses.replace(TISSUE, class_names=names)
    maps = bank_of(head_indices(), scheme=scheme)
    record = records_of(maps, "hyperintensities", 1, target="CSF")[0]
    assert record.lesions is not None
    assert record.lesion_labels == LesionLabelParameters((7, 8), 3)
    assert record.mixture.means[5] == record.lesions.mean
    assert record.mixture.stds[5] == record.lesions.std
    whole = plain_record(maps, (46, 50, 42), lesion_labels=record.lesion_labels)
    assert_agrees(maps, whole)
    _, target = render_one(maps, whole)
    _, before = render_one(maps, dataclasses.replace(whole, lesion_labels=None))
    assert np.sum((target == 3) & (before == 1)) == np.sum(target != before) > 100
    rare = plain_config(lesions=LesionsConfig(0.001, target="CSF"))
    engine = synthesizer(maps, (8, 8, 8), rare)
    assert {engine.sample_parameters(index).lesion_labels for index in range(5)} == {record.lesion_labels}
    with pytest.raises(ConfigurationError, match=r"lesions\.labels names 'plaque'"):
        synthesizer(maps, (8, 8, 8), plain_config(lesions=LesionsConfig(0.5, labels=["plaque"])))


def test_records_of_before_the_kinds_still_load(tissue_bank: LabelBank) -> None:
    record = plain_record(tissue_bank, (8, 8, 8), lesions=BALL)
    fields = json.loads(record.to_json())
    for name in ("edge_spacing_voxels", "host_labels", "kind"):
        del fields["lesions"][name]
    for name in ("oedema", "necrosis", "mass_effect", "lesion_labels", "shape"):
        del fields[name]
    assert SynthesisParameters.from_json(json.dumps(fields)) == record
