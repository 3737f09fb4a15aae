"""The worst cases of an evaluation as cards, with the outlines of prediction and reference over the scan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.grids import align, read_labels, read_reference
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.report_metrics import contrast_name
from otfsynth.evaluation.result import EvaluationResult, ScoredCase
from otfsynth.evaluation.scoring import ScoringRules
from otfsynth.reports import Card, Picture
from otfsynth.volumes import read_volume, resample_to_grid, spacing_of
from otfsynth.volumes.figures import Panel, draw_panels

MOST_CARDS = 8
POOR_DICE = 0.5
MARGIN_MM = 12.0
OVERLAY_FOLDER = "overlays"
COLOUR_NAMES = ("red", "yellow", "blue", "green", "orange", "cyan", "pink", "lime")
"""Of :data:`otfsynth.volumes.figures.COLOURS`."""


def worst_cards(result: EvaluationResult, folder: Path, rules: ScoringRules) -> dict[str, Card]:
    """Cards of the cases with the lowest mean Dice, worst first, by the name of the case.

    Args:
        result: of the evaluation.
        folder: of the report; overlays go to ``overlays/`` in it.
        rules: what the labels of the files mean, and how predictions come onto the grid of their references.
    """
    dice = result.metrics[result.metrics["metric"] == "dice"]
    means = dice.groupby("case")["value"].mean().dropna()
    by_name = {case.case: case for case in result.scored}
    worst = [case for case in means.sort_values(kind="stable").index if case in by_name][:MOST_CARDS]
    return {case: _card(by_name[case], result, folder, rules) for case in worst}


def _card(case: ScoredCase, result: EvaluationResult, folder: Path, rules: ScoringRules) -> Card:
    own = result.metrics[result.metrics["case"] == case.case]
    values = {(row.label, row.metric): float(row.value) for row in own.itertuples(index=False)}
    labels = [label for label in result.label_names[1:] if (label, "dice") in values]
    scores = [f"{label} {values[label, 'dice']:.3f}" for label in labels if not math.isnan(values[label, "dice"])]
    badges = [_badge(label, values) for label in labels]
    text = f"{contrast_name(case.contrast)} · Dice {', '.join(scores)}"
    picture = None
    try:
        path = _overlay(case, rules, folder / OVERLAY_FOLDER)
        alt = f"Sagittal, coronal and axial slices of {case.case} with outlines of prediction and reference"
        picture = Picture(path, _caption(result.label_names, case.image is not None), alt)
    except (InputError, OSError) as error:
        text += f"\n\nNo picture: {error}"
    return Card(case.case, picture, tuple(badge for badge in badges if badge), text)


def _caption(label_names: tuple[str, ...], has_scan: bool) -> str:
    lines = "Solid: prediction; dotted: reference"
    if len(label_names) <= 1 + len(COLOUR_NAMES):
        lines += (
            f" ({', '.join(f'{name} {colour}' for name, colour in zip(label_names[1:], COLOUR_NAMES, strict=False))})"
        )
    return f"{lines}." if has_scan else f"{lines}. Grey: the reference's labels, as the scan is not known."


def _badge(label: str, values: Mapping[tuple[str, str], float]) -> str:
    """What is wrong with a structure, or nothing."""
    predicted, reference = (values.get((label, name), math.nan) for name in ("volume_mm3", "reference_volume_mm3"))
    if predicted == 0 < reference:
        return f"{label} not predicted"
    if reference == 0 < predicted:
        return f"{label} not in the reference"
    return f"{label} Dice {values[label, 'dice']:.2f}" if values[label, "dice"] < POOR_DICE else ""


def _overlay(case: ScoredCase, rules: ScoringRules, folder: Path) -> Path:
    """Draw the slices of a case on the grid on which it was scored, cropped around what is labelled."""
    prediction = read_labels(case.prediction, rules.prediction)
    reference = read_reference(case.reference, rules.reference, case.ignored)
    pair = align(case.prediction, prediction, reference, rules.resample, rules.target_names, rules.ignore_outside)
    labelled = (pair.prediction > 0) | ((pair.reference > 0) & (pair.reference != IGNORED))
    if case.image:
        volume = read_volume(case.image, np.float32)
        image = resample_to_grid(np.nan_to_num(volume.data), volume.affine, pair.grid)
    else:
        image = np.where(pair.reference == IGNORED, 0.5, pair.reference).astype(np.float32)
    x, y, z = (float(size) for size in spacing_of(pair.grid.affine))
    box = _labelled_box(labelled, (x, y, z))
    panel = Panel(image[box], pair.reference[box], pair.prediction[box], case.case, (x, y, z))
    return draw_panels([panel], rules.target_names, folder / f"{case.case}.png", 1)


def _labelled_box(labelled: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """Slices around what is labelled with a margin; everything where nothing is."""
    places = np.nonzero(labelled)
    if not len(places[0]):
        places = np.nonzero(np.ones_like(labelled))
    bounds = []
    for along, size, extent in zip(places, spacing_mm, labelled.shape, strict=True):
        margin = round(MARGIN_MM / size)
        bounds.append(slice(max(int(along.min()) - margin, 0), min(int(along.max()) + margin + 1, extent)))
    return bounds[0], bounds[1], bounds[2]
