"""Pictures of samples and segmentations: slices in three planes with contours (matplotlib, no display needed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLANES = ("sagittal", "coronal", "axial")
COLOURS = ("#e6194b", "#ffe119", "#4363d8", "#3cb44b", "#f58231", "#42d4f4", "#f032e6", "#bfef45")


@dataclass(frozen=True)
class Panel:
    """One row of a figure.

    Args:
        image: (x, y, z) in RAS order.
        reference: uint8 (x, y, z) targets, drawn dashed beside a prediction and solid without one.
        prediction: uint8 (x, y, z), drawn solid.
        title: text above the row.
        aspect_mm: voxel size per axis.
    """

    image: np.ndarray
    reference: np.ndarray
    prediction: np.ndarray | None = None
    title: str = ""
    aspect_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)


def draw_panels(panels: Sequence[Panel], target_names: Sequence[str], path: Path, columns: int = 2) -> Path:
    """Write a PNG with one group of three slices per panel, without contours above and with contours below.

    Args:
        panels: what to draw.
        target_names: names of the targets, background first, for the legend.
        path: the folder is made where it is missing.
        columns: panels beside each other.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a while to import
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.0 * columns, 4.2 * rows + 0.5), facecolor="black")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2 * rows, 3 * columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for position, panel in enumerate(panels):
        row, column = divmod(position, columns)
        _draw_panel(panel, grid[2 * row : 2 * row + 2, 3 * column : 3 * column + 3])
    handles = [Line2D([], [], color=_colour(value), label=name) for value, name in enumerate(target_names) if value]
    if any(panel.prediction is not None for panel in panels):
        handles += [Line2D([], [], color="w", label="prediction"), Line2D([], [], color="w", ls=":", label="reference")]
    figure.legend(
        handles=handles, loc="lower center", ncols=8, fontsize=8, labelcolor="w", facecolor="black", framealpha=0
    )
    figure.subplots_adjust(
        left=0.01, right=0.99, top=1 - 0.35 / figure.get_figheight(), bottom=0.03, wspace=0.03, hspace=0.12
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    figure.savefig(part, dpi=90, format="png", facecolor="black")
    part.replace(path)
    return path


def central_slices(panel: Panel) -> tuple[int, int, int]:
    """Slice per axis through the middle of what is labelled, or of the volume where nothing is."""
    labelled = panel.reference > 0 if panel.prediction is None else (panel.reference > 0) | (panel.prediction > 0)
    middle = []
    for axis in range(3):
        counts = labelled.sum(axis=tuple(other for other in range(3) if other != axis))
        total = counts.sum()
        middle.append(int(np.searchsorted(np.cumsum(counts), total / 2)) if total else labelled.shape[axis] // 2)
    return middle[0], middle[1], middle[2]


def plane(volume: np.ndarray, axis: int, index: int) -> np.ndarray:
    """Slice of a RAS volume as a picture: up is superior (anterior in axial slices), left is the patient's left."""
    return np.take(volume, index, axis=axis).T[::-1]


def _draw_panel(panel: Panel, grid: np.ndarray) -> None:
    low, high = np.percentile(panel.image, (1, 99.5))
    for axis, index in enumerate(central_slices(panel)):
        picture = plane(panel.image, axis, index)
        across, up = [panel.aspect_mm[other] for other in range(3) if other != axis]
        for axes in grid[:, axis]:
            axes.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=up / across)
        below = grid[1, axis]
        if panel.prediction is None:
            _contours(below, plane(panel.reference, axis, index), "-", 0.9)
        else:
            _contours(below, plane(panel.reference, axis, index), ":", 0.8)
            _contours(below, plane(panel.prediction, axis, index), "-", 0.8)
    grid[0, 0].set_title(panel.title, color="w", fontsize=8, loc="left")


def _contours(axes: Axes, labels: np.ndarray, style: str, width: float) -> None:
    for value in np.unique(labels):
        if value in (0, 255):
            continue
        mask = (labels == value).astype(np.float32)
        if mask.min() < mask.max():
            axes.contour(mask, [0.5], colors=[_colour(int(value))], linestyles=style, linewidths=width)


def _colour(value: int) -> str:
    return COLOURS[(value - 1) % len(COLOURS)]
