"""The plots of an evaluation report, each with its caption and a text for who can't see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.evaluation import figures
from otfsynth.evaluation.report_metrics import contrast_name, ordered_contrasts, style_of
from otfsynth.evaluation.result import EvaluationResult
from otfsynth.reports import Picture

if TYPE_CHECKING:
    import pandas as pd

PLOTTED = ("dice", "surface_dice_1mm", "hd95_mm", "relative_volume_error")
BOUNDED = ("dice", "iou", "precision", "recall", "surface_dice_1mm")
MOST_PANELS, MOST_NAMED_FIELDS = 12, 16
"""More structures than the first are not plotted one by one; larger matrices have no numbers in their fields."""


def distribution_plots(result: EvaluationResult) -> tuple[Picture, ...]:
    """One picture a metric: a panel per structure, a group per contrast, every case a point."""
    metrics = [metric for metric in PLOTTED if (result.metrics["metric"] == metric).any()]
    return tuple(_distribution(result, metric) for metric in metrics)


def confusion_plot(result: EvaluationResult) -> Picture | None:
    """Row-normalised matrices, voxels of all cases of a contrast added; ``None`` without any."""
    matrices = _confusion_by_contrast(result)
    if not matrices:
        return None
    names = result.label_names
    rows, columns = figures.panel_grid(len(matrices))
    side = max(300.0, 52.0 * len(names)) if len(names) <= MOST_NAMED_FIELDS else 24.0 * len(names)
    figure, axes = figures.new_figure(rows, columns, side + 40, side)
    for one, (contrast, (counts, cases)) in zip(axes.flat, matrices.items(), strict=False):
        totals = counts.sum(1, keepdims=True).astype(float)
        shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
        texts = [[_percent(share) for share in row] for row in shares] if len(names) <= MOST_NAMED_FIELDS else []
        figures.draw_matrix(one, shares, names, names, texts)
        one.set_title(f"{contrast}, {cases} case{'s' * (cases != 1)} (%)", fontsize=11)
        one.set_xlabel("prediction")
        one.set_ylabel("reference")
    alt = "Matrices of reference labels against predicted ones, one per contrast: " + ", ".join(matrices)
    caption = (
        "Where the voxels of each reference label went: every row adds up to 100 % (voxels of all cases of a contrast "
        "counted together, ignored ones left out). A dash: the reference has no such voxel."
    )
    return Picture(figures.to_png(figure), caption, alt)


def volume_plot(result: EvaluationResult) -> Picture | None:
    """Bland-Altman plots, a panel per structure; ``None`` without volumes."""
    volumes = _volumes(result)
    labels = [label for label in result.label_names[1:] if label in set(volumes["label"])][:MOST_PANELS]
    if not labels:
        return None
    contrasts = ordered_contrasts(result.metrics["contrast"])
    rows, columns = figures.panel_grid(len(labels))
    figure, axes = figures.new_figure(rows, columns, 370, 310)
    for one, label in zip(axes.flat, labels, strict=False):
        part = volumes[volumes["label"] == label]
        limits = figures.draw_agreement(one, part["mean"].to_numpy(), part["difference"].to_numpy())
        for number, contrast in enumerate(contrasts):
            own = part[part["contrast"] == contrast]
            figures.draw_points(one, own["mean"].to_numpy(), own["difference"].to_numpy(), number)
        if limits:
            _name_lines(one, limits)
        one.set_title(label, fontsize=11)
        one.set_xlabel("mean of both volumes (ml)")
        one.margins(0.12, 0.15)
    for row in axes[:, 0]:
        row.set_ylabel("prediction \u2212 reference (ml)")
    figures.legend_below(figure, [(contrast, number) for number, contrast in enumerate(contrasts)])
    caption = (
        "Bland-Altman plot of volumes: difference against mean, a point a case. Solid line: mean difference; broken "
        "lines: limits of agreement, mean ± 1.96 standard deviations, drawn from three cases on."
    )
    return Picture(figures.to_png(figure), caption, f"Volume differences against mean volumes of {', '.join(labels)}")


def agreement_plot(result: EvaluationResult) -> Picture:
    """Mean Dice between contrasts of one session, a symmetric matrix per structure."""
    table = result.agreement
    assert table is not None
    contrasts = ordered_contrasts([*table["contrast_a"], *table["contrast_b"]])
    labels = [label for label in result.label_names[1:] if label in set(table["label"])][:MOST_PANELS]
    rows, columns = figures.panel_grid(len(labels))
    side = max(230.0, 70.0 * len(contrasts))
    figure, axes = figures.new_figure(rows, columns, side + 60, side)
    means = table.groupby(["contrast_a", "contrast_b", "label"])["dice"].mean()
    for one, label in zip(axes.flat, labels, strict=False):
        matrix = np.full((len(contrasts), len(contrasts)), np.nan)
        for (first, second, name), value in means.items():
            if name == label:
                place = contrasts.index(contrast_name(first)), contrasts.index(contrast_name(second))
                matrix[place] = matrix[place[::-1]] = value
        texts = [["\u2013" if np.isnan(value) else f"{value:.2f}" for value in row] for row in matrix]
        for number in range(len(contrasts)):
            texts[number][number] = ""
        figures.draw_matrix(one, matrix, contrasts, contrasts, texts)
        one.set_title(label, fontsize=11)
    caption = "Mean Dice between the predictions of two contrasts of one session; a dash: no session has both."
    return Picture(
        figures.to_png(figure), caption, f"Matrices of Dice between {', '.join(contrasts)}, one per structure"
    )


def _distribution(result: EvaluationResult, metric: str) -> Picture:
    style = style_of(metric)
    table = result.metrics[result.metrics["metric"] == metric]
    table = table.assign(contrast=table["contrast"].map(contrast_name), value=table["value"] * style.scale)
    labels = [label for label in result.label_names[1:] if label in set(table["label"])][:MOST_PANELS]
    contrasts = ordered_contrasts(result.metrics["contrast"])
    rows, columns = figures.panel_grid(len(labels))
    width = max(370.0, 85.0 * len(contrasts))
    figure, axes = figures.new_figure(rows, columns, width, 290, sharey=True)
    for one, label in zip(axes.flat, labels, strict=False):
        part = table[table["label"] == label]
        groups = [
            (contrast, part.loc[part["contrast"] == contrast, "value"].to_numpy(float), number)
            for number, contrast in enumerate(contrasts)
        ]
        figures.draw_groups(one, groups)
        one.set_title(label, fontsize=11)
    for row in axes[:, 0]:
        row.set_ylabel(style.label)
    _limit(axes, metric, table["value"].to_numpy(float))
    caption = (
        f"{style.title} of the single cases by structure and contrast. Box: quartiles and median, from "
        f"{figures.LEAST_FOR_BOX} cases on; violin: density, from {figures.LEAST_FOR_VIOLIN} cases on."
    )
    if np.isinf(table["value"]).any():
        caption += " ∞: the structure is missing on one side."
    return Picture(figures.to_png(figure), caption, f"{style.title} of every case, by structure and contrast")


def _limit(axes: np.ndarray, metric: str, values: np.ndarray) -> None:
    """Scores begin below the lowest one and end at 1, errors show where 0 is, distances start at 0."""
    finite = values[np.isfinite(values)]
    for one in axes.flat:
        if metric in BOUNDED:
            low = np.floor(10 * (finite.min() - 0.02)) / 10 if len(finite) else 0.0
            one.set_ylim(max(min(low, 0.8), -0.02), 1.01)
        elif metric == "relative_volume_error":
            one.axhline(0, color=figures.MUTED, linewidth=0.8)
        else:
            top = finite.max() * (1.25 if np.isinf(values).any() else 1.08) if len(finite) else 1.0
            one.set_ylim(0, max(top, 1e-3))


def _confusion_by_contrast(result: EvaluationResult) -> dict[str, tuple[np.ndarray, int]]:
    contrast_of = {case.case: contrast_name(case.contrast) for case in result.scored}
    names = ordered_contrasts(contrast_of[case] for case in result.confusion if case in contrast_of)
    summed = {}
    for name in names:
        matrices = [matrix for case, matrix in result.confusion.items() if contrast_of.get(case) == name]
        summed[name] = (np.sum(matrices, axis=0), len(matrices))
    return summed


def _volumes(result: EvaluationResult) -> pd.DataFrame:
    """Columns case, contrast, label, mean, difference, in ml."""
    wanted = ("volume_mm3", "reference_volume_mm3")
    table = result.metrics[result.metrics["metric"].isin(wanted)]
    table = table.assign(contrast=table["contrast"].map(contrast_name))
    wide = table.pivot_table(index=["case", "contrast", "label"], columns="metric", values="value", aggfunc="first")
    wide = wide.reindex(columns=list(wanted)).dropna().reset_index()
    predicted, reference = wide["volume_mm3"] / 1000, wide["reference_volume_mm3"] / 1000
    return wide.assign(mean=(predicted + reference) / 2, difference=predicted - reference)


def _name_lines(axes: object, limits: Sequence[float]) -> None:
    assert hasattr(axes, "annotate")
    for value, name in zip(limits, ("\u22121.96 SD", "mean", "+1.96 SD"), strict=True):
        axes.annotate(
            f"{name}\n{value:+.1f}".replace("-", "\u2212"),
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=figures.INK,
        )


def _percent(share: float) -> str:
    if np.isnan(share):
        return "\u2013"
    return "< 0.1" if 0 < share < 0.001 else f"{100 * share:.1f}"
