"""Motion, ghosts and spikes, by NumPy's Fourier transform in double precision."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.parameters import SynthesisParameters

MOTION_CENTRE, GHOSTING_CENTRE = 0.04, 0.015
"""Lines of at most this frequency, in cycles a voxel, are left alone."""


def corrupt(parameters: SynthesisParameters, image: np.ndarray) -> np.ndarray:
    motion, ghosting, spikes = parameters.motion, parameters.ghosting, parameters.spikes
    if motion is None and ghosting is None and spikes is None:
        return image
    spectrum = np.fft.fftn(image)
    grid = np.meshgrid(*(np.fft.fftfreq(n) for n in image.shape), indexing="ij")
    if motion is not None:
        line = grid[motion.axis]
        moment = np.sum([line + 0.5 > at for at in motion.moves_at], axis=0)
        turns = np.zeros(image.shape)
        for axis, frequency in enumerate(grid):
            shifts = np.array([shift[axis] for shift in motion.shifts_voxels])
            turns += frequency * shifts[moment] / parameters.acquisition.spacing_voxels[axis]
        spectrum *= np.where(np.abs(line) <= MOTION_CENTRE, 1.0, np.exp(-2j * np.pi * turns))
    if ghosting is not None:
        line = grid[ghosting.axis]
        number = np.rint(line * image.shape[ghosting.axis]).astype(int)
        weak = (number % ghosting.period == 0) & (np.abs(line) > GHOSTING_CENTRE)
        spectrum = np.where(weak, 1.0 - ghosting.strength, 1.0) * spectrum
    volume = np.fft.ifftn(spectrum)
    if spikes is not None:
        position = np.indices(image.shape)
        for frequency, amplitude, phase in zip(spikes.frequencies, spikes.amplitudes, spikes.phases_rad, strict=True):
            volume = volume + amplitude * np.exp(2j * np.pi * np.tensordot(frequency, position, 1) + 1j * phase)
    return np.abs(volume)
