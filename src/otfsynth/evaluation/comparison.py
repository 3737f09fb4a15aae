"""Two evaluations of the same cases, compared case by case."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.evaluation.label_names import describe_labels
from otfsynth.evaluation.result import COMPARISON_COLUMNS, METRIC_COLUMNS, METRICS
from otfsynth.evaluation.statistics import RESAMPLES, by_contrast, mean_interval
from otfsynth.evaluation.summary_json import SummaryError, read_summary

if TYPE_CHECKING:
    import pandas as pd

FROM_SUMMARY = {"dice": "Dice", "iou": "IoU"}
"""Metrics that nnU-Net's summary holds under its own names; precision and recall follow from its counts."""


@dataclass(frozen=True)
class Comparison:
    """Paired differences, this evaluation minus the other.

    Args:
        table: columns :data:`otfsynth.evaluation.result.COMPARISON_COLUMNS`.
        only_here: cases that the other lacks.
        only_there: cases that this one lacks.
    """

    table: pd.DataFrame
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]


def read_other(path: Path, label_names: tuple[str, ...]) -> pd.DataFrame:
    """Metrics of an earlier evaluation.

    Args:
        path: its ``summary.json``; where a ``metrics.csv`` of this command lies beside it, that is read, with all
            metrics, else what nnU-Net's format holds: Dice, IoU, precision and recall.
        label_names: names of the target values, background first.

    Returns:
        A long table with columns case, label, metric and value.

    Raises:
        SummaryError: the file can't be used.
    """
    import pandas as pd

    cases = read_summary(path)
    beside = path.with_name("metrics.csv")
    if beside.is_file():
        table = pd.read_csv(beside, dtype=str, keep_default_na=False)
        if set(METRIC_COLUMNS) <= set(table.columns):
            # By Python's float, exact to the last digit: a rank test would rank the rounding of equal evaluations
            values = [float(text or "nan") for text in table["value"]]
            return table[["case", "label", "metric"]].assign(value=values)
    rows = []
    for case in cases:
        name = case.get("case") or describe_labels(Path(case["prediction_file"])).case
        for label, values in case["metrics"].items():
            if not label.isdecimal() or not 0 < int(label) < len(label_names):
                continue
            for metric, value in _of_summary(values).items():
                rows.append((name, label_names[int(label)], metric, value))
    if not rows:
        raise SummaryError(
            f"'{path}' holds no case with the labels {', '.join(label_names[1:])}; compare like with like"
        )
    return pd.DataFrame(rows, columns=["case", "label", "metric", "value"])


def compare(metrics: pd.DataFrame, other: pd.DataFrame, seed: int = 0, resamples: int = RESAMPLES) -> Comparison:
    """Differences of the cases that both evaluations scored.

    ``mean_difference`` averages over cases, ``low`` and ``high`` bound its 95 % bootstrap interval over subjects
    (:func:`otfsynth.evaluation.statistics.mean_interval`). ``p_value`` is that of Wilcoxon's signed-rank test on the
    differences, averaged within each subject first so that they are independent; 1 where nothing differs.
    ``adjusted_p_value`` is Holm's (1979) over all contrasts and labels of a metric, ``all`` contrasts left out of the
    count and adjusted among themselves. Pairs with a value that is undefined or infinite are left out; ``n`` tells how
    many remain.

    Args:
        metrics: the long table of this evaluation.
        other: that of the other, columns case, label, metric, value.
        seed: of the bootstrap.
        resamples: bootstrap samples.
    """
    import pandas as pd

    here, there = dict.fromkeys(metrics["case"]), dict.fromkeys(other["case"])
    both = metrics.merge(other, on=["case", "label", "metric"], suffixes=("", "_other"))
    both = both[np.isfinite(both["value"]) & np.isfinite(both["value_other"])]
    both = both.assign(difference=both["value"] - both["value_other"])
    rows = []
    for contrast, part in by_contrast(both) if len(both) else ():
        for label in metrics["label"].unique():
            for metric in METRICS:
                chosen = part[(part["label"] == label) & (part["metric"] == metric)]
                if len(chosen):
                    rows.append((contrast, label, metric, *_difference(chosen, seed, resamples)))
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS[:-1]))
    table["adjusted_p_value"] = math.nan
    for _, group in table.groupby([table["metric"], table["contrast"] == "all"]):
        table.loc[group.index, "adjusted_p_value"] = holm(group["p_value"].to_numpy(float))
    missing = tuple(case for case in here if case not in there), tuple(case for case in there if case not in here)
    return Comparison(table, *missing)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment: p-values that can be compared with the level of the whole family.

    Args:
        p_values: (n,), NaN where a test was impossible; those stay NaN and do not count.
    """
    adjusted = np.full(len(p_values), math.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    weighted = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(weighted), 1.0) if len(order) else weighted
    return adjusted


def _difference(rows: pd.DataFrame, seed: int, resamples: int) -> tuple[int, float, float, float, float]:
    from scipy.stats import wilcoxon

    differences = rows["difference"].to_numpy(float)
    low, high = mean_interval(differences, rows["subject"].to_numpy(str), seed, resamples)
    independent = rows.groupby("subject")["difference"].mean().to_numpy(float)
    p_value = float(wilcoxon(independent).pvalue) if np.any(independent) else 1.0
    return len(differences), float(differences.mean()), low, high, p_value


def _of_summary(values: dict[str, float]) -> dict[str, float]:
    metrics = {ours: float(values[theirs]) for ours, theirs in FROM_SUMMARY.items() if theirs in values}
    if {"TP", "n_pred", "n_ref"} <= set(values) and values["n_pred"] + values["n_ref"] > 0:
        metrics["precision"] = values["TP"] / values["n_pred"] if values["n_pred"] else 0.0
        metrics["recall"] = values["TP"] / values["n_ref"] if values["n_ref"] else 0.0
    return metrics
