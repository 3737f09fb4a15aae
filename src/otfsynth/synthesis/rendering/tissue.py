"""The painting pass's structs for what lies inside a voxel and inside a tissue; a stage that is off adds no field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher, row_lattice
from otfsynth.synthesis.rendering.tables import LabelTables

SUB_VOXEL_POINTS = np.array([[-3, -1, -1], [-1, 3, 3], [1, -3, 1], [3, 1, -3]]) / 8
"""Four points of a unit cube, one in each quarter of every axis: a border across any axis is met at quarters."""


def sub_voxels(parameters: SynthesisParameters) -> dict[str, Any]:
    """Partial volume: points of the voxel, laid into the label map by the affine; the flow moves them as one."""
    if parameters.partial_volume is None:
        return {}
    shifts = parameters.partial_volume.width_voxels * np.array(parameters.deformation.matrix) @ SUB_VOXEL_POINTS.T
    struct = np.zeros((), STRUCTS["Paint"]["sub_voxels"])
    struct["shift"], struct["count"] = shifts.ravel(), len(SUB_VOXEL_POINTS)
    return {"sub_voxels": struct}


def subclasses(launch: Launcher, parameters: SynthesisParameters) -> dict[str, Any]:
    drawn = parameters.subclasses
    if drawn is None:
        return {}
    count = len(drawn.mean_offsets).bit_length() - 1
    shape = (np.array(parameters.size) - 1) // drawn.spacing_voxels + 4
    address = launch.noise_lattice("subclasses", (count, *shape), parameters.key.shared, stages.SUBCLASSES, 1.0)
    struct = np.zeros((), STRUCTS["Paint"]["subclasses"])
    struct["fields"], struct["count"] = row_lattice(address, shape, drawn.spacing_voxels, 1), count
    return {"subclasses": struct}


def mean_tables(parameters: SynthesisParameters, tables: LabelTables) -> NDArray[np.float32]:
    """Means by label index, one table for each sub-class."""
    means = np.array(parameters.mixture.means)
    if parameters.shell is not None:
        means[0] = parameters.shell.means[0]  # what the brain's surface mixes with
    flip, drawn = parameters.deformation.flip, parameters.subclasses
    if drawn is None:
        return tables.by_class(means, flip)
    return np.stack([tables.by_class(np.maximum(means + offsets, 0.0), flip) for offsets in drawn.mean_offsets])


def texture(launch: Launcher, parameters: SynthesisParameters) -> dict[str, Any]:
    drawn = parameters.texture
    if drawn is None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["texture"])
    struct["field"] = launch.noise_rows(
        "texture", parameters.size, parameters.key, stages.TEXTURE, 1.0, drawn.spacing_voxels
    )
    struct["smooth"], struct["white"] = np.sqrt(drawn.smooth_share), np.sqrt(1.0 - drawn.smooth_share)
    return {"texture": struct}


def heterogeneity(launch: Launcher, parameters: SynthesisParameters, tables: LabelTables) -> dict[str, Any]:
    drawn = parameters.heterogeneity
    if drawn is None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["heterogeneity"])
    struct["field"] = launch.noise_rows(
        "heterogeneity", parameters.size, parameters.key, stages.HETEROGENEITY, 1.0, drawn.spacing_voxels
    )
    strengths = tables.by_class(np.array(drawn.strengths), parameters.deformation.flip)
    struct["strengths"] = launch.workspace.keep(strengths)
    return {"heterogeneity": struct}
