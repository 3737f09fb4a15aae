"""Small necks for small heads."""

from __future__ import annotations

import dataclasses

from otfsynth.synthesis.shell_neck import ShellNeckParameters

STEM = (31.0, 30.0, 20.0)
"""Of the test's map: voxel at the lower end of the brain."""
NECK = ShellNeckParameters(
    anchor_voxels=STEM,
    slopes=(0.0, 0.0),
    outline_mm=(18.0, 20.0),
    forward_mm=3.0,
    widening=0.0,
    join_mm=20.0,
    top_mm=18.0,
    fat_mm=2.0,
    canal_mm=(4.0, 3.0),
    cord_mm=(2.0, 1.5),
    arch_mm=1.5,
    spine_mm=(4.0, 2.5),
    vertebra_mm=8.0,
    disc_share=0.25,
    airway_mm=(3.0, 2.0),
    airway_gap_mm=1.5,
    means=(90.0, 140.0, 120.0),
    stds=(0.0, 0.0, 0.0),
)
BENT = dataclasses.replace(NECK, slopes=(0.15, -0.2), widening=0.3, stds=(4.0, 5.0, 3.0), airway_gap_mm=0.5)
