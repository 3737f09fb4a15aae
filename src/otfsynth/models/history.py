"""What the folders of training runs tell of how a model was made: steps, hours, command."""

from __future__ import annotations

import csv
import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from otfsynth.config.checks import InputError
from otfsynth.config.saving import read_overrides
from otfsynth.models.plain_paths import without_folders

METRICS = "metrics.csv"


class RunFolderError(InputError):
    """A folder that is no training run; the message names it."""


@dataclass(frozen=True)
class RunHistory:
    """One training run.

    Args:
        name: of its folder.
        steps: optimiser steps until the checkpoint, or until its end.
        hours: of computing, interruptions left out; ``None`` where nothing tells.
        command: that started it, without the machine's folders; empty where nothing tells.
    """

    name: str
    steps: int
    hours: float | None
    command: str


def find_run(checkpoint: Path) -> Path | None:
    """Folder of the run that wrote ``RUN/checkpoints/*.ckpt``, where the checkpoint still lies in it."""
    folder = checkpoint.resolve().parent.parent
    return folder if (folder / METRICS).is_file() else None


def read_run(folder: str | Path, last_step: int | None = None) -> RunHistory:
    """Read the records of a training run.

    ``metrics.csv`` counts seconds anew whenever a run is resumed; the hours are the sum over those stretches.

    Args:
        folder: of the run.
        last_step: what came later is left out.

    Raises:
        RunFolderError: it holds no ``metrics.csv``, or a damaged one.
    """
    folder = Path(folder).expanduser()
    path = folder / METRICS
    try:
        with open(path, newline="") as file:
            rows = [(int(row["step"]), float(row["seconds"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise RunFolderError(
            f"run folder '{folder}' has no {METRICS} ({error.strerror or error}); give the folder of a training run"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"'{path}' is no table of a training run ({error!r}); check the path") from error
    rows = [row for row in rows if last_step is None or row[0] <= last_step]
    overrides = read_overrides(folder)
    command = "" if overrides is None else shlex.join(["python", "-m", "otfsynth.train", *without_folders(overrides)])
    steps = max((step for step, _ in rows), default=0)
    return RunHistory(folder.resolve().name, steps, _hours([seconds for _, seconds in rows]), command)


def _hours(seconds: list[float]) -> float | None:
    total, previous = 0.0, 0.0
    for value in seconds:
        total += value - previous if value >= previous else value
        previous = value
    return total / 3600 if seconds and math.isfinite(total) else None
