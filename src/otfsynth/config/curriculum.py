"""Configuration of the curriculum: easier samples first, the whole generative model little by little."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from otfsynth.config import checks
from otfsynth.config.synthesis import SynthesisConfig


@dataclass
class CurriculumConfig:
    """A share of the training samples comes from an easier generative model; validation never does.

    Which ones is a function of the seed and the sample's index alone, so that a resumed run sees what it would have
    seen. Curriculum learning: Bengio et al. 2009.
    """

    share: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Of easier samples: at the first sample, and from sample number ``samples`` on; linear between them."""
    samples: int = 1
    """Samples (steps x batch size x devices) over which the share changes."""
    easy: Any = field(default_factory=dict)
    """Where the easier model differs from ``synthesis``, e.g. ``{noise: {std_max: 0.02}, gamma: {std: 0.2}}``."""

    def __post_init__(self) -> None:
        if len(self.share) != 2:
            raise checks.ConfigurationError(
                f"curriculum.share={list(self.share)} is no pair of shares; give the first and the last, e.g. [1, 0.2]"
            )
        for share in self.share:
            checks.check_probability("curriculum.share", share)
        checks.check_at_least("curriculum.samples", self.samples, 1)
        if not isinstance(self.easy, dict):
            raise checks.ConfigurationError(
                f"curriculum.easy={self.easy} is no table of settings; give those of synthesis that differ, e.g. "
                "{noise: {std_max: 0.02}}"
            )

    @property
    def is_on(self) -> bool:
        """Whether any sample is of the easier model."""
        return max(self.share) > 0

    def share_at(self, index: int) -> float:
        """Probability that sample ``index`` of the stream is an easier one."""
        first, last = self.share
        return first + (last - first) * min(index / self.samples, 1.0)

    def easier(self, synthesis: SynthesisConfig) -> SynthesisConfig:
        """``synthesis`` with the differences applied.

        Raises:
            ConfigurationError: a name is unknown, or a value of the wrong kind or out of its range.
        """
        from omegaconf import OmegaConf  # late: the engine, which reads this file too, works without it
        from omegaconf.errors import OmegaConfBaseException

        base = OmegaConf.structured(SynthesisConfig)
        try:
            easier = OmegaConf.to_object(OmegaConf.merge(base, dataclasses.asdict(synthesis), self.easy))
        except OmegaConfBaseException as error:
            reason = str(error.msg or error).splitlines()[0]
            raise checks.ConfigurationError(
                f"curriculum.easy.{error.full_key}: {reason}; it takes the settings of synthesis"
            ) from error
        assert isinstance(easier, SynthesisConfig)
        return easier
