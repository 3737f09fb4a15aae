"""Drawing shape variety: which boundaries between structures move, and how far."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from otfsynth.config.shape import ShapeVarietyConfig
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import check_names, named_labels
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

Boundary = tuple[tuple[int, ...], tuple[int, ...]]
"""Label indices inside and outside."""
LISTS = ("cortex", "white_matter", "csf", "ventricles", "deep")
ROW_BLOCK = 8


@dataclass(frozen=True)
class ShapeParameters:
    """How far each boundary moves, outward positive: (cortex, white matter), (cortex, CSF), (ventricles, deep)."""

    shifts_mm: tuple[float, ...]
    unevenness: float
    spacing_voxels: int
    """A multiple of 8."""
    structures: str | None = None
    """What the boundaries part, as :func:`structures_digest` tells it; ``None`` in records of before it was told."""


def structures_digest(boundaries: Sequence[Boundary]) -> str:
    """A short text that differs where boundaries part other label indices."""
    return hashlib.sha256(json.dumps(boundaries).encode()).hexdigest()[:12]


def shape_boundaries(config: ShapeVarietyConfig, scheme: LabelScheme) -> tuple[Boundary, ...]:
    """The boundaries that may move, in the order of :class:`ShapeParameters`; empty sides where a scheme has none.

    Raises:
        ConfigurationError: a list names a structure that neither the scheme nor another shipped scheme has.
    """
    defaults = ShapeVarietyConfig()
    known = {name for group in LISTS for name in getattr(defaults, group)}
    for group in LISTS:
        check_names(f"synthesis.shape_variety.{group}", scheme, getattr(config, group), known)
    cortex, white_matter, csf, ventricles, deep = (named_labels(scheme, getattr(config, group)) for group in LISTS)
    fluid = ventricles or csf
    walls = tuple(label for label in deep if label not in (*cortex, *fluid))
    return (cortex, white_matter), (cortex, csf), (fluid, walls)


def sample_shape(
    config: ShapeVarietyConfig, structures: str | None, spacing_mm: float, key: SampleKey
) -> ShapeParameters | None:
    """One shift for each boundary, independent of each other, and the grain of their variation.

    Args:
        config: ranges and probability.
        structures: digest of what the map's boundaries part.
        spacing_mm: working spacing.
        key: address of the sample.
    """
    stream = RandomStream(key, "shape_variety")
    if not stream.happens(config.probability):
        return None
    ranges = (config.white_surface_mm, config.pial_surface_mm, config.ventricles_mm)
    low, high = config.control_spacing_mm
    return ShapeParameters(
        shifts_mm=tuple(stream.uniform(first, last) for first, last in ranges),
        unevenness=config.unevenness,
        spacing_voxels=max(ROW_BLOCK, ROW_BLOCK * round(stream.uniform(low, high) / spacing_mm / ROW_BLOCK)),
        structures=structures,
    )
