"""A picture of a scan with the outline of its mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otfsynth.volumes import Volume, bounding_box, spacing_of, to_canonical


def draw_outline(volume: Volume, mask: np.ndarray, path: Path, title: str) -> Path:
    """Write a PNG of three planes, twice: without and with the outline.

    Args:
        volume: the scan.
        mask: bool (x, y, z) on its grid.
        path: ``.png`` file.
        title: lines above the picture.
    """
    from otfsynth.volumes.figures import Panel, draw_panels

    image, affine = to_canonical(np.nan_to_num(volume.data.astype(np.float32)), volume.affine)
    outline, _ = to_canonical(mask.astype(np.uint8), volume.affine)
    shown = (image != 0) | (outline > 0)
    box = bounding_box(shown) if shown.any() else (slice(None),) * 3
    x, y, z = (float(size) for size in spacing_of(affine))
    panel = Panel(image[box], outline[box], title=title, aspect_mm=(x, y, z))
    return draw_panels([panel], ("background", "brain"), path, columns=1)
