"""Where a patch voxel comes from: affine and flow as one lattice of source coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher, lattice, row_lattice

FLOW_SPACING = 8
FLOW_MARGIN = 3
"""Nodes of the flow lattice before the patch; as many lie beyond its end, where the last cell may be cut short.

Displacements of up to 16 voxels before the patch and 9 to 16 beyond its end compose without reaching the edge, where
the flow goes on as it is there.
"""
SQUARINGS = 5


def source_lattice(launch: Launcher, parameters: SynthesisParameters) -> NDArray[np.void]:
    """Lattice of source coordinates, ready to be evaluated along rows."""
    deformation = parameters.deformation
    size = np.array(parameters.size)
    shape = (size - 1) // FLOW_SPACING + FLOW_MARGIN + 4
    origin = float(-FLOW_SPACING * FLOW_MARGIN)
    flow = _flow(launch, parameters, shape, origin) if deformation.velocity_std_voxels > 0 else 0
    matrix = np.array(deformation.matrix)
    coefficients = launch.workspace.take("source", np.float32, (3, *shape))
    launch(
        "SourceLattice",
        flow=flow,
        coefficients=coefficients,
        matrix=matrix.ravel(),
        offset=np.array(deformation.centre_voxels) - matrix @ ((size - 1) / 2),
        shape=shape,
        origin=origin,
    )
    return row_lattice(coefficients, shape, FLOW_SPACING, FLOW_MARGIN)


def _flow(launch: Launcher, parameters: SynthesisParameters, shape: NDArray[Any], origin: float) -> int:
    """Integrate the velocity field; address of the displacement's spline coefficients."""
    deformation = parameters.deformation
    spacing = deformation.velocity_spacing_voxels
    control_shape = np.ceil(FLOW_SPACING * (shape - 1) / spacing).astype(int) + 4
    control = launch.noise_lattice(
        "velocity",
        (3, *control_shape),
        parameters.key.shared,
        stages.VELOCITY,
        deformation.velocity_std_voxels,
        interleaved=True,
    )
    displacement = launch.workspace.take("displacement", np.float32, (*shape, 3))
    coefficients = launch.workspace.take("flow", np.float32, (*shape, 3))
    velocity = lattice(control, control_shape, origin - spacing, spacing)
    flow = lattice(coefficients, shape, origin, FLOW_SPACING)
    launch("FlowStart", velocity=velocity, displacement=displacement, shape=shape, origin=origin)
    for _ in range(SQUARINGS):
        launch("QuasiInterpolate", values=displacement, coefficients=coefficients, shape=shape)
        launch("FlowSquare", flow=flow, displacement=displacement)
    launch("QuasiInterpolate", values=displacement, coefficients=coefficients, shape=shape)
    return coefficients
