"""What lies inside a voxel and inside a tissue: partial volume, sub-classes, texture and slow variation.

Each stage is a record and the function that draws it; ``None`` leaves the stage out.
"""

from __future__ import annotations

from dataclasses import dataclass

from otfsynth.config.tissue import HeterogeneityConfig, PartialVolumeConfig, SubclassesConfig, TextureConfig
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

ROW_BLOCK = 8
"""Lattices that are evaluated along rows have cells of 2, 4 or a whole number of blocks of 8 voxels."""


@dataclass(frozen=True)
class PartialVolumeParameters:
    width_voxels: float
    """Edge of the cube of the patch's grid whose labels share a voxel's intensity."""


@dataclass(frozen=True)
class SubclassParameters:
    spacing_voxels: int
    """A multiple of 8."""
    mean_offsets: tuple[tuple[float, ...], ...]
    """For each of the 2 or 4 sub-classes, what is added to the mean of every class."""


@dataclass(frozen=True)
class TextureParameters:
    spacing_voxels: int
    """2, 4 or a multiple of 8."""
    smooth_share: float
    """Smooth part of every class's variance."""


@dataclass(frozen=True)
class HeterogeneityParameters:
    spacing_voxels: int
    """A multiple of 8."""
    strengths: tuple[float, ...]
    """For each class, standard deviation as a share of its mean."""


def sample_partial_volume(config: PartialVolumeConfig, key: SampleKey) -> PartialVolumeParameters | None:
    stream = RandomStream(key, "partial_volume")
    if not stream.happens(config.probability):
        return None
    return PartialVolumeParameters(stream.uniform(config.width_voxels[0], config.width_voxels[1]))


def sample_subclasses(
    config: SubclassesConfig, class_count: int, spacing_mm: float, key: SampleKey
) -> SubclassParameters | None:
    """Two or four sub-classes, equally likely; background stays whole. All channels have them in the same places."""
    stream = RandomStream(key.shared, "subclasses")
    if not stream.happens(config.probability) or class_count > config.most_classes:
        return None
    low, high = config.control_spacing_mm
    spacing = row_spacing(stream.uniform(low, high) / spacing_mm, ROW_BLOCK)
    normals = stream.normals(4 * class_count)
    if key.channel:
        normals = RandomStream(key, "subclasses").normals(4 * class_count)
    offsets = config.mean_std * normals.reshape(4, class_count)
    offsets[:, 0] = 0.0
    count = 2 if stream.happens(0.5) else 4
    return SubclassParameters(spacing, tuple(tuple(row) for row in offsets[:count].tolist()))


def sample_texture(config: TextureConfig, spacing_mm: float, key: SampleKey) -> TextureParameters | None:
    stream = RandomStream(key, "texture")
    if not stream.happens(config.probability):
        return None
    low, high = config.control_spacing_mm
    spacing = row_spacing(stream.uniform(low, high) / spacing_mm)
    return TextureParameters(spacing, stream.uniform(0.0, config.smooth_share_max))


def sample_heterogeneity(
    config: HeterogeneityConfig, class_count: int, spacing_mm: float, key: SampleKey
) -> HeterogeneityParameters | None:
    """One strength a class; background's is 0."""
    stream = RandomStream(key, "heterogeneity")
    if not stream.happens(config.probability):
        return None
    low, high = config.control_spacing_mm
    spacing = row_spacing(stream.uniform(low, high) / spacing_mm, ROW_BLOCK)
    strengths = stream.uniforms(0.0, config.strength_max, class_count)
    strengths[0] = 0.0
    return HeterogeneityParameters(spacing, tuple(strengths.tolist()))


def row_spacing(voxels: float, least: int = 2) -> int:
    """The nearest distance of control points that rows can be evaluated on: ``least``, 2, 4 or a multiple of 8."""
    if voxels >= 6:
        return max(least, ROW_BLOCK * round(voxels / ROW_BLOCK))
    return max(least, 2 if voxels < 3 else 4)
