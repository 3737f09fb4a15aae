"""Configuration of the head around brain-only label maps."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

NECK = "synthesis.shell.neck_tissue"


@dataclass
class NeckTissueConfig:
    """A neck below the shell, down to the end of the image: muscle, fat, spine, airway, and the cord in its canal.

    In samples that have a shell. Not to be taken for ``synthesis.neck``, which ends images below the brain.
    """

    probability: float = 0.5
    half_width_mm: list[float] = field(default_factory=lambda: [42.0, 62.0])
    half_depth_mm: list[float] = field(default_factory=lambda: [45.0, 62.0])
    widening: list[float] = field(default_factory=lambda: [0.05, 0.25])
    """Share by which the neck is wider where it joins the head."""
    join_mm: list[float] = field(default_factory=lambda: [30.0, 80.0])
    """Below the brain stem, where the widening ends."""
    tilt_max_deg: float = 12.0
    """Of the canal, to the side and forward: U(-tilt_max_deg, tilt_max_deg)."""
    fat_mm: list[float] = field(default_factory=lambda: [2.0, 9.0])
    canal_mm: list[float] = field(default_factory=lambda: [9.0, 13.0])
    """Half the width of the spinal canal; cord and spine follow it."""
    airway_probability: float = 0.8

    def __post_init__(self) -> None:
        checks.check_probability(f"{NECK}.probability", self.probability)
        checks.check_range(f"{NECK}.half_width_mm", self.half_width_mm, 20.0, 150.0)
        checks.check_range(f"{NECK}.half_depth_mm", self.half_depth_mm, 20.0, 150.0)
        checks.check_range(f"{NECK}.widening", self.widening, 0.0, 1.0)
        checks.check_range(f"{NECK}.join_mm", self.join_mm, 5.0, 200.0)
        checks.check_between(f"{NECK}.tilt_max_deg", self.tilt_max_deg, 0.0, 45.0)
        checks.check_range(f"{NECK}.fat_mm", self.fat_mm, 0.0, 30.0)
        checks.check_range(f"{NECK}.canal_mm", self.canal_mm, 3.0, 20.0)
        checks.check_probability(f"{NECK}.airway_probability", self.airway_probability)


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
    neck_tissue: NeckTissueConfig = field(default_factory=NeckTissueConfig)

    def __post_init__(self) -> None:
        name = "synthesis.shell"
        checks.check_probability(f"{name}.probability", self.probability)
        for layer in ("csf_mm", "skull_mm", "scalp_mm"):
            checks.check_range(f"{name}.{layer}", getattr(self, layer), 0.0, 15.0)
        checks.check_range(f"{name}.mean_range", self.mean_range)
        checks.check_at_least(f"{name}.skull_mean_max", self.skull_mean_max, 0.0)
        checks.check_at_least(f"{name}.std_max", self.std_max, 0.0)
        checks.check_between(f"{name}.unevenness", self.unevenness, 0.0, 1.0)
