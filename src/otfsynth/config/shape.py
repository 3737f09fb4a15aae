"""Configuration of shape variety: structures that grow and shrink at the expense of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

FARTHEST_MM = 3.8
"""Boundaries are looked for no farther than this."""


@dataclass
class ShapeVarietyConfig:
    """Cortex and ventricles of other sizes than in the label map: labels beside a boundary become those beyond it.

    Each boundary moves by a number of millimetres that is drawn for the sample, in places less, nowhere more. The lists
    name generation classes or labels of the scheme (without their side); names that a scheme lacks are left out, and so
    is a boundary of which one side has none. Where no ventricles are named, the CSF that touches deep tissue is theirs.
    """

    probability: float = 0.3
    white_surface_mm: list[float] = field(default_factory=lambda: [-0.6, 0.6])
    """Of the border of cortex and white matter, drawn from U(low, high); positive: inward, the cortex is thicker."""
    pial_surface_mm: list[float] = field(default_factory=lambda: [-0.8, 0.6])
    """Of the border of cortex and sulcal CSF; positive: outward, the sulci are narrower."""
    ventricles_mm: list[float] = field(default_factory=lambda: [-1.5, 3.0])
    """Of the walls of the ventricles; positive: outward, they are larger."""
    unevenness: float = 0.5
    """Standard deviation of the shift over the brain as a share of it, cut at the drawn shift."""
    control_spacing_mm: list[float] = field(default_factory=lambda: [24.0, 64.0])
    """Distance of the control points of that variation, drawn from U(low, high) and rounded to 8 voxels."""
    cortex: list[str] = field(default_factory=lambda: ["cerebral cortex", "cortical parcel", "grey matter"])
    white_matter: list[str] = field(default_factory=lambda: ["cerebral white matter", "white matter"])
    csf: list[str] = field(default_factory=lambda: ["sulcal CSF", "CSF"])
    ventricles: list[str] = field(default_factory=lambda: ["ventricles", "lateral ventricles", "third ventricle"])
    deep: list[str] = field(
        default_factory=lambda: [
            "cerebral white matter",
            "white matter",
            "thalamus",
            "caudate",
            "accumbens area",
            "hippocampus and amygdala",
            "ventral diencephalon",
            "brain stem",
            "white-matter hypointensities",
            "white-matter lesion",
        ]
    )
    """What the ventricles grow into."""

    def __post_init__(self) -> None:
        name = "synthesis.shape_variety"
        checks.check_probability(f"{name}.probability", self.probability)
        for boundary in ("white_surface_mm", "pial_surface_mm", "ventricles_mm"):
            checks.check_range(f"{name}.{boundary}", getattr(self, boundary), -FARTHEST_MM, FARTHEST_MM)
        checks.check_between(f"{name}.unevenness", self.unevenness, 0.0, 2.0)
        checks.check_range(f"{name}.control_spacing_mm", self.control_spacing_mm, 8.0, 500.0)
