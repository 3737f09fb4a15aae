"""Configuration of lesions."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class LesionsConfig:
    """Blobs with bumpy edges in chosen tissues, as white-matter hyperintensities (as Brain-ID and SynthStroke draw).

    Their mean differs from that of the tissue around the first one by U(contrast): brighter or darker with equal
    probability where the contrast is random, as on a scanner where it is that of a sequence (darker in T1w only).
    """

    probability: float = 0.1
    hosts: list[str] = field(default_factory=lambda: ["WM"])
    """Targets in which lesions lie; a scheme that names none of them has no lesions."""
    target: str | None = None
    """Target of lesion voxels, by its name in the scheme; null leaves them that of their tissue."""
    most_blobs: int = 12
    """Their number is 1 to ``most_blobs``, equally likely."""
    radius_mm: list[float] = field(default_factory=lambda: [1.5, 8.0])
    """Drawn from a distribution uniform in the logarithm: most are small."""
    contrast: list[float] = field(default_factory=lambda: [20.0, 80.0])
    """Difference of the means, on the 0-255 scale."""
    std_max: float = 15.0
    edge_roughness: float = 0.3
    """Standard deviation of the radius as a share of it, over bumps of 8 voxels."""
    softness_voxels: list[float] = field(default_factory=lambda: [0.5, 3.0])
    """Width over which the edge fades, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        name = "synthesis.lesions"
        checks.check_probability(f"{name}.probability", self.probability)
        checks.check_between(f"{name}.most_blobs", self.most_blobs, 1, 1000)
        checks.check_range(f"{name}.radius_mm", self.radius_mm, 0.1, 100.0)
        checks.check_range(f"{name}.contrast", self.contrast, 0.0)
        checks.check_at_least(f"{name}.std_max", self.std_max, 0.0)
        checks.check_between(f"{name}.edge_roughness", self.edge_roughness, 0.0, 1.0)
        checks.check_range(f"{name}.softness_voxels", self.softness_voxels, 0.1, 20.0)
