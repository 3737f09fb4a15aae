"""What one evaluation found: the table of numbers, the confusion matrices, and where the volumes are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLUMNS = ("case", "subject", "session", "contrast", "label", "metric", "value")
METRICS = (
    "dice",
    "iou",
    "precision",
    "recall",
    "hd95_mm",
    "assd_mm",
    "surface_dice_1mm",
    "volume_mm3",
    "reference_volume_mm3",
    "relative_volume_error",
)
COMPARISON_COLUMNS = (
    "contrast",
    "label",
    "metric",
    "n",
    "mean_difference",
    "low",
    "high",
    "p_value",
    "adjusted_p_value",
)
AGREEMENT_COLUMNS = ("subject", "session", "contrast_a", "contrast_b", "label", "dice")
SUMMARY_COLUMNS = ("contrast", "label", "metric", "n", "failures", "undefined", "mean", "median", "low", "high")
ALL_CONTRASTS = "all"
"""Contrast of the rows of a summary or comparison that take all scans together."""


@dataclass(frozen=True)
class ScoredCase:
    """One prediction that was compared with its reference.

    Args:
        case: its name, unique in the evaluation.
        contrast: BIDS suffix such as ``T1w``; empty where nothing says it.
        prediction: label map of target values.
        reference: label map of the reference's own labels.
        image: the scan that was segmented, ``None`` where it is not known.
        ignored: mask of what does not count, ``None`` where all does.
    """

    case: str
    contrast: str
    prediction: Path
    reference: Path
    image: Path | None = None
    ignored: Path | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """Everything that a report shows.

    Args:
        metrics: one row a number, columns :data:`METRIC_COLUMNS`, metrics :data:`METRICS`. NaN: undefined, as the Dice
            of two empty masks; infinite distance: the structure is missing on one side only (a failure).
        confusion: case to int64 (labels, labels) voxel counts, rows the reference, columns the prediction.
        label_names: names of the target values, background first.
        scored: the cases in the order of the table.
        problems: cases that could not be scored, one sentence each.
        comparison: paired differences (this minus other), columns :data:`COMPARISON_COLUMNS`; ``None`` without
            ``compare``. ``low`` and ``high`` bound the 95 % interval of the mean difference, ``p_value`` is Wilcoxon's.
        agreement: Dice between contrasts of one session, columns :data:`AGREEMENT_COLUMNS`; ``None`` where no session
            has two.
        summary: one row per contrast, label and metric, columns :data:`SUMMARY_COLUMNS`; ``None`` without references.
        thesis: published numbers to lay beside, columns contrast, label, dice; ``None`` where not asked for.
        notes: sentences about how it was computed that a reader must know, such as resampling.
    """

    metrics: pd.DataFrame
    confusion: dict[str, np.ndarray]
    label_names: tuple[str, ...]
    scored: tuple[ScoredCase, ...]
    problems: tuple[str, ...] = ()
    comparison: pd.DataFrame | None = None
    agreement: pd.DataFrame | None = None
    summary: pd.DataFrame | None = None
    thesis: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
