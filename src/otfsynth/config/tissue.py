"""Configuration of what lies inside a voxel and inside a tissue; each stage is off at ``probability: 0``."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class PartialVolumeConfig:
    """Voxels on a border mix the intensities of the tissues they hold; targets stay those of the voxel's middle."""

    probability: float = 0.25
    width_voxels: list[float] = field(default_factory=lambda: [0.8, 1.6])
    """Edge of the cube whose labels share a voxel's intensity, drawn from U(low, high); above 1, neighbours overlap."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.partial_volume.probability", self.probability)
        checks.check_range("synthesis.partial_volume.width_voxels", self.width_voxels, 0.0, 8.0)


@dataclass
class SubclassesConfig:
    """Smooth random borders cut every class in 2 or 4 sub-classes of different means (the idea of FetalSynthGen).

    Label maps of few classes paint a whole brain in three greys; this gives their tissues the variety of finer maps.
    """

    probability: float = 0.7
    most_classes: int = 8
    """The stage is left out for schemes with more classes than this, background included."""
    mean_std: float = 25.0
    """A sub-class differs from its class by N(0, mean_std**2) on the 0-255 scale."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [8.0, 40.0])
    """Size of the pieces: distance of the control points, drawn from U(low, high) and rounded to 8 voxels."""

    def __post_init__(self) -> None:
        name = "synthesis.subclasses"
        checks.check_probability(f"{name}.probability", self.probability)
        checks.check_between(f"{name}.most_classes", self.most_classes, 1, 256)
        checks.check_at_least(f"{name}.mean_std", self.mean_std, 0.0)
        checks.check_range(f"{name}.control_spacing_mm", self.control_spacing_mm, 4.0, 200.0)


@dataclass
class TextureConfig:
    """Part of every class's variance is smooth in space instead of white; the whole variance stays the same."""

    probability: float = 0.3
    smooth_share_max: float = 0.8
    """Smooth part of the variance, drawn from U(0, smooth_share_max)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [3.0, 16.0])
    """Its grain: distance of the control points, drawn from U(low, high), rounded to 2, 4 or a multiple of 8 voxels."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.texture.probability", self.probability)
        checks.check_between("synthesis.texture.smooth_share_max", self.smooth_share_max, 0.0, 1.0)
        checks.check_range("synthesis.texture.control_spacing_mm", self.control_spacing_mm, 1.0, 200.0)


@dataclass
class HeterogeneityConfig:
    """Slow variation of each tissue's mean, as of myelin in white matter and of iron in deep grey matter."""

    probability: float = 0.3
    strength_max: float = 0.08
    """Standard deviation as a share of the class's mean; each class draws its own from U(0, strength_max)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [16.0, 48.0])
    """Distance of the control points, drawn from U(low, high) and rounded to 8 voxels."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.heterogeneity.probability", self.probability)
        checks.check_between("synthesis.heterogeneity.strength_max", self.strength_max, 0.0, 1.0)
        checks.check_range("synthesis.heterogeneity.control_spacing_mm", self.control_spacing_mm, 4.0, 200.0)
