"""Configuration of the head around brain-only label maps."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class ShellConfig:
    """CSF, skull and scalp around maps that hold only the brain, by distance from its surface, of uneven thickness.

    Left out where the background is exactly zero and for maps with labels around the brain. Targets stay background.
    """

    probability: float = 0.4
    csf_mm: list[float] = field(default_factory=lambda: [0.5, 4.0])
    skull_mm: list[float] = field(default_factory=lambda: [2.0, 6.0])
    scalp_mm: list[float] = field(default_factory=lambda: [2.0, 5.0])
    mean_range: list[float] = field(default_factory=lambda: [0.0, 250.0])
    """Of CSF and scalp, on the 0-255 scale; the skull's is U(0, skull_mean_max)."""
    skull_mean_max: float = 100.0
    std_max: float = 20.0
    unevenness: float = 0.25
    """Standard deviation of the layers' thickness as a share of it, over bumps of 24 voxels."""

    def __post_init__(self) -> None:
        name = "synthesis.shell"
        checks.check_probability(f"{name}.probability", self.probability)
        for layer in ("csf_mm", "skull_mm", "scalp_mm"):
            checks.check_range(f"{name}.{layer}", getattr(self, layer), 0.0, 15.0)
        checks.check_range(f"{name}.mean_range", self.mean_range)
        checks.check_at_least(f"{name}.skull_mean_max", self.skull_mean_max, 0.0)
        checks.check_at_least(f"{name}.std_max", self.std_max, 0.0)
        checks.check_between(f"{name}.unevenness", self.unevenness, 0.0, 1.0)
