"""Fluid at the edge of the brain's mask: what a network calls background there, beside the brain, is CSF.

A brain mask ends at the dura or within the fluid below it, so that what it holds beside brain tissue is CSF, as FSL
FAST and Atropos take it. A network that is also trained on crude masks, which leave skull and dura, can't tell a dark
or bright rim from those and calls part of it background. Only a rim is changed: remnants farther from the brain stay,
and specks that the network labels by mistake get no rim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from otfsynth.inference.projection import entropy_sum, mean_entropy
from otfsynth.labels import LabelScheme
from otfsynth.labels.names import first_named_label

SOLID = np.ones((3, 3, 3), bool)
"""The smallest piece that has a rim."""


def fluid_target(config: Mapping[str, Any], scheme: LabelScheme) -> int | None:
    """The target that a network was taught to give to fluid around stripped brains.

    Args:
        config: of its run, plain data.
        scheme: its labels.

    Returns:
        Target value, ``None`` where its samples never left fluid around a brain
        (``synthesis.skull_strip.fluid_probability``), or the target of that fluid was background.
    """
    strip = config.get("synthesis", {}).get("skull_strip", {})
    good = strip.get("probability", 0.0) * (1 - strip.get("poor_probability", 0.0))
    taught = good * strip.get("fluid_probability", 0.0) > 0
    label = first_named_label(scheme, strip.get("fluid", ())) if taught else None
    return None if label is None else int(scheme.target_table[label]) or None


class FluidRim:
    """Moves the probability of background to fluid where the mask lies near solid pieces of labelled voxels.

    Args:
        mask: bool (x, y, z), the brain.
        fluid: target value.
        reach_voxels: farthest distance from a solid piece.
    """

    def __init__(self, mask: np.ndarray, fluid: int, reach_voxels: float) -> None:
        self.mask = mask
        self.fluid = fluid
        self.reach_voxels = reach_voxels
        self.filled_voxels = 0
        """Voxels that are fluid by this rule alone."""
        self._labelled = np.zeros(mask.shape, bool)
        self._entropy_sum = 0.0
        self._labels = 0

    @property
    def entropy(self) -> float:
        """Of what the network labelled, see :class:`.projection.Projected`; the rim knows no doubt."""
        return mean_entropy(self._entropy_sum, int(np.count_nonzero(self._labelled)), self._labels)

    def fill(self, planes: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same planes, perhaps in other portions; works as they come, and holds back as many as reach on.

        Args:
            planes: float32 (labels, planes, y, z), one after the other along x; changed in place.
        """
        margin = self._margin
        held: list[np.ndarray] = []
        received = done = 0
        for portion in planes:
            held.append(portion)
            labelled = portion.argmax(axis=0) > 0
            self._labelled[received : received + portion.shape[1]] = labelled
            self._entropy_sum += entropy_sum(portion[:, labelled])
            self._labels = len(portion)
            received += portion.shape[1]
            ready = received if received == len(self.mask) else received - margin
            if ready <= done:
                continue
            values = np.concatenate(held, axis=1) if len(held) > 1 else held[0]
            values, rest = values[:, : ready - done], values[:, ready - done :]
            held = [rest] if rest.shape[1] else []
            rim = self.mask[done:ready] & self._near(done, ready)
            self.filled_voxels += int(np.count_nonzero(rim & ~self._labelled[done:ready]))
            values[self.fluid][rim] += values[0][rim]
            values[0][rim] = 0
            yield values
            done = ready

    @property
    def _margin(self) -> int:
        """Planes that decide about a plane on either side: reach, and a piece that is solid."""
        return int(np.ceil(self.reach_voxels + 1)) + 1

    def _near(self, first: int, last: int) -> np.ndarray:
        """Whether the surface of a solid piece lies within reach, for planes ``first`` to ``last``."""
        start = max(first - self._margin, 0)
        solid = ndimage.binary_erosion(self._labelled[start : last + self._margin], SOLID)
        if not solid.any():
            return np.zeros_like(self._labelled[first:last])
        distance = ndimage.distance_transform_edt(~solid)[first - start :][: last - first]
        return np.asarray(distance <= self.reach_voxels + 1)  # a voxel lies between a solid middle and the surface
