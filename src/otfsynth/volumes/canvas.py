"""The page of a picture: greys set pixel by pixel, lines and letters over them, in pixels from the top left."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.volumes.writing import write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 100
PAGE_GREY = 27
PAGE = f"#{PAGE_GREY:02x}{PAGE_GREY:02x}{PAGE_GREY:02x}"
"""Not quite black, so that the field of view of a picture shows where it is 0."""


def new_canvas(width: int, height: int) -> tuple[Axes, np.ndarray]:
    """Axes for lines and letters, and the greys below them, uint8 (height, width), all of the page's grey."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a while to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAGE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_axis_off()
    return axes, np.full((height, width), PAGE_GREY, np.uint8)


def write_canvas(axes: Axes, greys: np.ndarray, path: Path, compress_level: int = 3) -> Path:
    """Write a PNG; the folder is made where it is missing.

    Args:
        axes: what :func:`new_canvas` returned, drawn on.
        greys: as well.
        path: of the file.
        compress_level: 0 to 9 of zlib; small files take longer.
    """
    axes.imshow(np.dstack([greys] * 3), interpolation="none", aspect="auto")  # RGB: four times as fast as a colour map
    picture = BytesIO()
    axes.figure.savefig(picture, dpi=DPI, format="png", facecolor=PAGE, pil_kwargs={"compress_level": compress_level})  # type: ignore[union-attr]
    return write_bytes_atomically(path, picture.getvalue())


def points(pixels: float) -> float:
    """Size of letters as matplotlib counts it."""
    return pixels * 72 / DPI
