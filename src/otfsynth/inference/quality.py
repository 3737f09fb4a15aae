"""Which segmentations to look at first: warnings with their limits, and one score that sorts the worst to the top.

Nothing here needs a reference. A limit says "look at it", not "it is wrong"; each constant gives its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otfsynth.inference.measures import Measures
from otfsynth.inference.records import CaseRecord

MOST_ENTROPY = 0.35
"""Mean uncertainty of labelled voxels, 1 being a guess. The shipped model has up to .32 on nine scans that it segments
well, and .36 to .41 on averages of many heads."""
MOST_RIM_SHARE = 0.04
"""Of the labelled volume, fluid by the rule for the rim alone: more is a mask that holds more than the brain. The
shipped model has up to .025 on scans with tight masks, and .05 and more where dura or skull base was left."""
MOST_ASYMMETRY = 0.06
"""(R - L) / (R + L) of grey or white matter. Healthy hemispheres are nearly alike in size (Allen et al. 2002, Am J
Phys Anthropol 118:341), and a plane misplaced by 1 mm adds 3 %; a segmentation that fails on one side exceeds it."""
MOST_FLUID_ASYMMETRY = 0.20
"""The same of other targets: ventricles differ more from side to side."""
MOST_BORDER_MM2 = 200.0
"""Brain on a side of the field of view: more than a rim of voxels that a tight crop leaves there."""
MOST_STEM_MM2 = 900.0
"""The same on the lower side, where the brain stem leaves, some 30 mm wide."""
LEAST_LARGEST_SHARE = 0.98
"""Of the labelled voxels in one piece; islands beyond are usually tissue outside the brain."""
MOST_SPREADS = 3.5
"""Robust z-score of a volume among the batch (Iglewicz and Hoaglin 1993: 0.6745 (x - median) / MAD)."""
LEAST_CASES = 8
"""Below this number the spread of a batch says nothing."""
ADULT_ML = {"GM": (400.0, 1000.0), "WM": (280.0, 800.0), "CSF": (8.0, 700.0)}
"""Volumes of adults, chosen wide: outside them the segmentation failed, or the head is a child's or diseased. Normative
values: Kruggel 2006, NeuroImage 30:1 (502 subjects); Irimia 2021, Neuroinformatics 19:347 (9473 subjects). CSF may mean
the ventricles alone, or all fluid in the skull."""
ADULT_BRAIN_ML = (750.0, 1750.0)
"""Grey and white matter together; same sources."""
MOST_SEVERITY = 5.0
"""Of one warning: no single number, however absurd, hides all the others."""


@dataclass(frozen=True)
class Concern:
    """Something to look at in a case.

    Args:
        text: a few words with the number.
        severity: how many times the limit was reached, 1 to :data:`MOST_SEVERITY`.
    """

    text: str
    severity: float


@dataclass(frozen=True)
class Quality:
    """What a case's numbers say.

    Args:
        case: its name.
        score: 0 without warnings and without uncertainty; the higher, the sooner to look at.
        warnings: worst first.
        volume_z: robust z-score among the batch, one per target above background; NaN for small batches.
    """

    case: str
    score: float
    warnings: tuple[str, ...]
    volume_z: tuple[float, ...]


def assess(records: Sequence[CaseRecord]) -> list[Quality]:
    """Judge all cases of a folder, the worst first; cases of equal score by name."""
    if not records:
        return []
    spread = _robust_z([record.measures.volumes_mm3 for record in records])
    judged = []
    for record, z_scores in zip(records, spread, strict=True):
        names = record.target_names[1:]
        warnings = own_warnings(record.measures, names) + _batch_warnings(z_scores, names)
        warnings.sort(key=lambda warning: -warning.severity)
        entropy = record.measures.entropy
        doubt = 0.0 if math.isnan(entropy) else entropy / MOST_ENTROPY  # sorts the cases without warnings, too
        score = sum(warning.severity for warning in warnings) + min(doubt, 1.0)
        judged.append(Quality(record.case, score, tuple(warning.text for warning in warnings), tuple(z_scores)))
    return sorted(judged, key=lambda quality: (-quality.score, quality.case))


def own_warnings(measures: Measures, names: Sequence[str]) -> list[Concern]:
    """Warnings that need no other case.

    Args:
        measures: of the case.
        names: of its targets, without background.
    """
    return [
        *_about_the_scan(measures),
        *_about_volumes(measures, names),
        *_about_sides(measures, names),
        *_about_shape(measures),
    ]


def _about_the_scan(measures: Measures) -> list[Concern]:
    warnings = []
    if measures.skull:
        warnings.append(Concern("skull not removed", 2.0))
    if not measures.orientation_known:
        warnings.append(Concern("orientation not in the file", 2.0))
    if measures.missing_voxels:
        warnings.append(Concern(f"{measures.missing_voxels} voxels NaN or infinite, taken as 0", 1.0))
    for side, area in measures.border_mm2.items():
        limit = MOST_STEM_MM2 if side == "bottom" else MOST_BORDER_MM2
        if area > limit:
            warnings.append(Concern(f"brain cut at the {side} ({area / 100:.0f} cm²)", _severity(area / limit)))
    return warnings


def _about_volumes(measures: Measures, names: Sequence[str]) -> list[Concern]:
    warnings = []
    volumes_ml = {name: volume / 1000 for name, volume in zip(names, measures.volumes_mm3, strict=True)}
    if not any(volumes_ml.values()):
        return [Concern("nothing segmented", MOST_SEVERITY)]
    for name, volume in volumes_ml.items():
        if volume == 0:
            warnings.append(Concern(f"no {name}", MOST_SEVERITY))
        elif name in ADULT_ML:
            warnings += _outside(f"{name} {volume:.0f} ml", volume, ADULT_ML[name])
    if {"GM", "WM"} <= set(names):
        brain = volumes_ml["GM"] + volumes_ml["WM"]
        warnings += _outside(f"brain {brain:.0f} ml", brain, ADULT_BRAIN_ML)
    return warnings


def _about_sides(measures: Measures, names: Sequence[str]) -> list[Concern]:
    warnings = []
    for name, index in zip(names, measures.asymmetry, strict=True):
        limit = MOST_ASYMMETRY if name in ("GM", "WM") else MOST_FLUID_ASYMMETRY
        if abs(index) > limit:
            side = "right" if index > 0 else "left"
            warnings.append(Concern(f"{name} {abs(index):.0%} more on the {side}", _severity(abs(index) / limit)))
    return warnings


def _about_shape(measures: Measures) -> list[Concern]:
    warnings = []
    if measures.entropy > MOST_ENTROPY:
        warnings.append(Concern(f"uncertain ({measures.entropy:.2f})", _severity(measures.entropy / MOST_ENTROPY)))
    if measures.largest_share < LEAST_LARGEST_SHARE:
        islands = 1 - measures.largest_share
        warnings.append(Concern(f"{islands:.1%} in separate pieces", _severity(islands / (1 - LEAST_LARGEST_SHARE))))
    rim_share = measures.rim_mm3 / max(sum(measures.volumes_mm3), 1.0)
    if rim_share > MOST_RIM_SHARE:
        text = f"{rim_share:.0%} is rim of a wide brain mask, taken as fluid"
        warnings.append(Concern(text, _severity(rim_share / MOST_RIM_SHARE)))
    return warnings


def _batch_warnings(z_scores: Sequence[float], names: Sequence[str]) -> list[Concern]:
    return [
        Concern(
            f"{name} {'larger' if z > 0 else 'smaller'} than in the other scans (z {z:+.1f})",
            _severity(abs(z) / MOST_SPREADS),
        )
        for name, z in zip(names, z_scores, strict=True)
        if abs(z) > MOST_SPREADS
    ]


def _robust_z(volumes: Sequence[Sequence[float]]) -> np.ndarray:
    """(cases, targets): 0.6745 (x - median) / MAD; NaN for small batches and where the MAD is 0."""
    table = np.array(volumes, float).reshape(len(volumes), -1)
    if len(table) < LEAST_CASES:
        return np.full(table.shape, np.nan)
    deviations = table - np.median(table, axis=0)
    spread = np.median(np.abs(deviations), axis=0)
    return np.divide(0.6745 * deviations, spread, out=np.full(table.shape, np.nan), where=spread > 0)


def _outside(text: str, value: float, limits: tuple[float, float]) -> list[Concern]:
    low, high = limits
    if low <= value <= high:
        return []
    ratio = low / value if value < low else value / high
    return [Concern(f"{text}, adults have {low:g} to {high:g}", _severity(ratio))]


def _severity(ratio: float) -> float:
    return min(ratio, MOST_SEVERITY)
