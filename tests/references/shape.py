"""Label maps whose structures have moved boundaries, from the encoded distances in millimetres."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.parameters import SynthesisParameters
from tests.references.geometry import smooth_field
from tests.references.random import STAGES


def changed_indices(
    parameters: SynthesisParameters, indices: np.ndarray, alternate: np.ndarray, encoded: np.ndarray
) -> np.ndarray:
    """Label indices, uint8 (x, y, z), of the map that the sample looks into."""
    drawn = parameters.shape
    if drawn is None:
        return indices
    share = np.ones(indices.shape)
    if drawn.unevenness > 0:
        field = smooth_field(parameters.key, STAGES["shape"], drawn.unevenness, drawn.spacing_voxels, indices.shape)
        share = np.clip(1.0 + field, 0.0, 1.0)
    boundary, side = np.divmod(encoded // 32, 2)
    outward = np.array([*drawn.shifts_mm, 0.0])[boundary]
    shift_mm = np.where(side == 1, outward, -outward) * share
    return np.where((encoded != 255) & ((encoded % 32) / 8 < shift_mm), alternate, indices)
