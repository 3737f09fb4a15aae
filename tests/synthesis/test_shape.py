"""Structures that grow and shrink: how far, into what, and alike in image and target."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage, stats

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.shape import ShapeVarietyConfig
from otfsynth.data.bank import LabelBank
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import named_labels, structure_name
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters, SynthesisParameters
from otfsynth.synthesis.shape import ShapeParameters, shape_boundaries
from otfsynth.synthesis.tissue import PartialVolumeParameters
from tests.synthesis.heads import (
    EVERY_LABEL,
    IDENTITY,
    SHAPES,
    Size,
    assert_agrees,
    bank_of,
    ellipsoid,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)

BOUNDARIES = shape_boundaries(SHAPES, EVERY_LABEL)
LEFT_CORTEX, LEFT_WHITE, LEFT_VENTRICLE = 3, 5, 9


def changes(*shifts_mm: float, unevenness: float = 0.0, spacing_voxels: int = 8) -> ShapeParameters:
    return ShapeParameters(shifts_mm, unevenness, spacing_voxels)


def movable(*maps: np.ndarray) -> LabelBank:
    return bank_of(*maps).with_boundaries(BOUNDARIES)


def whole(bank: LabelBank, drawn: ShapeParameters, **more: object) -> SynthesisParameters:
    shape = tuple(bank[0].indices.shape)
    middle = tuple((length - 1) / 2 for length in shape)
    deformation = DeformationParameters(False, IDENTITY, middle, 0.0, 20.0)
    return plain_record(bank, shape, deformation=deformation, shape=drawn, **more)


@pytest.fixture(scope="module")
def ball() -> LabelBank:
    """A ventricle of radius 9 in a box of white matter."""
    indices = np.zeros((42, 44, 40), np.uint8)
    indices[1:-1, 1:-1, 1:-1] = LEFT_WHITE
    indices[ellipsoid(indices.shape, (0, 0, 0), (9.0, 9.0, 9.0))] = LEFT_VENTRICLE
    return movable(indices)


@pytest.mark.parametrize("shift_mm", [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
def test_a_ball_becomes_one_of_known_radius(ball: LabelBank, shift_mm: float) -> None:
    _, target = render_one(ball, whole(ball, changes(0.0, 0.0, shift_mm)))
    found = target == LEFT_VENTRICLE
    radius = (found.sum() * 3 / (4 * np.pi)) ** (1 / 3)
    assert radius == pytest.approx(9.0 + shift_mm, abs=0.4)
    farthest, nearest = (ellipsoid(found.shape, (0, 0, 0), (9.0 + shift_mm + change,) * 3) for change in (0.75, -0.75))
    assert not (found & ~farthest).any()
    assert found[nearest].all()


def slab(thickness: int) -> np.ndarray:
    """White matter below, cortex, then CSF, along x."""
    indices = np.full((40, 12, 14), LEFT_WHITE, np.uint8)
    indices[20 : 20 + thickness], indices[20 + thickness :] = LEFT_CORTEX, 2
    return indices


@pytest.mark.parametrize(
    ("white_mm", "pial_mm"), [(1, 0), (-1, 0), (0, 2), (0, -1), (1, 1), (-1, -1), (2, -2), (0.4, 0.4)]
)
def test_a_slab_of_cortex_has_the_asked_thickness(white_mm: float, pial_mm: float) -> None:
    bank = movable(slab(6))
    _, target = render_one(bank, whole(bank, changes(white_mm, pial_mm, 0.0)))
    line = target[:, 6, 7]
    assert (line == LEFT_CORTEX).sum() == 6 + round(white_mm) + round(pial_mm)
    assert np.flatnonzero(line == LEFT_CORTEX)[0] == 20 - round(white_mm)
    assert (target == line[:, None, None]).all()


def test_thin_cortex_is_never_gone() -> None:
    for thickness in (1, 2, 3):
        bank = movable(slab(thickness))
        _, target = render_one(bank, whole(bank, changes(-3.8, -3.8, 0.0)))
        assert (target == LEFT_CORTEX).any(axis=0).all()


def test_image_and_target_change_alike(ball: LabelBank) -> None:
    mixture = MixtureParameters((0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0), (0.0,) * 7, "random")
    image, target = render_one(ball, whole(ball, changes(0.0, 0.0, 2.0), mixture=mixture))
    np.testing.assert_array_equal(image, np.array(mixture.means)[EVERY_LABEL.class_table[target]])


def test_no_label_moves_farther_than_drawn(bank: LabelBank) -> None:
    bounded = bank.with_boundaries(BOUNDARIES)
    drawn = changes(0.7, -1.1, 2.2, unevenness=0.5)
    before = bounded[0].indices.numpy()
    _, after = render_one(bounded, whole(bounded, drawn))
    changed = before != after
    assert 0.01 < changed.mean() < 0.3
    for number, (inside, outside) in enumerate(BOUNDARIES):
        pairs = np.isin(before, inside) & np.isin(after, outside) | np.isin(before, outside) & np.isin(after, inside)
        own = changed & pairs
        at_inside, at_outside = (ndimage.distance_transform_edt(~np.isin(before, side)) for side in (inside, outside))
        gap = np.where(np.isin(before, inside), at_outside, at_inside)[own] - 0.5
        assert own.any()
        assert gap.max() < abs(drawn.shifts_mm[number])


def test_sides_stay_right_in_a_mirror(bank: LabelBank) -> None:
    bounded = bank.with_boundaries(BOUNDARIES)
    straight = whole(bounded, changes(0.8, 0.6, 2.0))
    mirror = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    flipped = dataclasses.replace(straight.deformation, flip=True, matrix=mirror)
    _, target = render_one(bounded, straight)
    _, mirrored = render_one(bounded, dataclasses.replace(straight, deformation=flipped))
    np.testing.assert_array_equal(mirrored[::-1], EVERY_LABEL.swap_indices[target])
    left = np.isin(target, (3, 5, 7, 9))
    assert not left[target.shape[0] // 2 + 4 :].any()


@pytest.mark.parametrize("size", [(40, 44, 37), (9, 50, 21)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("width", [None, 1.4])
def test_changed_maps_agree_with_the_oracle(bank: LabelBank, flip: bool, size: Size, width: float | None) -> None:
    bounded = bank.with_boundaries(BOUNDARIES)
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    deformation = DeformationParameters(flip, matrix, (24.3, 27.9, 22.6), 2.0, 20.0)
    mixed = None if width is None else PartialVolumeParameters(width)
    drawn = changes(0.7, -1.2, 2.1, unevenness=0.6, spacing_voxels=16)
    record = plain_record(bounded, size, deformation=deformation, shape=drawn, partial_volume=mixed)
    assert_agrees(bounded, record)
    assert (
        np.mean(render_one(bounded, record)[1] != render_one(bank, dataclasses.replace(record, shape=None))[1]) > 0.01
    )


def test_a_stage_that_is_off_changes_nothing(bank: LabelBank) -> None:
    record = plain_record(bank, (30, 30, 30))
    bounded = bank.with_boundaries(BOUNDARIES)
    still = dataclasses.replace(record, shape=changes(0.0, 0.0, 0.0))
    np.testing.assert_array_equal(render_one(bank, record)[0], render_one(bounded, still)[0])


def test_shifts_are_drawn_as_configured(bank: LabelBank) -> None:
    config = dataclasses.replace(SHAPES, probability=0.5, white_surface_mm=[-0.5, 1.0])
    engine = synthesizer(bank, (8, 8, 8), plain_config(shape_variety=config))
    records = [engine.sample_parameters(index) for index in range(400)]
    drawn = [record.shape for record in records if record.shape is not None]
    assert stats.binomtest(len(drawn), 400, 0.5).pvalue > 0.002
    shifts = np.array([entry.shifts_mm for entry in drawn])
    for column, (low, high) in zip(shifts.T, ((-0.5, 1.0), (-0.8, 0.6), (-1.5, 3.0)), strict=True):
        assert stats.kstest(column, stats.uniform(low, high - low).cdf).pvalue > 0.002
    assert SynthesisParameters.from_json(records[0].to_json()) == records[0]
    assert np.abs(np.corrcoef(shifts.T)[np.triu_indices(3, 1)]).max() < 0.2


def test_every_shipped_scheme_has_its_boundaries() -> None:
    for name in ("synthseg", "freesurfer", "tissue"):
        scheme = LabelScheme.load(name)
        labels = np.array(scheme.generation_labels)
        found = [
            [set(labels[list(side)].tolist()) for side in pair]
            for pair in shape_boundaries(ShapeVarietyConfig(), scheme)
        ]
        (cortex, white), (_, csf), (ventricles, deep) = found
        if name == "tissue":
            assert (cortex, white, csf, ventricles, deep) == ({1}, {2}, {3}, {3}, {2})
        else:
            assert {3, 42} <= cortex
            assert {2, 41} <= white
            assert csf == {24}
            assert {4, 43, 5, 44, 14} <= ventricles
            assert {2, 41, 10, 49, 11, 50} <= deep
            assert not deep & (cortex | ventricles | csf)
        assert (name == "freesurfer") == (1003 in cortex)


def test_unknown_structures_are_told_before_anything_is_drawn(bank: LabelBank) -> None:
    config = dataclasses.replace(SHAPES, ventricles=["ventricel"])
    with pytest.raises(ConfigurationError, match=r"shape_variety\.ventricles names 'ventricel'.*ventricle"):
        synthesizer(bank, (8, 8, 8), plain_config(shape_variety=config))


def test_structures_that_a_scheme_lacks_are_left_out() -> None:
    scheme = dataclasses.replace(EVERY_LABEL, class_names=("background", "scalp", "CSF", "a", "b", "c", "d"))
    assert shape_boundaries(ShapeVarietyConfig(), scheme)[0] == ((), ())
    maps = bank_of(head_indices(), scheme=scheme)
    engine = synthesizer(maps, (8, 8, 8), plain_config(shape_variety=ShapeVarietyConfig(1.0)))
    record = dataclasses.replace(engine.sample_parameters(0), size=(8, 8, 8))
    assert record.shape is not None
    engine.render([record])


def test_records_need_a_bank_with_boundaries(bank: LabelBank) -> None:
    record = plain_record(bank, (8, 8, 8), shape=changes(1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="was not prepared"):
        synthesizer(bank, (8, 8, 8)).render([record])


def test_names_without_side_and_number() -> None:
    assert structure_name("left cortical parcel 1003") == "cortical parcel"
    assert structure_name("third ventricle") == "third ventricle"
    scheme = LabelScheme.load("synthseg")
    assert {scheme.generation_labels[index] for index in named_labels(scheme, ["lateral ventricles"])} == {4, 43, 5, 44}
