"""Point spread function, sampling and noise of the simulated scanner."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage, stats

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.parameters import AcquisitionParameters, MixtureParameters, SynthesisParameters
from tests.synthesis.heads import LEVELS, Size, assert_agrees, bank_of, plain_record, reference, render_one

Vector = tuple[float, float, float]


def acquired(record: SynthesisParameters, spacing: Vector, sigma: Vector, noise: float = 0.0) -> SynthesisParameters:
    return dataclasses.replace(record, acquisition=AcquisitionParameters(spacing, sigma, noise))


@pytest.fixture(scope="module")
def levels() -> LabelBank:
    """A ramp along x, y and z in three maps: intensity = class mean = coordinate, for records of :func:`ramp`."""
    maps = []
    for axis in range(3):
        ramp = np.zeros((62, 58, 60), np.uint8)
        inner = np.indices(ramp.shape)[axis].astype(np.uint8)
        ramp[1:-1, 1:-1, 1:-1] = inner[1:-1, 1:-1, 1:-1]
        maps.append(ramp)
    return bank_of(*maps, scheme=LEVELS)


def ramp(levels: LabelBank, axis: int, size: Size) -> SynthesisParameters:
    means = tuple(float(level) for level in range(256))
    return plain_record(levels, size, map_index=axis, mixture=MixtureParameters(means, (0.0,) * 256, "random"))


@pytest.mark.parametrize("sigma", [(1.2, 0.8, 0.5), (0.4, 2.5, 3.0), (0.0, 0.0, 1.0)])
def test_blur_is_the_gaussian_filter_inside(bank: LabelBank, sigma: Vector) -> None:
    record = plain_record(bank, (46, 50, 42))
    sharp, _ = render_one(bank, record)
    blurred, _ = render_one(bank, acquired(record, (1.0, 1.0, 1.0), sigma))
    expected = ndimage.gaussian_filter(sharp.astype(np.float64), sigma, truncate=4.0)
    inner = tuple(slice(int(4 * s + 0.5), n - int(4 * s + 0.5)) for s, n in zip(sigma, sharp.shape, strict=True))
    np.testing.assert_allclose(blurred[inner], expected[inner], atol=0.01)


@pytest.mark.parametrize(
    ("spacing", "sigma"),
    [((1.0, 1.0, 1.0), (2.0, 1.0, 0.5)), ((3.0, 1.0, 1.0), (2.2, 0.5, 0.5)), ((2.5, 2.5, 2.5), (1.9, 1.9, 1.9))],
)
def test_blur_and_resolution_keep_the_mean(bank: LabelBank, spacing: Vector, sigma: Vector) -> None:
    record = plain_record(bank, (50, 56, 46))
    sharp, _ = render_one(bank, record)
    image, _ = render_one(bank, acquired(record, spacing, sigma))
    assert image.mean(dtype=np.float64) == pytest.approx(sharp.mean(dtype=np.float64), rel=0.01)
    assert np.std(np.diff(image, axis=0)) < 0.8 * np.std(np.diff(sharp, axis=0))


def test_a_constant_stays_constant(bank: LabelBank) -> None:
    flat = MixtureParameters((100.0,) * 7, (0.0,) * 7, "random")
    record = plain_record(bank, (31, 26, 40), mixture=flat)
    image, _ = render_one(bank, acquired(record, (3.3, 1.0, 2.0), (2.5, 1.7, 0.0)))
    np.testing.assert_allclose(image, 100.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("axis", "spacing", "sigma"),
    [(0, 3.0, 0.0), (1, 2.0, 0.0), (2, 5.7, 0.0), (2, 3.0, 1.5), (0, 4.0, 2.0), (1, 1.6, 1.1)],
)
def test_a_ramp_stays_the_same_ramp(levels: LabelBank, axis: int, spacing: float, sigma: float) -> None:
    record = ramp(levels, axis, (45, 44, 47))
    sharp, _ = render_one(levels, record)
    spacings, sigmas = [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    spacings[axis], sigmas[axis] = spacing, sigma
    image, _ = render_one(levels, acquired(record, tuple(spacings), tuple(sigmas)))
    edge = int(np.ceil(spacing / 2 + 4 * sigma)) + 1
    inner = np.take(image - sharp, range(edge, sharp.shape[axis] - edge), axis)
    np.testing.assert_allclose(inner, 0.0, atol=0.01)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [2.0, 3.4])
def test_a_symmetric_object_stays_symmetric(axis: int, spacing: float) -> None:
    cube = np.zeros((30, 31, 32), np.uint8)
    cube[8:-8, 9:-9, 7:-7] = 1
    bank = bank_of(cube, scheme=LEVELS)
    mixture = MixtureParameters((0.0, 200.0) + (0.0,) * 254, (0.0,) * 256, "random")
    spacings, sigmas = [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]
    spacings[axis], sigmas[axis] = spacing, 0.75 * spacing
    record = acquired(plain_record(bank, (30, 31, 32), mixture=mixture), tuple(spacings), tuple(sigmas))
    image, _ = render_one(bank, record)
    assert 100.0 < image.max() <= 200.001
    for direction in range(3):
        np.testing.assert_allclose(image, np.flip(image, direction), atol=2e-3)


def test_rician_noise_has_the_theoretical_distribution(bank: LabelBank) -> None:
    means = (0.0, 0.0, 200.0, 200.0, 200.0, 200.0, 200.0)
    record = plain_record(bank, (46, 52, 42), gamma=1.0, mixture=MixtureParameters(means, (0.0,) * 7, "random"))
    image, target = render_one(bank, acquired(record, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.25))
    for signal, inside in ((0.0, target <= 1), (1.0, target > 1)):
        drawn, expected = image[inside].astype(np.float64), stats.rice(signal / 0.25, scale=0.25)
        assert drawn.size > 10_000
        assert drawn.mean() == pytest.approx(expected.mean(), abs=4.5 * expected.std() / np.sqrt(drawn.size))
        assert drawn.var() == pytest.approx(expected.var(), rel=0.05)
        assert stats.kstest(drawn, expected.cdf).pvalue > 0.005


def test_noise_of_neighbours_is_independent(bank: LabelBank) -> None:
    means = (0.0, 0.0, 200.0, 200.0, 200.0, 200.0, 200.0)
    record = plain_record(bank, (32, 32, 32), gamma=1.0, mixture=MixtureParameters(means, (0.0,) * 7, "random"))
    record = acquired(record, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.1)
    image, target = render_one(bank, record)
    noise = np.where(target > 1, image - 1.0, 0.0)
    for axis in range(3):
        first, second = np.delete(noise, 0, axis), np.delete(noise, -1, axis)
        both = (first != 0) & (second != 0)
        assert abs(np.corrcoef(first[both], second[both])[0, 1]) < 4.5 / np.sqrt(both.sum())


@pytest.mark.parametrize(
    ("size", "spacing", "sigma"),
    [
        ((40, 36, 33), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)),
        ((40, 36, 33), (1.0, 1.0, 6.3), (0.5, 0.5, 4.4)),
        ((33, 41, 38), (2.2, 2.2, 2.2), (1.4, 1.4, 1.4)),
        ((29, 30, 31), (1.0, 3.0, 1.0), (0.0, 0.0, 0.0)),
        ((10, 21, 5), (7.0, 1.0, 7.0), (5.0, 0.5, 5.2)),
        ((1, 24, 17), (1.0, 2.0, 1.0), (0.5, 1.2, 0.5)),
    ],
)
def test_acquisition_agrees_with_the_oracle(bank: LabelBank, size: Size, spacing: Vector, sigma: Vector) -> None:
    record = acquired(plain_record(bank, size, gamma=0.9), spacing, sigma, 0.05)
    image, expected = render_one(bank, record)[0], reference(bank, record)[0]
    np.testing.assert_allclose(image, expected, atol=5e-4)
    assert_agrees(bank, record)


def test_noise_without_gamma_agrees_with_the_oracle(bank: LabelBank) -> None:
    assert_agrees(bank, acquired(plain_record(bank, (30, 33, 36)), (1.0, 1.0, 2.0), (0.5, 0.5, 1.0), 12.0))
