"""Plots of reports as PNG bytes, drawn at two pixels to one of the page's; no display is needed.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers; every group has its own marker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c5c5c")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, MUTED, GRID = "#1c2430", "#55606e", "#e3e8ee"
CSS_DPI = 96
LEAST_FOR_BOX, LEAST_FOR_VIOLIN = 5, 12
"""Fewer values are shown as points alone."""


def new_figure(rows: int, columns: int, width_px: float, height_px: float, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of ``rows * columns`` axes.

    Args:
        rows: of axes.
        columns: of axes.
        width_px: width of one of the axes on the page.
        height_px: height of one of the axes on the page.
        options: of :meth:`matplotlib.figure.Figure.subplots`.

    Returns:
        The figure and its axes, shape (rows, columns).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a while to import
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    spaced = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.06)  # inches
    size = (columns * width_px / CSS_DPI, rows * height_px / CSS_DPI)
    figure = Figure(figsize=size, dpi=CSS_DPI, facecolor="white", layout=spaced)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for one in axes.flat:
        _plain(one)
    return figure, axes


def panel_grid(count: int, most_columns: int = 3) -> tuple[int, int]:
    """Rows and columns for ``count`` axes."""
    columns = max(1, min(count, most_columns))
    return max(1, math.ceil(count / columns)), columns


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG; axes on which nothing was drawn are left out."""
    for axes in figure.axes:
        if not axes.has_data() and not axes.texts:
            axes.set_visible(False)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=2 * CSS_DPI)
    return picture.getvalue()


def draw_groups(axes: Axes, groups: Sequence[tuple[str, np.ndarray, int]], jitter: float = 0.16) -> None:
    """Values of several groups beside each other: violin, box and single points, as far as there are enough.

    Infinite values are crosses at the edge of the axes with their number beside them; NaN is left out and not counted.

    Args:
        axes: where to draw.
        groups: name, values and number of the colour of each group.
        jitter: largest sideways shift of a point.
    """
    for position, (_, values, colour) in enumerate(groups):
        values = np.asarray(values, float)
        finite = values[np.isfinite(values)]
        _draw_shape(axes, finite, position, COLOURS[colour % len(COLOURS)])
        widest = jitter if len(finite) > 1 else 0.0
        shifts = np.random.default_rng(position).uniform(-widest, widest, len(finite))
        draw_points(axes, position + shifts, finite, colour)
        _draw_infinite(axes, int(np.isinf(values).sum()), position)
    axes.set_xticks(range(len(groups)), [f"{name}\nn = {_count(values)}" for name, values, _ in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)


def draw_points(axes: Axes, x: np.ndarray, y: np.ndarray, colour: int) -> None:
    """Points in the colour and with the marker of a group, smaller where there are many."""
    few = len(x) < 40
    axes.scatter(
        x,
        y,
        s=24 if few else 10,
        marker=MARKERS[colour % len(MARKERS)],
        color=COLOURS[colour % len(COLOURS)],
        edgecolors="white",
        linewidths=0.4,
        alpha=0.9 if few else 0.6,
        zorder=3,
    )


def draw_matrix(
    axes: Axes, shares: np.ndarray, rows: Sequence[str], columns: Sequence[str], texts: Sequence[Sequence[str]]
) -> None:
    """A matrix of numbers from 0 to 1, darker where larger, NaN in grey, with a text in every field."""
    from matplotlib import colormaps

    colours = colormaps["Blues"].with_extremes(bad="#eeeeee")
    axes.imshow(np.ma.masked_invalid(shares), cmap=colours, vmin=0, vmax=1.15, aspect="equal")
    axes.grid(False)
    axes.tick_params(length=0)
    if max(map(len, columns)) > 6:
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    size = 10 if len(columns) <= 8 else 6
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            dark = shares[row, column] > 0.6
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color="white" if dark else INK)


def draw_agreement(axes: Axes, means: np.ndarray, differences: np.ndarray) -> tuple[float, float, float] | None:
    """Lines of a Bland-Altman plot: mean difference and limits of agreement, mean +- 1.96 standard deviations.

    Bland and Altman, Lancet 1986.

    Returns:
        Lower limit, mean and upper limit; ``None`` for fewer than three pairs, which say nothing about a spread.
    """
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    kept = np.isfinite(means) & np.isfinite(differences)
    if kept.sum() < 3:
        return None
    bias, spread = float(differences[kept].mean()), float(differences[kept].std(ddof=1))
    limits = (bias - 1.96 * spread, bias, bias + 1.96 * spread)
    for value, style in zip(limits, ("--", "-", "--"), strict=True):
        axes.axhline(value, color=INK, linestyle=style, linewidth=1.1, zorder=2)
    return limits


def legend_below(figure: Figure, entries: Sequence[tuple[str, int]]) -> None:
    """Names with their colours and markers below all axes."""
    from matplotlib.lines import Line2D

    if len(entries) < 2:
        return
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[n % len(MARKERS)], color=COLOURS[n % len(COLOURS)], label=name)
        for name, n in entries
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7), frameon=False, fontsize=10)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9aa5b1")
    axes.tick_params(colors=INK, labelsize=9.5)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _draw_shape(axes: Axes, finite: np.ndarray, position: int, colour: str) -> None:
    if len(finite) >= LEAST_FOR_VIOLIN and np.ptp(finite) > 0:
        parts: Any = axes.violinplot(finite, [position], widths=0.8, showextrema=False)
        for body in parts["bodies"]:
            body.set(facecolor=colour, edgecolor="none", alpha=0.22)
    if len(finite) >= LEAST_FOR_BOX:
        line = {"color": INK, "linewidth": 1.0}
        axes.boxplot(
            finite,
            positions=[position],
            widths=0.42,
            showfliers=False,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops={"color": INK, "linewidth": 2.0},
            manage_ticks=False,
            zorder=2,
        )


def _draw_infinite(axes: Axes, count: int, position: int) -> None:
    if not count:
        return
    place = axes.get_xaxis_transform()
    axes.plot([position], [0.97], marker="x", color="#b00020", markersize=7, transform=place, clip_on=False)
    axes.text(position + 0.12, 0.97, f"∞ in {count}", color="#b00020", fontsize=9, va="center", transform=place)


def _count(values: np.ndarray) -> int:
    return int(np.sum(~np.isnan(np.asarray(values, float))))
