"""Tables and plot of ``compare_intensities.py``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark_report import print_table
from otfsynth.evaluation import figures
from otfsynth.evaluation.image_quality_study import REAL, SYNTHETIC
from otfsynth.evaluation.intensity_statistics import CONTRAST_PAIR, STATISTICS, possible_contrasts
from otfsynth.evaluation.point_cloud import NEIGHBOURS, PointCloud
from otfsynth.evaluation.report_metrics import ordered_contrasts
from otfsynth.volumes import write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RANGE_PERCENTILES = (2.5, 50.0, 97.5)
GREYS = ("#8b96a3", "#2f3a46", "#b9c2cc")
TEXTURE_PAIR = ("wm_noise", "gradient_boundary_per_mm")
AXIS_NAMES = {
    "wm_minus_gm": "(WM - GM) / spread of the brain",
    "csf_minus_gm": "(CSF - GM) / spread of the brain",
    "wm_noise": "noise in WM (spread of the brain)",
    "gradient_boundary_per_mm": "gradient between tissues (per mm)",
}


def write(images: pd.DataFrame, folder: Path, title: str) -> None:
    """Write ``images.csv``, ``contrasts.csv``, ``statistics.csv`` and ``contrasts.png``, and print both tables."""
    folder.mkdir(parents=True, exist_ok=True)
    images = with_place_in_cloud(images)
    shares, ranges = contrast_table(images), statistics_table(images)
    images.to_csv(folder / "images.csv", index=False, float_format="%.5g")
    shares.to_csv(folder / "contrasts.csv", index=False, float_format="%.5g")
    ranges.to_csv(folder / "statistics.csv", index=False, float_format="%.5g")
    write_bytes_atomically(folder / "contrasts.png", plot(images, title))
    print(title)
    _print("share of tissue-contrast pairs inside the synthetic cloud", shares)
    _print(
        "statistics: 2.5th, 50th and 97.5th percentile of the samples, and the real scans",
        ranges.drop(columns="outside"),
    )
    for row in ranges[ranges["outside"] != ""].itertuples():
        print(f"{row.statistic} outside: {row.outside}")
    print(f"\nwritten to {folder}")


def clouds(images: pd.DataFrame) -> dict[str, PointCloud]:
    """Contrast pairs of all samples (``inside``), and of each engine that drew enough of them (``inside_ENGINE``)."""
    synthetic = images[images["kind"] == SYNTHETIC]
    parts = {"inside": synthetic} | {
        f"inside_{name}": synthetic[synthetic["group"] == name] for name in engines(images)
    }
    points = {column: part[list(CONTRAST_PAIR)].to_numpy() for column, part in parts.items()}
    return {column: PointCloud.from_points(own) for column, own in points.items() if len(own) > NEIGHBOURS}


def with_place_in_cloud(images: pd.DataFrame) -> pd.DataFrame:
    """With the columns of :func:`clouds`, 1 or 0 for real scans, and their ``rarity`` among all samples."""
    real = images["kind"] == REAL
    points = images.loc[real, list(CONTRAST_PAIR)].to_numpy()
    placed, found = images.copy(), clouds(images)
    for column, cloud in found.items():
        placed.loc[real, column] = cloud.contains(points).astype(float)
    placed.loc[real, "rarity"] = found["inside"].rarity(points)
    return placed


def contrast_table(images: pd.DataFrame) -> pd.DataFrame:
    """A row a contrast: scans, shares inside the cloud of all samples and of each engine, worst rarity, mean pair.

    The last row holds the share of all pairs that a brain can have at all: what scans of any contrast would reach.
    """
    real = images[images["kind"] == REAL]
    found = clouds(images)
    rows: list[dict[str, object]] = []
    for contrast in [*ordered_contrasts(real["group"]), "all"]:
        own = real if contrast == "all" else real[real["group"] == contrast]
        row: dict[str, object] = {"contrast": contrast, "scans": len(own)}
        row |= {column: own[column].mean() for column in found}
        row["worst_rarity"] = own["rarity"].max()
        if contrast != "all":
            row |= {column: own[column].mean() for column in CONTRAST_PAIR}
        rows.append(row)
    possible = possible_contrasts()
    rows.append(
        {"contrast": "(any pair)", "scans": 0} | {c: cloud.contains(possible).mean() for c, cloud in found.items()}
    )
    return pd.DataFrame(rows)


def statistics_table(images: pd.DataFrame) -> pd.DataFrame:
    """A row a statistic: percentiles of the samples, and extremes of the scans.

    ``real_low_place`` and ``real_high_place`` are the shares of the samples below those extremes; ``within`` says how
    many scans lie between the outer percentiles, ``outside`` which do not.
    """
    real, synthetic = (images[images["kind"] == kind] for kind in (REAL, SYNTHETIC))
    rows = []
    for name in STATISTICS:
        low, middle, high = np.nanpercentile(synthetic[name], RANGE_PERCENTILES)
        within = real[name].between(low, high)
        outside = [f"{row.image} ({getattr(row, name):.3g})" for row in real[~within].itertuples()]
        places = [(synthetic[name] < extreme(real[name])).mean() for extreme in (np.nanmin, np.nanmax)]
        rows.append(
            {
                "statistic": name,
                "low": low,
                "median": middle,
                "high": high,
                "real_low": real[name].min(),
                "real_high": real[name].max(),
                "real_low_place": places[0],
                "real_high_place": places[1],
                "within": f"{int(within.sum())}/{len(real)}",
                "outside": "; ".join(outside),
            }
        )
    return pd.DataFrame(rows)


def engines(images: pd.DataFrame) -> list[str]:
    """Engines that drew contrasts, the most frequent one first."""
    return [str(name) for name in images.loc[images["kind"] == SYNTHETIC, "group"].value_counts().index]


def plot(images: pd.DataFrame, title: str) -> bytes:
    """Contrast pairs with the outline of the cloud, and gradients against noise; samples grey, scans in colours."""
    figure, axes = figures.new_figure(1, 2, 560, 480)
    contrasts = ordered_contrasts(images.loc[images["kind"] == REAL, "group"])
    for one, pair in zip(axes[0], (CONTRAST_PAIR, TEXTURE_PAIR), strict=True):
        for colour, engine in zip(GREYS, engines(images), strict=False):
            own = images[(images["kind"] == SYNTHETIC) & (images["group"] == engine)]
            one.scatter(own[pair[0]], own[pair[1]], s=11, color=colour, linewidths=0, label=f"{engine} ({len(own)})")
        for number, contrast in enumerate(contrasts):
            own = images[(images["kind"] == REAL) & (images["group"] == contrast)]
            marker, colour = figures.MARKERS[number], figures.COLOURS[number]
            label = f"real {contrast} ({len(own)})"
            style = {"s": 58, "marker": marker, "color": colour, "edgecolors": "white", "linewidths": 0.7, "zorder": 4}
            one.scatter(own[pair[0]], own[pair[1]], label=label, **style)
        one.set(xlabel=AXIS_NAMES[pair[0]], ylabel=AXIS_NAMES[pair[1]])
    left, right = axes[0]
    outline(left, images.loc[images["kind"] == SYNTHETIC, list(CONTRAST_PAIR)].to_numpy())
    left.set_title("Tissue contrasts; dashed: edge of the cloud", fontsize=11)
    right.set(xscale="log", yscale="log")
    right.set_title("Noise and edges", fontsize=11)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=10)
    figure.suptitle(title, fontsize=12)
    return figures.to_png(figure)


def outline(axes: Axes, points: np.ndarray) -> None:
    """Where the distance to the k-th nearest sample is that that 95 % of the samples keep."""
    cloud = PointCloud.from_points(points)
    low, high = points.min(0) - 2 * cloud.limit, points.max(0) + 2 * cloud.limit
    x, y = (np.linspace(low[axis], high[axis], 220) for axis in range(2))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    distances = cloud.distances(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    axes.contour(x, y, distances, [cloud.limit], colors=figures.INK, linewidths=0.9, linestyles="--")


def _print(heading: str, table: pd.DataFrame) -> None:
    body = [
        [_cell(value, name.startswith("inside") or name.endswith("_place")) for name, value in row.items()]
        for row in table.to_dict("records")
    ]
    print_table(heading, list(table.columns), body)


def _cell(value: object, share: bool) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.0%}" if share else f"{value:.3g}"
    return str(value)
