"""A generative model with everything that its samples are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.appearance import check_skull_strip
from otfsynth.synthesis.geometry import Size
from otfsynth.synthesis.lesions import check_lesions
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.physics import PhysicsEngine, load_physics
from otfsynth.synthesis.priors import IntensityPriors, load_priors
from otfsynth.synthesis.sampling import LabelMaps, sample_parameters
from otfsynth.synthesis.shape import Boundary, shape_boundaries
from otfsynth.types import SampleKey


@dataclass(frozen=True)
class GenerativeModel:
    """Ranges, and the files they name, read once and checked against a label scheme."""

    config: SynthesisConfig
    priors: IntensityPriors | None
    physics: PhysicsEngine | None
    boundaries: tuple[Boundary, ...] | None
    """Those that move, where shapes vary."""

    @classmethod
    def load(cls, config: SynthesisConfig, scheme: LabelScheme) -> GenerativeModel:
        """Read the files, and find now what would fail in some later sample.

        Raises:
            ConfigurationError: a prior file or a table of tissues or protocols can't be used, lesions shall have a
                target that the scheme lacks, or shapes or skull-strips name structures that it lacks.
        """
        if config.lesions.probability > 0:
            check_lesions(config.lesions, scheme)
        check_skull_strip(config.skull_strip, scheme)
        return cls(
            config,
            load_priors(config.mixture, scheme.class_count),
            load_physics(config, scheme),
            shape_boundaries(config.shape_variety, scheme) if config.shape_variety.probability > 0 else None,
        )

    def sample(self, maps: LabelMaps, size: Size, key: SampleKey, whole_head: bool = False) -> SynthesisParameters:
        """The record of one sample: of a patch, or of a field of view with the brain in its middle."""
        return sample_parameters(self.config, maps, size, self.priors, self.physics, key, whole_head)
