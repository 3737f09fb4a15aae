"""Configuration of what images of heads do not show: the face, and the neck."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class DefacingConfig:
    """The face, and in some samples the ears, are exactly 0, as in shared scans: beyond an oblique surface in front of
    and below the brain (as of quickshear, Schimke and Hale 2011; bumpy as of mri_deface, Bischoff-Grethe et al. 2007).

    Whatever is near the brain stays. Left out of samples that are skull-stripped, which have no face.
    """

    probability: float = 0.15
    angle_deg: list[float] = field(default_factory=lambda: [15.0, 50.0])
    """Of the surface's normal, from forward (0) to downward (90), drawn from U(low, high)."""
    gap_mm: list[float] = field(default_factory=lambda: [-12.0, 15.0])
    """From the grey or white matter that lies farthest in that direction to the surface, drawn from U(low, high)."""
    spared_mm: list[float] = field(default_factory=lambda: [3.0, 10.0])
    """Everything nearer to the brain's surface than this stays, drawn from U(low, high)."""
    ears_probability: float = 0.4
    """Share of the defaced samples that lose their ears too."""
    roughness_mm: float = 3.0
    """Standard deviation of the surface's bumps, drawn from U(0, roughness_mm)."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [8.0, 40.0])
    """Size of the bumps: distance of the control points, drawn from U(low, high) and rounded to 8 voxels."""

    def __post_init__(self) -> None:
        name = "synthesis.defacing"
        checks.check_probability(f"{name}.probability", self.probability)
        checks.check_range(f"{name}.angle_deg", self.angle_deg, 0.0, 90.0)
        checks.check_range(f"{name}.gap_mm", self.gap_mm, -50.0, 100.0)
        checks.check_range(f"{name}.spared_mm", self.spared_mm, 0.5, 15.5)
        checks.check_probability(f"{name}.ears_probability", self.ears_probability)
        checks.check_at_least(f"{name}.roughness_mm", self.roughness_mm, 0.0)
        checks.check_range(f"{name}.control_spacing_mm", self.control_spacing_mm, 8.0, 200.0)


@dataclass
class NeckConfig:
    """The image ends below the brain, as fields of view are planned and as robustfov crops; what is lower is exactly 0.

    In samples where ``field_of_view`` cuts no axis.
    """

    probability: float = 0.25
    below_brain_mm: list[float] = field(default_factory=lambda: [4.0, 60.0])
    """From the lowest grey or white matter to the end of the image, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.neck.probability", self.probability)
        checks.check_range("synthesis.neck.below_brain_mm", self.below_brain_mm, 0.0, 300.0)
