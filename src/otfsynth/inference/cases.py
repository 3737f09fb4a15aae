"""The loop over many scans: a bar with the time left, and one bad case that never stops the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from otfsynth.config.checks import InputError
from otfsynth.data.scan import Scan

logger = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass
class CaseResults(Generic[R]):
    """What came out of a run over scans.

    Args:
        results: by case, in the order of the scans.
        failures: one sentence by case, in the order of the scans.
    """

    results: dict[str, R] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 where all is fine, 1 where a case failed."""
        return int(bool(self.failures))


def run_cases(
    scans: Sequence[Scan], work: Callable[[Scan], R], description: str, show_progress: bool
) -> CaseResults[R]:
    """Work on scans one after the other.

    Every exception that ``work`` raises is that case's failure, lack of memory included; Ctrl-C goes through.

    Args:
        scans: their case names are unique.
        work: called once for each.
        description: stands before the bar.
        show_progress: draw the bar, where a terminal is watched; failures are logged in any case.
    """
    outcome: CaseResults[R] = CaseResults()
    console = Console(stderr=True)
    columns = (
        TextColumn(description),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[case]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    hidden = not (show_progress and console.is_terminal)
    with Progress(*columns, console=console, transient=True, disable=hidden, speed_estimate_period=600) as progress:
        task = progress.add_task(description, total=len(scans), case="")
        for scan in scans:
            progress.update(task, case=scan.case)
            try:
                outcome.results[scan.case] = work(scan)
            except Exception as error:
                outcome.failures[scan.case] = explanation(error)
                logger.error("%s failed: %s", scan.case, outcome.failures[scan.case])
                logger.debug("%s failed", scan.case, exc_info=error)
            progress.advance(task)
    return outcome


def explanation(error: BaseException) -> str:
    """One sentence: the message of a mistake of the user's, or the kind and first line of any other exception."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or work on a smaller scan"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
