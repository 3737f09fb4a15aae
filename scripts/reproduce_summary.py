"""One table and one gallery of the evaluations of the real scans: used by ``reproduce_real_scans.sh``.

    python scripts/reproduce_summary.py OUTPUT

Reads what evaluate wrote in ``scores/SET`` and ``baseline_scores/SET``; writes ``summary.json`` and ``summary.md``.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

FOREGROUND = "mean"
"""Of the Dice of GM, WM and CSF."""
TITLES = {
    "ibsr": "IBSR, manual (CSF: ventricles)",
    "test_vol": "test_vol, FreeSurfer (CSF: ventricles)",
    "open_ms": "open_ms_p07, silver labels",
}
BARS = {
    ("ibsr", "all", "GM"): 0.91,
    ("ibsr", "all", "WM"): 0.88,
    ("ibsr", "all", "CSF"): 0.87,
    ("test_vol", "all", "GM"): 0.87,
    ("test_vol", "all", "WM"): 0.91,
    ("test_vol", "all", "CSF"): 0.90,
    ("open_ms", "T2w", FOREGROUND): 0.75,
    ("open_ms", "FLAIR", FOREGROUND): 0.75,
}
AGREEMENT_BAR = 0.85
"""Of every pair of the contrasts of one head."""


def main(output: Path) -> None:
    """Write ``summary.json`` and ``summary.md``, and print the table."""
    run = json.loads((output / "predictions" / "run.json").read_text())
    cases = read_cases(output / "scores")
    baseline = output / "baseline_scores"
    rows = table_rows(cases, read_cases(baseline) if baseline.is_dir() else []) + agreement_rows(output)
    summary = {
        "model": [
            {name: entry[name] for name in ("model", "version", "step", "sha256")} for entry in run["checkpoints"]
        ],
        "rows": rows,
        "bars_met": sum(bool(row["met"]) for row in rows),
        "bars": sum(row["bar"] is not None for row in rows),
        "cases": worst_first(cases),
    }
    (output / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    table = markdown_table(rows)
    (output / "summary.md").write_text(page(summary, table, output))
    print(table)
    print(f"\n{summary['bars_met']} of {summary['bars']} bars met; pictures: {output / 'summary.md'}")


def read_cases(folder: Path) -> list[dict[str, Any]]:
    """Dice of every case in the evaluations below a folder, undefined ones as ``None``."""
    cases: dict[tuple[str, str], dict[str, Any]] = {}
    for group in TITLES:
        with open(folder / group / "metrics.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["metric"] == "dice":
                    new = {"set": group, "case": row["case"], "contrast": row["contrast"], "dice": {}}
                    case = cases.setdefault((group, row["case"]), new)
                    value = float(row["value"])
                    case["dice"][row["label"]] = value if math.isfinite(value) else None
    for case in cases.values():
        case["dice"][FOREGROUND] = mean(list(case["dice"].values()))
    return list(cases.values())


def table_rows(model: list[dict[str, Any]], baseline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean Dice of every set and structure; each contrast of ``open_ms`` for itself."""
    rows = []
    for group in TITLES:
        own = [case for case in model if case["set"] == group]
        contrasts = list(dict.fromkeys(case["contrast"] for case in own)) if group == "open_ms" else ["all"]
        for contrast in contrasts:
            for structure in own[0]["dice"]:
                values = [chosen(cases, group, contrast, structure) for cases in (model, baseline)]
                rows.append(one_row(group, contrast, structure, *values, BARS.get((group, contrast, structure))))
    return rows


def agreement_rows(output: Path) -> list[dict[str, Any]]:
    """Agreement of every two contrasts of the patient of ``open_ms``, mean over structures, and the lowest of them."""
    pairs: dict[str, list[float]] = {}
    with open(output / "scores" / "open_ms" / "agreement.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["subject"] == "p07":
                pairs.setdefault(f"{row['contrast_a']} and {row['contrast_b']}", []).append(float(row["dice"]))
    means = {pair: mean(values) for pair, values in pairs.items()}
    rows = [one_row("agreement", pair, FOREGROUND, value, None, AGREEMENT_BAR) for pair, value in means.items()]
    return [*rows, one_row("agreement", "all pairs", FOREGROUND, mean(list(means.values())), None, None)]


def chosen(cases: list[dict[str, Any]], group: str, contrast: str, structure: str) -> float | None:
    """Mean over the cases of a set, and of a contrast of it."""
    own = [case for case in cases if case["set"] == group and contrast in ("all", case["contrast"])]
    return mean([case["dice"].get(structure) for case in own])


def one_row(
    group: str, contrast: str, structure: str, model: float | None, kmeans: float | None, bar: float | None
) -> dict[str, Any]:
    """A row of the table; ``met`` is ``None`` where there is no bar."""
    met = None if bar is None else model is not None and model >= bar
    return {
        "set": group,
        "contrast": contrast,
        "structure": structure,
        "dice": model,
        "bar": bar,
        "met": met,
        "kmeans": kmeans,
    }


def worst_first(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases by their mean Dice; those without one come first."""
    return sorted(cases, key=lambda case: -1.0 if case["dice"][FOREGROUND] is None else case["dice"][FOREGROUND])


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = ["| scans | contrast | structure | Dice | bar | met | k-means told T1w |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        title = TITLES.get(row["set"], "open_ms_p07, contrasts with each other")
        met = {None: "", True: "yes", False: "**no**"}[row["met"]]
        numbers = [number(row["dice"], 3), number(row["bar"], 2), met, number(row["kmeans"], 3)]
        lines.append("| " + " | ".join([title, row["contrast"], row["structure"], *numbers]) + " |")
    return "\n".join(lines)


def page(summary: dict[str, Any], table: str, output: Path) -> str:
    """Markdown of the whole summary, the worst cases first, with pictures relative to it."""
    models = ", ".join(
        f"{entry['model'] or 'checkpoint'} {entry['version'] or ''} (step {entry['step']}, {entry['sha256'][:12]})"
        for entry in summary["model"]
    )
    parts = [f"# Real scans: {models}", f"{summary['bars_met']} of {summary['bars']} bars met.", table]
    parts.append("## Worst cases first\n\nSolid: prediction; dotted: reference (GM red, WM yellow, CSF blue).")
    for case in summary["cases"]:
        dice = ", ".join(f"{name} {number(value, 3)}" for name, value in case["dice"].items())
        picture = f"scores/{case['set']}/overlays/{case['case']}.png"
        parts.append(f"### {case['case']} ({case['contrast']})\n\nDice {dice}" + shown(output, case["case"], picture))
    parts.append("## Without a reference: whole heads and averages")
    labelled = {case["case"] for case in summary["cases"]}
    for path in sorted((output / "predictions" / "qc").glob("*.png")):
        if path.stem not in labelled:
            parts.append(f"### {path.stem}" + shown(output, path.stem, f"predictions/qc/{path.name}"))
    return "\n\n".join(parts) + "\n"


def shown(output: Path, case: str, picture: str) -> str:
    """A picture, where it is there."""
    return f"\n\n![{case}]({picture})" if (output / picture).is_file() else "\n\nNo picture."


def mean(values: list[float | None]) -> float | None:
    """Of what is defined; ``None`` where nothing is."""
    defined = [value for value in values if value is not None and not math.isnan(value)]
    return fmean(defined) if defined else None


def number(value: float | None, digits: int) -> str:
    """Text of a cell."""
    return "" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"reproduce_summary: {type(error).__name__}: {error}; did an evaluation fail?")
