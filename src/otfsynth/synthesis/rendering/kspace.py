"""Motion, ghosts and spikes: what is wrong with single lines and points of k-space of the acquired image.

The only stages that need a Fourier transform; it is torch's. Lines in the middle of k-space stay as they are, so that
the head stays where its labels are (Shaw et al. 2019 and TorchIO draw the same artefacts).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otfsynth.synthesis.artefacts import (
    GHOSTING_CENTRE_SHARE,
    MOTION_CENTRE_SHARE,
    GhostingParameters,
    MotionParameters,
    SpikesParameters,
)
from otfsynth.synthesis.parameters import SynthesisParameters

SLAB = 4
"""Slices of a part that is transformed at once."""


def is_corrupted(parameters: SynthesisParameters) -> bool:
    return any(stage is not None for stage in (parameters.motion, parameters.ghosting, parameters.spikes))


def corrupt(parameters: SynthesisParameters, image: NDArray[Any], output: NDArray[Any]) -> None:
    """Magnitude of the image after what happened to its k-space; float32 (x, y, z), both on the acquired grid."""
    motion, ghosting, spikes = parameters.motion, parameters.ghosting, parameters.spikes
    volume = torch.from_numpy(image)
    if ghosting is not None and motion is None and spikes is None:
        _ghost_in_parts(volume, ghosting, torch.from_numpy(output))
        return
    if motion is not None:
        spectrum = torch.fft.fftn(volume)
        _move(spectrum, motion, parameters.acquisition.spacing_voxels)
        if ghosting is not None:
            _weaken_lines(spectrum, ghosting)
        volume = torch.fft.ifftn(spectrum)
    elif ghosting is not None:
        spectrum = torch.fft.fft(volume, dim=ghosting.axis)
        _weaken_lines(spectrum, ghosting)
        volume = torch.fft.ifft(spectrum, dim=ghosting.axis)
    if spikes is not None:
        volume = volume + _waves(volume.shape, spikes)
    torch.abs(volume, out=torch.from_numpy(output))


def _move(spectrum: Tensor, motion: MotionParameters, spacing_voxels: tuple[float, float, float]) -> None:
    """Shift the head for each line by where it lay when the line was acquired: a phase ramp, in place."""
    lines = torch.fft.fftfreq(spectrum.shape[motion.axis], dtype=torch.float64)
    place = np.searchsorted(motion.moves_at, lines.numpy() + 0.5)  # frequencies are acquired from the lowest
    shifts = torch.tensor(motion.shifts_voxels, dtype=torch.float64)[torch.from_numpy(place)]
    shifts[_is_centre(lines, MOTION_CENTRE_SHARE)] = 0.0
    for axis in range(3):
        shift = shifts[:, axis] / spacing_voxels[axis]
        frequency = torch.fft.fftfreq(spectrum.shape[axis], dtype=torch.float64)
        turns = lines * shift if axis == motion.axis else shift[:, None] * frequency[None, :]
        ramp = torch.polar(torch.ones_like(turns), -2.0 * math.pi * turns).to(spectrum.dtype)
        shape = [1, 1, 1]
        shape[motion.axis], shape[axis] = len(lines), len(frequency)
        spectrum *= (ramp.T if axis < motion.axis else ramp).reshape(shape)


def _ghost_in_parts(volume: Tensor, ghosting: GhostingParameters, output: Tensor) -> None:
    """One axis is transformed, so slabs across another one do; small ones stay in the cache: three times faster."""
    across = 1 if ghosting.axis == 0 else 0
    for part, magnitude in zip(volume.split(SLAB, across), output.split(SLAB, across), strict=True):
        spectrum = torch.fft.fft(part, dim=ghosting.axis)
        _weaken_lines(spectrum, ghosting)
        magnitude.copy_(torch.fft.ifft(spectrum, dim=ghosting.axis).abs())


def _weaken_lines(spectrum: Tensor, ghosting: GhostingParameters) -> None:
    lines = torch.fft.fftfreq(spectrum.shape[ghosting.axis], dtype=torch.float64)
    order = torch.round(lines * len(lines)).long()
    weak = (order % ghosting.period == 0) & ~_is_centre(lines, GHOSTING_CENTRE_SHARE)
    factors = torch.where(weak, 1.0 - ghosting.strength, 1.0).to(torch.float32)
    shape = [1, 1, 1]
    shape[ghosting.axis] = len(lines)
    spectrum *= factors.reshape(shape)


def _is_centre(lines: Tensor, share: float) -> Tensor:
    return lines.abs() <= share / 2


def _waves(shape: torch.Size, spikes: SpikesParameters) -> Tensor:
    """A point of k-space is a plane wave: the product of one wave for each axis."""
    total = torch.zeros(shape, dtype=torch.complex64)
    for frequency, amplitude, phase in zip(spikes.frequencies, spikes.amplitudes, spikes.phases_rad, strict=True):
        waves = []
        for axis, length in enumerate(shape):
            turns = 2.0 * math.pi * frequency[axis] * torch.arange(length, dtype=torch.float64)
            waves.append(torch.polar(torch.ones_like(turns), turns + (phase if axis == 0 else 0.0)).to(torch.complex64))
        total += amplitude * waves[0][:, None, None] * waves[1][None, :, None] * waves[2][None, None, :]
    return total
