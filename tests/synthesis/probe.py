"""Measures where the engine takes its voxels from, to 1/200 voxel, from nothing but rendered targets."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.parameters import DeformationParameters
from otfsynth.types import SampleKey
from tests.synthesis.heads import LEVELS, Size, bank_of, plain_record, render

MAGNIFICATION = 6.0
SHIFTS = 16


def measured_positions(key: SampleKey, velocity_std: float, velocity_spacing: float, size: Size) -> np.ndarray:
    """The flow phi(x) of every patch voxel, float64 (3, x, y, z), with an error of at most 1 / (12 * SHIFTS) voxel.

    The label map is one line whose labels count its voxels; the matrix lays axis after axis of the patch along it,
    magnified, and the average over evenly shifted centres undoes the rounding to whole labels.
    """
    line = np.zeros((257, 3, 3), np.uint8)
    line[1:-1, 1, 1] = np.arange(1, 256)
    bank = bank_of(line, scheme=LEVELS)
    records = []
    for axis in range(3):
        first = [0.0, 0.0, 0.0]
        first[axis] = MAGNIFICATION
        matrix = ((first[0], first[1], first[2]), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        for shift in (np.arange(SHIFTS) + 0.5) / SHIFTS - 0.5:
            deformation = DeformationParameters(
                False, matrix, (128.0 + shift, 1.0, 1.0), velocity_std, velocity_spacing
            )
            records.append(plain_record(bank, size, deformation=deformation, key=key))
    _, targets = render(bank, *records)
    assert targets.min() > 1, "a voxel left the line: the test asks for too large a displacement"
    assert targets.max() < 255, "a voxel left the line: the test asks for too large a displacement"
    means = targets.reshape(3, SHIFTS, *size).mean(axis=1, dtype=np.float64)
    middle = (np.asarray(size, np.float64) - 1).reshape(3, 1, 1, 1) / 2
    return middle + (means - 128.0) / MAGNIFICATION


def jacobian_determinants(positions: np.ndarray) -> np.ndarray:
    gradients = np.stack([np.stack(np.gradient(component)) for component in positions])
    return np.linalg.det(np.moveaxis(gradients, (0, 1), (-2, -1)))
