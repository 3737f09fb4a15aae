"""The tables of an evaluation report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otfsynth.evaluation.report_metrics import STYLES, contrast_name, ordered_contrasts, style_of
from otfsynth.evaluation.result import ALL_CONTRASTS, METRICS, EvaluationResult
from otfsynth.reports import Card, Cell, Column, Link, Table

if TYPE_CHECKING:
    import pandas as pd

CASE_METRICS = ("dice", "hd95_mm", "surface_dice_1mm", "relative_volume_error")
EN_DASH = "\u2013"
THESIS_NOTE = (
    "Thesis: nnU-Net trained on 500 frozen lab2im volumes, tested on skull-stripped scans of OASIS-3. Only the same "
    "protocol on the same scans gives numbers that may be compared with these."
)
INTERVAL = "Interval: 95 % bootstrap interval (BCa) of the mean over subjects, each with all its scans; from five on."


def headline_table(result: EvaluationResult) -> Table | None:
    """Mean Dice per contrast and structure with its interval, and published numbers beside it where asked for."""
    if result.summary is None:
        return None
    summary = _ordered(result.summary, result)
    missed = {(row["contrast"], row["label"]): row["failures"] for row in summary if row["metric"] == "hd95_mm"}
    published = {} if result.thesis is None else _published(result.thesis)
    columns = [
        Column("Contrast"),
        Column("Structure"),
        Column("Cases", decimals=0),
        Column("Mean Dice", decimals=3),
        Column("95 % interval", decimals=3),
        Column("Median", decimals=3),
        Column("Missed", decimals=0),
    ]
    if published:
        columns += [Column("Thesis", decimals=3), Column("Difference", decimals=3)]
    rows = []
    for row in summary:
        if row["metric"] != "dice":
            continue
        key = (row["contrast"], row["label"])
        line = [*key, row["n"], row["mean"], interval(row, 1, 3), row["median"], missed.get(key, row["failures"])]
        if published:
            other = published.get(key, math.nan)
            line += [other, _cell(row["mean"] - other, 3, sign=True)]
        rows.append(tuple(line))
    notes = (
        f"{INTERVAL} Missed: only one side has the structure; the Dice of such a case is 0 and counts. Cases in which "
        "neither side has it are left out."
    )
    if published:
        notes += f"\n\n{THESIS_NOTE}"
    return Table(tuple(columns), tuple(rows), "Dice by contrast and structure", notes)


def metric_tables(result: EvaluationResult) -> tuple[Table, ...]:
    """Means of all metrics, a table per contrast with a row per structure."""
    if result.summary is None:
        return ()
    metrics = [metric for metric in METRICS if (result.summary["metric"] == metric).any()]
    columns = (
        Column("Structure"),
        *(Column(style_of(m).title, style_of(m).unit, style_of(m).decimals) for m in metrics),
    )
    tables = []
    for contrast in _contrasts(result.summary):
        part = result.summary[result.summary["contrast"].map(contrast_name) == contrast]
        values = {(row["label"], row["metric"]): row["mean"] for row in part.to_dict("records")}
        labels = [label for label in result.label_names if label in set(part["label"])]
        rows = tuple(
            (label, *(style_of(m).scale * values.get((label, m), math.nan) for m in metrics)) for label in labels
        )
        tables.append(Table(columns, rows, "All contrasts" if contrast == ALL_CONTRASTS else contrast))
    return tuple(tables)


def summary_table(result: EvaluationResult) -> Table | None:
    """Every metric with mean, interval, median and how many cases stand behind it."""
    if result.summary is None:
        return None
    columns = (
        Column("Contrast"),
        Column("Structure"),
        Column("Metric"),
        Column("Cases", decimals=0),
        Column("Mean", decimals=3),
        Column("95 % interval", decimals=3),
        Column("Median", decimals=3),
        Column("Failures", decimals=0),
        Column("Undefined", decimals=0),
    )
    rows = []
    for row in _ordered(result.summary, result):
        style = style_of(row["metric"])
        numbers = (_cell(style.scale * row["mean"], style.decimals), interval(row, style.scale, style.decimals))
        median = _cell(style.scale * row["median"], style.decimals)
        head = (row["contrast"], row["label"], style.label, row["n"])
        rows.append((*head, *numbers, median, row["failures"], row["undefined"]))
    notes = (
        f"{INTERVAL} Failures are infinite values (only one side has the structure): they are left out of mean and "
        "interval and enter the median as worst. Undefined: neither side has the structure; left out of everything."
    )
    return Table(columns, tuple(rows), "All metrics with their intervals", notes)


def case_table(result: EvaluationResult, cards: Mapping[str, Card]) -> Table:
    """A row per case; names of cases that have a card lead to it."""
    labels = [label for label in result.label_names[1:] if label in set(result.metrics["label"])]
    metrics = [metric for metric in CASE_METRICS if (result.metrics["metric"] == metric).any()]
    values = {(row.case, row.label, row.metric): row.value for row in result.metrics.itertuples(index=False)}
    columns = [Column("Case"), Column("Contrast")]
    for metric in metrics:
        style = style_of(metric)
        columns += [Column(f"{style.title} {label}", style.unit, style.decimals) for label in labels]
    rows = tuple(
        (
            Link.to_card(cards[case.case]) if case.case in cards else case.case,
            contrast_name(case.contrast),
            *(style_of(m).scale * values.get((case.case, lab, m), math.nan) for m in metrics for lab in labels),
        )
        for case in result.scored
    )
    return Table(tuple(columns), rows, "Every case")


def comparison_table(comparison: pd.DataFrame, result: EvaluationResult) -> Table:
    """Paired differences to another evaluation."""
    columns = (
        Column("Contrast"),
        Column("Structure"),
        Column("Metric"),
        Column("Pairs", decimals=0),
        Column("Mean difference", decimals=3),
        Column("95 % interval", decimals=3),
        Column("p", decimals=3),
        Column("adjusted p", decimals=3),
    )
    rows = []
    for row in _ordered(comparison, result):
        style = style_of(row["metric"])
        difference = _cell(style.scale * row["mean_difference"], style.decimals, sign=True)
        between = interval(row, style.scale, style.decimals, sign=True)
        p_values = (probability(row["p_value"]), probability(row.get("adjusted_p_value")))
        head = (row["contrast"], row["label"], style.label, row["n"])
        rows.append((*head, difference, between, *p_values))
    notes = (
        f"This evaluation minus the other one, over the cases that both have with finite values. {INTERVAL} p: "
        "Wilcoxon signed-rank test, two-sided, on the means of the subjects; adjusted by Holm's method over all "
        "contrasts and structures of a metric."
    )
    return Table(columns, tuple(rows), "Paired differences", notes)


def agreement_table(agreement: pd.DataFrame) -> Table:
    """Dice between the contrasts of one brain, summed up over sessions."""
    columns = (
        Column("First contrast"),
        Column("Second contrast"),
        Column("Structure"),
        Column("Sessions", decimals=0),
        Column("Mean Dice", decimals=3),
        Column("Lowest", decimals=3),
    )
    grouped = agreement.groupby(["contrast_a", "contrast_b", "label"], sort=False)["dice"]
    rows = tuple((*key, int(part.count()), part.mean(), part.min()) for key, part in grouped)
    return Table(columns, rows, "Agreement between the contrasts of one session")


def definition_table(result: EvaluationResult) -> Table:
    """What every metric of the evaluation means."""
    used = [metric for metric in STYLES if (result.metrics["metric"] == metric).any()]
    rows = tuple((STYLES[metric].title, STYLES[metric].unit, STYLES[metric].definition) for metric in used)
    notes = (
        "TP, FP, FN: voxels that both sides have, that only the prediction has and that only the reference has. "
        "Surfaces and their areas are those of DeepMind's definition (Nikolov et al. 2018), in MONAI's implementation; "
        "every statistic of distances weighs by area."
    )
    return Table((Column("Metric"), Column("Unit"), Column("Definition")), rows, "", notes)


def interval(row: Mapping[str, Any], scale: float, decimals: int, sign: bool = False) -> Cell:
    """``low`` to ``high`` of a row, sorted by its low end."""
    low, high = scale * row["low"], scale * row["high"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return Cell(EN_DASH, None)
    return Cell(f"{_digits(low, decimals, sign)} to {_digits(high, decimals, sign)}", low)


def probability(value: float | None) -> Cell:
    """A p value; small ones are not shown as 0."""
    if value is None or math.isnan(value):
        return Cell(EN_DASH, None)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def _cell(value: float, decimals: int, sign: bool = False) -> Cell:
    if math.isnan(value):
        return Cell(EN_DASH, None)
    if math.isinf(value):
        return Cell("∞", value)
    return Cell(_digits(value, decimals, sign), value)


def _digits(value: float, decimals: int, sign: bool) -> str:
    rounded = round(value, decimals) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''},.{decimals}f}".replace("-", "\u2212").replace(",", "\u202f")


def _contrasts(table: pd.DataFrame) -> list[str]:
    """Contrasts of a summary in their order; all together only where there are several."""
    names = ordered_contrasts(table["contrast"])
    return [name for name in names if name != ALL_CONTRASTS or len(names) != 2]


def _ordered(table: pd.DataFrame, result: EvaluationResult) -> list[dict[str, Any]]:
    """Rows by contrast, label and metric, the contrast's name filled in."""
    contrasts, labels = _contrasts(table), list(result.label_names)
    rows = [{**row, "contrast": contrast_name(row["contrast"])} for row in table.to_dict("records")]
    rows = [row for row in rows if row["contrast"] in contrasts]
    orders: tuple[tuple[str, Sequence[str]], ...] = (("contrast", contrasts), ("label", labels), ("metric", METRICS))

    def place(row: dict[str, Any]) -> tuple[int, ...]:
        return tuple(list(order).index(row[key]) if row[key] in order else len(order) for key, order in orders)

    return sorted(rows, key=place)


def _published(thesis: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {(contrast_name(row.contrast), row.label): float(row.dice) for row in thesis.itertuples(index=False)}
