"""The painting pass's struct for the head around brain-only maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.cut import fluid_around
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.shell import SHELL_SPACING_VOXELS, ShellParameters
from otfsynth.synthesis.shell_neck import ShellNeckParameters

FAT_PLANES = 0.1
"""Half the width of the fat between muscles, in standard deviations of the thickness field."""
NO_AIRWAY_MM = (1e-6, 1e-6)


def shell(launch: Launcher, parameters: SynthesisParameters) -> dict[str, Any]:
    """Layers by distance from the brain; no field where there are none, or where a skull-strip leaves CSF alone."""
    drawn = parameters.shell
    if drawn is None or fluid_around(parameters) is not None:
        return {}
    struct = np.zeros((), STRUCTS["Paint"]["shell"])
    struct["thickness"] = launch.noise_rows(
        "shell", parameters.size, parameters.key.shared, stages.SHELL, drawn.unevenness, SHELL_SPACING_VOXELS
    )
    struct["ends"], struct["means"], struct["stds"], struct["on"] = drawn.ends_mm, drawn.means, drawn.stds, 1
    struct["spacing"] = parameters.spacing_mm
    struct["outside_mean"], struct["outside_std"] = parameters.mixture.means[0], parameters.mixture.stds[0]
    if parameters.shell_neck is not None:
        struct["neck"] = _neck(parameters, drawn, parameters.shell_neck)
    return {"shell": struct}


def _neck(parameters: SynthesisParameters, shell: ShellParameters, drawn: ShellNeckParameters) -> NDArray[np.void]:
    """Ellipses in the order of the header's ``NeckPart``, intensities in that of its ``NeckTissue``."""
    struct = np.zeros((), STRUCTS["ShellNeck"])
    arch = tuple(half_axis + drawn.arch_mm for half_axis in drawn.canal_mm)
    spine_forward = drawn.canal_mm[1] + drawn.spine_mm[1]
    airway = drawn.airway_mm or NO_AIRWAY_MM
    airway_forward = spine_forward + drawn.spine_mm[1] + drawn.airway_gap_mm + airway[1]
    ellipses = np.array([drawn.outline_mm, arch, drawn.canal_mm, drawn.cord_mm, drawn.spine_mm, airway])
    struct["forward"] = drawn.forward_mm, 0.0, 0.0, 0.0, spine_forward, airway_forward
    struct["across"], struct["along"] = ellipses.T**-2.0
    struct["anchor"], struct["slopes"] = drawn.anchor_voxels, drawn.slopes
    struct["reach"], struct["dome"] = np.mean(drawn.outline_mm), drawn.top_mm / 3.0
    struct["widening"], struct["inverse_join"] = drawn.widening, 1.0 / drawn.join_mm
    struct["fat"], struct["fat_planes"] = drawn.fat_mm, FAT_PLANES * shell.unevenness
    struct["inverse_vertebra"], struct["disc_share"] = 1.0 / drawn.vertebra_mm, drawn.disc_share
    background = parameters.mixture
    for name, own, around, air in (
        ("means", drawn.means, shell.means, background.means[0]),
        ("stds", drawn.stds, shell.stds, background.stds[0]),
    ):
        muscle, marrow, nerve = own
        fluid, bone, skin = around
        struct[name] = 0.0, skin, muscle, bone, marrow, fluid, nerve, air
    struct["on"] = 1
    return struct
