"""Random numbers for parameters: one independent stream for each (seed, sample index, channel, stage).

A stage that draws more, or is switched off, leaves the other stages' numbers as they were. Only the bit generator of
NumPy is used (Philox4x64, Salmon et al. 2011), whose output NumPy guarantees; its distributions may change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otfsynth.types import SampleKey

STAGES = (
    "label_map",
    "patch",
    "flip",
    "affine",
    "velocity_field",
    "mixture",
    "background",
    "skull_strip",
    "bias_field",
    "gamma",
    "resolution",
    "noise",
    "contrast",
    "physics",
    "partial_volume",
    "subclasses",
    "texture",
    "heterogeneity",
    "menu",
    "coils",
    "signal_loss",
    "ringing",
    "motion",
    "ghosting",
    "spikes",
    "noise_field",
    "storage",
    "lesions",
    "field_of_view",
    "poor_strip",
    "shell",
    "shape_variety",
    "channels",
    "real",
    "defacing",
    "neck",
    "lesion_looks",
    "curriculum",
    "strip_fluid",
    "shell_neck",
)
"""Position is the number of the stream: append, never reorder."""


class RandomStream:
    """The random numbers of one stage of one sample, in the order in which they are asked for."""

    def __init__(self, key: SampleKey, stage: str) -> None:
        counter = np.array([0, 0, key.channel, key.index], dtype=np.uint64)
        philox_key = np.array([key.seed, STAGES.index(stage)], dtype=np.uint64)
        self._bits = np.random.Philox(counter=counter, key=philox_key)

    def units(self, count: int) -> NDArray[np.float64]:
        """``count`` numbers from U[0, 1)."""
        return (self._bits.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        return float(low + (high - low) * self.units(1)[0])

    def uniforms(self, low: float, high: float, count: int) -> NDArray[np.float64]:
        return low + (high - low) * self.units(count)

    def normals(self, count: int) -> NDArray[np.float64]:
        """``count`` standard normal numbers (Box and Muller 1958)."""
        radius = np.sqrt(-2.0 * np.log(1.0 - self.units(count)))
        normal: NDArray[np.float64] = radius * np.cos(2.0 * math.pi * self.units(count))
        return normal

    def integer(self, count: int) -> int:
        """A number from 0 to ``count - 1``."""
        return min(int(self.units(1)[0] * count), count - 1)

    def happens(self, probability: float) -> bool:
        return bool(self.units(1)[0] < probability)

    def choice(self, names: Sequence[str], probabilities: Sequence[float]) -> str:
        """One of ``names``; rounding of the probabilities' sum goes to the last name that can happen."""
        draw = self.units(1)[0]
        for name, edge in zip(names, np.cumsum(probabilities), strict=True):
            if draw < edge:
                return name
        return next(name for name, p in zip(reversed(names), reversed(probabilities), strict=True) if p > 0)
