"""Drawing lesions: of which kind, how they look, what they push aside and what they are called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.lesions import LesionsConfig
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import check_names, named_labels
from otfsynth.synthesis.lesion_parameters import (
    LARGE_BUMPS_VOXELS,
    LesionLabelParameters,
    LesionParameters,
    MassEffectParameters,
)
from otfsynth.synthesis.lesion_places import (
    Anatomy,
    Blobs,
    draw_voxel,
    hyperintensities,
    log_uniform,
    scattered,
    stroke,
)
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey, vector

if TYPE_CHECKING:
    from otfsynth.synthesis.parameters import MixtureParameters, SequenceParameters
    from otfsynth.synthesis.physics import PhysicsEngine

KINDS = ("blobs", "hyperintensities", "mass", "stroke")
MASS_HOSTS, CORE_HOSTS = ("GM", "WM"), ("GM", "WM", "CSF")
GRADED, LEAST_SEVERITY = ("white-matter lesion", "oedema"), 0.3
"""Tissues that are found between healthy and wholly changed."""


class DrawnLesions(NamedTuple):
    """Parts of the lesions of a sample; oedema is painted first, what is dead in a mass last."""

    lesions: LesionParameters | None = None
    oedema: LesionParameters | None = None
    necrosis: LesionParameters | None = None
    mass_effect: MassEffectParameters | None = None


@dataclass(frozen=True)
class Painter:
    """Draws means and deviations of lesion tissues that agree with the contrast of the sample."""

    config: LesionsConfig
    mixture: MixtureParameters
    physics: PhysicsEngine | None
    sequence: SequenceParameters | None
    stream: RandomStream
    """Of the channel: all channels have the same lesions, each its own look of them."""

    def paint(self, part: LesionParameters, blobs: Blobs, tissue: str, anatomy: Anatomy) -> LesionParameters:
        """A part with blobs and intensity: by the signal equation of the sequence, or brighter or darker than the
        hosts around its first blob.
        """
        (centres, radii), stream = blobs, self.stream
        around = self.mixture.means[anatomy.host_class(centres[0], part.hosts)]
        difference = stream.uniform(self.config.contrast[0], self.config.contrast[1])
        mean = max(around - difference if stream.happens(0.5) else around + difference, 0.0)
        std = stream.uniform(0.0, self.config.std_max)
        severity = stream.uniform(LEAST_SEVERITY, 1.0) if tissue in GRADED else 1.0
        if self.physics is not None and self.sequence is not None:
            mean, std = self.physics.draw_tissue(tissue, self.sequence, stream)
            mean, std = around + severity * (mean - around), min(std, self.config.std_max)
        places = tuple(vector(centre) for centre in centres)
        return replace(part, centres_voxels=places, radii_voxels=tuple(radii.tolist()), mean=mean, std=std)


def sample_lesions(config: LesionsConfig, anatomy: Anatomy, painter: Painter, key: SampleKey) -> DrawnLesions:
    """Lesions of one kind in the tissues of one label map.

    Args:
        config: ranges, shares and probabilities.
        anatomy: the label map.
        painter: gives them their intensities.
        key: address of the sample, without its channel.

    Raises:
        ConfigurationError: the scheme has no target of the name that lesions shall have.
    """
    stream = RandomStream(key, "lesions")
    if not stream.happens(config.probability):
        return DrawnLesions()
    kind = stream.choice(KINDS, [getattr(config.kinds, name) for name in KINDS])
    names = {"mass": MASS_HOSTS, "stroke": config.stroke.hosts}.get(kind, config.hosts)
    hosts = anatomy.targets(names)
    tissues = anatomy.voxels(hosts)
    if not tissues:
        return DrawnLesions()
    softness = stream.uniform(config.softness_voxels[0], config.softness_voxels[1])
    target = target_value(config, anatomy.scheme)
    part = LesionParameters((), (), 0.0, 0.0, config.edge_roughness, softness, hosts, target, kind=kind)
    if kind == "mass":
        return _draw_mass(config, anatomy, painter, part, draw_voxel(tissues, stream), stream)
    if kind == "stroke":
        blobs, side = stroke(config.stroke, anatomy, tissues, stream)
        tissue = "chronic infarct" if stream.happens(config.stroke.chronic_probability) else "acute infarct"
        part = replace(part, host_labels=side)
        return DrawnLesions(painter.paint(part, blobs, tissue, anatomy))
    if kind == "hyperintensities":
        blobs = hyperintensities(config.hyperintensities, anatomy, tissues, stream)
    else:
        count = 1 + stream.integer(config.most_blobs)
        blobs = scattered(tissues, log_uniform(config.radius_mm, anatomy.spacing_mm, count, stream), stream)
    return DrawnLesions(painter.paint(part, blobs, "white-matter lesion", anatomy))


def _draw_mass(
    config: LesionsConfig,
    anatomy: Anatomy,
    painter: Painter,
    part: LesionParameters,
    centre: np.ndarray,
    stream: RandomStream,
) -> DrawnLesions:
    """Core, oedema, dead middle and displacement; radii are drawn as they are seen, and stored where they come from."""
    mass = config.mass
    radius = float(log_uniform(mass.radius_mm, anatomy.spacing_mm, 1, stream)[0])
    reach = stream.uniform(mass.effect_reach[0], mass.effect_reach[1]) * radius
    strength = stream.uniform(mass.effect[0], mass.effect[1])
    effect = MassEffectParameters(vector(centre), strength, reach, anatomy.depth_mm(centre) / anatomy.spacing_mm)

    def draw(hosts: tuple[int, ...], seen: float, tissue: str) -> LesionParameters:
        blobs = (centre[None].astype(np.float64), np.array([effect.source_radius(seen)]))
        shape = replace(part, hosts=hosts, edge_spacing_voxels=LARGE_BUMPS_VOXELS)
        return painter.paint(shape, blobs, tissue, anatomy)

    core_hosts = anatomy.targets(CORE_HOSTS)
    core = draw(core_hosts, radius, "tumour")
    has_oedema, has_necrosis = stream.happens(mass.oedema_probability), stream.happens(mass.necrosis_probability)
    width = stream.uniform(mass.oedema_mm[0], mass.oedema_mm[1]) / anatomy.spacing_mm
    oedema_hosts = anatomy.targets(config.hosts)
    oedema = draw(oedema_hosts, radius + width, "oedema") if anatomy.voxels(oedema_hosts) else None
    share = stream.uniform(mass.necrosis_share[0], mass.necrosis_share[1])
    necrosis = draw(core_hosts, share * radius, "necrosis")
    return DrawnLesions(core, oedema if has_oedema else None, necrosis if has_necrosis else None, effect)


def sample_lesion_labels(config: LesionsConfig, scheme: LabelScheme) -> LesionLabelParameters | None:
    """Labels of the map that get the target of lesions; None where there is no such target or label."""
    if config.probability == 0:
        return None
    target, labels = target_value(config, scheme), named_labels(scheme, config.labels)
    if target is None or not labels:
        return None
    return LesionLabelParameters(labels, target)


def paint_lesion_labels(
    config: LesionsConfig, scheme: LabelScheme, mixture: MixtureParameters, lesions: LesionParameters | None
) -> MixtureParameters:
    """The mixture in which classes that hold nothing but lesions look like the lesions that were drawn."""
    labels = named_labels(scheme, config.labels)
    if lesions is None or not labels:
        return mixture
    others = {group for label, group in enumerate(scheme.generation_classes) if label not in labels}
    means, stds = list(mixture.means), list(mixture.stds)
    for group in {scheme.generation_classes[label] for label in labels} - others:
        means[group], stds[group] = lesions.mean, lesions.std
    return replace(mixture, means=tuple(means), stds=tuple(stds))


def check_lesions(config: LesionsConfig, scheme: LabelScheme) -> None:
    """Check target and labels of lesions against a scheme.

    Raises:
        ConfigurationError: the scheme has no target of the name, or a label is in no scheme.
    """
    target_value(config, scheme)
    check_names("synthesis.lesions.labels", scheme, config.labels, LesionsConfig().labels)


def target_value(config: LesionsConfig, scheme: LabelScheme) -> int | None:
    """Target value that lesion voxels get, ``None`` for that of their tissue.

    Raises:
        ConfigurationError: the scheme has no target of the name.
    """
    if config.target is None:
        return None
    if config.target not in scheme.target_names:
        raise ConfigurationError(
            f"synthesis.lesions.target={config.target} is no target of label scheme '{scheme.name}'; choose one of: "
            f"{', '.join(scheme.target_names)}, or null"
        )
    return scheme.target_names.index(config.target)
