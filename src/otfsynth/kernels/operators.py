"""NumPy mirrors of the operator structs of ``cuda_kernels/``: the same fields in the same order, C alignment.

A test compares every size and offset with the compiler's own (:func:`otfsynth.kernels.layouts`). Pointers are unsigned
64-bit integers; 0 is null.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Fields = list[tuple[Any, ...]]


def _struct(*fields: tuple[Any, ...]) -> np.dtype[np.void]:
    return np.dtype(list(fields), align=True)


POINTER, I32, I64, U32, F32 = np.uint64, np.int32, np.int64, np.uint32, np.float32

RANDOM_KEY = _struct(("seed_lo", U32), ("seed_hi", U32), ("sample", U32), ("stage", U32))
LATTICE = _struct(("coefficients", POINTER), ("shape", I32, 3), ("origin", F32), ("spacing", F32), ("padding_", I32))
ROW_LATTICE = _struct(
    ("coefficients", POINTER), ("shape", I32, 3), ("spacing", I32), ("margin", I32), ("padding_", I32)
)
STATISTICS = _struct(
    ("lowest", F32), ("highest", F32), ("sum", F32), ("sum_of_squares", F32), ("count", F32), ("padding_", F32, 3)
)
BAND = _struct(
    ("starts", POINTER), ("weights", POINTER), ("outputs", I32), ("taps", I32), ("unit_stride", I32), ("padding_", I32)
)
GAMMA_CURVE = _struct(("statistics", POINTER), ("exponent", F32), ("padding_", I32))
RECEIVER_NOISE = _struct(
    ("key", RANDOM_KEY),
    ("coil_key", RANDOM_KEY),
    ("g_factor", ROW_LATTICE),
    ("std", F32),
    ("coils", I32),
    ("rows_y", I32),
    ("padding_", I32),
)
STORAGE = _struct(("highest", F32), ("levels", F32))
SIGNAL_LOSS = _struct(("centres", F32, 12), ("falls", F32, 4), ("depths", F32, 4), ("count", I32), ("padding_", I32))
SUB_VOXELS = _struct(("shift", F32, 12), ("count", I32), ("padding_", I32))
SUBCLASSES = _struct(("fields", ROW_LATTICE), ("count", I32), ("padding_", I32))
TEXTURE = _struct(("field", ROW_LATTICE), ("smooth", F32), ("white", F32))
HETEROGENEITY = _struct(("field", ROW_LATTICE), ("strengths", POINTER))
LESION_PART = _struct(
    ("blobs", POINTER),
    ("hosts", POINTER),
    ("mean", F32),
    ("std", F32),
    ("softness", F32),
    ("bend", F32),
    ("middle", F32, 3),
    ("extent", F32),
    ("count", I32),
    ("target", I32),
)
LESIONS = _struct(("edge", ROW_LATTICE), ("parts", LESION_PART, 3), ("count", I32), ("padding_", I32))
DEFACING = _struct(("bumps", ROW_LATTICE), ("planes", F32, 12), ("spared", F32), ("count", I32))
MASS_EFFECT = _struct(("centre", F32, 3), ("fall", F32), ("strength", F32), ("padding_", I32))
SHELL = _struct(
    ("thickness", ROW_LATTICE),
    ("ends", F32, 3),
    ("means", F32, 3),
    ("stds", F32, 3),
    ("outside_mean", F32),
    ("outside_std", F32),
    ("spacing", F32),
    ("on", I32),
    ("padding_", I32),
)
LINEAR = _struct(("lower", POINTER), ("fraction", POINTER), ("inputs", I32), ("padding_", I32))

OPERATORS: dict[str, np.dtype[np.void]] = {
    "LatticeNoise": _struct(
        ("coefficients", POINTER), ("count", I64), ("key", RANDOM_KEY), ("std", F32), ("padding_", I32)
    ),
    "FlowStart": _struct(("velocity", LATTICE), ("displacement", POINTER), ("shape", I32, 3), ("origin", F32)),
    "QuasiInterpolate": _struct(("values", POINTER), ("coefficients", POINTER), ("shape", I32, 3), ("padding_", I32)),
    "FlowSquare": _struct(("flow", LATTICE), ("displacement", POINTER)),
    "SourceLattice": _struct(
        ("flow", POINTER),
        ("coefficients", POINTER),
        ("matrix", F32, 9),
        ("offset", F32, 3),
        ("shape", I32, 3),
        ("origin", F32),
    ),
    "ChangeShape": _struct(
        ("labels", POINTER),
        ("alternates", POINTER),
        ("boundaries", POINTER),
        ("changed", POINTER),
        ("unevenness", ROW_LATTICE),
        ("shifts", F32, 3),
        ("map_shape", I32, 3),
        ("first", I32, 2),
        ("rows", I32, 2),
    ),
    "FoldStatistics": _struct(("entries", POINTER), ("folded", POINTER), ("groups", I64), ("group", I64)),
    "Paint": _struct(
        ("labels", POINTER),
        ("brain_distance", POINTER),
        ("means", POINTER),
        ("stds", POINTER),
        ("targets", POINTER),
        ("image", POINTER),
        ("target", POINTER),
        ("mask", POINTER),
        ("statistics", POINTER),
        ("source", ROW_LATTICE),
        ("bias", ROW_LATTICE),
        ("edge", ROW_LATTICE),
        ("key", RANDOM_KEY),
        ("map_shape", I32, 3),
        ("size_", I32, 3),
        ("clip_max", F32),
        ("edge_offset", F32),
        ("mask_background", I32),
        ("view_first", I32, 3),
        ("view_end", I32, 3),
        ("strip", I32),
        ("sub_voxels", SUB_VOXELS),
        ("subclasses", SUBCLASSES),
        ("texture", TEXTURE),
        ("heterogeneity", HETEROGENEITY),
        ("signal_loss", SIGNAL_LOSS),
        ("lesions", LESIONS),
        ("mass_effect", MASS_EFFECT),
        ("defacing", DEFACING),
        ("shell", SHELL),
    ),
    "ResampleAlongRow": _struct(
        ("input", POINTER),
        ("output", POINTER),
        ("band", BAND),
        ("gamma", GAMMA_CURVE),
        ("rows", I64),
        ("length", I32),
        ("before", I32),
        ("after", I32),
        ("padding_", I32),
    ),
    "ResampleAcrossRows": _struct(
        ("input", POINTER),
        ("output", POINTER),
        ("band", BAND),
        ("noise", RECEIVER_NOISE),
        ("storage", STORAGE),
        ("rows", I64),
        ("inner", I32),
        ("inputs", I32),
        ("length", I32),
        ("padding_", I32),
    ),
    "Finish": _struct(
        ("input", POINTER),
        ("output", POINTER),
        ("mask", POINTER),
        ("statistics", POINTER),
        ("linear", LINEAR, 3),
        ("size_", I32, 3),
        ("padding_", I32),
    ),
    "Normalize": _struct(("image", POINTER), ("statistics", POINTER), ("rows", I64), ("length", I32), ("mode", I32)),
}

STRUCTS: dict[str, np.dtype[np.void]] = {
    **OPERATORS,
    "Lattice": LATTICE,
    "RowLattice": ROW_LATTICE,
    "RandomKey": RANDOM_KEY,
    "Band": BAND,
    "GammaCurve": GAMMA_CURVE,
    "ReceiverNoise": RECEIVER_NOISE,
    "Storage": STORAGE,
    "SignalLoss": SIGNAL_LOSS,
    "Lesions": LESIONS,
    "LesionPart": LESION_PART,
    "MassEffect": MASS_EFFECT,
    "Defacing": DEFACING,
    "Shell": SHELL,
    "SubVoxels": SUB_VOXELS,
    "Subclasses": SUBCLASSES,
    "Texture": TEXTURE,
    "Heterogeneity": HETEROGENEITY,
    "Linear": LINEAR,
    "Statistics": STATISTICS,
}
