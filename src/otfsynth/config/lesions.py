"""Configuration of lesions: white-matter hyperintensities, masses with oedema, strokes, and blobs of any kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

NAME = "synthesis.lesions"


@dataclass
class LesionKindsConfig:
    """Shares of the samples with lesions that have each kind; they sum to 1."""

    blobs: float = 0.3
    """A few blobs of any size anywhere in the hosts (as Brain-ID and SynthStroke draw)."""
    hyperintensities: float = 0.4
    mass: float = 0.15
    stroke: float = 0.15

    def __post_init__(self) -> None:
        names = ("blobs", "hyperintensities", "mass", "stroke")
        checks.check_sum_to_one([f"{NAME}.kinds.{name}" for name in names], [getattr(self, name) for name in names])


@dataclass
class HyperintensitiesConfig:
    """Many small lesions of white matter, beside the ventricles and deep, as of small-vessel disease and MS."""

    count: list[int] = field(default_factory=lambda: [5, 40])
    """Equally likely from low to high."""
    radius_mm: list[float] = field(default_factory=lambda: [0.8, 5.0])
    """Drawn from a distribution uniform in the logarithm."""
    periventricular_share: float = 0.5
    """Of those in the white matter nearest to the ventricles; the others lie in the half far from other tissue."""

    def __post_init__(self) -> None:
        checks.check_range(f"{NAME}.hyperintensities.count", self.count, 1, 200)
        checks.check_range(f"{NAME}.hyperintensities.radius_mm", self.radius_mm, 0.1, 50.0)
        checks.check_probability(f"{NAME}.hyperintensities.periventricular_share", self.periventricular_share)


@dataclass
class MassConfig:
    """One large mass, as a tumour: an irregular core, oedema of the white matter around it, tissue pushed aside."""

    radius_mm: list[float] = field(default_factory=lambda: [6.0, 25.0])
    """Of the core as it is seen, drawn from a distribution uniform in the logarithm."""
    oedema_probability: float = 0.8
    oedema_mm: list[float] = field(default_factory=lambda: [4.0, 20.0])
    """Width of its ring around the core, drawn from U(low, high)."""
    necrosis_probability: float = 0.5
    necrosis_share: list[float] = field(default_factory=lambda: [0.3, 0.75])
    """Radius of the dead middle as a share of the core's."""
    effect: list[float] = field(default_factory=lambda: [0.1, 0.7])
    """a of the displacement: tissue at r comes from r (1 - a exp(-r^2 / 2 s^2) (1 - r^2 / e^2)^2), which never folds;
    e is the way to the skull, which stays."""
    effect_reach: list[float] = field(default_factory=lambda: [0.9, 1.4])
    """s as a share of the radius."""

    def __post_init__(self) -> None:
        checks.check_range(f"{NAME}.mass.radius_mm", self.radius_mm, 0.5, 80.0)
        checks.check_probability(f"{NAME}.mass.oedema_probability", self.oedema_probability)
        checks.check_range(f"{NAME}.mass.oedema_mm", self.oedema_mm, 0.0, 80.0)
        checks.check_probability(f"{NAME}.mass.necrosis_probability", self.necrosis_probability)
        checks.check_range(f"{NAME}.mass.necrosis_share", self.necrosis_share, 0.0, 1.0)
        checks.check_range(f"{NAME}.mass.effect", self.effect, 0.0, 0.95)
        checks.check_range(f"{NAME}.mass.effect_reach", self.effect_reach, 0.1, 5.0)


@dataclass
class StrokeConfig:
    """One region of cortex and white matter of one side, of irregular border, as an infarct of a territory."""

    radius_mm: list[float] = field(default_factory=lambda: [8.0, 35.0])
    """Drawn from a distribution uniform in the logarithm; the region is of several blobs that overlap."""
    most_blobs: int = 6
    """Of which the region is made: 1 to ``most_blobs``, equally likely."""
    hosts: list[str] = field(default_factory=lambda: ["GM", "WM"])
    chronic_probability: float = 0.5
    """Share of old infarcts, nearly fluid, where MR physics gives the contrast."""

    def __post_init__(self) -> None:
        checks.check_range(f"{NAME}.stroke.radius_mm", self.radius_mm, 0.5, 80.0)
        checks.check_between(f"{NAME}.stroke.most_blobs", self.most_blobs, 1, 50)
        checks.check_probability(f"{NAME}.stroke.chronic_probability", self.chronic_probability)


@dataclass
class LesionsConfig:
    """Lesions with bumpy edges. Contrast agrees with the engine in use: with MR physics it is that of a lesion's T1, T2
    and proton density in the sequence, else the mean differs from that of the tissue around by U(contrast), up or down.
    """

    probability: float = 0.15
    hosts: list[str] = field(default_factory=lambda: ["WM"])
    """Targets in which blobs, hyperintensities and oedema lie; a scheme that names none of them has none of these."""
    target: str | None = None
    """Target of lesion voxels, by its name in the scheme; null leaves them that of their tissue."""
    most_blobs: int = 12
    """Of the kind ``blobs``: 1 to ``most_blobs``, equally likely."""
    radius_mm: list[float] = field(default_factory=lambda: [1.5, 8.0])
    """Of the kind ``blobs``: drawn from a distribution uniform in the logarithm, most are small."""
    contrast: list[float] = field(default_factory=lambda: [20.0, 80.0])
    """Difference of the means, on the 0-255 scale."""
    std_max: float = 15.0
    edge_roughness: float = 0.3
    """Standard deviation of the radius as a share of it, over bumps of 8 voxels, 16 in masses."""
    softness_voxels: list[float] = field(default_factory=lambda: [0.5, 3.0])
    """Width over which the edge fades, drawn from U(low, high)."""
    labels: list[str] = field(
        default_factory=lambda: [
            "white-matter lesion",
            "white-matter hypointensities",
            "non-white-matter hypointensities",
        ]
    )
    """Labels of the map that are lesions, by class or name: they get ``target`` in every sample, and the intensity of
    lesions in samples that have some."""
    kinds: LesionKindsConfig = field(default_factory=LesionKindsConfig)
    hyperintensities: HyperintensitiesConfig = field(default_factory=HyperintensitiesConfig)
    mass: MassConfig = field(default_factory=MassConfig)
    stroke: StrokeConfig = field(default_factory=StrokeConfig)

    def __post_init__(self) -> None:
        checks.check_probability(f"{NAME}.probability", self.probability)
        checks.check_between(f"{NAME}.most_blobs", self.most_blobs, 1, 1000)
        checks.check_range(f"{NAME}.radius_mm", self.radius_mm, 0.1, 100.0)
        checks.check_range(f"{NAME}.contrast", self.contrast, 0.0)
        checks.check_at_least(f"{NAME}.std_max", self.std_max, 0.0)
        checks.check_between(f"{NAME}.edge_roughness", self.edge_roughness, 0.0, 1.0)
        checks.check_range(f"{NAME}.softness_voxels", self.softness_voxels, 0.1, 20.0)
