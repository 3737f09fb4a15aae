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
from otfsynth.synthesis.rendering.launching import Launcher

SLAB = 4
"""Slices of a part that is transformed at once."""


def is_corrupted(parameters: SynthesisParameters) -> bool:
    return any(stage is not None for stage in (parameters.motion, parameters.ghosting, parameters.spikes))


def corrupt(launch: Launcher, parameters: SynthesisParameters, image: Tensor, output: Tensor) -> None:
    """Magnitude of the image after what happened to its k-space; float32 (x, y, z), both on the acquired grid."""
    motion, ghosting, spikes = parameters.motion, parameters.ghosting, parameters.spikes
    shape = image.shape
    factors = [] if motion is None else _motion_ramps(motion, shape, parameters.acquisition.spacing_voxels)
    if ghosting is not None:
        factors.append(_line_weights(ghosting, shape))
    factors_there = [launch.workspace.constant(factor) for factor in factors]
    waves = [] if spikes is None else [[launch.workspace.constant(w) for w in axes] for axes in _waves(spikes, shape)]

    def run() -> None:
        volume, axis, across = image, None, 0
        if motion is not None:
            volume = _multiplied(image, factors_there)
        elif ghosting is not None:
            axis = ghosting.axis
            across = 1 if axis == 0 else 0  # one axis is transformed, so slabs across another one do
        slab = _slab(volume, across)
        for number, (part, magnitude) in enumerate(
            zip(volume.split(slab, across), output.split(slab, across), strict=True)
        ):
            if axis is not None:
                part = torch.fft.ifft(torch.fft.fft(part, dim=axis).mul_(factors_there[0]), dim=axis)
            for wave in waves:
                part = _with_wave(part, wave, across, number * slab)
            magnitude.copy_(part.abs())

    launch.torch_stage("kspace", run)


def _slab(volume: Tensor, axis: int) -> int:
    """Slices that are worked on at once: few on a CPU, so that they stay in its cache, which is twice as fast."""
    return SLAB if volume.device.type == "cpu" else volume.shape[axis]


def _multiplied(volume: Tensor, factors: list[Tensor]) -> Tensor:
    """The volume with its k-space multiplied by every factor, which broadcast to it; complex (x, y, z)."""
    spectrum = torch.empty(volume.shape, dtype=torch.complex64, device=volume.device)
    slices, lines = _slab(volume, 0), _slab(volume, 1)
    for part, result in zip(volume.split(slices, 0), spectrum.split(slices, 0), strict=True):
        result.copy_(torch.fft.fftn(part, dim=(1, 2)))
    for number, part in enumerate(spectrum.split(lines, 1)):
        line = torch.fft.fft(part, dim=0)
        for factor in factors:
            line *= factor if factor.shape[1] == 1 else factor[:, number * lines : number * lines + part.shape[1]]
        part.copy_(torch.fft.ifft(line, dim=0))
    for part in spectrum.split(slices, 0):
        part.copy_(torch.fft.ifftn(part, dim=(1, 2)))
    return spectrum


def _with_wave(part: Tensor, wave: list[Tensor], axis: int, first: int) -> Tensor:
    """The slab from slice ``first`` of ``axis`` on, with a plane wave added: the product of one for each axis."""
    x, y, z = (w[first : first + part.shape[axis]] if a == axis else w for a, w in enumerate(wave))
    return torch.addcmul(part, (x[:, None] * y)[:, :, None], z.expand(part.shape))


def _motion_ramps(
    motion: MotionParameters, size: torch.Size, spacing_voxels: tuple[float, float, float]
) -> list[NDArray[Any]]:
    """Shift the head for each line by where it lay when the line was acquired: a phase ramp for each axis."""
    lines = _frequencies(size[motion.axis])
    place = np.searchsorted(motion.moves_at, lines + 0.5)  # frequencies are acquired from the lowest
    shifts = np.array(motion.shifts_voxels, dtype=np.float64)[place]
    shifts[_is_centre(lines, MOTION_CENTRE_SHARE)] = 0.0
    ramps = []
    for axis in range(3):
        shift = shifts[:, axis] / spacing_voxels[axis]
        frequency = _frequencies(size[axis])
        turns = lines * shift if axis == motion.axis else shift[:, None] * frequency[None, :]
        ramp = np.exp(-2j * math.pi * turns).astype(np.complex64)
        shape = [1, 1, 1]
        shape[motion.axis], shape[axis] = len(lines), len(frequency)
        ramps.append((ramp.T if axis < motion.axis else ramp).reshape(shape))
    return ramps


def _line_weights(ghosting: GhostingParameters, size: torch.Size) -> NDArray[Any]:
    """What is left of each line, to be broadcast over the volume."""
    lines = _frequencies(size[ghosting.axis])
    order = np.rint(lines * len(lines)).astype(np.int64)
    weak = (order % ghosting.period == 0) & ~_is_centre(lines, GHOSTING_CENTRE_SHARE)
    shape = [1, 1, 1]
    shape[ghosting.axis] = len(lines)
    return np.where(weak, 1.0 - ghosting.strength, 1.0).astype(np.float32).reshape(shape)


def _waves(spikes: SpikesParameters, size: torch.Size) -> list[list[NDArray[Any]]]:
    """A point of k-space is a plane wave; for each, one complex wave along each axis, the first with its amplitude."""
    waves = []
    for frequency, amplitude, phase in zip(spikes.frequencies, spikes.amplitudes, spikes.phases_rad, strict=True):
        axes = [np.exp(2j * math.pi * frequency[axis] * np.arange(size[axis])) for axis in range(3)]
        axes[0] *= amplitude * np.exp(1j * phase)
        waves.append([axis.astype(np.complex64) for axis in axes])
    return waves


def _frequencies(length: int) -> NDArray[np.float64]:
    """Of every line, in cycles a sample, in the order of a transform."""
    return np.asarray(torch.fft.fftfreq(length, dtype=torch.float64).numpy())


def _is_centre(lines: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(lines) <= share / 2)
