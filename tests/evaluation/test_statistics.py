"""Summaries, bootstrap intervals, paired tests: against counts by hand and independent computations."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from otfsynth.evaluation.comparison import compare, holm, read_other
from otfsynth.evaluation.result import METRIC_COLUMNS, SUMMARY_COLUMNS
from otfsynth.evaluation.statistics import mean_interval, summarise
from otfsynth.evaluation.summary_json import SummaryError

NAMES = ("background", "GM", "WM", "CSF")


def table(values: list[float], contrasts: str = "", metric: str = "dice", subjects: str = "") -> pd.DataFrame:
    rows = [
        (
            f"c{i}",
            (subjects or "abcdefghijklmnopqrst")[i],
            "",
            contrasts[i] if contrasts else "T1w",
            "GM",
            metric,
            value,
        )
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def row(frame: pd.DataFrame, contrast: str, metric: str) -> pd.Series:
    return frame[(frame["contrast"] == contrast) & (frame["metric"] == metric)].iloc[0]


def test_failures_are_counted_and_enter_the_median_alone() -> None:
    summary = summarise(table([1.0, 2.0, math.inf, math.inf, math.inf, math.nan], metric="hd95_mm"))
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    found = row(summary, "T1w", "hd95_mm")
    assert (found["n"], found["failures"], found["undefined"]) == (2, 3, 1)
    assert found["mean"] == 1.5
    assert found["median"] == math.inf
    nothing = row(summarise(table([math.inf, math.nan], metric="hd95_mm")), "T1w", "hd95_mm")
    assert (nothing["n"], nothing["failures"], nothing["undefined"]) == (0, 1, 1)
    assert math.isnan(nothing["mean"])


def test_contrasts_are_summarised_apart_and_together() -> None:
    summary = summarise(table([0.9, 0.8, 0.5, 0.3], contrasts="1122"))
    assert [row(summary, contrast, "dice")["mean"] for contrast in ("1", "2", "all")] == pytest.approx(
        [0.85, 0.4, 0.625]
    )
    assert set(summarise(table([0.9, 0.8]))["contrast"]) == {"T1w"}


def test_the_interval_is_near_the_normal_one_for_many_normal_values() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.05, 400)
    low, high = mean_interval(values, [str(i) for i in range(400)])
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)
    assert mean_interval(values, [str(i) for i in range(400)]) == (low, high)


def test_scans_of_one_subject_are_drawn_together() -> None:
    subjects = np.random.default_rng(2).normal(0.8, 0.1, 30)
    values = np.repeat(subjects, 4)  # four identical scans each: no more is known than from 30
    owners = [str(i) for i in np.repeat(np.arange(30), 4)]
    together, apart = mean_interval(values, owners), mean_interval(values, [str(i) for i in range(120)])
    alone = mean_interval(subjects, [str(i) for i in range(30)])
    assert together == pytest.approx(alone, abs=0.003)
    assert apart[1] - apart[0] < 0.6 * (together[1] - together[0])


def test_intervals_of_equal_values_and_of_too_few_subjects() -> None:
    assert mean_interval(np.full(5, 0.7), list("abcde")) == pytest.approx((0.7, 0.7))
    assert all(math.isnan(end) for end in mean_interval(np.array([0.1, 0.9, 0.5, 0.4, 0.3]), list("abcda")))


def test_paired_differences_and_wilcoxons_test() -> None:
    generator = np.random.default_rng(5)
    mine, theirs = generator.random(12), generator.random(12)
    other = table(theirs.tolist())[["case", "label", "metric", "value"]]
    outcome = compare(table(mine.tolist()), other)
    found = row(outcome.table, "T1w", "dice")
    assert found["n"] == 12
    assert found["mean_difference"] == pytest.approx((mine - theirs).mean())
    assert found["p_value"] == pytest.approx(stats.wilcoxon(mine, theirs).pvalue)
    assert found["low"] < found["mean_difference"] < found["high"]
    same = row(compare(table([0.5] * 6), table([0.5] * 6)).table, "T1w", "dice")
    assert (same["p_value"], same["mean_difference"]) == (1.0, 0.0)


def test_differences_within_a_subject_are_averaged_before_the_test() -> None:
    mine, theirs = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.1, 0.9, 0.2, 0.3, 0.1, 0.2]
    found = row(compare(table(mine, subjects="aabbcc"), table(theirs)).table, "T1w", "dice")
    differences = (np.array(mine) - np.array(theirs)).reshape(3, 2).mean(1)
    assert found["p_value"] == pytest.approx(stats.wilcoxon(differences).pvalue)
    assert found["n"] == 6


def test_cases_of_one_side_are_named_and_undefined_pairs_left_out() -> None:
    other = table([0.5, 0.5, math.nan, 0.5])
    other["case"] = ["c0", "c1", "c2", "elsewhere"]
    outcome = compare(table([0.6, 0.7, 0.8, math.inf]), other)
    assert (outcome.only_here, outcome.only_there) == (("c3",), ("elsewhere",))
    assert row(outcome.table, "T1w", "dice")["n"] == 2
    assert compare(table([0.5]), other.assign(case="none")).table.empty


def test_holms_adjustment_by_hand() -> None:
    adjusted = holm(np.array([0.01, 0.04, 0.03, math.nan, 0.9]))
    assert adjusted[[0, 1, 2, 4]] == pytest.approx([0.04, 0.09, 0.09, 0.9])
    assert math.isnan(adjusted[3])


def test_another_evaluation_is_read_from_nnunets_summary(tmp_path: Path) -> None:
    values = {"Dice": 0.5, "IoU": 1 / 3, "TP": 10, "FP": 10, "FN": 10, "TN": 70, "n_pred": 20, "n_ref": 20}
    case = {"metrics": {"1": values, "9": values}, "prediction_file": "/x/c0.nii.gz", "reference_file": "/y/c0.nii.gz"}
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"metric_per_case": [case], "mean": {}, "foreground_mean": {}}))
    other = read_other(path, NAMES)
    assert set(other["case"]) == {"c0"}
    assert set(other["label"]) == {"GM"}
    assert dict(zip(other["metric"], other["value"], strict=True)) == pytest.approx(
        {"dice": 0.5, "iou": 1 / 3, "precision": 0.5, "recall": 0.5}
    )
    table([0.25]).to_csv(tmp_path / "metrics.csv", index=False)
    assert read_other(path, NAMES)["value"].tolist() == [0.25]


@pytest.mark.parametrize("text", ["", "[]", '{"metric_per_case": [{"a": 1}]}', '{"metric_per_case": 3}'])
def test_other_files_are_no_summaries(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(SummaryError, match=r"summary\.json"):
        read_other(tmp_path / "summary.json", NAMES)


def test_a_summary_without_the_labels_is_refused(tmp_path: Path) -> None:
    case = {"metrics": {"9": {"Dice": 1.0}}, "prediction_file": "a.nii", "reference_file": "b.nii"}
    (tmp_path / "summary.json").write_text(json.dumps({"metric_per_case": [case]}))
    with pytest.raises(SummaryError, match="GM, WM, CSF"):
        read_other(tmp_path / "summary.json", NAMES)
