"""The painting pass's structs for lesions and for what a mass pushes aside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.lesion_parameters import LesionParameters, MassEffectParameters
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.tables import LabelTables


def lesions(launch: Launcher, parameters: SynthesisParameters, tables: LabelTables) -> dict[str, Any]:
    """Blobs and their hosts, in the order in which they are painted; no field where there are none."""
    parts = (parameters.oedema, parameters.lesions, parameters.necrosis)
    drawn = next((part for part in parts if part is not None), None)
    if drawn is None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["lesions"])
    struct["edge"] = launch.noise_rows(
        "lesions",
        parameters.size,
        parameters.key.shared,
        stages.LESIONS,
        drawn.edge_roughness,
        drawn.edge_spacing_voxels,
    )
    for number, part in enumerate(parts):
        if part is not None:
            struct["parts"][number] = _part(launch, part, parameters, tables)
            struct["count"] += 1
    return {"lesions": struct}


def mass_effect(parameters: SynthesisParameters) -> dict[str, Any]:
    drawn = parameters.mass_effect
    if drawn is None or drawn.strength == 0.0:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["mass_effect"])
    struct["centre"], struct["strength"] = drawn.centre_voxels, drawn.strength
    struct["fall"] = np.log2(np.e) / (2.0 * drawn.reach_voxels**2)
    if drawn.end_voxels is not None:
        struct["inverse_end"] = drawn.end_voxels**-2.0
    return {"mass_effect": struct}


def _part(
    launch: Launcher, part: LesionParameters, parameters: SynthesisParameters, tables: LabelTables
) -> NDArray[np.void]:
    struct = np.zeros((), STRUCTS["LesionPart"])
    centres, radii = np.array(part.centres_voxels), np.array(part.radii_voxels)
    hosts = np.isin(tables.targets(parameters.deformation.flip), part.hosts).astype(np.uint8)
    if part.host_labels:
        hosts *= np.isin(np.arange(len(hosts)), part.host_labels)
    struct["blobs"] = launch.workspace.keep(np.column_stack([centres, radii]).astype(np.float32))
    struct["hosts"] = launch.workspace.keep(hosts)
    struct["mean"], struct["std"], struct["softness"] = part.mean, part.std, part.softness_voxels
    struct["middle"] = centres.mean(axis=0)
    struct["extent"] = (np.linalg.norm(centres - centres.mean(axis=0), axis=1) + radii).max()
    struct["count"], struct["target"] = len(centres), -1 if part.target is None else part.target
    return struct


def farthest_push_voxels(drawn: MassEffectParameters | None) -> float:
    """No displacement of a mass effect is greater; 0 without one."""
    return 0.0 if drawn is None else drawn.farthest_voxels
