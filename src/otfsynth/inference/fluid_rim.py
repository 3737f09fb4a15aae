"""Fluid at the edge of the brain's mask: what a network calls background there, beside the brain, is CSF.

A brain mask ends at the dura or within the fluid below it, so that what it holds beside brain tissue is CSF, as FSL
FAST, SPM and Atropos take it. A network that is also trained on crude masks, which leave skull and dura, can't tell a
dark or bright rim from those and calls part of it background. Only a rim is changed: remnants farther from the brain
stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import ndimage

from otfsynth.labels.names import named_labels
from otfsynth.networks import Checkpoint


def fluid_target(checkpoint: Checkpoint) -> int | None:
    """The target that a network was taught to give to fluid around stripped brains.

    Returns:
        Target value, ``None`` where its samples never left fluid around a brain
        (``synthesis.skull_strip.fluid_probability``), or its targets do not tell fluid from others.
    """
    config = checkpoint.config.get("synthesis", {}).get("skull_strip", {})
    if not config.get("probability", 0.0) * config.get("fluid_probability", 0.0):
        return None
    scheme = checkpoint.scheme
    targets = {int(scheme.target_table[index]) for index in named_labels(scheme, config.get("fluid", ()))} - {0}
    return targets.pop() if len(targets) == 1 else None


def fill_rim(planes: Iterable[np.ndarray], mask: np.ndarray, fluid: int, reach_voxels: float) -> Iterator[np.ndarray]:
    """Move the probability of background to fluid where the mask lies near labelled voxels.

    Works on planes as they come, and holds back as many as reach on.

    Args:
        planes: float32 (labels, planes, y, z), one after the other along x; changed in place.
        mask: bool (x, y, z), the brain.
        fluid: target value.
        reach_voxels: farthest distance from a labelled voxel.

    Yields:
        The same planes, perhaps in other portions.
    """
    margin = int(np.ceil(reach_voxels))
    held: list[np.ndarray] = []
    labelled = np.zeros(mask.shape, bool)
    received = done = 0
    for portion in planes:
        held.append(portion)
        labelled[received : received + portion.shape[1]] = portion.argmax(axis=0) > 0
        received += portion.shape[1]
        ready = received if received == len(mask) else received - margin
        if ready <= done:
            continue
        values = np.concatenate(held, axis=1) if len(held) > 1 else held[0]
        values, rest = values[:, : ready - done], values[:, ready - done :]
        held = [rest] if rest.shape[1] else []
        _fill(values, mask[done:ready], _near(labelled, done, ready, reach_voxels), fluid)
        yield values
        done = ready


def _near(labelled: np.ndarray, first: int, last: int, reach_voxels: float) -> np.ndarray:
    """Whether a labelled voxel lies within reach, for planes ``first`` to ``last``."""
    margin = int(np.ceil(reach_voxels))
    start = max(first - margin, 0)
    part = labelled[start : last + margin]
    if not part.any():
        return np.zeros_like(labelled[first:last])
    distance = ndimage.distance_transform_edt(~part)[first - start :][: last - first]
    return np.asarray(distance <= reach_voxels)


def _fill(values: np.ndarray, mask: np.ndarray, near: np.ndarray, fluid: int) -> None:
    rim = mask & near
    values[fluid][rim] += values[0][rim]
    values[0][rim] = 0
