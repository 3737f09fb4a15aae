"""The painting pass's struct for the head around brain-only maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.cut import fluid_around
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.shell import SHELL_SPACING_VOXELS


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
    return {"shell": struct}
