"""The painting pass's struct for lesions."""

from __future__ import annotations

from typing import Any

import numpy as np

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.lesions import EDGE_SPACING_VOXELS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.tables import LabelTables


def lesions(launch: Launcher, parameters: SynthesisParameters, tables: LabelTables) -> dict[str, Any]:
    """Blobs and their hosts; no field where there are none."""
    drawn = parameters.lesions
    if drawn is None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["lesions"])
    struct["edge"] = launch.noise_rows(
        "lesions", parameters.size, parameters.key.shared, stages.LESIONS, drawn.edge_roughness, EDGE_SPACING_VOXELS
    )
    blobs = np.column_stack([drawn.centres_voxels, drawn.radii_voxels]).astype(np.float32)
    hosts = np.isin(tables.targets(parameters.deformation.flip), drawn.hosts).astype(np.uint8)
    struct["blobs"], struct["hosts"] = launch.workspace.keep(blobs), launch.workspace.keep(hosts)
    struct["mean"], struct["std"], struct["softness"] = drawn.mean, drawn.std, drawn.softness_voxels
    struct["count"], struct["target"] = len(blobs), -1 if drawn.target is None else drawn.target
    return {"lesions": struct}
