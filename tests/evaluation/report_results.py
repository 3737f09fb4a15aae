"""Evaluation results of drawn numbers, with small label maps on disk where overlays are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from otfsynth.evaluation.result import METRIC_COLUMNS, EvaluationResult, ScoredCase
from otfsynth.volumes import write_volume

NAMES = ("background", "GM", "WM", "CSF")
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def result(
    folder: Path, contrasts: Sequence[str] = ("T1w", "T2w", "FLAIR"), cases: int = 6, files: bool = False
) -> EvaluationResult:
    """``cases`` cases of every contrast; the paths of their volumes lead nowhere unless ``files``."""
    generator = np.random.default_rng(0)
    rows, scored, confusion = [], [], {}
    for contrast in contrasts:
        for number in range(cases):
            case = f"sub-{number:03d}_{contrast}" if contrast else f"scan-{number}"
            scored.append(_case(folder, case, contrast, number, files))
            confusion[case] = generator.integers(1, 50, (4, 4)) + np.diag([5000, 700, 600, 90])
            for label, volume in zip(NAMES[1:], (620_000, 450_000, 30_000), strict=True):
                for metric, value in _values(generator, volume).items():
                    rows.append((case, f"{number:03d}", "", contrast, label, metric, value))
    metrics = pd.DataFrame(rows, columns=list(METRIC_COLUMNS))
    return EvaluationResult(metrics, confusion, NAMES, tuple(scored), summary=summary_of(metrics))


def with_value(found: EvaluationResult, case: str, label: str, metric: str, value: float) -> None:
    """Replace one number of the long table, in place."""
    metrics = found.metrics
    chosen = (metrics["case"] == case) & (metrics["label"] == label) & (metrics["metric"] == metric)
    assert chosen.sum() == 1
    metrics.loc[chosen, "value"] = value


def summary_of(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean, median and normal interval of the finite values."""
    rows = []
    for contrast, part in [*metrics.groupby("contrast", sort=False), ("all", metrics)]:
        for (label, metric), group in part.groupby(["label", "metric"], sort=False):
            values = group["value"].to_numpy(float)
            finite = values[np.isfinite(values)]
            mean = finite.mean() if len(finite) else np.nan
            half = 1.96 * finite.std() / np.sqrt(len(finite)) if len(finite) > 1 else np.nan
            counts = (len(finite), int(np.isinf(values).sum()), int(np.isnan(values).sum()))
            median = np.median(finite) if len(finite) else np.nan
            rows.append((contrast, label, metric, *counts, mean, median, mean - half, mean + half))
    columns = ["contrast", "label", "metric", "n", "failures", "undefined", "mean", "median", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _values(generator: np.random.Generator, volume: float) -> dict[str, float]:
    dice = float(np.clip(generator.normal(0.82, 0.06), 0, 1))
    volume *= float(generator.normal(1, 0.1))
    predicted = volume * float(generator.normal(1.03, 0.05))
    return {
        "dice": dice,
        "iou": dice / (2 - dice),
        "precision": dice,
        "recall": dice,
        "hd95_mm": float(generator.gamma(4, 0.8)),
        "assd_mm": float(generator.gamma(4, 0.2)),
        "surface_dice_1mm": float(np.clip(generator.normal(0.88, 0.05), 0, 1)),
        "volume_mm3": predicted,
        "reference_volume_mm3": volume,
        "relative_volume_error": predicted / volume - 1,
    }


def _case(folder: Path, case: str, contrast: str, number: int, files: bool) -> ScoredCase:
    prediction, reference, image = (folder / f"{case}_{part}.nii.gz" for part in ("dseg", "reference", "image"))
    if files:
        labels = ball(number % 3)
        write_volume(prediction, labels, AFFINE)
        write_volume(reference, ball(0), AFFINE)
        noise = np.random.default_rng(number).normal(0, 4, labels.shape)
        write_volume(image, (np.array([0, 60, 100, 20])[labels] + noise * (labels > 0)).astype(np.float32), AFFINE)
    return ScoredCase(case, contrast, prediction, reference, image if number % 2 == 0 else None)


def ball(shift: int) -> np.ndarray:
    """Shells of GM, WM and CSF, (48, 56, 48)."""
    places = np.meshgrid(*(np.arange(size) - size / 2 for size in (48 + 2 * shift, 56, 48)), indexing="ij")
    radius = np.sqrt(sum(place**2 for place in places))[:48]
    return np.digitize(-radius, [-20, -16, -6]).astype(np.uint8)
