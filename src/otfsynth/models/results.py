"""Figures for a model card from the folders that ``evaluate`` wrote."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from otfsynth.config.checks import InputError
from otfsynth.config.saving import read_setting

SUMMARY, AGREEMENT = "summary.csv", "agreement.csv"


class ReportFolderError(InputError):
    """A folder that holds no evaluation; the message names it."""


def find_reports(given: Sequence[str]) -> list[Path]:
    """Folders of evaluations: those given, or those directly below them.

    Raises:
        ReportFolderError: one is, and holds, none.
    """
    found = []
    for entry in given:
        folder = Path(entry).expanduser()
        own = [folder] if _is_report(folder) else sorted(path for path in folder.glob("*") if _is_report(path))
        if not own:
            raise ReportFolderError(
                f"reports={entry} holds no {SUMMARY} or {AGREEMENT}; give the output folder of otfsynth.evaluate"
            )
        found += own
    return found


def read_report(folder: Path) -> dict[str, Any]:
    """Dice of an evaluation.

    Returns:
        ``title``; ``dice``, a list of ``contrast``, ``n``, ``label`` and ``mean``; ``agreement``, the mean Dice between
        contrasts of one head over pairs and labels, or ``None``. Undefined means are ``None``.

    Raises:
        ReportFolderError: a table is damaged.
    """
    title = read_setting(folder / "config.yaml", "title") or folder.name
    try:
        dice = [
            {"contrast": row["contrast"], "n": int(row["n"]), "label": row["label"], "mean": _number(row["mean"])}
            for row in _rows(folder / SUMMARY)
            if row["metric"] == "dice"
        ]
        pairs = [float(row["dice"]) for row in _rows(folder / AGREEMENT)]
    except (KeyError, TypeError, ValueError) as error:
        raise ReportFolderError(f"'{folder}' holds a damaged evaluation ({error!r}); run evaluate again") from error
    defined = [value for value in pairs if not math.isnan(value)]
    return {"title": str(title), "dice": dice, "agreement": fmean(defined) if defined else None}


def _is_report(folder: Path) -> bool:
    return (folder / SUMMARY).is_file() or (folder / AGREEMENT).is_file()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
