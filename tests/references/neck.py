"""The neck below the shell of a brain-only map."""

from __future__ import annotations

import numpy as np

from otfsynth.synthesis.parameters import SynthesisParameters


def paint_neck(
    parameters: SynthesisParameters,
    outside: np.ndarray,
    from_brain: np.ndarray,
    change: np.ndarray,
    source: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations with a neck over what the shell painted; from the innermost tissue to the outermost.

    ``from_brain`` is in millimetres, ``change`` the shell's thickness field, ``source`` (3, x, y, z) voxels of the map.
    """
    neck, shell = parameters.shell_neck, parameters.shell
    assert neck is not None
    assert shell is not None
    stretch = np.clip(1.0 + change, 0.2, 3.0)
    right, front, up = (
        parameters.spacing_mm * (source[axis] - neck.anchor_voxels[axis]) for axis in range(3)
    )  # millimetres from the anchor
    right, front = right + neck.slopes[0] * np.minimum(up, 0.0), front + neck.slopes[1] * np.minimum(up, 0.0)
    below = up < 0

    def radius(half_axes: tuple[float, float], forward: float = 0.0) -> np.ndarray:
        return np.hypot(right / half_axes[0], (front - forward) / half_axes[1])

    (canal_x, canal_y), spine_y = neck.canal_mm, neck.spine_mm[1]
    t = np.clip(1.0 + up / neck.join_mm, 0.0, 1.0)
    wide = 1.0 + neck.widening * (3.0 * t**2 - 2.0 * t**3)
    outline = np.hypot(radius(neck.outline_mm, neck.forward_mm) / wide, np.maximum(1.5 * up / neck.top_mm - 0.5, 0.0))
    depth = sum(neck.outline_mm) / 2.0 * wide * (1.0 - outline) + shell.ends_mm[2] * (stretch - 1.0)
    spine = canal_y + spine_y
    disc = np.mod(-up / neck.vertebra_mm, 1.0) < neck.disc_share
    in_spine = below & (radius(neck.spine_mm, spine) ** 2 < stretch)
    in_airway = np.zeros_like(below)
    if neck.airway_mm is not None:
        airway = spine + spine_y + neck.airway_gap_mm + neck.airway_mm[1]
        in_airway = below & (radius(neck.airway_mm, airway) ** 2 < stretch)
    in_canal = radius(neck.canal_mm) ** 2 + (np.maximum(up, 0.0) / canal_y) ** 2 < 1.0
    regions = [
        ~outside,
        below & (radius(neck.cord_mm) < 1.0),
        in_canal,
        (depth < 0.0) | (from_brain < shell.ends_mm[1] * stretch),
        depth < neck.fat_mm * stretch,
        below & (radius((canal_x + neck.arch_mm, canal_y + neck.arch_mm)) < 1.0),
        in_spine & ~disc,
        in_airway & ~in_spine,
        (np.abs(change) < 0.1 * shell.unevenness) & ~in_spine,
    ]
    kept, muscle = parameters.mixture, 0
    painted = []
    for old, own, around, air in (
        (mean, neck.means, shell.means, kept.means[0]),
        (std, neck.stds, shell.stds, kept.stds[0]),
    ):
        values = [old, own[2], around[0], old, around[2], around[1], own[1], air, around[2]]
        painted.append(np.select(regions, values, own[muscle]))
    return painted[0], painted[1]
