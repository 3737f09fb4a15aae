"""Independent float64 oracle of the generative model, in NumPy and SciPy.

Written from the published formulae and the package's specification, never from its kernels: where the two agree, two
people read the same mathematics. Plain and slow on purpose. Volumes are ``(x, y, z)``, lengths voxels of the patch.
"""

from __future__ import annotations

from tests.references.acquisition import acquire, downsample_matrix, low_size, sample_positions, upsample_matrix
from tests.references.appearance import apply_gamma, bias_field, keep_mask, mixture_noise, normalize, paint
from tests.references.geometry import (
    displacement,
    evaluate_lattice,
    flow_lattice,
    integrate_velocity,
    lookup,
    patch_grid,
    quasi_interpolate,
    smooth_field,
    source_coordinates,
    velocity_lattice,
)
from tests.references.lesions import pushed_aside
from tests.references.random import STAGES, lattice_normals, normals, philox4x32, row_normals, row_words
from tests.references.sample import render, source_labels
from tests.references.shape import changed_indices

__all__ = [
    "STAGES",
    "acquire",
    "apply_gamma",
    "bias_field",
    "changed_indices",
    "displacement",
    "downsample_matrix",
    "evaluate_lattice",
    "flow_lattice",
    "integrate_velocity",
    "keep_mask",
    "lattice_normals",
    "lookup",
    "low_size",
    "mixture_noise",
    "normalize",
    "normals",
    "paint",
    "patch_grid",
    "philox4x32",
    "pushed_aside",
    "quasi_interpolate",
    "render",
    "row_normals",
    "row_words",
    "sample_positions",
    "smooth_field",
    "source_coordinates",
    "source_labels",
    "upsample_matrix",
    "velocity_lattice",
]
