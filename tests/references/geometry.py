"""Cubic B-spline lattices, the flow of a stationary velocity field, and where a patch voxel comes from."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from otfsynth.synthesis.parameters import DeformationParameters
from otfsynth.types import SampleKey
from tests.references.random import STAGES, lattice_normals

Size = tuple[int, int, int]

SPLINE_GAIN = (315.0 / 151.0) ** 1.5
"""A lattice of N(0, (std * SPLINE_GAIN)**2) has the variance std**2, averaged over space."""
SQUARINGS = 5
FLOW_SPACING = 8
FLOW_MARGIN = 3


def patch_grid(size: Size) -> np.ndarray:
    """Voxel coordinates of a patch, float64 (3, x, y, z)."""
    return np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in size), indexing="ij"))


def evaluate_lattice(coefficients: np.ndarray, origin: float, spacing: float, points: np.ndarray) -> np.ndarray:
    """Cubic B-spline with the given coefficients (x, y, z) at points (3, ...); beyond the lattice its edge repeats."""
    nodes = (points - origin) / spacing
    limits = np.asarray(coefficients.shape, np.float64).reshape(3, *[1] * (points.ndim - 1)) - 2.0 - 1e-4
    return ndimage.map_coordinates(coefficients, np.clip(nodes, 1.0, limits), order=3, prefilter=False, mode="nearest")


def quasi_interpolate(values: np.ndarray) -> np.ndarray:
    """Coefficients whose spline reproduces cubic polynomials from their values at the nodes; edges repeat."""
    for axis in range(values.ndim - 3, values.ndim):
        values = ndimage.correlate1d(values, [1 / 36, -10 / 36, 54 / 36, -10 / 36, 1 / 36], axis=axis, mode="nearest")
    return values


def smooth_field(key: SampleKey, stage: int, std: float, spacing: int, size: Size) -> np.ndarray:
    """Spline of normal coefficients over the patch (bias field, bumps of the mask's edge), float64 (x, y, z)."""
    return smooth_fields(key, stage, std, spacing, size, 1)[0]


def smooth_fields(key: SampleKey, stage: int, std: float, spacing: int, size: Size, count: int) -> np.ndarray:
    """Several of them, whose nodes share one sequence of random numbers: float64 (count, x, y, z)."""
    nodes = tuple((n - 1) // spacing + 4 for n in size)
    coefficients = std * SPLINE_GAIN * lattice_normals(key, stage, (count, *nodes))
    return np.stack([evaluate_lattice(field, -spacing, spacing, patch_grid(size)) for field in coefficients])


def flow_shape(size: Size) -> Size:
    first, second, third = ((n - 1) // FLOW_SPACING + FLOW_MARGIN + 4 for n in size)
    return first, second, third


def velocity_lattice(key: SampleKey, std: float, spacing: float, size: Size) -> np.ndarray:
    """Control points of the velocity, voxels, float64 (3, nx, ny, nz)."""
    nodes = tuple(math.ceil(FLOW_SPACING * (n - 1) / spacing) + 4 for n in flow_shape(size))
    return std * SPLINE_GAIN * lattice_normals(key, STAGES["velocity"], (3, *nodes))


def evaluate_velocity(control: np.ndarray, spacing: float, points: np.ndarray) -> np.ndarray:
    origin = -FLOW_SPACING * FLOW_MARGIN - spacing
    return np.stack([evaluate_lattice(component, origin, spacing, points) for component in control])


def evaluate_flow(coefficients: np.ndarray, points: np.ndarray) -> np.ndarray:
    origin = -FLOW_SPACING * FLOW_MARGIN
    return np.stack([evaluate_lattice(component, origin, FLOW_SPACING, points) for component in coefficients])


def integrate_velocity(control: np.ndarray, spacing: float, size: Size) -> np.ndarray:
    """Displacement coefficients (3, nx, ny, nz) of the flow at time 1: scaling and squaring (Arsigny et al. 2006)."""
    nodes = FLOW_SPACING * (patch_grid(flow_shape(size)) - FLOW_MARGIN)
    step = 2.0**-SQUARINGS
    midpoint = nodes + 0.5 * step * evaluate_velocity(control, spacing, nodes)
    moved = step * evaluate_velocity(control, spacing, midpoint)
    for _ in range(SQUARINGS):
        moved = moved + evaluate_flow(quasi_interpolate(moved), nodes + moved)
    return quasi_interpolate(moved)


def flow_lattice(key: SampleKey, std: float, spacing: float, size: Size) -> np.ndarray:
    return integrate_velocity(velocity_lattice(key, std, spacing, size), spacing, size)


def displacement(coefficients: np.ndarray, size: Size) -> np.ndarray:
    """Displacement phi(x) - x of every patch voxel, float64 (3, x, y, z)."""
    return evaluate_flow(coefficients, patch_grid(size))


def source_coordinates(key: SampleKey, deformation: DeformationParameters, size: Size) -> np.ndarray:
    """Label-map coordinates, voxels, of every patch voxel: float64 (3, x, y, z)."""
    position = patch_grid(size)
    if deformation.velocity_std_voxels > 0:
        coefficients = flow_lattice(key, deformation.velocity_std_voxels, deformation.velocity_spacing_voxels, size)
        position = position + displacement(coefficients, size)
    middle = ((np.asarray(size, np.float64) - 1) / 2).reshape(3, 1, 1, 1)
    turned = np.einsum("ij,jxyz->ixyz", np.asarray(deformation.matrix, np.float64), position - middle)
    return turned + np.asarray(deformation.centre_voxels, np.float64).reshape(3, 1, 1, 1)


def lookup(volume: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Nearest voxel of a map; beyond its border the border repeats."""
    nearest = np.floor(source + 0.5).astype(np.int64)
    x, y, z = (np.clip(axis, 0, n - 1) for axis, n in zip(nearest, volume.shape, strict=True))
    return volume[x, y, z]
