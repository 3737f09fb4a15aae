"""Pictures of volumes: three planes a panel, contours of labels, captions (matplotlib, no display needed).

Neurological convention: the left of a coronal or axial picture is the patient's left; up is superior (anterior in axial
pictures), the right of a sagittal picture is anterior. The edges of every picture say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from otfsynth.volumes.canvas import new_canvas, points, write_canvas

COLOURS = ("#ff5d5d", "#ffd84d", "#4fb4ff", "#59d98c", "#ff9f43", "#5fe3e8", "#f27bf0", "#c6f06b")
"""Of target values 1, 2, 3 ...; they repeat."""
EDGES = (("P", "A"), ("L", "R"), ("L", "R"))
"""What lies at the left and the right of a sagittal, coronal and axial picture."""
CONTOURS = ("below", "over", "none")
WINDOW_PERCENTILES = (0.5, 99.5)
IGNORED = 255
"""Label of voxels that a reference leaves out."""
PANEL_WIDTH, PANEL_GAP, GAP, LINE, FONT = 660, 22, 3, 15, 11
"""Pixels: a panel's width, the space between panels and between pictures, a line of text, its letters."""


@dataclass(frozen=True)
class Panel:
    """One volume in three planes.

    Args:
        image: (x, y, z) in RAS order.
        reference: uint8 (x, y, z) targets, drawn dotted beside a prediction and solid without one.
        prediction: uint8 (x, y, z), drawn solid.
        title: lines above the pictures.
        aspect_mm: voxel size per axis.
    """

    image: np.ndarray
    reference: np.ndarray
    prediction: np.ndarray | None = None
    title: str = ""
    aspect_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def extent_mm(self) -> np.ndarray:
        """Edge lengths (3,) of the volume."""
        return np.array(self.image.shape) * np.array(self.aspect_mm)


def draw_panels(
    panels: Sequence[Panel],
    target_names: Sequence[str],
    path: Path,
    columns: int = 2,
    contours: str = "below",
    footer: str = "",
) -> Path:
    """Write a PNG of panels, all at one scale.

    Args:
        panels: what to draw.
        target_names: names of the targets, background first, for the legend.
        path: the folder is made where it is missing.
        columns: panels beside each other.
        contours: ``below`` shows every picture twice, without and with contours; ``over`` once, with them; ``none``.
        footer: a line beside the legend.
    """
    columns = min(columns, len(panels))
    layout = _Layout.of(panels, columns, contours)
    rows = -(-len(panels) // columns)
    width, height = columns * layout.panel_width + PANEL_GAP, rows * layout.panel_height + PANEL_GAP + 2 * LINE
    axes, canvas = new_canvas(width, height)
    for position, panel in enumerate(panels):
        row, column = divmod(position, columns)
        _draw_panel(panel, layout, axes, canvas, PANEL_GAP + column * layout.panel_width, row * layout.panel_height)
    _legend(axes, panels, target_names if contours != "none" else (), height - LINE, width, footer)
    return write_canvas(axes, canvas, path)


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


def grey_levels(picture: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """uint8: ``window`` stretched over 0 to 255; what is exactly 0, which is what no scanner saw, is black."""
    low, high = window
    levels = np.clip(255.0 * (picture - low) / max(high - low, 1e-6), 0, 255)
    return np.where(picture == 0, 0, levels).astype(np.uint8)


def intensity_window(image: np.ndarray) -> tuple[float, float]:
    """Percentiles of the voxels that are not 0; (0, 1) where all are."""
    values = image[image != 0]
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values[:: max(1, len(values) // 500_000)], WINDOW_PERCENTILES)
    return float(low), float(high)


@dataclass(frozen=True)
class _Layout:
    """Where the pictures of a panel lie: pixels a millimetre, the three cells, lines of text, rows of pictures."""

    scale: float
    cells: tuple[tuple[int, int], ...]
    """(width, height) in pixels of the sagittal, coronal and axial picture."""
    lines: int
    contours: str

    @classmethod
    def of(cls, panels: Sequence[Panel], columns: int, contours: str) -> _Layout:
        if contours not in CONTOURS:
            raise ValueError(f"contours={contours} is unknown; choose one of: {', '.join(CONTOURS)}")
        x, y, z = np.max([panel.extent_mm for panel in panels], axis=0)
        scale = PANEL_WIDTH * (1.4 if columns == 1 else 1.0) / (2 * x + y)
        cells = tuple((round(scale * across), round(scale * up)) for across, up in ((y, z), (x, z), (x, y)))
        return cls(scale, cells, max(panel.title.count("\n") + bool(panel.title) for panel in panels), contours)

    @property
    def picture_rows(self) -> int:
        return 2 if self.contours == "below" else 1

    @property
    def row_height(self) -> int:
        return max(height for _, height in self.cells) + GAP

    @property
    def panel_width(self) -> int:
        return sum(width + GAP for width, _ in self.cells) + PANEL_GAP

    @property
    def panel_height(self) -> int:
        return PANEL_GAP + self.lines * LINE + self.row_height * self.picture_rows


def _draw_panel(panel: Panel, layout: _Layout, axes: Any, canvas: np.ndarray, left: int, top: int) -> None:
    window = intensity_window(panel.image)
    top += PANEL_GAP
    for number, line in enumerate(panel.title.splitlines()):
        colour = "#f2f2f2" if number == 0 else "#a8a8a8"
        axes.text(left, top + number * LINE, line, color=colour, fontsize=points(FONT), va="top")
    top += layout.lines * LINE + GAP
    for axis, index in enumerate(central_slices(panel)):
        across, up = (layout.scale * panel.aspect_mm[other] for other in range(3) if other != axis)
        picture = grey_levels(plane(panel.image, axis, index), window)
        picture = resized(picture, across, up)
        x = left + (layout.cells[axis][0] - picture.shape[1]) // 2
        for y in (top, top + layout.row_height)[: layout.picture_rows]:
            canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            mark_edges(axes, EDGES[axis], x, y, picture.shape)
        if layout.contours != "none":
            place = (x, y, across, up)
            _contours(axes, plane(panel.reference, axis, index), place, ":" if panel.prediction is not None else "-")
            if panel.prediction is not None:
                _contours(axes, plane(panel.prediction, axis, index), place, "-")
        left += layout.cells[axis][0] + GAP


def resized(picture: np.ndarray, across: float, up: float) -> np.ndarray:
    """The picture at ``across`` by ``up`` pixels a voxel, interpolated linearly."""
    rows, columns = (max(1, round(length * factor)) for length, factor in zip(picture.shape, (up, across), strict=True))
    places = np.meshgrid((np.arange(rows) + 0.5) / up - 0.5, (np.arange(columns) + 0.5) / across - 0.5, indexing="ij")
    resized = ndimage.map_coordinates(picture.astype(np.float32), places, order=1, mode="nearest")
    return np.asarray(np.rint(resized).astype(np.uint8))


def mark_edges(axes: Any, edges: tuple[str, str], x: int, y: int, shape: tuple[int, ...]) -> None:
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=2, foreground="black")]  # legible on bright skin, too
    style = {"color": "#a9bcc8", "fontsize": points(10), "va": "bottom", "path_effects": rim}
    axes.text(x + 3, y + shape[0] - 2, edges[0], ha="left", **style)
    axes.text(x + shape[1] - 4, y + shape[0] - 2, edges[1], ha="right", **style)


def _contours(axes: Any, labels: np.ndarray, place: tuple[float, float, float, float], style: str) -> None:
    """Outlines of every label of a picture that lies at (x, y) with (across, up) pixels a voxel.

    Outer labels first, so that two labels share the inner one's colour: red is the pial surface, yellow the white one.
    """
    from contourpy import contour_generator  # late, as matplotlib, which brings it
    from matplotlib.collections import LineCollection

    x, y, across, up = place
    for value in _from_outside(labels):
        outlines: Any = contour_generator(z=np.pad(labels == value, 1).astype(np.float32)).lines(0.5)
        segments = [(line - 0.5) * np.array([across, up]) + np.array([x - 0.5, y - 0.5]) for line in outlines]
        axes.add_collection(LineCollection(segments, colors=colour_of(value), linestyles=style, linewidths=0.6))


def _from_outside(labels: np.ndarray) -> list[int]:
    """The labels of a slice, those first of which the largest part lies at the background."""
    beside_background = ndimage.binary_dilation(labels == 0, iterations=2)
    values = [int(value) for value in np.unique(labels) if value not in (0, IGNORED)]
    return sorted(values, key=lambda value: -float(beside_background[labels == value].mean()))


def _legend(axes: Any, panels: Sequence[Panel], target_names: Sequence[str], y: float, width: int, footer: str) -> None:
    text = {"fontsize": points(FONT), "va": "center"}
    x = float(PANEL_GAP)
    entries = [(colour_of(value), "-", name) for value, name in enumerate(target_names) if value]
    if target_names and any(panel.prediction is not None for panel in panels):
        entries += [("#f2f2f2", "-", "prediction"), ("#f2f2f2", ":", "reference")]
    for colour, style, name in entries:
        axes.plot([x, x + 16], [y, y], color=colour, linestyle=style, linewidth=1.5)
        axes.text(x + 21, y, name, color="#f2f2f2", **text)
        x += 40 + 0.62 * FONT * len(name)
    note = f"{footer}   ·   L is the patient's left" if footer else "L is the patient's left"
    axes.text(width - PANEL_GAP, y, note, color="#a8a8a8", ha="right", **text)


def colour_of(value: int) -> str:
    """Colour of a target value from 1 on."""
    return COLOURS[(value - 1) % len(COLOURS)]
