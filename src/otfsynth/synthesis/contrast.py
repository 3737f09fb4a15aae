"""Drawing a sample's contrast: one of three engines gives the classes' intensities, then the background is painted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.contrast import EnginesConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.synthesis.appearance import paint_background, sample_mixture
from otfsynth.synthesis.parameters import MixtureParameters, SequenceParameters
from otfsynth.synthesis.physics import PhysicsEngine
from otfsynth.synthesis.priors import IntensityPriors
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey


def sample_contrast(
    config: SynthesisConfig,
    class_count: int,
    class_shares: Callable[[], NDArray[np.float64]],
    priors: IntensityPriors | None,
    physics: PhysicsEngine | None,
    key: SampleKey,
) -> tuple[MixtureParameters, str, SequenceParameters | None]:
    """Intensities of all classes, the kind of background, and the sequence where MR physics gave the intensities.

    Args:
        config: shares and settings of the engines, and the background.
        class_count: K, background's class included.
        class_shares: gives the share of each class in each target; see :func:`.appearance.sample_mixture`.
        priors: intensity priors, where the configuration names files.
        physics: tissues and sequences, where the configuration has samples of them.
        key: address of the sample.
    """
    engines, channels = config.contrast.engines, config.channels
    session = key.shared if channels.relation == "joint" else key
    sequence = None
    if physics is not None and RandomStream(session, "contrast").happens(engines.physics):
        contrast = channels.contrasts[key.channel] if channels.contrasts else None
        means, stds, sequence = physics.draw(key, contrast, session)
        source = "physics"
    else:
        prior_share = _prior_share(engines)
        if session != key:
            prior_share = float(RandomStream(session, "mixture").happens(prior_share))
        means, stds, source = sample_mixture(config.mixture, prior_share, class_count, class_shares, priors, key)
    background = paint_background(config.background, means, stds, key.shared)
    return MixtureParameters(tuple(means.tolist()), tuple(stds.tolist()), source), background, sequence


def _prior_share(engines: EnginesConfig) -> float:
    """Share of the priors among the samples without physics."""
    return engines.priors / (engines.mixture + engines.priors) if engines.priors > 0 else 0.0
