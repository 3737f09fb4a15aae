"""A strip of pictures: volumes beside each other that differ in one thing, a column a volume and a row a plane."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otfsynth.volumes.canvas import new_canvas, points, write_canvas
from otfsynth.volumes.figures import (
    EDGES,
    FONT,
    GAP,
    LINE,
    PANEL_GAP,
    Panel,
    central_slices,
    grey_levels,
    intensity_window,
    mark_edges,
    plane,
    resized,
)

PLANE_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
MARGIN, LETTER = PANEL_GAP // 2, 0.62 * FONT
"""Pixels: above and below everything; a letter's width."""
BRIGHT, DIM = "#f2f2f2", "#a8a8a8"
TELLING = 2.0
"""A slice that differs so many times more between the columns than the middle one is shown in its place."""
LABELLED_SHARE = 0.5
"""... if it holds this share of the middle one's labelled voxels."""


def draw_strip(
    panels: Sequence[Panel],
    path: Path,
    planes: Sequence[str],
    width: int,
    heading: str = "",
    footer: Sequence[str] = (),
) -> Path:
    """Write a PNG with a column for each panel, its title above; the same slices in all, each with its own window.

    Args:
        panels: volumes of one shape and voxel size.
        path: the folder is made where it is missing.
        planes: rows, keys of :data:`PLANE_AXES`.
        width: pixels of a column.
        heading: a line above everything.
        footer: facts below everything, in as many lines as they need.
    """
    slices, scale = telling_slices(panels), _scale(panels[0], planes, width)
    columns = [_column(panel, slices, planes, scale) for panel in panels]
    heights = [picture.shape[0] for picture in columns[0]]
    total_width = 2 * GAP + len(panels) * (width + GAP)
    facts = _lines(footer, int((total_width - 4 * GAP) / LETTER))
    heading_lines = int(bool(heading))
    top = MARGIN + LINE * (heading_lines + max(panel.title.count("\n") + 1 for panel in panels)) + GAP
    bottom = top + sum(heights) + GAP * len(heights)
    total_height = bottom + LINE * len(facts) + MARGIN
    axes, canvas = new_canvas(total_width, total_height)
    _write(axes, [heading], 2 * GAP, MARGIN, "left", BRIGHT)
    for number, (panel, pictures) in enumerate(zip(panels, columns, strict=True)):
        left = 2 * GAP + number * (width + GAP)
        _write(axes, panel.title.splitlines(), left + width / 2, MARGIN + LINE * heading_lines, "center", BRIGHT)
        y = top
        for name, picture in zip(planes, pictures, strict=True):
            x = left + (width - picture.shape[1]) // 2
            canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            if number == 0:
                mark_edges(axes, EDGES[PLANE_AXES[name]], x, y, picture.shape)
            y += picture.shape[0] + GAP
    _write(axes, facts, 2 * GAP, bottom, "left", DIM)
    return write_canvas(axes, canvas, path, compress_level=6)


def telling_slices(panels: Sequence[Panel]) -> tuple[int, int, int]:
    """Slice per axis: the middle of what is labelled, or the one where the panels differ most if it tells far more."""
    middle = central_slices(panels[0])
    images = np.stack([panel.image for panel in panels])
    spread = images.max(axis=0) - images.min(axis=0)
    labelled = panels[0].reference > 0
    chosen = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        differences, areas = spread.mean(axis=others), labelled.sum(axis=others)
        differences = np.where(areas >= LABELLED_SHARE * areas[middle[axis]], differences, 0.0)
        best = int(differences.argmax())
        chosen.append(best if differences[best] > TELLING * differences[middle[axis]] else middle[axis])
    return chosen[0], chosen[1], chosen[2]


def _scale(panel: Panel, planes: Sequence[str], width: int) -> float:
    """Pixels a millimetre at which the widest picture fills a column."""
    across = [panel.extent_mm[1 if PLANE_AXES[name] == 0 else 0] for name in planes]
    return float(width / max(across))


def _column(panel: Panel, slices: tuple[int, int, int], planes: Sequence[str], scale: float) -> list[np.ndarray]:
    window = intensity_window(panel.image)
    pictures = []
    for name in planes:
        axis = PLANE_AXES[name]
        across, up = (scale * panel.aspect_mm[other] for other in range(3) if other != axis)
        pictures.append(resized(grey_levels(plane(panel.image, axis, slices[axis]), window), across, up))
    return pictures


def _write(axes: Any, lines: Sequence[str], x: float, y: float, side: str, colour: str) -> None:
    """Lines of text below (x, y), those after the first dimmed."""
    for number, line in enumerate(lines):
        style = {"color": DIM if number else colour, "fontsize": points(FONT)}
        axes.text(x, y + LINE * number, line, ha=side, va="top", **style)


def _lines(facts: Sequence[str], letters: int) -> list[str]:
    """The facts in lines of at most so many letters, the first on its own."""
    unbroken = ",   ".join(fact.replace(" ", "\N{NO-BREAK SPACE}") for fact in facts[1:])
    return [*facts[:1], *textwrap.wrap(unbroken, max(letters, 20))]
