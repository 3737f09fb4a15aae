"""Dividing label maps into training and validation, subject by subject."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """Positions of the label maps on either side."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


def split_by_subject(subjects: Sequence[str], validation_fraction: float, seed: int) -> Split:
    """Draw validation subjects; all maps of a subject go to the same side.

    At least one subject is on each side. With a single subject, or a fraction of 0, every map serves both: validation
    then tells how well other contrasts and shapes of the same heads are segmented, and the log says so.

    Args:
        subjects: subject of each label map.
        validation_fraction: share of the subjects kept out of training, in [0, 1).
        seed: of the draw; the order of the maps has no influence.
    """
    names = sorted(set(subjects))
    everything = tuple(range(len(subjects)))
    if len(names) < 2 or validation_fraction == 0:
        reason = "one subject only" if len(names) < 2 else "data.validation_fraction=0"
        logger.warning("validation uses the training label maps in other contrasts and shapes (%s)", reason)
        return Split(everything, everything)
    count = min(max(round(validation_fraction * len(names)), 1), len(names) - 1)
    chosen = {names[position] for position in np.random.default_rng(seed).permutation(len(names))[:count]}
    return Split(
        training=tuple(position for position in everything if subjects[position] not in chosen),
        validation=tuple(position for position in everything if subjects[position] in chosen),
    )
