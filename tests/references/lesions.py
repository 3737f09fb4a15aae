"""Lesions, from squared distances in the label map."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.parameters import SynthesisParameters
from tests.references.geometry import smooth_field
from tests.references.random import STAGES


def lesion_shares(parameters: SynthesisParameters, targets: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Share of a lesion in every patch voxel, [0, 1], from the targets (x, y, z) before lesions and masks."""
    drawn = parameters.lesions
    if drawn is None:
        return np.zeros(parameters.size)
    change = np.zeros(parameters.size)
    if drawn.edge_roughness > 0:
        change = smooth_field(parameters.key, STAGES["lesions"], drawn.edge_roughness, 8, parameters.size)
    depth = np.full(parameters.size, -np.inf)
    for centre, radius in zip(drawn.centres_voxels, drawn.radii_voxels, strict=True):
        distance = np.sqrt(np.sum((source - np.reshape(centre, (3, 1, 1, 1))) ** 2, axis=0))
        depth = np.maximum(depth, radius * (1.0 + np.clip(change, -1.0, 1.0)) - distance)
    share = np.clip(depth / drawn.softness_voxels + 0.5, 0.0, 1.0)
    return np.where(np.isin(targets, drawn.hosts), share, 0.0)
