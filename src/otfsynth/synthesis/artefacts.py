"""What goes wrong in a scanner: local signal loss, ringing, motion, ghosts and spikes.

Each stage is a record and the function that draws it; ``None`` leaves the stage out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from otfsynth.config.artefacts import (
    FieldOfViewConfig,
    GhostingConfig,
    MotionConfig,
    RingingConfig,
    SignalLossConfig,
    SpikesConfig,
)
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey, Vector, vector

LOSS_SITES = ((0.5, 0.88, 0.2), (0.1, 0.55, 0.15), (0.9, 0.55, 0.15))
"""Above the frontal sinus and above either ear, as shares of the brain's extent (right, front, top)."""
LOSS_SITE_STD = 0.06
LOSS_SITE_VOXELS = 20_000
"""Voxels of the targets among which the one nearest to a site is sought: one in some 60 of a brain."""
MOTION_CENTRE_SHARE, GHOSTING_CENTRE_SHARE = 0.08, 0.03
"""Lines in the middle of k-space, as a share of all, that each stage leaves alone: they say where the head is."""
FIRST_MOVE = 0.3
"""Earliest moment of a move: the outermost lines carry so little that a move among them is not seen."""


@dataclass(frozen=True)
class FieldOfViewParameters:
    first_voxel: tuple[int, int, int]
    """First voxel of the patch that is imaged, on each axis."""
    end_voxel: tuple[int, int, int]
    """One beyond the last."""


@dataclass(frozen=True)
class SignalLossParameters:
    """One entry a blob; centres in voxels of the label map."""

    centres_voxels: tuple[Vector, ...]
    radii_voxels: tuple[float, ...]
    depths: tuple[float, ...]


@dataclass(frozen=True)
class RingingParameters:
    kept_shares: Vector
    """Share of k-space lines acquired on each axis; 1 is all."""


@dataclass(frozen=True)
class MotionParameters:
    axis: int
    """The phase-encoded one, whose lines are acquired one after the other."""
    moves_at: tuple[float, ...]
    """Moments of the moves, ascending, as shares of the acquisition; the middle of k-space is acquired at 0.5."""
    shifts_voxels: tuple[Vector, ...]
    """Where the head lies before the first move and after each, voxels of the working grid; at moment 0.5 it is 0."""


@dataclass(frozen=True)
class GhostingParameters:
    axis: int
    period: int
    strength: float


@dataclass(frozen=True)
class SpikesParameters:
    """One entry a spike; frequencies in cycles a voxel of the acquired grid, [-0.5, 0.5]."""

    frequencies: tuple[Vector, ...]
    amplitudes: tuple[float, ...]
    phases_rad: tuple[float, ...]


def sample_field_of_view(
    config: FieldOfViewConfig, size: tuple[int, int, int], key: SampleKey
) -> FieldOfViewParameters | None:
    """One end of one axis is missing, or, in a third of these samples, both."""
    stream = RandomStream(key, "field_of_view")
    if not stream.happens(config.probability):
        return None
    axis, kind = stream.integer(3), stream.integer(3)
    missing = [int(share * size[axis]) for share in stream.uniforms(config.share[0], config.share[1], 2)]
    first, end = [0, 0, 0], list(size)
    if kind != 0:
        first[axis] = missing[0]
    if kind != 1:
        end[axis] -= missing[1]
    return FieldOfViewParameters((first[0], first[1], first[2]), (end[0], end[1], end[2]))


def sample_signal_loss(
    config: SignalLossConfig, foreground: Sequence[Tensor], spacing_mm: float, key: SampleKey
) -> SignalLossParameters | None:
    """Blobs where the brain is nearest to one of :data:`LOSS_SITES` or around a random voxel of the targets."""
    stream = RandomStream(key, "signal_loss")
    voxels = [target for target in foreground if len(target)]
    if not stream.happens(config.probability) or not voxels:
        return None
    # The median over the targets: where a map has a neck, the CSF in it would pull the extent far down
    low = np.median([target.amin(0).numpy() for target in voxels], axis=0)
    extent = np.median([target.amax(0).numpy() for target in voxels], axis=0) - low
    centres, radii, depths = [], [], []
    for _ in range(1 + stream.integer(config.most_blobs)):
        site = stream.integer(len(LOSS_SITES) + 1)
        target = voxels[stream.integer(len(voxels))]
        anywhere = target[stream.integer(len(target))].numpy()
        jitter = LOSS_SITE_STD * stream.normals(3)
        if site < len(LOSS_SITES):
            centre = _nearest(voxels, low + extent * (np.array(LOSS_SITES[site]) + jitter))
        else:
            centre = anywhere
        centres.append(vector(centre))
        radii.append(stream.uniform(config.radius_mm[0], config.radius_mm[1]) / spacing_mm)
        depths.append(stream.uniform(config.depth[0], config.depth[1]))
    return SignalLossParameters(tuple(centres), tuple(radii), tuple(depths))


def _nearest(targets: Sequence[Tensor], point: np.ndarray) -> np.ndarray:
    """The voxel nearest to a point, of every n-th of the targets'."""
    every = max(1, sum(len(target) for target in targets) // LOSS_SITE_VOXELS)
    voxels = torch.cat([target[::every] for target in targets]).numpy()
    return np.asarray(voxels[np.argmin(((voxels - point) ** 2).sum(axis=1))])


def sample_ringing(config: RingingConfig, spacing_voxels: Vector, key: SampleKey) -> RingingParameters | None:
    """Axes of the finest acquired spacing may be cut: those that k-space encodes, not the slices."""
    stream = RandomStream(key, "ringing")
    if not stream.happens(config.probability):
        return None
    shares = stream.uniforms(config.kept_share[0], config.kept_share[1], 3)
    cut = (stream.units(3) < 0.5) & (np.array(spacing_voxels) == min(spacing_voxels))
    return RingingParameters(vector(np.where(cut, shares, 1.0))) if cut.any() else None


def sample_motion(config: MotionConfig, spacing_mm: float, key: SampleKey) -> MotionParameters | None:
    """Moves at random moments before the middle of the acquisition, and the opposite ones after it.

    Fine edges, which the outer lines hold, then lie on both sides of where the labels are, and not beside them.
    """
    stream = RandomStream(key, "motion")
    if not stream.happens(config.probability):
        return None
    axis, count = stream.integer(3), 1 + stream.integer(config.most_moves)
    before = np.sort(stream.uniforms(FIRST_MOVE, 0.5, count))
    away = config.shift_std_mm / spacing_mm * stream.normals(3 * count).reshape(count, 3)
    moments = np.concatenate([before, 1.0 - before[::-1]])
    places = np.concatenate([away, np.zeros((1, 3)), -away[::-1]])
    return MotionParameters(axis, tuple(moments.tolist()), tuple(vector(place) for place in places))


def sample_ghosting(config: GhostingConfig, key: SampleKey) -> GhostingParameters | None:
    stream = RandomStream(key, "ghosting")
    if not stream.happens(config.probability):
        return None
    low, high = config.period
    return GhostingParameters(
        axis=stream.integer(3),
        period=low + stream.integer(high - low + 1),
        strength=stream.uniform(config.strength[0], config.strength[1]),
    )


def sample_spikes(config: SpikesConfig, intensity_range: float, key: SampleKey) -> SpikesParameters | None:
    stream = RandomStream(key, "spikes")
    if not stream.happens(config.probability):
        return None
    count = 1 + stream.integer(config.most_spikes)
    frequencies = stream.uniforms(-0.5, 0.5, 3 * count).reshape(count, 3)
    amplitudes = intensity_range * stream.uniforms(config.strength[0], config.strength[1], count)
    phases = stream.uniforms(0.0, 2.0 * np.pi, count)
    return SpikesParameters(tuple(map(vector, frequencies)), tuple(amplitudes.tolist()), tuple(phases.tolist()))
