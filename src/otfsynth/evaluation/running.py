"""An evaluation from its plan to its result; what is measured is stored case by case."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otfsynth.config.evaluate import EvaluateConfig
from otfsynth.evaluation.agreement import agreement_table, session_agreement, sessions_of
from otfsynth.evaluation.comparison import compare, read_other
from otfsynth.evaluation.pairing import SHOWN
from otfsynth.evaluation.planning import EvaluationPlan
from otfsynth.evaluation.result import METRIC_COLUMNS, EvaluationResult, ScoredCase
from otfsynth.evaluation.scoring import CaseOutcome, problem_with, score_pairs
from otfsynth.evaluation.statistics import summarise
from otfsynth.evaluation.thesis import thesis_table

if TYPE_CHECKING:
    import pandas as pd

METRICS_FILE = "metrics.csv"
MOST_WORKERS = 8
RESAMPLED = {
    "prediction": "nearest label",
    "probabilities": "probabilities, linearly",
    "labels": "nearest label, as the _probseg files beside them are not theirs: labels were corrected or tidied since",
}
"""Words for :attr:`otfsynth.evaluation.grids.AlignedPair.resampled`."""
NEGLIGIBLE = 0.01
"""Share of a reference outside the scan that needs no note."""

logger = logging.getLogger(__name__)


def run_evaluation(plan: EvaluationPlan, config: EvaluateConfig, folder: Path) -> EvaluationResult:
    """Score, summarise, compare.

    ``metrics.csv`` in ``folder`` grows by one case at a time, so that whatever stops the run leaves the finished cases.

    Args:
        plan: what belongs together.
        config: bootstrap, comparison, agreement, processes.
        folder: of the results; exists.
    """
    import pandas as pd

    names = plan.rules.target_names
    workers = config.workers or min(_cores(), MOST_WORKERS)
    pairs = plan.pairing.pairs
    outcomes, rows = [], []
    scoring = score_pairs(pairs, plan.rules, plan.images, workers)
    for outcome in _watched(scoring, len(pairs), "scored", config.progress):
        outcomes.append(outcome)
        if outcome.problem:
            logger.error("%s", outcome.problem)
        own = metric_rows(outcome, names)
        _append(folder / METRICS_FILE, own, first=len(outcomes) == 1)
        rows += own
    metrics = pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype({"value": float})
    problems = [*plan.problems, *(outcome.problem for outcome in outcomes if outcome.problem)]
    notes = [*plan.notes, *notes_on(outcomes, names)]
    comparison, notes_on_cases = _comparison(metrics, config, names)
    agreement, failed = _agreement(plan, config)
    finished = [outcome for outcome in outcomes if outcome.scores is not None]
    return EvaluationResult(
        metrics=metrics,
        confusion={one.pair.case: one.scores.confusion for one in finished if one.scores is not None},
        label_names=names,
        scored=tuple(_scored_case(one, plan) for one in finished),
        problems=(*problems, *failed),
        comparison=comparison,
        agreement=agreement,
        summary=summarise(metrics, config.seed, config.bootstrap_samples) if pairs else None,
        thesis=thesis_table() if config.thesis else None,
        notes=(*notes, *notes_on_cases),
    )


def metric_rows(outcome: CaseOutcome, label_names: Sequence[str]) -> list[tuple[str, str, str, str, str, str, float]]:
    """Rows of the long table, columns :data:`otfsynth.evaluation.result.METRIC_COLUMNS`; none for a failed case."""
    if outcome.scores is None:
        return []
    pair = outcome.pair
    return [
        (pair.case, pair.subject, pair.session, pair.contrast, label_names[label], metric, value)
        for label, values in outcome.scores.metrics.items()
        for metric, value in values.items()
    ]


def notes_on(outcomes: Sequence[CaseOutcome], label_names: Sequence[str]) -> list[str]:
    """What the reader of the numbers must know: resampling, fields of view, labels that look exchanged."""
    notes = []
    for how, words in RESAMPLED.items():
        count = sum(outcome.resampled == how for outcome in outcomes)
        if count:
            notes.append(f"{count} of {len(outcomes)} predictions were resampled to their references' grids ({words}).")
    cut = [outcome for outcome in outcomes if outcome.outside > NEGLIGIBLE]
    if cut:
        cases = ", ".join(f"{outcome.pair.case} {100 * outcome.outside:.0f} %" for outcome in cut[:SHOWN])
        more = f" and {len(cut) - SHOWN} more" if len(cut) > SHOWN else ""
        notes.append(f"Part of the reference lies beyond the scan's field of view: {cases}{more}.")
    confusions = [outcome.scores.confusion for outcome in outcomes if outcome.scores is not None]
    exchanged = exchanged_labels(np.sum(confusions, axis=0)) if confusions else {}
    if exchanged:
        pairs = ", ".join(f"{label_names[true]} as {label_names[found]}" for true, found in exchanged.items())
        notes.append(
            f"Most of the references is predicted under another name ({pairs}): the labels seem to be numbered "
            "differently; check scheme, reference_labels and prediction_labels."
        )
    return notes


def exchanged_labels(confusion: np.ndarray) -> dict[int, int]:
    """Structures that are mostly predicted as one another, as when labels are numbered in another order.

    Args:
        confusion: (labels, labels) voxel counts, rows the reference.

    Returns:
        Reference label to the label that most of it is predicted as, where all structures swap places in a cycle; empty
        where every structure is mostly found as itself, or confused in any other way.
    """
    structures = confusion[1:, 1:]
    present = np.flatnonzero(structures.sum(1))
    best = {int(label) + 1: int(structures[label].argmax()) + 1 for label in present}
    moved = {true: found for true, found in best.items() if true != found}
    return moved if moved and set(moved) == set(moved.values()) else {}


def _comparison(
    metrics: pd.DataFrame, config: EvaluateConfig, names: tuple[str, ...]
) -> tuple[pd.DataFrame | None, list[str]]:
    if config.compare is None:
        return None, []
    other = read_other(Path(config.compare).expanduser(), names)
    outcome = compare(metrics, other, config.seed, config.bootstrap_samples)
    notes = [f"Compared with {config.compare}; differences are this evaluation minus that one."]
    for cases, where in ((outcome.only_here, "this evaluation"), (outcome.only_there, "the other")):
        if cases:
            more = f" and {len(cases) - SHOWN} more" if len(cases) > SHOWN else ""
            notes.append(f"Only in {where}, and not compared: {', '.join(cases[:SHOWN])}{more}.")
    return outcome.table, notes


def _agreement(plan: EvaluationPlan, config: EvaluateConfig) -> tuple[pd.DataFrame | None, list[str]]:
    sessions = sessions_of(plan.predictions) if config.agreement else []
    rows, problems = [], []
    for session in _watched(sessions, len(sessions), "sessions compared", config.progress):
        try:
            rules = plan.rules
            rows += list(session_agreement(session, rules.prediction, rules.target_names, rules.resample))
        except Exception as error:
            problems.append(problem_with(f"agreement of {session.subject} {session.session}".strip(), error))
            logger.error("%s", problems[-1])
    return agreement_table(rows), problems


def _scored_case(outcome: CaseOutcome, plan: EvaluationPlan) -> ScoredCase:
    pair = outcome.pair
    reference, image = pair.reference, plan.images.get(pair.case)
    return ScoredCase(pair.case, pair.contrast, pair.prediction.path, reference.path, image, reference.ignored)


def _append(path: Path, rows: Iterable[Sequence[object]], first: bool) -> None:
    """Write the rows of one case at once, a new file for the first one."""
    with open(path, "w" if first else "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if first:
            writer.writerow(METRIC_COLUMNS)
        writer.writerows(rows)


def _watched(items: Iterable, count: int, description: str, show: bool) -> Iterable:  # type: ignore[type-arg]
    """Draw a bar with the time left, where a terminal is watched."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not (show and console.is_terminal)
    return track(items, description, count, console=console, transient=True, disable=hidden)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
