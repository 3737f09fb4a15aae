"""Values that travel between the layers of the package.

Conventions, stated once for the whole package: volumes are indexed ``(x, y, z)`` in RAS+ orientation (x grows to the
patient's right, y to the front, z to the top), batches ``(b, c, x, y, z)``; suffixes ``_mm``, ``_deg``, ``_ml`` and
``_voxels`` give units; a range is ``(low, high)``, both ends included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsFloat

Vector = tuple[float, float, float]

MAX_INDEX = 2**32 - 1
MAX_CHANNEL = 255


@dataclass(frozen=True)
class SampleKey:
    """Address of one synthetic sample: the same key always gives the same sample.

    Args:
        seed: key of the counter-based random generator, in [0, 2**63 - 1].
        index: position in the endless stream of samples, in [0, 2**32 - 1].
        channel: image channel, in [0, 255]; what all channels of a sample share is drawn for channel 0.
    """

    seed: int
    index: int
    channel: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed {self.seed} is outside [0, 2**63 - 1]")
        if not 0 <= self.index <= MAX_INDEX:
            raise ValueError(f"sample index {self.index} is outside [0, 2**32 - 1]")
        if not 0 <= self.channel <= MAX_CHANNEL:
            raise ValueError(f"channel {self.channel} is outside [0, {MAX_CHANNEL}]")

    @property
    def shared(self) -> SampleKey:
        """Address of what all channels of the sample have in common."""
        return SampleKey(self.seed, self.index) if self.channel else self


def vector(values: Iterable[SupportsFloat]) -> Vector:
    """Three numbers, of an array for example, as plain floats."""
    x, y, z = (float(value) for value in values)
    return x, y, z
