"""Configuration of a sample's contrast: which engine draws the classes' intensities, and the MR physics engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class EnginesConfig:
    """Shares of the samples whose class intensities come from each engine; they sum to 1."""

    mixture: float = 0.5
    """Random means and standard deviations, as in SynthSeg (``synthesis.mixture``)."""
    priors: float = 0.0
    """Means and standard deviations from ``synthesis.mixture.prior_means`` and ``prior_stds``."""
    physics: float = 0.5
    """Signal equations of real sequences (``synthesis.physics``): they make the contrasts of one brain alike early
    (docs/experiments.md); the random ones are for what no table holds."""

    def __post_init__(self) -> None:
        names = ("mixture", "priors", "physics")
        checks.check_sum_to_one(
            [f"synthesis.contrast.engines.{name}" for name in names], [getattr(self, name) for name in names]
        )


@dataclass
class ContrastConfig:
    """Which engine draws the means and standard deviations of the classes."""

    engines: EnginesConfig = field(default_factory=EnginesConfig)


@dataclass
class PhysicsConfig:
    """Class intensities from proton density, T1, T2 and T2* of the tissues and the signal equation of a sequence.

    Files are CSV tables, the user's own or those of ``conf/``: see ``conf/physics/README.md``.
    """

    tissues: str = "physics/tissues.csv"
    """Proton density and relaxation times of each tissue, with their field dependence and spreads."""
    classes: str = "physics/classes.csv"
    """Tissue of each generation class."""
    protocols: str = "physics/protocols.csv"
    """Sequences with the ranges of their parameters; each sample draws one row by its share."""
    contrasts: list[str] = field(default_factory=list)
    """Keeps the protocols of these contrasts (T1w, T2w, FLAIR, PDw, T2*w); all where empty."""
    field_strengths_t: list[float] = field(default_factory=list)
    """Keeps these field strengths of the protocols; all where empty."""
    tissue_spread: float = 1.0
    """Multiplies the table's spreads between samples; 0 gives every sample the table's values."""
    texture_spread: float = 1.0
    """Multiplies the table's spreads inside one tissue, which give the classes' standard deviations."""
    noise_std_max: float = 4.0
    """Standard deviation of noise equal in all classes, on the 0-255 scale, drawn from U(0, noise_std_max)."""
    peak_range: list[float] = field(default_factory=lambda: [130.0, 220.0])
    """Mean of the brightest target (the median of its classes), drawn from U(low, high); fat may be brighter."""

    def __post_init__(self) -> None:
        name = "synthesis.physics"
        for strength in self.field_strengths_t:
            checks.check_between(f"{name}.field_strengths_t", strength, 0.01, 12.0)
        checks.check_between(f"{name}.tissue_spread", self.tissue_spread, 0.0, 5.0)
        checks.check_between(f"{name}.texture_spread", self.texture_spread, 0.0, 5.0)
        checks.check_between(f"{name}.noise_std_max", self.noise_std_max, 0.0, 100.0)
        checks.check_range(f"{name}.peak_range", self.peak_range, 1.0, 10000.0)
