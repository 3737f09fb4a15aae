"""Flip, affine, flow and label lookup, seen through rendered targets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import DeformationParameters
from otfsynth.types import SampleKey
from tests import references
from tests.synthesis.heads import (
    IDENTITY,
    SEED,
    Size,
    bank_of,
    head_indices,
    plain_record,
    reference,
    render,
    render_one,
)
from tests.synthesis.probe import jacobian_determinants, measured_positions


def test_no_deformation_gives_the_map_itself(bank: LabelBank) -> None:
    indices = bank[0].indices.numpy()
    _, target = render_one(bank, plain_record(bank, indices.shape))
    np.testing.assert_array_equal(target, indices)


@pytest.mark.parametrize("size", [(20, 24, 16), (21, 17, 33)])
def test_no_deformation_gives_the_crop(bank: LabelBank, size: Size) -> None:
    record = plain_record(bank, size)
    low = [int(c - (n - 1) / 2) for c, n in zip(record.deformation.centre_voxels, size, strict=True)]
    expected = bank[0].indices.numpy()[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))]
    np.testing.assert_array_equal(render_one(bank, record)[1], expected)


def test_beyond_the_map_there_is_background(bank: LabelBank) -> None:
    indices = bank[0].indices.numpy()
    size = (70, 64, 60)
    centre = tuple((n - 1) / 2 for n in indices.shape)
    deformation = DeformationParameters(False, IDENTITY, centre, 0.0, 20.0)
    _, target = render_one(bank, plain_record(bank, size, deformation=deformation))
    before = [(n - m) // 2 for n, m in zip(size, indices.shape, strict=True)]
    expected = np.pad(indices, [(b, n - m - b) for b, n, m in zip(before, size, indices.shape, strict=True)])
    np.testing.assert_array_equal(target, expected)


def test_flip_mirrors_the_head_and_swaps_sides(bank: LabelBank) -> None:
    indices = bank[0].indices.numpy()
    centre = tuple((n - 1) / 2 for n in indices.shape)
    mirror = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    record = plain_record(bank, indices.shape, deformation=DeformationParameters(True, mirror, centre, 0.0, 20.0))
    record = dataclasses.replace(record, background="zero")
    image, target = render_one(bank, record)
    np.testing.assert_array_equal(target, bank.scheme.swap_indices[indices[::-1]])
    left = np.isin(target, (3, 5, 7, 9))
    assert np.argwhere(left)[:, 0].mean() < indices.shape[0] / 2 - 5, "left labels belong at low x in RAS"
    np.testing.assert_array_equal(image == 0, target == 0)


def test_affine_agrees_with_the_oracle(bank: LabelBank) -> None:
    turn = Rotation.from_euler("xyz", [12.0, -9.0, 14.0], degrees=True).as_matrix() @ np.diag([1.15, 0.85, 1.1])
    matrix = tuple(tuple(float(v) for v in row) for row in turn)
    record = plain_record(
        bank, (33, 40, 30), deformation=DeformationParameters(False, matrix, (25.3, 27.1, 21.9), 0, 20)
    )
    target, expected = render_one(bank, record)[1], reference(bank, record)[1]
    assert len(np.unique(expected)) >= 9
    assert np.mean(target != expected) < 1e-3


@pytest.mark.parametrize(
    ("std", "spacing", "size"), [(1.0, 20.0, (26, 22, 25)), (4.0, 40.0, (9, 24, 26)), (2.0, 31.7, (17, 1, 8))]
)
def test_flow_agrees_with_the_oracle(std: float, spacing: float, size: Size) -> None:
    key = SampleKey(SEED, 11)
    positions = measured_positions(key, std, spacing, size)
    expected = references.patch_grid(size) + references.displacement(
        references.flow_lattice(key, std, spacing, size), size
    )
    assert np.abs(expected - references.patch_grid(size)).max() > std
    np.testing.assert_allclose(positions, expected, atol=0.007)


def test_probe_measures_the_identity() -> None:
    size = (24, 7, 16)
    np.testing.assert_allclose(
        measured_positions(SampleKey(SEED, 1), 0.0, 20.0, size), references.patch_grid(size), atol=0.007
    )


def test_displacement_has_the_requested_amplitude() -> None:
    size, std = (10, 9, 10), 1.5
    spacings = np.linspace(20.0, 40.0, 48)
    moved = [
        measured_positions(SampleKey(SEED, index), std, spacing, size) - references.patch_grid(size)
        for index, spacing in enumerate(spacings)
    ]
    assert np.sqrt(np.mean(np.square(moved))) == pytest.approx(std, rel=0.12)


def test_velocity_has_the_requested_amplitude() -> None:
    size, std = (32, 32, 32), 3.0
    points = references.patch_grid(size)[:, ::5, ::5, ::5]
    drawn = []
    for index, spacing in enumerate(np.linspace(20.0, 40.0, 500)):
        control = references.velocity_lattice(SampleKey(SEED, index), std, spacing, size)
        drawn.append(references.geometry.evaluate_velocity(control, spacing, points))
    assert np.sqrt(np.mean(np.square(drawn))) == pytest.approx(std, rel=0.03)


def test_jacobian_determinants_are_positive_at_the_largest_deformation() -> None:
    size = (22, 22, 22)
    determinants = np.stack([
        jacobian_determinants(measured_positions(SampleKey(SEED, index), 4.0, 20.0, size)) for index in (2, 3, 5, 7)
    ])  # fmt: skip
    assert determinants.min() > 0.0
    assert determinants.std() > 0.1


@pytest.mark.parametrize("index", range(6))
def test_oracle_jacobian_determinants_are_positive(index: int) -> None:
    size = (40, 40, 40)
    moved = references.displacement(references.flow_lattice(SampleKey(SEED, index), 4.0, 20.0, size), size)
    determinants = jacobian_determinants(references.patch_grid(size) + moved)
    assert determinants.min() > 0.0


def test_two_heads_of_different_shape_share_a_batch() -> None:
    maps = [head_indices(), head_indices((42, 60, 52))]
    bank = bank_of(*maps)
    size = (21, 23, 25)
    records = [plain_record(bank, size, map_index=number % 2, index=number) for number in range(4)]
    _, targets = render(bank, *records)
    for record, target in zip(records, targets, strict=True):
        low = [int(c - (n - 1) / 2) for c, n in zip(record.deformation.centre_voxels, size, strict=True)]
        crop = tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))
        np.testing.assert_array_equal(target, maps[record.map_index][crop])
