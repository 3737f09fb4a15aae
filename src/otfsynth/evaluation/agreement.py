"""How well predictions of several contrasts of one head agree: no reference needed, since the anatomy is the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.evaluation.grids import LabelsOnGrid, align, read_labels
from otfsynth.evaluation.label_names import LabelFile
from otfsynth.evaluation.overlap import confusion_matrix, dice_per_label
from otfsynth.evaluation.result import AGREEMENT_COLUMNS
from otfsynth.evaluation.targets import TargetMap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Session:
    """Predictions of one head.

    Args:
        subject: its name, or what the names have in common.
        session: empty where nothing says it.
        predictions: two or more, by contrast.
    """

    subject: str
    session: str
    predictions: tuple[LabelFile, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What tells the predictions apart: their contrasts, with the run where a contrast is there twice."""
        contrasts = [one.contrast for one in self.predictions]
        runs = [dict(one.entities).get("run", "") for one in self.predictions]
        named = [
            contrast if contrasts.count(contrast) == 1 else f"{contrast} run-{run}" if run else one.case
            for contrast, run, one in zip(contrasts, runs, self.predictions, strict=True)
        ]
        cases = [one.case for one in self.predictions]
        return tuple(name if named.count(name) == 1 else case for name, case in zip(named, cases, strict=True))


def sessions_of(predictions: Sequence[LabelFile]) -> list[Session]:
    """Heads with two predictions or more; only those whose contrast is known can be grouped."""
    groups: dict[tuple[str, str], list[LabelFile]] = {}
    for prediction in predictions:
        if prediction.contrast:
            groups.setdefault((prediction.subject or prediction.stems[-1], prediction.session), []).append(prediction)
    return [
        Session(subject, session, tuple(sorted(group, key=lambda one: (one.contrast, one.case))))
        for (subject, session), group in groups.items()
        if len(group) > 1
    ]


def session_agreement(
    session: Session, targets: TargetMap, target_names: Sequence[str], resample: str = "auto"
) -> Iterator[tuple[str, str, str, str, str, float]]:
    """Dice of every label between every two predictions of a session.

    Both are compared on the finer grid (the one with the smaller voxels; the first one's where they are equal), where
    the other is brought to as :func:`otfsynth.evaluation.grids.align` does. Voxels outside the other's field of view
    are left out. A label that neither has is NaN.

    Args:
        session: the predictions.
        targets: what their labels mean.
        target_names: names of the targets, background first.
        resample: as in :func:`otfsynth.evaluation.grids.align`.

    Yields:
        Rows of :data:`otfsynth.evaluation.result.AGREEMENT_COLUMNS`.

    Raises:
        InputError: a prediction can't be used.
    """
    maps = [read_labels(one.path, targets) for one in session.predictions]
    for first, second in itertools.combinations(range(len(maps)), 2):
        base, moved = (
            (first, second) if _voxel_mm3(maps[first]) <= _voxel_mm3(maps[second]) * 1.001 else (second, first)
        )
        pair = align(session.predictions[moved].path, maps[moved], maps[base], resample, target_names, True)
        dice = _dice(pair.prediction, pair.reference, len(target_names))
        for label, name in enumerate(target_names[1:], start=1):
            names = session.names[first], session.names[second]
            yield session.subject, session.session, *names, name, float(dice[label])


def agreement_table(rows: Sequence[tuple[str, str, str, str, str, float]]) -> pd.DataFrame | None:
    """The rows of all sessions; ``None`` where there are none."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(AGREEMENT_COLUMNS)) if rows else None


def _dice(prediction: np.ndarray, reference: np.ndarray, label_count: int) -> np.ndarray:
    import torch

    maps = [torch.from_numpy(np.ascontiguousarray(labels)) for labels in (prediction, reference)]
    return dice_per_label(confusion_matrix(maps[0], maps[1], label_count)).numpy()


def _voxel_mm3(labels: LabelsOnGrid) -> float:
    return float(np.prod(labels.spacing_mm))
