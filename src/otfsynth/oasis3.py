"""List OASIS-3 and split it for training and testing: ``python -m otfsynth.oasis3 root=DIR list``.

``list`` shows each session with its scans, the FreeSurfer segmentation of the day and what is missing. ``split`` writes
lists that ``train``, ``predict`` and ``evaluate`` take; no subject is on both sides. See docs/oasis3.md.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.command import Job, run_command
from otfsynth.config.oasis3 import Oasis3Config

if TYPE_CHECKING:
    from otfsynth.data.oasis3 import Oasis3

SOME_DAMAGED = 1
"""Exit code where ``check=true`` found files that can't be used."""
VALUE_FLAGS = ("--cfg", "-c", "--package", "-p", "--info", "-i", "--config-dir", "-cd", "--config-name", "-cn")
"""Hydra's own flags that a word of theirs follows."""

logger = logging.getLogger(__name__)


def oasis3(config: Oasis3Config, job: Job) -> None:
    """List the sessions or split them; exit with 1 where ``check=true`` finds damaged files.

    Raises:
        InputError: something that the user gave can't be used.
    """
    # Late, so that --help and a misspelt override answer at once
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from otfsynth.data.oasis3 import read_oasis3
    from otfsynth.data.oasis3_check import damaged_files

    root, freesurfer = (Path(folder).expanduser() if folder else None for folder in (config.root, config.freesurfer))
    assert root is not None  # checked by the configuration
    columns = (SpinnerColumn(), TextColumn("{task.completed} folders searched"), TimeElapsedColumn())
    console = Console(stderr=True)  # so that a listing can be piped
    show = config.progress and console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not show) as progress:
        task = progress.add_task("search", total=None)
        data = read_oasis3(root, freesurfer, lambda: progress.advance(task))
    problems = damaged_files(data, show) if config.check else {}
    if config.action == "list":
        _list(data, config, problems)
    else:
        _split(data.without(problems), config)
    for problem in problems.values():
        logger.warning("damaged: %s", problem)
    if problems:
        sys.exit(SOME_DAMAGED)


def bare_words(arguments: Sequence[str]) -> list[str]:
    """``list`` and ``split`` stand for ``action=list`` and ``action=split``; misspelt ones too, to be explained."""
    return [
        argument
        if "=" in argument or argument.startswith(("-", "~", "+")) or flag in VALUE_FLAGS
        else f"action={argument}"
        for flag, argument in pairwise(["", *arguments])
    ]


def _list(data: Oasis3, config: Oasis3Config, problems: Mapping[Path, str]) -> None:
    from otfsynth.data.oasis3_files import write_table
    from otfsynth.data.oasis3_summary import session_lines, summary_lines

    try:
        print("\n".join([*session_lines(data), "", *summary_lines(data)]), flush=True)
    except BrokenPipeError:  # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if config.output:
        logger.info("table: %s", write_table(Path(config.output).expanduser(), data, problems))


def _split(data: Oasis3, config: Oasis3Config) -> None:
    from otfsynth import __version__
    from otfsynth.data.oasis3_files import absolute, write_split
    from otfsynth.data.oasis3_split import split_oasis3

    split = split_oasis3(
        data,
        seed=config.seed,
        training=config.training,
        testing=config.testing,
        contrasts=config.contrasts,
        per_subject=config.per_subject,
        allow_fewer=config.allow_fewer,
    )
    settings = {
        "root": absolute(data.root),
        "freesurfer": absolute(Path(config.freesurfer).expanduser()) if config.freesurfer else None,
        "seed": config.seed,
        "training": config.training,
        "testing": config.testing,
        "contrasts": list(config.contrasts),
        "per_subject": config.per_subject,
        "checked": config.check,
        "otfsynth": __version__,
    }
    paths = write_split(Path(config.output or "").expanduser(), split, settings)
    contrasts = ", ".join(f"{count} {contrast}" for contrast, count in split.contrasts().items())
    subjects = len({item.scan.subject for item in split.testing})
    logger.info("training: %d label map(s) of as many subjects", len(split.training))
    logger.info("testing:  %d scan(s) of %d other subject(s): %s", len(split.testing), subjects, contrasts)
    for path in paths:
        logger.info("%s", path)


if __name__ == "__main__":
    sys.argv[1:] = bare_words(sys.argv[1:])
    run_command("oasis3", Oasis3Config, oasis3)
