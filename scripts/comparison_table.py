"""The table of ``compare_frozen.sh`` and ``compare_recipes.sh``: real-scan Dice, steps and hours of each run.

    python scripts/comparison_table.py OUTPUT RUN...

Reads ``OUTPUT/runs/RUN/metrics.csv`` and ``OUTPUT/scored/RUN/summary.json``; prints Markdown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from otfsynth.models.history import RunFolderError, read_run

Row = Mapping[str, Any]

SETS = {
    "IBSR GM WM ventricles": [("ibsr", "all", structure) for structure in ("GM", "WM", "CSF")],
    "FreeSurfer GM WM ventricles": [("test_vol", "all", structure) for structure in ("GM", "WM", "CSF")],
    "T1w": [("open_ms", "T1w", "mean")],
    "T2w": [("open_ms", "T2w", "mean")],
    "FLAIR": [("open_ms", "FLAIR", "mean")],
    "T1+Gd": [("open_ms", "T1Gd", "mean")],
    "agreement": [("agreement", "all pairs", "mean")],
}


def main(output: Path, runs: list[str]) -> None:
    """Print the table."""
    print("| run | steps | hours | " + " | ".join(SETS) + " | mean |")
    print("|---" * (len(SETS) + 4) + "|")
    for run in runs:
        history = read_run(output / "runs" / run)
        hours = "-" if history.hours is None else f"{history.hours:.2f}"
        dice = by_place(json.loads((output / "scored" / run / "summary.json").read_text())["rows"])
        cells = [" ".join(short(dice[place]) for place in places) for places in SETS.values()]
        scored = [dice[place] for places in SETS.values() for place in places if place[0] != "agreement"]
        print(f"| {run} | {history.steps:,} | {hours} | " + " | ".join(cells) + f" | {short(mean(scored))} |")


def by_place(rows: list[Row]) -> dict[tuple[str, str, str], float | None]:
    """Dice by set, contrast and structure."""
    return {(row["set"], row["contrast"], row["structure"]): row["dice"] for row in rows}


def mean(values: list[float | None]) -> float | None:
    """Of what is defined; ``None`` where nothing is."""
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None


def short(value: float | None) -> str:
    """As tables of Dice are written: ``.874``."""
    return "-" if value is None else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except (RunFolderError, OSError, KeyError, ValueError, IndexError) as error:
        sys.exit(f"comparison_table: {type(error).__name__}: {error}; did a run or its scoring fail?")
