"""``summary.json`` in nnU-Net's format: written so that nnU-Net reads it, read whoever wrote it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.result import ScoredCase
from otfsynth.volumes import write_bytes_atomically

KEYS = ("Dice", "IoU", "FP", "TP", "FN", "TN", "n_pred", "n_ref")
"""Of nnU-Net's ``compute_metrics``."""


class SummaryError(InputError):
    """A file that is no summary of an evaluation; the message names it."""


def write_summary(scored: Sequence[ScoredCase], confusion: Mapping[str, np.ndarray], path: Path) -> Path:
    """Write what nnU-Net's ``compute_metrics_on_folder`` writes, for all targets but background.

    As there: Dice and IoU of a label that neither side has are NaN and left out of ``mean``; ``foreground_mean`` is the
    plain mean of the labels' means, NaN where one of them is. Every case also carries ``case`` and ``contrast``, which
    nnU-Net's loader keeps and does not mind.

    Args:
        scored: cases in order.
        confusion: per case (labels, labels) voxel counts, rows the reference.
        path: file to write.
    """
    cases = [
        {
            "case": one.case,
            "contrast": one.contrast,
            "metrics": {str(label): counts(confusion[one.case], label) for label in _labels(confusion[one.case])},
            "prediction_file": str(one.prediction),
            "reference_file": str(one.reference),
        }
        for one in scored
    ]
    labels = [str(label) for label in (_labels(confusion[scored[0].case]) if scored else ())]
    mean = {label: {key: _mean([case["metrics"][label][key] for case in cases]) for key in KEYS} for label in labels}  # type: ignore[index]
    foreground = {key: float(np.mean([mean[label][key] for label in labels])) for key in KEYS} if labels else {}
    record = {"foreground_mean": foreground, "mean": mean, "metric_per_case": cases}
    return write_bytes_atomically(path, json.dumps(record, indent=4, sort_keys=True).encode())


def counts(confusion: np.ndarray, label: int) -> dict[str, float | int]:
    """nnU-Net's numbers of one label, under its names."""
    tp = int(confusion[label, label])
    n_pred, n_ref = int(confusion[:, label].sum()), int(confusion[label].sum())
    fp, fn = n_pred - tp, n_ref - tp
    union = tp + fp + fn
    return {
        "Dice": 2 * tp / (2 * tp + fp + fn) if union else math.nan,
        "IoU": tp / union if union else math.nan,
        "FP": fp,
        "TP": tp,
        "FN": fn,
        "TN": int(confusion.sum()) - union,
        "n_pred": n_pred,
        "n_ref": n_ref,
    }


def read_summary(path: Path) -> list[dict[str, Any]]:
    """Cases of a ``summary.json``, nnU-Net's or ours.

    Returns:
        Its ``metric_per_case``; the keys of ``metrics`` are text.

    Raises:
        SummaryError: there is no such file, or it is something else.
    """
    try:
        cases = json.loads(path.read_text())["metric_per_case"]
        for case in cases:
            case["metrics"] = {str(label): dict(values) for label, values in case["metrics"].items()}
            case["prediction_file"] = str(case["prediction_file"])
    except OSError as error:
        raise SummaryError(f"'{path}' can't be read ({error.strerror or error}); give a summary.json") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SummaryError(
            f"'{path}' is no summary.json of an evaluation ({type(error).__name__}: {error}); give one that this "
            "command or nnU-Net wrote"
        ) from error
    return cases


def _labels(confusion: np.ndarray) -> range:
    return range(1, len(confusion))


def _mean(values: Sequence[float]) -> float:
    """Mean of what is not NaN; NaN where all is."""
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else math.nan
