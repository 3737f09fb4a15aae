"""Lesions, from squared distances in the label map, and what a mass pushes aside."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.lesion_parameters import LesionParameters, MassEffectParameters
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.references.geometry import smooth_field
from tests.references.random import STAGES


def lesion_parts(parameters: SynthesisParameters) -> list[LesionParameters]:
    """In the order in which they are painted."""
    parts = (parameters.oedema, parameters.lesions, parameters.necrosis)
    return [part for part in parts if part is not None]


def lesion_shares(
    parameters: SynthesisParameters, part: LesionParameters, found: np.ndarray, targets: np.ndarray, source: np.ndarray
) -> np.ndarray:
    """Share of a lesion in every patch voxel, [0, 1], from the labels of the map and the targets before lesions."""
    change = np.zeros(parameters.size)
    if part.edge_roughness > 0:
        spacing = part.edge_spacing_voxels
        change = smooth_field(parameters.key, STAGES["lesions"], part.edge_roughness, spacing, parameters.size)
    depth = np.full(parameters.size, -np.inf)
    for centre, radius in zip(part.centres_voxels, part.radii_voxels, strict=True):
        distance = np.sqrt(np.sum((source - np.reshape(centre, (3, 1, 1, 1))) ** 2, axis=0))
        depth = np.maximum(depth, radius * (1.0 + np.clip(change, -1.0, 1.0)) - distance)
    share = np.clip(depth / part.softness_voxels + 0.5, 0.0, 1.0)
    hosts = np.isin(targets, part.hosts)
    if part.host_labels:
        hosts &= np.isin(found, part.host_labels)
    return np.where(hosts, share, 0.0)


def pushed_aside(source: np.ndarray, mass: MassEffectParameters | None) -> np.ndarray:
    """Where the tissue at coordinates (3, x, y, z) of the label map comes from."""
    if mass is None:
        return source
    centre = np.reshape(mass.centre_voxels, (3, 1, 1, 1))
    away = source - centre
    radius = np.linalg.norm(away, axis=0)
    pull = mass.strength * np.exp(-0.5 * (radius / mass.reach_voxels) ** 2)
    if mass.end_voxels is not None:
        pull *= np.where(radius < mass.end_voxels, (1.0 - (radius / mass.end_voxels) ** 2) ** 2, 0.0)
    return centre + away * (1.0 - pull)
