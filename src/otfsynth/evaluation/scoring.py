"""Scoring many pairs, on several processes, so that one bad case never stops the rest."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.evaluation.grids import AlignedPair, align, read_labels, read_reference, same_grid
from otfsynth.evaluation.pairing import Pair
from otfsynth.evaluation.scores import CaseScores, score_labels
from otfsynth.evaluation.sulcal_csf import score_ventricles_only
from otfsynth.evaluation.targets import TargetMap
from otfsynth.volumes import Grid, read_volume, spacing_of, to_canonical

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringRules:
    """How every pair is scored.

    Args:
        target_names: background first.
        reference: what the references' labels mean.
        prediction: what the predictions' labels mean.
        resample: as in :func:`otfsynth.evaluation.grids.align`.
        ignore_outside: leave out what lies beyond a prediction's field of view.
        ventricles_only: target values of GM and CSF, where the references call only the ventricles CSF.
    """

    target_names: tuple[str, ...]
    reference: TargetMap
    prediction: TargetMap
    resample: str = "auto"
    ignore_outside: bool = False
    ventricles_only: tuple[int, int] | None = None


@dataclass(frozen=True)
class CaseOutcome:
    """What became of one pair.

    Args:
        pair: the files.
        scores: ``None`` where the case could not be scored.
        problem: why not, in one sentence; else empty.
        resampled: how the prediction came onto the reference's grid; empty where it was there.
        outside: share of the reference's structures beyond the prediction's field of view.
    """

    pair: Pair
    scores: CaseScores | None
    problem: str = ""
    resampled: str = ""
    outside: float = 0.0


def score_pairs(
    pairs: Sequence[Pair], rules: ScoringRules, images: dict[str, Path], workers: int = 1
) -> Iterator[CaseOutcome]:
    """Score pairs and yield them in their order.

    Should a process die (for lack of memory, say), the cases that are left are scored one after the other in this one.

    Args:
        pairs: what to compare.
        rules: how.
        images: scan of each case where known; with ``ventricles_only`` it tells where the brain is.
        workers: processes; 1 stays in this one.
    """
    remaining = list(pairs)
    if workers > 1 and len(pairs) > 1:
        # Spawned, since torch's threads do not survive a fork
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(workers, len(pairs)), context, _one_thread)
        try:
            jobs = [pool.submit(score_pair, one, rules, images.get(one.case)) for one in pairs]
            for job in jobs:
                outcome = job.result()
                remaining.pop(0)
                yield outcome
        except BrokenProcessPool:
            logger.warning("a process ended without a word (too little memory?); going on with one; try workers=1")
        finally:
            pool.shutdown(cancel_futures=True)
    for one in remaining:
        yield score_pair(one, rules, images.get(one.case))


def score_pair(pair: Pair, rules: ScoringRules, image: Path | None = None) -> CaseOutcome:
    """Score one pair; whatever is wrong with it becomes its ``problem``."""
    try:
        prediction = read_labels(pair.prediction.path, rules.prediction)
        reference = read_reference(pair.reference.path, rules.reference, pair.reference.ignored)
        both = align(
            pair.prediction.path, prediction, reference, rules.resample, rules.target_names, rules.ignore_outside
        )
        scores = _scores(both, rules, image)
    except Exception as error:
        return CaseOutcome(pair, None, problem_with(pair.case, error))
    return CaseOutcome(pair, scores, "", both.resampled, both.outside)


def problem_with(what: str, error: Exception) -> str:
    """One sentence on what could not be scored; the traceback of a mistake that is not the user's is logged."""
    if isinstance(error, InputError):
        return f"{what}: {error}"
    if isinstance(error, MemoryError):
        return f"{what}: not enough memory; set workers=1"
    logger.debug("%s failed", what, exc_info=error)
    return f"{what}: {type(error).__name__}: {error}"


def _scores(both: AlignedPair, rules: ScoringRules, image: Path | None) -> CaseScores:
    spacing, labels = spacing_of(both.grid.affine), len(rules.target_names)
    if rules.ventricles_only is None:
        return score_labels(both.prediction, both.reference, spacing, labels)
    gm, csf = rules.ventricles_only
    brain = None if image is None else _brain(image, both.grid)
    return score_ventricles_only(both.prediction, both.reference, spacing, labels, gm, csf, brain)


def _brain(image: Path, grid: Grid) -> np.ndarray | None:
    """Where a skull-stripped scan is not 0; ``None`` where it is on another grid."""
    volume = read_volume(image)
    data, affine = to_canonical(volume.data, volume.affine)
    x, y, z = data.shape
    return data != 0 if same_grid(Grid((x, y, z), affine), grid) else None


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
