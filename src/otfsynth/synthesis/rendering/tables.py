"""Values by label index, as the painting kernel reads them."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from otfsynth.labels import LabelScheme
from otfsynth.synthesis.lesion_parameters import LesionLabelParameters


class LabelTables:
    """Class and target by label index; a flip swaps the sides here and costs nothing.

    Args:
        scheme: what the indices mean.
        around: index of the label that everything outside the brain has, background included; ``None``: its own.
    """

    def __init__(self, scheme: LabelScheme, around: int | None = None) -> None:
        labels = np.arange(len(scheme.target_table))
        if around is not None:
            labels = np.where(scheme.brain_indices, labels, around)
        self._swapped = np.asarray(scheme.swap_indices, dtype=np.intp)
        self._unchanged = np.arange(len(labels))
        self._classes = np.asarray(scheme.class_table, dtype=np.intp)[labels]
        self._targets = np.asarray(scheme.target_table, dtype=np.uint8)[labels]
        self._surrounded = functools.lru_cache(functools.partial(LabelTables, scheme))

    def surrounded_by(self, label: int | None) -> LabelTables:
        """The same, where everything around the brain has the label of an index; ``None`` changes nothing."""
        return self if label is None else self._surrounded(label)

    def by_class(self, values: NDArray[np.float64], flip: bool) -> NDArray[np.float32]:
        """One value per class, as one per label index: float32 (256,)."""
        table = np.zeros(256, np.float32)
        order = self._swapped if flip else self._unchanged
        table[: len(order)] = values[self._classes[order]]
        return table

    def targets(self, flip: bool, lesions: LesionLabelParameters | None = None) -> NDArray[np.uint8]:
        """Target value by label index, labels of lesions having their own: uint8 (256,)."""
        table = np.zeros(256, np.uint8)
        order = self._swapped if flip else self._unchanged
        table[: len(order)] = self._targets[order]
        if lesions is not None:
            table[list(lesions.labels)] = lesions.target
        return table
