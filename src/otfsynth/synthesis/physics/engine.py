"""The contrast engine: draw a protocol and the tissues' properties; the signal equation gives the class means."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import PhysicsConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.parameters import SequenceParameters
from otfsynth.synthesis.physics.protocols import Protocol, read_protocols
from otfsynth.synthesis.physics.signals import signal
from otfsynth.synthesis.physics.tissues import TissueProperties, TissueTable, read_tissues, tissues_of_classes
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

Values = NDArray[np.float64]

FARTHEST_DEVIATE = 1.8
"""Normal deviates of tissue properties are clipped here: people whose T1 is far off are rare, and ill."""
LESION_TISSUES = ("white-matter lesion", "tumour", "oedema", "necrosis", "acute infarct", "chronic infarct")
MOST_TEXTURE = 0.2
"""Greatest relative spread of a property inside one class."""


@dataclasses.dataclass(frozen=True)
class PhysicsEngine:
    """Tissues of a scheme's classes and the protocols to choose from.

    Args:
        config: spreads, noise, brightness.
        tissues: of the K generation classes.
        targets: numbers of the classes of each target, background aside.
        protocols: each is drawn with its share.
        contrasts: of the channels, where the configuration names them.
        named: every row of the tissue table.
    """

    config: PhysicsConfig
    tissues: TissueTable
    targets: list[list[int]]
    protocols: list[Protocol]
    contrasts: tuple[str, ...] = ()
    named: dict[str, TissueTable] = dataclasses.field(default_factory=dict)

    def draw(
        self, key: SampleKey, contrast: str | None = None, session: SampleKey | None = None
    ) -> tuple[Values, Values, SequenceParameters]:
        """Means and standard deviations of all classes on the 0-255 scale, (K,) each, and the sequence they are of.

        Args:
            key: address of the sample and its channel.
            contrast: keeps the protocols of it; any where ``None``.
            session: key of the channel whose field strength and person this one shares.
        """
        stream = RandomStream(key, "physics")
        person = stream
        if session is None or session == key:
            sequence = self._draw_sequence(self._protocols(contrast), stream)
        else:
            person = RandomStream(session, "physics")
            first = self._draw_sequence(self._protocols(self.contrasts[0] if self.contrasts else None), person)
            person.units(2)  # its noise and brightness
            sequence = self._draw_sequence(self._protocols(contrast, first.field_strength_t), stream)
        noise_std = stream.uniform(0.0, self.config.noise_std_max)
        peak = stream.uniform(*self.config.peak_range)
        tissue = self._draw_tissue(sequence.field_strength_t, person)
        means = signal(sequence, tissue)
        # Not the brightest class: fat outshines the brain, lesions and plexus may be absent from the map.
        brightest = max(float(np.median(means[classes])) for classes in self.targets)
        scale = peak / brightest if brightest > 0 else 1.0
        texture = np.minimum(self.config.texture_spread * self.tissues.spreads(), MOST_TEXTURE)
        stds = np.hypot(scale * signal_spread(sequence, tissue, texture), noise_std)
        return scale * means, stds, dataclasses.replace(sequence, intensity_scale=scale)

    def _protocols(self, contrast: str | None, field_strength_t: float | None = None) -> list[Protocol]:
        """Protocols of a contrast; at one field strength where any of them is run there."""
        found = [protocol for protocol in self.protocols if contrast in (None, protocol.contrast)]
        at_field = [
            protocol.at(field_strength_t) for protocol in found if field_strength_t in protocol.field_strengths_t
        ]
        return at_field or found

    def _draw_sequence(self, protocols: list[Protocol], stream: RandomStream) -> SequenceParameters:
        shares = np.array([protocol.share for protocol in protocols])
        chosen = stream.choice([str(number) for number in range(len(shares))], list(shares / shares.sum()))
        return protocols[int(chosen)].draw(stream)

    def draw_tissue(self, name: str, sequence: SequenceParameters, stream: RandomStream) -> tuple[float, float]:
        """Mean and standard deviation of a tissue that is in no class, such as a lesion's, in a sample's sequence."""
        table = self.named[name]
        tissue = self._draw_tissue(sequence.field_strength_t, stream, table)
        texture = np.minimum(self.config.texture_spread * table.spreads(), MOST_TEXTURE)
        scale = sequence.intensity_scale
        return (
            float(scale * signal(sequence, tissue)[0]),
            float(scale * signal_spread(sequence, tissue, texture)[0]),
        )

    def _draw_tissue(
        self, field_strength_t: float, stream: RandomStream, table: TissueTable | None = None
    ) -> TissueProperties:
        """Half of the variance is the person's (age, hydration, temperature), equal in all tissues, half their own."""
        table = table or self.tissues
        spreads = self.config.tissue_spread * table.spreads()
        person = stream.normals(len(spreads))[:, None]
        own = stream.normals(spreads.size).reshape(spreads.shape)
        deviates = np.clip((person + own) / np.sqrt(2.0), -FARTHEST_DEVIATE, FARTHEST_DEVIATE)
        return table.at(field_strength_t).scaled(*np.exp(spreads * deviates))


def signal_spread(sequence: SequenceParameters, tissue: TissueProperties, spreads: Values) -> Values:
    """Standard deviation of the signal inside each class, (K,).

    Independent relative deviations of proton density, T1 and T2, ``spreads`` (3, K), are propagated by the signal one
    deviation above and below, which also holds near the null of an inversion, where derivatives fail.
    """
    variance = np.zeros_like(tissue.t1_ms)
    middle = signal(sequence, tissue)
    for number in range(len(spreads)):
        factors = np.ones_like(spreads)
        factors[number] = np.exp(spreads[number])
        above, below = signal(sequence, tissue.scaled(*factors)), signal(sequence, tissue.scaled(*1.0 / factors))
        variance += (np.square(above - middle) + np.square(below - middle)) / 2.0
    return np.sqrt(variance)


def load_physics(config: SynthesisConfig, scheme: LabelScheme) -> PhysicsEngine | None:
    """Read the tables of a configuration; None where its share of the samples is 0.

    Raises:
        ConfigurationError: a table can't be used; the message names file, row and remedy.
    """
    if config.contrast.engines.physics == 0:
        return None
    physics = config.physics
    named = read_tissues(physics)
    missing = [name for name in LESION_TISSUES if name not in named]
    if config.lesions.probability > 0 and missing:
        raise ConfigurationError(
            f"synthesis.physics.tissues={physics.tissues} lacks rows for lesions: {', '.join(missing)}; add them, or "
            "set synthesis.lesions.probability=0"
        )
    tissues = tissues_of_classes(physics, named, scheme)
    labels = list(zip(scheme.target_labels, scheme.generation_classes, strict=True))
    targets = [
        sorted({group for value, group in labels if value == target}) for target in range(1, scheme.target_count)
    ]
    protocols = read_protocols(physics)
    contrasts = tuple(config.channels.contrasts)
    _check_contrasts(contrasts, protocols, physics)
    if config.channels.relation == "joint" and contrasts:
        protocols = read_protocols(
            dataclasses.replace(physics, field_strengths_t=_session_fields(contrasts, protocols))
        )
    return PhysicsEngine(physics, tissues, targets, protocols, contrasts, named)


def _check_contrasts(contrasts: tuple[str, ...], protocols: list[Protocol], config: PhysicsConfig) -> None:
    known = sorted({protocol.contrast for protocol in protocols})
    for contrast in contrasts:
        if contrast not in known:
            raise ConfigurationError(
                f"synthesis.channels.contrasts={list(contrasts)}: no kept protocol of {config.protocols} has "
                f"the contrast {contrast}; choose among {', '.join(known)}"
            )


def _session_fields(contrasts: tuple[str, ...], protocols: list[Protocol]) -> list[float]:
    """Field strengths at which all contrasts of a session are made."""
    strengths = [
        {strength for protocol in protocols if protocol.contrast == contrast for strength in protocol.field_strengths_t}
        for contrast in contrasts
    ]
    common = sorted(set.intersection(*strengths))
    if not common:
        raise ConfigurationError(
            f"synthesis.channels.contrasts={list(contrasts)}: there is no field strength at which all are made; use "
            "synthesis.channels.relation=independent, or add protocols"
        )
    return common
