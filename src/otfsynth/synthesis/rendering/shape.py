"""The label map of a sample whose structures have other shapes, as far as the patch looks into it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import stages
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.lesions import farthest_push_voxels
from otfsynth.synthesis.sampling import LabelMapLike

UNITS_PER_MM = 8
MARGIN = 8
"""Voxels around the patch's place in the map: the points of a voxel that partial volume looks at lie beside it."""


def changed_labels(
    launch: Launcher, parameters: SynthesisParameters, label_map: LabelMapLike, source: NDArray[np.void]
) -> int:
    """Address of the labels to look up: the map's own, or a copy with moved boundaries.

    Raises:
        ValueError: the record moves boundaries, and the map was prepared without any, or with others.
    """
    drawn, labels = parameters.shape, label_map.indices
    if drawn is None or not any(drawn.shifts_mm):
        return int(labels.data_ptr())
    maps = label_map.boundaries
    if maps is None:
        raise ValueError(
            f"the record of sample {parameters.key.index} changes shapes, for which label map '{label_map.name}' was "
            "not prepared; use a Synthesizer whose configuration has synthesis.shape_variety.probability above 0"
        )
    if drawn.structures not in (None, maps.structures):
        raise ValueError(
            f"the record of sample {parameters.key.index} moves boundaries of other structures than label map "
            f"'{label_map.name}' was prepared for; use the synthesis.shape_variety and label scheme it was drawn with"
        )
    map_shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    margin = MARGIN + math.ceil(farthest_push_voxels(parameters.mass_effect))
    first, last = _rows(launch, source, map_shape, margin)
    changed = launch.workspace.take("shape", np.uint8, map_shape)
    launch(
        "ChangeShape",
        labels=labels.data_ptr(),
        alternates=maps.alternate.data_ptr(),
        boundaries=maps.distance.data_ptr(),
        changed=changed,
        unevenness=launch.noise_rows(
            "unevenness", map_shape, parameters.key.shared, stages.SHAPE, drawn.unevenness, drawn.spacing_voxels
        ),
        shifts=UNITS_PER_MM * np.array(drawn.shifts_mm),
        map_shape=map_shape,
        first=first,
        rows=last - first + 1,
    )
    return changed


def _rows(
    launch: Launcher, source: NDArray[np.void], map_shape: tuple[int, int, int], margin: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last row (x, y) of the map that the patch may look at: splines stay between their coefficients.

    All rows where kernels are only recorded, so that the coefficients are not known yet.
    """
    highest = np.array(map_shape[:2]) - 1
    coefficients = launch.values("source", (3, *source["shape"].tolist()))
    if coefficients is None:
        return np.zeros(2, np.int64), highest
    low, high = (reduce(coefficients[:2], axis=(1, 2, 3)) for reduce in (np.min, np.max))
    first = np.clip(np.floor(low).astype(np.int64) - margin, 0, highest)
    return first, np.clip(np.ceil(high).astype(np.int64) + margin, first, highest)
