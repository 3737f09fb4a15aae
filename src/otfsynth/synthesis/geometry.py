"""Drawing where a patch comes from and how it is bent: patch position, flip, affine, velocity field."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otfsynth.config.synthesis import AffineConfig, SynthesisConfig, VelocityFieldConfig
from otfsynth.synthesis.parameters import DeformationParameters
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey, vector

Size = tuple[int, int, int]
EXTENT = (0.01, 0.99)
"""Shares of a target's voxels, along each axis, between which its middle lies halfway."""


def sample_deformation(
    config: SynthesisConfig,
    map_shape: Sequence[int],
    foreground: Sequence[Tensor],
    size: Size,
    spacing_mm: float,
    key: SampleKey,
    whole_head: bool = False,
) -> DeformationParameters:
    """Draw the map from a patch of ``size`` voxels to a label map of ``map_shape`` voxels.

    Args:
        config: ranges and probabilities.
        map_shape: voxels of the label map, its border included.
        foreground: per target, int32 (n, 3) candidate centres.
        size: voxels of the patch.
        spacing_mm: working spacing.
        key: address of the sample.
        whole_head: the patch is a field of view with the brain in its middle, wherever patches would lie.
    """
    centre = _sample_centre(
        config.patch.foreground_probability, map_shape, foreground, size, RandomStream(key, "patch")
    )
    matrix, translation_mm = sample_affine(config.affine, RandomStream(key, "affine"))
    flip = RandomStream(key, "flip").happens(config.flip.probability)
    if flip:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    centre = brain_middle(foreground) if whole_head else centre + translation_mm / spacing_mm
    std_mm, control_spacing_mm = _sample_velocity(config.velocity_field, RandomStream(key, "velocity_field"))
    return DeformationParameters(
        flip=flip,
        matrix=(vector(matrix[0]), vector(matrix[1]), vector(matrix[2])),
        centre_voxels=vector(centre),
        velocity_std_voxels=std_mm / spacing_mm,
        velocity_spacing_voxels=control_spacing_mm / spacing_mm,
    )


def brain_middle(foreground: Sequence[Tensor]) -> NDArray[np.float64]:
    """Voxel coordinates of the map (3,): the median of where its targets have their middles.

    Not the middle of all, since where a map has a neck, the CSF around the spinal cord would pull it out of sight.
    """
    extent = torch.tensor(EXTENT, dtype=torch.double)
    targets = [voxels.double() for voxels in foreground if len(voxels)]
    middles = torch.stack([voxels.quantile(extent, dim=0).mean(0) for voxels in targets])
    return np.asarray(middles.quantile(0.5, dim=0).numpy())


def sample_affine(config: AffineConfig, stream: RandomStream) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix (3, 3), rotation after scaling after shearing, and translation (3,) in mm."""
    if not stream.happens(config.probability):
        return np.eye(3), np.zeros(3)
    scales = stream.uniforms(1.0 - config.scale_max, 1.0 + config.scale_max, 3)
    angles = np.deg2rad(stream.uniforms(-config.rotation_max_deg, config.rotation_max_deg, 3))
    shears = stream.uniforms(-config.shear_max, config.shear_max, 6)
    translation = stream.uniforms(-config.translation_max_mm, config.translation_max_mm, 3)
    shear = np.array([[1.0, shears[0], shears[1]], [shears[2], 1.0, shears[3]], [shears[4], shears[5], 1.0]])
    return rotation_matrix(angles) @ np.diag(scales) @ shear, translation


def rotation_matrix(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles_rad), np.sin(angles_rad)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _sample_velocity(config: VelocityFieldConfig, stream: RandomStream) -> tuple[float, float]:
    happens = stream.happens(config.probability)
    std_mm = stream.uniform(0.0, config.std_max_mm)
    spacing_mm = stream.uniform(config.control_spacing_mm[0], config.control_spacing_mm[1])
    return (std_mm if happens else 0.0), spacing_mm


def _sample_centre(
    foreground_probability: float,
    map_shape: Sequence[int],
    foreground: Sequence[Tensor],
    size: Size,
    stream: RandomStream,
) -> NDArray[np.float64]:
    """Voxel coordinates of the map that the patch's centre shows, such that patch voxels fall on voxels of the map."""
    half = (np.array(size) - 1) / 2
    wants_foreground = stream.happens(foreground_probability)
    candidates = [voxels for voxels in foreground if len(voxels)]
    if wants_foreground and candidates:
        voxels = candidates[stream.integer(len(candidates))]
        voxel = voxels[stream.integer(len(voxels))].numpy()
        return np.asarray(voxel + half - np.array(size) // 2)
    first, last = _extent(candidates, map_shape)
    start = [
        _start(length, patch, low, high, unit)
        for length, patch, low, high, unit in zip(map_shape, size, first, last, stream.units(3), strict=True)
    ]
    return np.asarray(start + half)


def _extent(candidates: Sequence[Tensor], map_shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """First and last voxel of the targets on each axis; of the whole map where it has none."""
    if not candidates:
        return [0, 0, 0], [length - 1 for length in map_shape]
    lows = torch.stack([voxels.amin(0) for voxels in candidates]).amin(0)
    highs = torch.stack([voxels.amax(0) for voxels in candidates]).amax(0)
    return lows.tolist(), highs.tolist()


def _start(map_length: int, patch_length: int, low: int, high: int, unit: float) -> int:
    """First voxel of the patch on one axis: inside the map and near the targets, or the map centred in a larger patch.

    A patch may leave the targets' extent by a quarter of its length: enough to see what lies around them, while a third
    of the patches of a whole head would otherwise show its neck alone.
    """
    room = map_length - patch_length
    if room <= 0:
        return math.floor(room / 2)
    margin = patch_length // 4
    nearest = min(max(low - margin, 0), room)
    farthest = min(max(high + 1 + margin - patch_length, nearest), room)
    return min(nearest + int(unit * (farthest - nearest + 1)), farthest)
