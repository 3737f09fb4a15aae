"""Where lesions lie and how large they are: blobs in voxels of the label map, for each kind of lesion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from otfsynth.config.lesions import HyperintensitiesConfig, StrokeConfig
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import named_labels
from otfsynth.synthesis.random_stream import RandomStream

CANDIDATES = 256
"""Voxels of each tissue among which places are chosen: distances between all of them take a millisecond."""
NEAREST_SHARE = 0.12
"""Share of the white matter that counts as periventricular."""
UNITS_PER_MM, SURFACE, FAR = 8, 128, 255
"""Of encoded distances from the brain."""
COARSE = 4
"""Voxels between those that are asked for the brain's surface, where it is far."""
VENTRICLES = ("ventricles", "lateral ventricles", "ventricle")
LEAST_STROKE_MM = 6.0
"""From the middle of the brain to where a stroke begins, where labels do not tell the sides apart."""


@dataclass(frozen=True)
class Anatomy:
    """What placing a lesion needs of a label map.

    Args:
        indices: uint8 (x, y, z).
        brain_distance: uint8 (x, y, z), 128 + 8 times the distance from the brain's surface in mm.
        foreground: per target, int32 (n, 3) voxels.
        scheme: names of labels and targets.
        spacing_mm: working spacing.
    """

    indices: Tensor
    brain_distance: Tensor
    foreground: Sequence[Tensor]
    scheme: LabelScheme
    spacing_mm: float

    def targets(self, names: Sequence[str]) -> tuple[int, ...]:
        """Values of the targets that the scheme has of these names, background aside."""
        return tuple(value for value, name in enumerate(self.scheme.target_names) if value > 0 and name in names)

    def voxels(self, targets: Sequence[int]) -> list[NDArray[np.int32]]:
        """Voxels (n, 3) of each target that the map holds."""
        return [self.foreground[value - 1].numpy() for value in targets if len(self.foreground[value - 1])]

    def host_class(self, place: NDArray[np.float64], hosts: Sequence[int]) -> int:
        """Generation class at a place (3,) of the map, or, where that is no host, of one of the hosts' voxels."""
        label = self.label(place.astype(np.int32))
        if self.scheme.target_labels[label] not in hosts:
            voxels = self.voxels(hosts)[0]
            label = self.label(voxels[len(voxels) // 2])
        return self.scheme.generation_classes[label]

    def depth_mm(self, voxel: NDArray[np.int32]) -> float:
        """From a voxel (3,) of the brain to the brain's surface, at least a voxel; to some tenths of a millimetre where
        that is farther than distances are stored.
        """
        x, y, z = voxel.tolist()
        encoded = int(self.brain_distance[x, y, z])
        if encoded > 0:
            return max((SURFACE - encoded) / UNITS_PER_MM, self.spacing_mm)
        # The way to a voxel outside is at least the depth and that voxel's height; along the surface's normal, no more.
        distances = self.brain_distance[::COARSE, ::COARSE, ::COARSE].numpy()
        outside = np.nonzero((distances >= SURFACE) & (distances < FAR))
        heights_mm = (distances[outside] - float(SURFACE)) / UNITS_PER_MM
        ways_mm = self.spacing_mm * np.linalg.norm(COARSE * np.transpose(outside) - voxel, axis=1)
        widest_mm = self.spacing_mm * float(np.linalg.norm(self.indices.shape))
        return float((ways_mm - heights_mm).min(initial=widest_mm))

    def label(self, voxel: NDArray[np.int32]) -> int:
        x, y, z = voxel.tolist()
        return int(self.indices[x, y, z])


Blobs = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Centres (n, 3) and radii (n,), voxels."""


def scattered(tissues: Sequence[NDArray[np.int32]], radii: NDArray[np.float64], stream: RandomStream) -> Blobs:
    """Blobs around random voxels of random tissues."""
    centres = [draw_voxel(tissues, stream) for _ in radii]
    return np.array(centres, np.float64), radii


def draw_voxel(tissues: Sequence[NDArray[np.int32]], stream: RandomStream) -> NDArray[np.int32]:
    """A random voxel (3,) of a random tissue."""
    tissue = tissues[stream.integer(len(tissues))]
    return np.asarray(tissue[stream.integer(len(tissue))])


def log_uniform(range_mm: Sequence[float], spacing_mm: float, count: int, stream: RandomStream) -> NDArray[np.float64]:
    """Radii in voxels, uniform in the logarithm."""
    low, high = (math.log(radius / spacing_mm) for radius in range_mm)
    return np.exp(stream.uniforms(low, high, count))


def hyperintensities(
    config: HyperintensitiesConfig, anatomy: Anatomy, white_matter: Sequence[NDArray[np.int32]], stream: RandomStream
) -> Blobs:
    """Small blobs in the white matter nearest to the ventricles and in the half of it that is far from other tissue.

    In maps that do not tell ventricles from other CSF, the CSF in the middle of the brain stands for them.
    """
    low, high = config.count
    count = low + stream.integer(high - low + 1)
    radii = log_uniform(config.radius_mm, anatomy.spacing_mm, count, stream)
    candidates = _some(np.concatenate(white_matter), stream)
    beside = candidates[
        _ranked(candidates, _ventricles(anatomy, stream))[: max(1, int(NEAREST_SHARE * len(candidates)))]
    ]
    own = {int(value) for value in anatomy.scheme.target_table[[anatomy.label(voxel) for voxel in candidates[:9]]]}
    others = [value for value in range(1, anatomy.scheme.target_count) if value not in own]
    around = [_some(voxels, stream) for voxels in anatomy.voxels(others)]
    ranked = _ranked(candidates, np.concatenate(around)) if around else np.arange(len(candidates))
    deep = candidates[ranked[len(ranked) // 2 :]]
    places = [beside if unit < config.periventricular_share else deep for unit in stream.units(count)]
    return np.array([draw_voxel([place], stream) for place in places], np.float64), radii


def stroke(
    config: StrokeConfig, anatomy: Anatomy, tissues: Sequence[NDArray[np.int32]], stream: RandomStream
) -> tuple[Blobs, tuple[int, ...]]:
    """Blobs that overlap around a voxel of one side, and the labels of that side: all labels where none has sides.

    Without sided labels each blob ends before the middle of the brain.
    """
    sided, middle = bool(anatomy.scheme.sided_pairs), float(np.median(np.concatenate(tissues)[:, 0]))
    first = draw_voxel(tissues if sided else _aside(tissues, middle, LEAST_STROKE_MM / anatomy.spacing_mm), stream)
    host_labels = side_labels(anatomy.scheme, anatomy.label(first))
    radius = float(log_uniform(config.radius_mm, anatomy.spacing_mm, 1, stream)[0])
    if not sided:
        radius = min(radius, abs(float(first[0]) - middle))
    count = 1 + stream.integer(config.most_blobs)
    directions = stream.normals(3 * count).reshape(count, 3)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centres = first + directions * (radius * stream.uniforms(0.3, 0.9, count))[:, None]
    centres[0] = first
    radii = radius * stream.uniforms(0.5, 0.9, count)
    radii[0] = radius
    if not sided:
        room = (centres[:, 0] - middle) * (1.0 if first[0] >= middle else -1.0)
        centres, radii = centres[room >= 0], np.minimum(radii, room)[room >= 0]
    return (centres, radii), host_labels


def _aside(tissues: Sequence[NDArray[np.int32]], middle: float, least: float) -> list[NDArray[np.int32]]:
    """The voxels at least so far to either side of the middle; of a narrower brain, those beside it."""
    away = [np.abs(tissue[:, 0] - middle) for tissue in tissues]
    least = min(least, max(float(distance.max()) for distance in away))
    apart = [tissue[distance >= least] for tissue, distance in zip(tissues, away, strict=True)]
    return [tissue for tissue in apart if len(tissue)]


def side_labels(scheme: LabelScheme, label: int) -> tuple[int, ...]:
    """Label indices on the side of a label; all but background where it, or every label, has no side."""
    left, right = ({scheme.generation_labels.index(pair[side]) for pair in scheme.sided_pairs} for side in (0, 1))
    everything = set(range(1, len(scheme.generation_labels)))
    members = left if label in left else right if label in right else everything
    return tuple(sorted(members))


def _ventricles(anatomy: Anatomy, stream: RandomStream) -> NDArray[np.int32]:
    """Some voxels of the ventricles."""
    fluid = np.concatenate([voxels.numpy() for voxels in anatomy.foreground if len(voxels)])
    labels = anatomy.indices.numpy()[tuple(fluid.T)]
    inside = np.isin(labels, named_labels(anatomy.scheme, VENTRICLES))
    if not inside.any():
        middle = np.median(fluid, axis=0)
        csf = anatomy.voxels(anatomy.targets(["CSF"]))
        voxels = csf[0] if csf else fluid
        distance = np.linalg.norm(voxels - middle, axis=1)
        return np.asarray(voxels[np.argsort(distance, kind="stable")[: max(1, len(voxels) // 20)]])
    return _some(fluid[inside], stream)


def _some(voxels: NDArray[np.int32], stream: RandomStream) -> NDArray[np.int32]:
    """Some of the voxels, in random order."""
    chosen = np.argsort(stream.units(len(voxels)), kind="stable")[:CANDIDATES]
    return np.asarray(voxels[chosen])


def _ranked(voxels: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.intp]:
    """Order of the voxels by their distance to the nearest of the others."""
    places, goals = voxels.astype(np.float64), others.astype(np.float64)
    squared = (goals**2).sum(axis=1) - 2.0 * places @ goals.T  # less |place|^2; whole numbers, so the same everywhere
    return np.argsort(squared.min(axis=1) + (places**2).sum(axis=1), kind="stable")
