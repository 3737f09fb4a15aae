"""Drawing where an image ends below the brain, as its field of view was planned or as the neck was cropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otfsynth.config.defacing import NeckConfig
from otfsynth.synthesis.artefacts import FieldOfViewParameters
from otfsynth.synthesis.lesion_places import Anatomy
from otfsynth.synthesis.parameters import DeformationParameters
from otfsynth.synthesis.random_stream import RandomStream
from otfsynth.types import SampleKey

LOWEST_SHARE = 0.005
"""Share of the brain's voxels that may lie lower than what counts as its lower end."""


def sample_neck(
    config: NeckConfig,
    deformation: DeformationParameters,
    size: tuple[int, int, int],
    anatomy: Anatomy,
    solid: Sequence[int],
    key: SampleKey,
) -> FieldOfViewParameters | None:
    """The field of view of a patch that ends some millimetres below the brain; None where it shows all of the patch.

    Args:
        config: probability and range.
        deformation: lays the brain into the patch; its flow, some millimetres, is left aside.
        size: voxels of the patch.
        anatomy: the label map.
        solid: values of the targets that count as brain; CSF goes down the neck.
        key: address of the sample.
    """
    stream = RandomStream(key, "neck")
    if not stream.happens(config.probability):
        return None
    parts = anatomy.voxels(solid)
    if not parts:
        return None
    down = np.linalg.inv(np.array(deformation.matrix))[2]
    heights = (np.concatenate(parts) - np.array(deformation.centre_voxels)) @ down + (size[2] - 1) / 2
    gap = stream.uniform(config.below_brain_mm[0], config.below_brain_mm[1]) / anatomy.spacing_mm
    first = int(np.quantile(heights, LOWEST_SHARE) - gap)
    return FieldOfViewParameters((0, 0, first), size) if 0 < first < size[2] else None
