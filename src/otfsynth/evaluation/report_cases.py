"""The worst cases of an evaluation as cards, with the outlines of prediction and reference over the scan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.report_metrics import contrast_name
from otfsynth.evaluation.result import EvaluationResult, ScoredCase
from otfsynth.reports import Card, Picture
from otfsynth.volumes import Grid, read_volume, resample_to_grid, spacing_of, to_canonical
from otfsynth.volumes.figures import Panel, draw_panels

MOST_CARDS = 8
POOR_DICE = 0.5
MARGIN_MM = 12.0
OVERLAY_FOLDER = "overlays"
COLOUR_NAMES = ("red", "yellow", "blue", "green", "orange", "cyan", "pink", "lime")
"""Of :data:`otfsynth.volumes.figures.COLOURS`."""


def worst_cards(result: EvaluationResult, folder: Path, targets: Mapping[int, int] | None) -> dict[str, Card]:
    """Cards of the cases with the lowest mean Dice, worst first, by the name of the case.

    Args:
        result: of the evaluation.
        folder: of the report; overlays go to ``overlays/`` in it.
        targets: target value of each label of the references; ``None`` where they hold target values already.
    """
    dice = result.metrics[result.metrics["metric"] == "dice"]
    means = dice.groupby("case")["value"].mean().dropna()
    by_name = {case.case: case for case in result.scored}
    worst = [case for case in means.sort_values(kind="stable").index if case in by_name][:MOST_CARDS]
    return {case: _card(by_name[case], result, folder, targets) for case in worst}


def _card(case: ScoredCase, result: EvaluationResult, folder: Path, targets: Mapping[int, int] | None) -> Card:
    own = result.metrics[result.metrics["case"] == case.case]
    values = {(row.label, row.metric): float(row.value) for row in own.itertuples(index=False)}
    labels = [label for label in result.label_names[1:] if (label, "dice") in values]
    scores = [f"{label} {values[label, 'dice']:.3f}" for label in labels if not math.isnan(values[label, "dice"])]
    badges = [_badge(label, values) for label in labels]
    text = f"{contrast_name(case.contrast)} · Dice {', '.join(scores)}"
    picture = None
    try:
        path = _overlay(case, result.label_names, folder / OVERLAY_FOLDER, targets)
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


def _overlay(case: ScoredCase, label_names: tuple[str, ...], folder: Path, targets: Mapping[int, int] | None) -> Path:
    """Draw the slices of a case, cropped around what is labelled, on the grid of its prediction."""
    volume = read_volume(case.prediction)
    labels, affine = to_canonical(np.rint(volume.data).astype(np.int32), volume.affine)
    x, y, z = labels.shape
    grid = Grid((x, y, z), affine)
    prediction = np.where((labels >= 0) & (labels < len(label_names)), labels, 0).astype(np.uint8)
    reference = _targets_of(_on_grid(case.reference, grid, order=0), targets, len(label_names))
    if case.image:
        image = np.nan_to_num(_on_grid(case.image, grid, order=1))
    else:
        image = np.where(reference == IGNORED, 0.5, reference).astype(np.float32)
    box = _labelled_box((prediction > 0) | ((reference > 0) & (reference != IGNORED)), spacing_of(affine))
    spacing = tuple(float(size) for size in spacing_of(affine))
    panel = Panel(image[box], reference[box], prediction[box], case.case, (spacing[0], spacing[1], spacing[2]))
    return draw_panels([panel], label_names, folder / f"{case.case}.png", 1)


def _on_grid(path: Path, grid: Grid, order: int) -> np.ndarray:
    volume = read_volume(path)
    data = np.rint(volume.data).astype(np.int32) if order == 0 else volume.data
    return resample_to_grid(data, volume.affine, grid, order)


def _targets_of(labels: np.ndarray, targets: Mapping[int, int] | None, count: int) -> np.ndarray:
    values, inverse = np.unique(labels, return_inverse=True)
    known = targets if targets is not None else {value: value for value in range(count)}
    table = np.array([known.get(int(value), IGNORED) for value in values], np.uint8)
    return table[inverse].reshape(labels.shape)


def _labelled_box(labelled: np.ndarray, spacing_mm: np.ndarray) -> tuple[slice, slice, slice]:
    """Slices around what is labelled with a margin; everything where nothing is."""
    places = np.nonzero(labelled)
    if not len(places[0]):
        places = np.nonzero(np.ones_like(labelled))
    bounds = []
    for along, size, extent in zip(places, spacing_mm, labelled.shape, strict=True):
        margin = round(MARGIN_MM / size)
        bounds.append(slice(max(int(along.min()) - margin, 0), min(int(along.max()) + margin + 1, extent)))
    return bounds[0], bounds[1], bounds[2]
