"""The picture of a case for quality control: three planes, without and with the outlines of its labels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from otfsynth.inference.quality import own_warnings
from otfsynth.inference.segmenter import SegmentedScan
from otfsynth.volumes import Grid, bounding_box, resample_to_grid, spacing_of, to_canonical
from otfsynth.volumes.figures import Panel, draw_panels

LINE_CHARACTERS = 130
BRIGHTEST = 99.8
"""Percentile of the brain's intensities that is shown white."""
MARGIN_MM = 20.0
"""Shown around the brain: enough of skull and neck to see what the brain mask left out."""


def draw_case(segmented: SegmentedScan, case: str, target_names: Sequence[str], path: Path) -> None:
    """Draw a segmented scan as it was stored, skull included, so that mistakes of the brain mask show, too.

    Args:
        segmented: the scan.
        case: its name, for the title.
        target_names: background first.
        path: PNG to write.
    """
    labels, affine = to_canonical(segmented.labels, segmented.grid.affine)
    image, image_affine = to_canonical(segmented.image.data, segmented.image.affine)
    brain, _ = to_canonical(segmented.brain, segmented.image.affine)
    if labels.shape != image.shape or not np.allclose(affine, image_affine, atol=1e-4):
        x, y, z = labels.shape
        grid = Grid((x, y, z), affine)
        image, brain = (resample_to_grid(data, image_affine, grid, order) for data, order in ((image, 1), (brain, 0)))
    box = _around(brain | (labels > 0), spacing_of(affine))
    image, labels, brain = image[box], labels[box], brain[box]
    image = np.minimum(image, np.percentile(image[brain], BRIGHTEST))  # fat and skin would make the brain dark
    names = target_names[1:]
    volumes = zip(names, segmented.measures.volumes_mm3, strict=True)
    lines = [f"{case}   {'   '.join(f'{name} {volume / 1000:.0f} ml' for name, volume in volumes)}"]
    warnings = [concern.text for concern in own_warnings(segmented.measures, names)]
    lines += textwrap.wrap("look at: " + ",  ".join(warnings), LINE_CHARACTERS) if warnings else ["no warnings"]
    lines += textwrap.wrap(f"skull-stripping {segmented.measures.stripping}", LINE_CHARACTERS)
    x_mm, y_mm, z_mm = (float(size) for size in spacing_of(affine))
    panel = Panel(image, labels, title="\n".join(lines), aspect_mm=(x_mm, y_mm, z_mm))
    draw_panels([panel], target_names, path, columns=1)


def _around(mask: np.ndarray, spacing_mm: np.ndarray) -> tuple[slice, slice, slice]:
    margins = np.ceil(MARGIN_MM / spacing_mm).astype(int)
    x, y, z = (
        slice(max(extent.start - int(margin), 0), extent.stop + int(margin))
        for extent, margin in zip(bounding_box(mask), margins, strict=True)
    )
    return x, y, z
