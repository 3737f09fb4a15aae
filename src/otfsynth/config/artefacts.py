"""Configuration of what goes wrong in a scanner; each stage is off at ``probability: 0``."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks


@dataclass
class SignalLossConfig:
    """Signal lost beside air and metal: smooth blobs below the frontal lobe, beside the temporal lobes, or anywhere."""

    probability: float = 0.1
    most_blobs: int = 3
    """Their number is 1 to ``most_blobs``, equally likely."""
    depth: list[float] = field(default_factory=lambda: [0.3, 1.0])
    """Share of the signal lost in the middle, drawn from U(low, high)."""
    radius_mm: list[float] = field(default_factory=lambda: [5.0, 15.0])
    """Standard deviation of the Gaussian blob, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.signal_loss.probability", self.probability)
        checks.check_between("synthesis.signal_loss.most_blobs", self.most_blobs, 1, 4)
        checks.check_range("synthesis.signal_loss.depth", self.depth, 0.0, 1.0)
        checks.check_range("synthesis.signal_loss.radius_mm", self.radius_mm, 0.5, 200.0)


@dataclass
class RingingConfig:
    """Gibbs ringing: k-space is acquired in its middle and zero elsewhere, on axes that are not slices."""

    probability: float = 0.07
    kept_share: list[float] = field(default_factory=lambda: [0.5, 0.9])
    """Share of the k-space lines of an axis, drawn from U(low, high); each axis is cut with probability 1/2."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.ringing.probability", self.probability)
        checks.check_range("synthesis.ringing.kept_share", self.kept_share, 0.05, 1.0)


@dataclass
class MotionConfig:
    """The head moves between lines of k-space; the middle ones are taken where the labels lie."""

    probability: float = 0.03
    most_moves: int = 3
    """Moves before the middle of the acquisition, 1 to ``most_moves``, equally likely; as many follow it."""
    shift_std_mm: float = 1.5
    """Each move takes the head N(0, shift_std_mm**2) along each axis away from where the labels are."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.motion.probability", self.probability)
        checks.check_between("synthesis.motion.most_moves", self.most_moves, 1, 100)
        checks.check_at_least("synthesis.motion.shift_std_mm", self.shift_std_mm, 0.0)


@dataclass
class GhostingConfig:
    """Every n-th line of k-space is weaker, as from pulsation: n weak copies of the head along one axis."""

    probability: float = 0.03
    period: list[int] = field(default_factory=lambda: [2, 6])
    """n, equally likely from low to high."""
    strength: list[float] = field(default_factory=lambda: [0.1, 0.5])
    """Share by which a line is weaker, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.ghosting.probability", self.probability)
        checks.check_range("synthesis.ghosting.period", self.period, 2, 64)
        checks.check_range("synthesis.ghosting.strength", self.strength, 0.0, 1.0)


@dataclass
class SpikesConfig:
    """Single wrong points of k-space, as from sparks: waves over the whole image."""

    probability: float = 0.02
    most_spikes: int = 2
    """Number of points, 1 to ``most_spikes``, equally likely; anywhere in k-space."""
    strength: list[float] = field(default_factory=lambda: [0.01, 0.08])
    """Amplitude of the wave as a share of the intensity range, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.spikes.probability", self.probability)
        checks.check_between("synthesis.spikes.most_spikes", self.most_spikes, 1, 100)
        checks.check_range("synthesis.spikes.strength", self.strength, 0.0, 10.0)


@dataclass
class FieldOfViewConfig:
    """A part of the head is not imaged: one or both ends of one axis are exactly 0, after noise, and background."""

    probability: float = 0.1
    share: list[float] = field(default_factory=lambda: [0.05, 0.35])
    """Share of the patch's axis that is missing at an end, drawn from U(low, high)."""

    def __post_init__(self) -> None:
        checks.check_probability("synthesis.field_of_view.probability", self.probability)
        checks.check_range("synthesis.field_of_view.share", self.share, 0.0, 0.45)
