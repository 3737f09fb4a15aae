"""Every number of one case: overlap, distances and volumes of each structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otfsynth.evaluation.overlap import IGNORED, confusion_matrix
from otfsynth.evaluation.result import METRICS
from otfsynth.evaluation.surfaces import (
    average_symmetric_surface_distance_mm,
    hausdorff_95_mm,
    surface_dice_at_tolerance,
    surface_distances,
)

TOLERANCE_MM = 1.0
"""Of the surface Dice, as its name in :data:`otfsynth.evaluation.result.METRICS` says."""


@dataclass(frozen=True)
class CaseScores:
    """What one prediction scored.

    Args:
        confusion: int64 (labels, labels) voxel counts, rows the reference, columns the prediction.
        metrics: per target value above 0 the numbers of :data:`otfsynth.evaluation.result.METRICS`.
    """

    confusion: np.ndarray
    metrics: dict[int, dict[str, float]]


def score_labels(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float] | np.ndarray,
    label_count: int,
    labels: Sequence[int] | None = None,
) -> CaseScores:
    """Compare two label maps on one grid.

    Voxels that the reference leaves out (:data:`otfsynth.evaluation.overlap.IGNORED`) belong to no structure on either
    side: they enter neither counts nor volumes, and the surfaces of both masks go round them.

    Args:
        prediction: target values (x, y, z), in [0, label_count).
        reference: the same, or 255 where voxels do not count.
        spacing_mm: voxel size per axis.
        label_count: target values, background included.
        labels: target values to measure; by default all but background.

    Raises:
        ValueError: the shapes differ, or a value is out of range.
    """
    import torch

    counted = reference != IGNORED
    for values in (prediction, reference[counted]):
        if values.size and not 0 <= values.min() <= values.max() < label_count:
            outside = int(values.max() if values.max() >= label_count else values.min())
            raise ValueError(f"label {outside} where only 0 to {label_count - 1} are expected")
    maps = [torch.from_numpy(np.ascontiguousarray(values)) for values in (prediction, reference)]
    confusion = confusion_matrix(maps[0], maps[1], label_count).numpy()
    voxel_mm3 = float(np.prod(np.asarray(spacing_mm, np.float64)))
    metrics = {}
    for label in labels if labels is not None else range(1, label_count):
        overlap = overlap_metrics(confusion, label, voxel_mm3)
        distances = surface_distances((prediction == label) & counted, reference == label, spacing_mm)
        surface = {
            "hd95_mm": hausdorff_95_mm(distances),
            "assd_mm": average_symmetric_surface_distance_mm(distances),
            "surface_dice_1mm": surface_dice_at_tolerance(distances, TOLERANCE_MM),
        }
        metrics[label] = {name: {**overlap, **surface}[name] for name in METRICS}
    return CaseScores(confusion, metrics)


def overlap_metrics(confusion: np.ndarray, label: int, voxel_mm3: float) -> dict[str, float]:
    """Overlap and volumes of one label.

    With TP, FP and FN the voxels in both, in the prediction only and in the reference only: Dice 2 TP / (2 TP + FP +
    FN), IoU TP / (TP + FP + FN), precision TP / (TP + FP), recall TP / (TP + FN), relative volume error (prediction -
    reference) / reference, signed. A label that only one side has scores 0 in the first four; one that neither has is
    undefined (NaN). The volume error of a label that the reference lacks is infinite.

    Args:
        confusion: (labels, labels) voxel counts, rows the reference.
        label: target value.
        voxel_mm3: volume of a voxel.
    """
    both, predicted, true = (
        float(count) for count in (confusion[label, label], confusion[:, label].sum(), confusion[label].sum())
    )
    union = predicted + true - both
    if union == 0:
        undefined = dict.fromkeys(("dice", "iou", "precision", "recall", "relative_volume_error"), math.nan)
        return {**undefined, "volume_mm3": 0.0, "reference_volume_mm3": 0.0}
    return {
        "dice": 2 * both / (predicted + true),
        "iou": both / union,
        "precision": both / predicted if predicted else 0.0,
        "recall": both / true if true else 0.0,
        "volume_mm3": predicted * voxel_mm3,
        "reference_volume_mm3": true * voxel_mm3,
        "relative_volume_error": (predicted - true) / true if true else math.inf,
    }
