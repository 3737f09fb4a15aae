"""Intensities: Gaussian mixture, bias field, gamma, masks and normalisation."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.artefacts import FieldOfViewParameters
from otfsynth.synthesis.defacing import DefacingParameters
from otfsynth.synthesis.parameters import BiasFieldParameters, SkullStripParameters
from otfsynth.types import SampleKey
from tests.references.geometry import Size, smooth_field
from tests.references.random import STAGES, row_normals


def mixture_noise(key: SampleKey, size: Size) -> np.ndarray:
    """Standard normal of every voxel, float64 (x, y, z)."""
    return row_normals(key, STAGES["mixture"], size)


def paint(key: SampleKey, classes: np.ndarray, means: tuple[float, ...], stds: tuple[float, ...]) -> np.ndarray:
    """Draw every voxel from the Gaussian of its class."""
    return np.asarray(means)[classes] + np.asarray(stds)[classes] * mixture_noise(key, classes.shape)


def bias_field(key: SampleKey, bias: BiasFieldParameters, size: Size) -> np.ndarray:
    """Multiplicative field, the exponential of a spline."""
    return np.exp(smooth_field(key, STAGES["bias"], bias.std, bias.spacing_voxels, size))


def apply_gamma(image: np.ndarray, clip_max: float, gamma: float | None, keep: np.ndarray | bool = True) -> np.ndarray:
    """Clip to [0, clip_max]; with an exponent, scale to [0, 1] what the mask leaves, 0 elsewhere, and raise it."""
    clipped = np.clip(image, 0.0, clip_max)
    if gamma is None:
        return clipped
    shown = np.where(keep, clipped, 0.0)
    low, high = shown.min(), shown.max()
    return np.zeros_like(clipped) if high == low else (np.maximum(clipped - low, 0.0) / (high - low)) ** gamma


def keep_mask(
    key: SampleKey,
    labels: np.ndarray,
    distances: np.ndarray,
    background: str,
    skull_strip: SkullStripParameters | None,
    view: FieldOfViewParameters | None = None,
) -> np.ndarray:
    """Voxels that keep their intensity, bool (x, y, z), from the patch's label indices and encoded brain distances."""
    keep = np.ones(labels.shape, bool)
    if background == "zero":
        keep &= labels != 0
    if view is not None:
        for axis, (first, end) in enumerate(zip(view.first_voxel, view.end_voxel, strict=True)):
            position = np.indices(labels.shape)[axis]
            keep &= (position >= first) & (position < end)
    if skull_strip is not None:
        bumps = smooth_field(
            key,
            STAGES["skull_strip"],
            skull_strip.edge_roughness_mm,
            skull_strip.edge_spacing_voxels,
            labels.shape,
        )
        keep &= distances < 128.0 + 8.0 * (skull_strip.edge_offset_mm + bumps)
    return keep


def defaced(key: SampleKey, drawn: DefacingParameters, source: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Voxels that defacing sets to 0, bool (x, y, z), from coordinates of the map and encoded brain distances."""
    size = distances.shape
    bumps = np.zeros(size)
    if drawn.roughness_mm > 0:
        bumps = smooth_field(key, STAGES["defacing"], drawn.roughness_mm, drawn.spacing_voxels, size)
    beyond = [np.tensordot(plane[:3], source, 1) + plane[3] + bumps > 0 for plane in np.array(drawn.planes)]
    return np.any(beyond, axis=0) & ((distances - 128.0) / 8.0 >= drawn.spared_mm)


def normalize(image: np.ndarray, normalization: str) -> np.ndarray:
    """Normalise over the voxels that are not 0; those that are stay 0."""
    used = image[image != 0]
    if normalization == "none" or used.size == 0:
        return image
    if normalization == "zscore":
        shift, scale = used.mean(), used.std()
    else:
        shift, scale = used.min(), used.max() - used.min()
    return np.where(image != 0, (image - shift) / (scale if scale > 0 else 1.0), 0.0)
