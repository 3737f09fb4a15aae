"""Intensities before the bias field: classes, partial volume, sub-classes, texture and slow variation."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.lesion_parameters import LesionParameters
from otfsynth.synthesis.parameters import SynthesisParameters
from tests.references.appearance import mixture_noise
from tests.references.geometry import lookup, smooth_field, smooth_fields
from tests.references.neck import paint_neck
from tests.references.random import STAGES

POINTS = np.array([[-0.375, -0.125, -0.125], [-0.125, 0.375, 0.375], [0.125, -0.375, 0.125], [0.375, 0.125, -0.375]])
"""Sub-voxels of a voxel of edge 1."""


def paint_tissues(
    parameters: SynthesisParameters,
    classes: np.ndarray,
    source: np.ndarray,
    lesions: list[tuple[LesionParameters, np.ndarray]],
    distances: np.ndarray,
    soft: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Float64 (x, y, z), from a map of classes, its coordinates (3, x, y, z) of the patch, the patch's lesions, and
    the map of encoded distances from the brain; ``soft`` is the map of second classes and that of the first's share.
    """
    middle = lookup(classes, source)
    places = [source + shift.reshape(3, 1, 1, 1) for shift in _shifts(parameters)] or [source]
    parts = [lookup(classes, place) for place in places]
    weights = [np.ones(parameters.size) for _ in places]
    if soft is not None:
        weights = [lookup(soft[1], place) for place in places]
        parts += [lookup(soft[0], place) for place in places]
        weights += [1.0 - weight for weight in weights]
    means = np.array(parameters.mixture.means)
    if parameters.shell is not None:
        means[0] = parameters.shell.means[0]
    stds = np.asarray(parameters.mixture.stds)
    offsets = subclass_offsets(parameters)
    painted = [np.maximum(means[part] + offsets(part), 0.0) if offsets else means[part] for part in parts]
    mean = np.average(painted, axis=0, weights=weights)
    std = np.sqrt(np.average([stds[part] ** 2 for part in parts], axis=0, weights=weights))
    if parameters.shell is not None:
        mean, std = paint_shell(parameters, middle == 0, distances, source, mean, std)
    for part, shares in lesions:
        mean = mean + shares * (part.mean - mean)
        std = std + shares * (part.std - std)
    if parameters.heterogeneity is not None:
        drawn = parameters.heterogeneity
        stage = STAGES["heterogeneity"]
        field = smooth_field(parameters.key, stage, 1.0, drawn.spacing_voxels, parameters.size)
        mean = mean * np.maximum(1.0 + np.asarray(drawn.strengths)[middle] * field, 0.0)
    return (mean + std * texture_noise(parameters)) * kept_signal(parameters, source)


def kept_signal(parameters: SynthesisParameters, source: np.ndarray) -> np.ndarray:
    """Share of the signal that blobs in the label map leave."""
    kept = np.ones(parameters.size)
    loss = parameters.signal_loss
    if loss is not None:
        for centre, radius, depth in zip(loss.centres_voxels, loss.radii_voxels, loss.depths, strict=True):
            distance = np.sum((source - np.reshape(centre, (3, 1, 1, 1))) ** 2, axis=0)
            kept *= 1.0 - depth * np.exp(-distance / (2.0 * radius**2))
    return kept


def _shifts(parameters: SynthesisParameters) -> np.ndarray:
    if parameters.partial_volume is None:
        return np.zeros((0, 3))
    return parameters.partial_volume.width_voxels * POINTS @ np.asarray(parameters.deformation.matrix).T


def subclass_numbers(parameters: SynthesisParameters) -> np.ndarray:
    """Sub-class of every patch voxel: bit b is 1 where field b is positive."""
    drawn = parameters.subclasses
    assert drawn is not None
    count = {2: 1, 4: 2}[len(drawn.mean_offsets)]
    fields = smooth_fields(parameters.key, STAGES["subclasses"], 1.0, drawn.spacing_voxels, parameters.size, count)
    return sum((field > 0) * 2**bit for bit, field in enumerate(fields))


def subclass_offsets(parameters: SynthesisParameters):
    """What the voxels' sub-classes add to the mean of given classes; None without sub-classes."""
    if parameters.subclasses is None:
        return None
    table = np.asarray(parameters.subclasses.mean_offsets)
    numbers = subclass_numbers(parameters)
    return lambda classes: table[numbers, classes]


def texture_noise(parameters: SynthesisParameters) -> np.ndarray:
    """Unit variance in the mean over space; partly smooth where the record asks for it."""
    white = mixture_noise(parameters.key, parameters.size)
    drawn = parameters.texture
    if drawn is None:
        return white
    smooth = smooth_field(parameters.key, STAGES["texture"], 1.0, drawn.spacing_voxels, parameters.size)
    return np.sqrt(1.0 - drawn.smooth_share) * white + np.sqrt(drawn.smooth_share) * smooth


def paint_shell(
    parameters: SynthesisParameters,
    outside: np.ndarray,
    distances: np.ndarray,
    source: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations with layers in the background."""
    drawn = parameters.shell
    assert drawn is not None
    change = np.zeros(parameters.size)
    if drawn.unevenness > 0:
        change = smooth_field(parameters.key, STAGES["shell"], drawn.unevenness, 24, parameters.size)
    encoded = lookup(distances, source)
    outward = np.where(encoded == 255, np.inf, (encoded - 128.0) / 8.0)
    stretch = np.minimum(np.maximum(1.0 + change, 0.2), min(3.0, 15.75 / drawn.ends_mm[2]))
    layer = np.digitize(outward / stretch, drawn.ends_mm)
    means = np.array([*drawn.means, parameters.mixture.means[0]])[layer]
    stds = np.array([*drawn.stds, parameters.mixture.stds[0]])[layer]
    mean, std = np.where(outside, means, mean), np.where(outside, stds, std)
    if parameters.shell_neck is None:
        return mean, std
    return paint_neck(parameters, outside, outward, change, source, mean, std)
