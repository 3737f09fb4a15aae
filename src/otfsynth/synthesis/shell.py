"""Drawing a head around brain-only label maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from otfsynth.config.shell import ShellConfig
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey, Vector, vector

SHELL_SPACING_VOXELS = 24
LABELLED_SHARE = 0.1
"""Maps with labels in more than this share of the voxels 2 to 8 mm outside the brain have a head of their own."""
STRIDE = 6
"""Every sixth voxel of each axis tells enough."""


@dataclass(frozen=True)
class ShellParameters:
    """CSF, skull and scalp, from the brain outwards."""

    ends_mm: Vector
    """Distance of each layer's outer surface from the brain."""
    means: Vector
    stds: Vector
    unevenness: float


def sample_shell(
    config: ShellConfig, indices: Tensor, brain_distance: Tensor, background: str, key: SampleKey
) -> ShellParameters | None:
    """Thickness and intensity of each layer.

    Args:
        config: ranges and probabilities.
        indices: label map, uint8 (x, y, z).
        brain_distance: uint8 (x, y, z), 128 + 8 times the distance in mm.
        background: kind of background of the sample.
        key: address of the sample.
    """
    stream = RandomStream(key.shared, "shell")
    if not stream.happens(config.probability) or background == "zero" or not is_brain_only(indices, brain_distance):
        return None
    layers = (config.csf_mm, config.skull_mm, config.scalp_mm)
    ends = np.cumsum([stream.uniform(low, high) for low, high in layers])
    if key.channel:
        stream = RandomStream(key, "shell")
    means = stream.uniforms(config.mean_range[0], config.mean_range[1], 3)
    means[1] = stream.uniform(0.0, config.skull_mean_max)
    stds = stream.uniforms(0.0, config.std_max, 3)
    return ShellParameters(vector(ends), vector(np.maximum(means, 0.0)), vector(stds), config.unevenness)


def is_brain_only(indices: Tensor, brain_distance: Tensor) -> bool:
    """Whether a map has next to no labels around the brain."""
    if indices not in _BRAIN_ONLY:
        _BRAIN_ONLY[indices] = _has_nothing_around(indices, brain_distance)
    return bool(_BRAIN_ONLY[indices])


_BRAIN_ONLY = WeakTensorKeyDictionary()
"""By label map, since it is asked for with every sample."""


def _has_nothing_around(indices: Tensor, brain_distance: Tensor) -> bool:
    coarse = (slice(None, None, STRIDE),) * 3
    distance = brain_distance[coarse]
    around = (distance >= 128 + 16) & (distance <= 128 + 64)
    labelled = (indices[coarse] != 0) & around
    return bool(labelled.sum() <= LABELLED_SHARE * around.sum())
