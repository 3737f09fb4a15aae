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
    motion, ghosting = parameters.motion, parameters.ghosting
    volume = torch.from_numpy(image)
    across = 0
    if motion is not None:
        factors = _motion_ramps(motion, volume.shape, parameters.acquisition.spacing_voxels)
        volume = _multiplied(volume, factors if ghosting is None else [*factors, _line_weights(ghosting, volume.shape)])
    elif ghosting is not None:
        across = 1 if ghosting.axis == 0 else 0  # one axis is transformed, so slabs across another one do
        weights = _line_weights(ghosting, volume.shape)
    waves = _Waves(volume.shape, parameters.spikes)
    magnitudes = torch.from_numpy(output).split(SLAB, across)
    for number, (part, magnitude) in enumerate(zip(volume.split(SLAB, across), magnitudes, strict=True)):
        slab = part
        if motion is None and ghosting is not None:
            spectrum = torch.fft.fft(part, dim=ghosting.axis).mul_(weights)
            slab = torch.fft.ifft(spectrum, dim=ghosting.axis)
        magnitude.copy_(waves.added_to(slab, across, number * SLAB).abs())


def _multiplied(volume: Tensor, factors: list[Tensor]) -> Tensor:
    """The volume with its k-space multiplied by every factor, which broadcast to it; complex (x, y, z).

    Slab by slab, so that what is worked on stays in the processor's cache: twice as fast as whole transforms.
    """
    spectrum = torch.empty(volume.shape, dtype=torch.complex64)
    for part, result in zip(volume.split(SLAB, 0), spectrum.split(SLAB, 0), strict=True):
        result.copy_(torch.fft.fftn(part, dim=(1, 2)))
    for number, part in enumerate(spectrum.split(SLAB, 1)):
        line = torch.fft.fft(part, dim=0)
        for factor in factors:
            line *= factor if factor.shape[1] == 1 else factor[:, number * SLAB : number * SLAB + part.shape[1]]
        part.copy_(torch.fft.ifft(line, dim=0))
    for part in spectrum.split(SLAB, 0):
        part.copy_(torch.fft.ifftn(part, dim=(1, 2)))
    return spectrum


def _motion_ramps(
    motion: MotionParameters, size: torch.Size, spacing_voxels: tuple[float, float, float]
) -> list[Tensor]:
    """Shift the head for each line by where it lay when the line was acquired: a phase ramp for each axis."""
    lines = torch.fft.fftfreq(size[motion.axis], dtype=torch.float64)
    place = np.searchsorted(motion.moves_at, lines.numpy() + 0.5)  # frequencies are acquired from the lowest
    shifts = torch.tensor(motion.shifts_voxels, dtype=torch.float64)[torch.from_numpy(place)]
    shifts[_is_centre(lines, MOTION_CENTRE_SHARE)] = 0.0
    ramps = []
    for axis in range(3):
        shift = shifts[:, axis] / spacing_voxels[axis]
        frequency = torch.fft.fftfreq(size[axis], dtype=torch.float64)
        turns = lines * shift if axis == motion.axis else shift[:, None] * frequency[None, :]
        ramp = torch.polar(torch.ones_like(turns), -2.0 * math.pi * turns).to(torch.complex64)
        shape = [1, 1, 1]
        shape[motion.axis], shape[axis] = len(lines), len(frequency)
        ramps.append((ramp.T if axis < motion.axis else ramp).reshape(shape))
    return ramps


def _line_weights(ghosting: GhostingParameters, size: torch.Size) -> Tensor:
    lines = torch.fft.fftfreq(size[ghosting.axis], dtype=torch.float64)
    order = torch.round(lines * len(lines)).long()
    weak = (order % ghosting.period == 0) & ~_is_centre(lines, GHOSTING_CENTRE_SHARE)
    shape = [1, 1, 1]
    shape[ghosting.axis] = len(lines)
    return torch.where(weak, 1.0 - ghosting.strength, 1.0).to(torch.float32).reshape(shape)


def _is_centre(lines: Tensor, share: float) -> Tensor:
    return lines.abs() <= share / 2


class _Waves:
    """What spikes add: a point of k-space is a plane wave, the product of one wave for each axis."""

    def __init__(self, shape: torch.Size, spikes: SpikesParameters | None) -> None:
        self._factors: list[list[Tensor]] = []
        if spikes is None:
            return
        for frequency, amplitude, phase in zip(spikes.frequencies, spikes.amplitudes, spikes.phases_rad, strict=True):
            waves = []
            for axis, length in enumerate(shape):
                turns = 2.0 * math.pi * frequency[axis] * torch.arange(length, dtype=torch.float64)
                size = torch.full_like(turns, amplitude if axis == 0 else 1.0)
                waves.append(torch.polar(size, turns + (phase if axis == 0 else 0.0)).to(torch.complex64))
            self._factors.append(waves)

    def added_to(self, slab: Tensor, axis: int, first: int) -> Tensor:
        """The slab that begins at position ``first`` of ``axis``, with all waves added."""
        for waves in self._factors:
            here = [wave[first : first + slab.shape[axis]] if a == axis else wave for a, wave in enumerate(waves)]
            slab = torch.addcmul(slab, (here[0][:, None] * here[1])[:, :, None], here[2].expand(slab.shape))
        return slab
