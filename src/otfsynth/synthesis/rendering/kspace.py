"""Motion, ghosts and spikes: what is wrong with single lines and points of k-space of the acquired image.

The only stages that need a Fourier transform; it is torch's. Lines in the middle of k-space stay as they are, so that
the head stays where its labels are (Shaw et al. 2019 and TorchIO draw the same artefacts).
"""

from __future__ import annotations

import math

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
from otfsynth.synthesis.rendering.launching import Launcher

SLAB = 4
"""Slices of a part that is transformed at once."""


def is_corrupted(parameters: SynthesisParameters) -> bool:
    return any(stage is not None for stage in (parameters.motion, parameters.ghosting, parameters.spikes))


def corrupt(launch: Launcher, parameters: SynthesisParameters, image: Tensor, output: Tensor) -> None:
    """Magnitude of the image after what happened to its k-space; float32 (x, y, z), both on the acquired grid."""
    motion, ghosting, spikes = parameters.motion, parameters.ghosting, parameters.spikes
    constant, shape = launch.workspace.constant, image.shape
    shifts = None if motion is None else constant(_line_shifts(shape[motion.axis], motion))
    factors = None if ghosting is None else constant(_line_factors(shape[ghosting.axis], ghosting))

    def run() -> None:
        volume = image
        if motion is not None and shifts is not None:
            spectrum = torch.fft.fftn(volume)
            _move(spectrum, shifts, motion.axis, parameters.acquisition.spacing_voxels)
            if ghosting is not None and factors is not None:
                _weaken_lines(spectrum, factors, ghosting.axis)
            volume = torch.fft.ifftn(spectrum)
        elif ghosting is not None and factors is not None:
            if spikes is None:
                _ghost_in_parts(volume, factors, ghosting.axis, output)
                return
            spectrum = torch.fft.fft(volume, dim=ghosting.axis)
            _weaken_lines(spectrum, factors, ghosting.axis)
            volume = torch.fft.ifft(spectrum, dim=ghosting.axis)
        if spikes is not None:
            volume = volume + _waves(volume, spikes)
        torch.abs(volume, out=output)

    launch.torch_stage("kspace", run)


def _line_shifts(length: int, motion: MotionParameters) -> NDArray[np.float64]:
    """How far the head lay from its place when each line was acquired: (lines, 3), voxels of the working grid."""
    lines = _frequencies(length)
    place = np.searchsorted(motion.moves_at, lines + 0.5)  # frequencies are acquired from the lowest
    shifts = np.array(motion.shifts_voxels, dtype=np.float64)[place]
    shifts[_is_centre(lines, MOTION_CENTRE_SHARE)] = 0.0
    return shifts


def _move(spectrum: Tensor, shifts: Tensor, moved_axis: int, spacing_voxels: tuple[float, float, float]) -> None:
    """Shift the head for each line: a phase ramp, in place."""
    place = {"dtype": torch.float64, "device": spectrum.device}
    lines = torch.fft.fftfreq(spectrum.shape[moved_axis], **place)
    for axis in range(3):
        shift = shifts[:, axis] / spacing_voxels[axis]
        frequency = torch.fft.fftfreq(spectrum.shape[axis], **place)
        turns = lines * shift if axis == moved_axis else shift[:, None] * frequency[None, :]
        ramp = torch.polar(torch.ones_like(turns), -2.0 * math.pi * turns).to(spectrum.dtype)
        shape = [1, 1, 1]
        shape[moved_axis], shape[axis] = len(lines), len(frequency)
        spectrum *= (ramp.T if axis < moved_axis else ramp).reshape(shape)


def _ghost_in_parts(volume: Tensor, factors: Tensor, axis: int, output: Tensor) -> None:
    """One axis is transformed, so slabs across another one do; small ones stay in a CPU's cache: three times faster."""
    across = 1 if axis == 0 else 0
    slab = SLAB if volume.device.type == "cpu" else volume.shape[across]
    for part, magnitude in zip(volume.split(slab, across), output.split(slab, across), strict=True):
        spectrum = torch.fft.fft(part, dim=axis)
        _weaken_lines(spectrum, factors, axis)
        magnitude.copy_(torch.fft.ifft(spectrum, dim=axis).abs())


def _line_factors(length: int, ghosting: GhostingParameters) -> NDArray[np.float32]:
    """What is left of each line: (lines,)."""
    lines = _frequencies(length)
    order = np.rint(lines * length).astype(np.int64)
    weak = (order % ghosting.period == 0) & ~_is_centre(lines, GHOSTING_CENTRE_SHARE)
    return np.where(weak, 1.0 - ghosting.strength, 1.0).astype(np.float32)


def _weaken_lines(spectrum: Tensor, factors: Tensor, axis: int) -> None:
    shape = [1, 1, 1]
    shape[axis] = len(factors)
    spectrum *= factors.reshape(shape)


def _frequencies(length: int) -> NDArray[np.float64]:
    """Of every line, in cycles a sample, in the order of a transform."""
    return np.asarray(torch.fft.fftfreq(length, dtype=torch.float64).numpy())


def _is_centre(lines: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(lines) <= share / 2)


def _waves(volume: Tensor, spikes: SpikesParameters) -> Tensor:
    """A point of k-space is a plane wave: the product of one wave for each axis."""
    shape, device = volume.shape, volume.device
    total = torch.zeros(shape, dtype=torch.complex64, device=device)
    for frequency, amplitude, phase in zip(spikes.frequencies, spikes.amplitudes, spikes.phases_rad, strict=True):
        waves = []
        for axis, length in enumerate(shape):
            turns = 2.0 * math.pi * frequency[axis] * torch.arange(length, dtype=torch.float64, device=device)
            waves.append(torch.polar(torch.ones_like(turns), turns + (phase if axis == 0 else 0.0)).to(torch.complex64))
        total += amplitude * waves[0][:, None, None] * waves[1][None, :, None] * waves[2][None, None, :]
    return total
