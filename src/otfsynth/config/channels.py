"""Configuration of image channels: how many, their contrasts, which are missing, how they lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from otfsynth.config import checks

MOST_CHANNELS = 32


@dataclass
class ChannelsConfig:
    """Several images of one head, as the sequences of one session; the first one lies on the targets.

    All channels show the same anatomy: label map, patch, deformation, lesions, brain mask and field of view. Each has
    a contrast, bias field, gamma curve, scanner and noise of its own.
    """

    count: int = 1
    relation: str = "independent"
    """``independent``: every channel draws its contrast for itself. ``joint``: one session, whose channels come from
    the same engine and, with MR physics, have one field strength and one person's tissue properties."""
    contrasts: list[str] = field(default_factory=list)
    """Contrast of each channel, e.g. ``[T1w, T2w, FLAIR]``, for samples of MR physics; any contrast where empty."""
    missing_probability: float = 0.1
    """Of each channel; a missing one is exactly 0. One always remains."""
    misregistration_probability: float = 0.5
    """Share of the further channels that lie a little off the first."""
    rotation_max_deg: float = 1.0
    """About each axis of the patch: U(-max, max)."""
    translation_max_mm: float = 1.0
    """Along each axis of the patch: U(-max, max)."""

    def __post_init__(self) -> None:
        name = "synthesis.channels"
        checks.check_between(f"{name}.count", self.count, 1, MOST_CHANNELS)
        checks.check_choice(f"{name}.relation", self.relation, ("independent", "joint"))
        checks.check_probability(f"{name}.missing_probability", self.missing_probability)
        checks.check_probability(f"{name}.misregistration_probability", self.misregistration_probability)
        checks.check_between(f"{name}.rotation_max_deg", self.rotation_max_deg, 0.0, 45.0)
        checks.check_between(f"{name}.translation_max_mm", self.translation_max_mm, 0.0, 50.0)
        if self.contrasts and len(self.contrasts) != self.count:
            raise checks.ConfigurationError(
                f"{name}.contrasts={list(self.contrasts)} names {len(self.contrasts)} contrast(s) for "
                f"{name}.count={self.count} channel(s); give one for each, or none"
            )
