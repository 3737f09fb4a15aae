"""The loop over many scans: a bar with the time left, and one bad case that never stops the rest."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from otfsynth.config.checks import InputError
from otfsynth.data.scan import Scan
from otfsynth.data.scans import ScanListError, find_scans
from otfsynth.inference.failures import Failures
from otfsynth.inference.record_folder import tabulate
from otfsynth.volumes import remove_file, write_csv_atomically

logger = logging.getLogger(__name__)

R = TypeVar("R")
FAILURES = "failures.csv"
NAMED = 5
"""Files that a line about left-out ones names."""


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


def find_inputs(given: str, layout: str, results: Sequence[str]) -> tuple[Scan, ...]:
    """Scans to work on, without the results that an earlier run left among them; what is left out is logged.

    Args:
        given: what the user named as input.
        layout: how it is arranged.
        results: endings of the files that a run leaves for each case. A file with the first of them is a result where
            files with all the others are beside it.

    Raises:
        ScanListError: there are no scans.
    """
    found = find_scans(given, layout)
    skipped = list(found.skipped)
    scans = []
    for scan in found.scans:
        stem = scan.path.name.removesuffix(results[0])
        if stem != scan.path.name and all((scan.path.parent / (stem + ending)).is_file() for ending in results[1:]):
            skipped.append(f"'{scan.path}' is left out: it is a result of this command")
        else:
            scans.append(scan)
    log_left_out(skipped)
    if not scans:
        raise ScanListError(f"'{given}' holds results of this command only, and no scan")
    return tuple(scans)


def log_left_out(skipped: Sequence[str]) -> None:
    """Name the first files that were left out, and say how many more there are."""
    for sentence in skipped[:NAMED]:
        logger.info("%s", sentence)
    if len(skipped) > NAMED:
        logger.info("... and %d more files left out", len(skipped) - NAMED)


def log_channels(heads: Sequence[Scan]) -> None:
    """Name the files that are the channels of the first head, and how many heads lack some."""
    for number, path in enumerate(heads[0].channels):
        logger.info("%-16s %s", f"channel {number}", f"'{path}', for example" if path else "missing in the first head")
    lacking = sum(None in head.channels for head in heads)
    if lacking:
        logger.warning("%d of %d head(s) lack images; the network sees zeros there", lacking, len(heads))


def run_cases(
    scans: Sequence[Scan],
    work: Callable[[Scan], R],
    description: str,
    show_progress: bool,
    failures: Failures | None = None,
) -> CaseResults[R]:
    """Work on scans one after the other.

    Every exception that ``work`` raises is that case's failure, lack of memory included; Ctrl-C goes through.

    Args:
        scans: their case names are unique.
        work: called once for each.
        description: stands before the bar.
        show_progress: draw the bar, where a terminal is watched; failures are logged in any case.
        failures: notes each at once, so that other processes know of it.
    """
    outcome: CaseResults[R] = CaseResults()
    console = Console(stderr=True)
    columns = (
        TextColumn(description),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[case]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    hidden = not (show_progress and console.is_terminal)
    bar = Progress(*columns, console=console, transient=True, disable=hidden, speed_estimate_period=600)
    with bar, _log_above_bar():
        task = bar.add_task(description, total=len(scans), case="")
        for scan in scans:
            bar.update(task, case=scan.case)
            try:
                outcome.results[scan.case] = work(scan)
            except Exception as error:
                outcome.failures[scan.case] = explanation(error)
                logger.error("%s failed: %s", scan.case, outcome.failures[scan.case])
                logger.debug("%s failed", scan.case, exc_info=error)
                _note(failures, scan, outcome.failures[scan.case])
            bar.advance(task)
    return outcome


def explanation(error: BaseException) -> str:
    """One sentence: the message of a mistake of the user's, or the kind and first line of any other exception."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or work on a smaller scan"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def report_failures(own: Mapping[str, str], total: int, folder: Path) -> None:
    """Log how many cases failed, and list them in ``failures.csv`` with those of earlier runs and other processes.

    Args:
        own: one sentence by case that failed in this run.
        total: cases of this run.
        folder: of the results. The list is removed where no case is without a result.
    """
    path, failures = folder / FAILURES, Failures(folder)

    def write() -> None:
        problems = {**failures.problems(), **own}
        if problems:
            write_csv_atomically(path, ("case", "problem"), problems.items())
        else:
            path.unlink(missing_ok=True)

    tabulate([failures.folder], write)
    if own:
        logger.error("%d of %d case(s) failed: %s; see %s", len(own), total, ", ".join(own), path)


def start_over(files: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Remove what an earlier run left of a case, so that nothing old stands beside the new, or for it where it fails.

    Args:
        files: of the case, the one that says it is finished first.
        inputs: what is read for it: masks may lie among the results.
    """
    read = {path.resolve() for path in inputs}
    for path in files:
        if path.resolve() not in read:
            remove_file(path)


def _note(failures: Failures | None, scan: Scan, problem: str) -> None:
    """Note a failure; where the disk is full, the list at the end has it all the same."""
    try:
        if failures is not None:
            failures.add(scan, problem)
    except (InputError, OSError) as error:
        logger.debug("the failure of %s could not be noted", scan.case, exc_info=error)


@contextmanager
def _log_above_bar() -> Iterator[None]:
    """While rich draws on the terminal, let log lines go through it, so that they stay above the bar."""
    streams = {sys.__stdout__: sys.stdout, sys.__stderr__: sys.stderr}  # rich has replaced the latter of each
    moved = []
    for handler in logging.getLogger().handlers:
        stream = getattr(handler, "stream", None)
        if isinstance(handler, logging.StreamHandler) and stream in streams and streams[stream] is not stream:
            moved.append((handler, stream))
            handler.setStream(streams[stream])
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)
