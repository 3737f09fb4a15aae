"""The kernels' struct for what the image does not show: skull-strip, defacing, zero background, view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher


def fluid_around(parameters: SynthesisParameters) -> int | None:
    """Index of the label that all has that a skull-strip leaves around the brain, where it leaves CSF alone."""
    return None if parameters.skull_strip is None else parameters.skull_strip.fluid


def masks_background(parameters: SynthesisParameters) -> bool:
    """Whether background is exactly zero, and so masked; where fluid takes its place, none is left."""
    return parameters.background == "zero" and fluid_around(parameters) is None


def cut_struct(launch: Launcher, parameters: SynthesisParameters) -> NDArray[np.void]:
    """What decides about the mask."""
    struct = np.zeros((), STRUCTS["Cut"])
    struct["background"] = masks_background(parameters)
    view, strip = parameters.field_of_view, parameters.skull_strip
    if view is not None:
        struct["view_first"], struct["view_end"] = view.first_voxel, view.end_voxel
    if strip is not None:
        struct["strip"], struct["edge_offset"] = 1, strip.edge_offset_mm
        struct["edge"] = launch.noise_rows(
            "edge",
            parameters.size,
            parameters.key.shared,
            stages.STRIP_EDGE,
            strip.edge_roughness_mm,
            strip.edge_spacing_voxels,
        )
    if parameters.defacing is not None:
        struct["defacing"] = _defacing(launch, parameters)
    return struct


def _defacing(launch: Launcher, parameters: SynthesisParameters) -> NDArray[np.void]:
    """Half-spaces of the label map, with bumps over the patch."""
    drawn = parameters.defacing
    assert drawn is not None
    struct = np.zeros((), STRUCTS["Defacing"])
    struct["bumps"] = launch.noise_rows(
        "defacing", parameters.size, parameters.key.shared, stages.DEFACING, drawn.roughness_mm, drawn.spacing_voxels
    )
    struct["count"], struct["spared"] = len(drawn.planes), np.ceil(128.0 + 8.0 * drawn.spared_mm)
    struct["planes"][: 4 * len(drawn.planes)] = np.ravel(drawn.planes)
    return struct
