"""Drawing the surfaces beyond which a defaced head is exactly 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.defacing import DefacingConfig
from otfsynth.synthesis.lesion_places import Anatomy
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

EAR_ANGLE_DEG = (20.0, 55.0)
"""From sideways to downward: below the parietal bones, beside the temporal lobes."""
EAR_GAP_MM = (2.0, 12.0)
ROW_BLOCK = 8


@dataclass(frozen=True)
class DefacingParameters:
    """Half-spaces of the label map, in millimetres per voxel and millimetres: gone where *a x + b y + c z + d > 0*."""

    planes: tuple[tuple[float, float, float, float], ...]
    spared_mm: float
    roughness_mm: float
    spacing_voxels: int
    """A multiple of 8."""


def sample_defacing(
    config: DefacingConfig, anatomy: Anatomy, solid: Sequence[int], key: SampleKey
) -> DefacingParameters | None:
    """A surface in front of and below the brain and, in some samples, one beside and below it on either side.

    Args:
        config: ranges and probabilities.
        anatomy: the label map.
        solid: values of the targets that the surfaces are laid around; CSF goes down the neck.
        key: address of the sample.
    """
    stream = RandomStream(key, "defacing")
    if not stream.happens(config.probability):
        return None
    parts = anatomy.voxels(solid)
    if not parts:
        return None
    voxels = np.concatenate(parts)
    angle, gap = stream.uniform(*config.angle_deg), stream.uniform(*config.gap_mm)
    planes = [_plane(voxels, (0.0, np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))), gap, anatomy.spacing_mm)]
    if stream.happens(config.ears_probability):
        angle, gap = stream.uniform(*EAR_ANGLE_DEG), stream.uniform(*EAR_GAP_MM)
        across, down = np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))
        planes += [_plane(voxels, (side * across, 0.0, down), gap, anatomy.spacing_mm) for side in (-1.0, 1.0)]
    low, high = config.control_spacing_mm
    return DefacingParameters(
        planes=tuple(planes),
        spared_mm=stream.uniform(*config.spared_mm),
        roughness_mm=stream.uniform(0.0, config.roughness_mm),
        spacing_voxels=max(ROW_BLOCK, ROW_BLOCK * round(stream.uniform(low, high) / anatomy.spacing_mm / ROW_BLOCK)),
    )


def _plane(
    voxels: NDArray[np.int32], normal: Sequence[float], gap_mm: float, spacing_mm: float
) -> tuple[float, float, float, float]:
    """The half-space beyond the voxels in a direction, a gap away from the farthest of them."""
    direction = spacing_mm * np.array(normal)
    a, b, c = (float(value) for value in direction)
    return a, b, c, -float((voxels @ direction).max()) - gap_mm
