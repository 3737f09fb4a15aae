"""Drawing lesions: where they lie, how large they are, how they look and what they are called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.lesions import LesionsConfig
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

if TYPE_CHECKING:
    from otfsynth.synthesis.parameters import MixtureParameters, Vector

EDGE_SPACING_VOXELS = 8
DARKER = ("T1w",)
"""Contrasts in which lesions of white matter are darker than it; in the others they are brighter."""


@dataclass(frozen=True)
class LesionParameters:
    """One entry a blob in ``centres_voxels``, voxels of the label map, and ``radii_voxels``."""

    centres_voxels: tuple[Vector, ...]
    radii_voxels: tuple[float, ...]
    mean: float
    std: float
    edge_roughness: float
    softness_voxels: float
    hosts: tuple[int, ...]
    """Target values in which lesions lie."""
    target: int | None
    """Target value of lesion voxels; ``None`` leaves their own."""


def sample_lesions(
    config: LesionsConfig,
    label_map: Tensor,
    foreground: Sequence[Tensor],
    scheme: LabelScheme,
    mixture: MixtureParameters,
    contrast: str | None,
    spacing_mm: float,
    key: SampleKey,
) -> LesionParameters | None:
    """Blobs around random voxels of the host targets.

    Args:
        config: ranges and probabilities.
        label_map: indices, uint8 (x, y, z).
        foreground: per target, int32 (n, 3) voxels.
        scheme: names of the targets.
        mixture: intensities of the classes.
        contrast: of the sequence that gave them, ``None`` for random ones.
        spacing_mm: working spacing.
        key: address of the sample.

    Raises:
        ConfigurationError: the scheme has no target of the name that lesions shall have.
    """
    stream = RandomStream(key.shared, "lesions")
    if not stream.happens(config.probability):
        return None
    target = target_value(config, scheme)
    hosts = [value for value, name in enumerate(scheme.target_names) if value > 0 and name in config.hosts]
    voxels = [foreground[value - 1] for value in hosts if len(foreground[value - 1])]
    if not voxels:
        return None
    count = 1 + stream.integer(config.most_blobs)
    centres = []
    for _ in range(count):
        tissue = voxels[stream.integer(len(voxels))]
        x, y, z = tissue[stream.integer(len(tissue))].tolist()
        centres.append((float(x), float(y), float(z)))
    low, high = (math.log(radius / spacing_mm) for radius in config.radius_mm)
    radii = np.exp(stream.uniforms(low, high, count))
    if key.channel:  # all channels have the same blobs, each its own look of them
        stream = RandomStream(key, "lesions")
    index = int(label_map[tuple(int(value) for value in centres[0])])
    around = mixture.means[scheme.class_table[index]]
    darker = stream.happens(0.5) if contrast is None else contrast in DARKER
    difference = stream.uniform(config.contrast[0], config.contrast[1])
    return LesionParameters(
        centres_voxels=tuple(centres),
        radii_voxels=tuple(radii.tolist()),
        mean=max(around - difference if darker else around + difference, 0.0),
        std=stream.uniform(0.0, config.std_max),
        edge_roughness=config.edge_roughness,
        softness_voxels=stream.uniform(config.softness_voxels[0], config.softness_voxels[1]),
        hosts=tuple(hosts),
        target=target,
    )


def target_value(config: LesionsConfig, scheme: LabelScheme) -> int | None:
    """Target value that lesion voxels get, ``None`` for that of their tissue.

    Raises:
        ConfigurationError: the scheme has no target of the name.
    """
    if config.target is None:
        return None
    if config.target not in scheme.target_names:
        raise ConfigurationError(
            f"synthesis.lesions.target={config.target} is no target of label scheme '{scheme.name}'; choose one of: "
            f"{', '.join(scheme.target_names)}, or null"
        )
    return scheme.target_names.index(config.target)
