"""The table of trainings compared on real scans."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.packaging.test_scripts import load_script

PLACES = [
    *(("ibsr", "all", structure) for structure in ("GM", "WM", "CSF")),
    *(("test_vol", "all", structure) for structure in ("GM", "WM", "CSF")),
    *(("open_ms", contrast, "mean") for contrast in ("T1w", "T2w", "FLAIR", "T1Gd")),
]


@pytest.fixture
def table() -> ModuleType:
    return load_script("comparison_table")


def write_run(output: Path, name: str, dice: list[float | None], agreement: float) -> None:
    """A run of two processes, the second of which continued the first, and its scores."""
    rows = [(10, 30.0), (20, 60.0), (30, 20.0), (40, 1740.0)]
    (output / "runs" / name).mkdir(parents=True)
    lines = [f"{step},{seconds},train/loss,0.5" for step, seconds in rows]
    (output / "runs" / name / "metrics.csv").write_text("step,seconds,metric,value\n" + "\n".join(lines) + "\n")
    places = [*zip(PLACES, dice, strict=True), (("agreement", "all pairs", "mean"), agreement)]
    summary = {
        "rows": [dict(zip(("set", "contrast", "structure"), place, strict=True), dice=value) for place, value in places]
    }
    (output / "scored" / name).mkdir(parents=True)
    (output / "scored" / name / "summary.json").write_text(json.dumps(summary))


def test_a_row_has_steps_hours_and_dice(table: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, "lab2im", [0.9, 0.8, 0.7, 0.6, 0.5, None, 0.4, 0.3, 0.2, 0.1], 0.75)
    table.main(tmp_path, ["lab2im"])
    head, rule, row = capsys.readouterr().out.splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["lab2im", "40", "0.50"]  # 60 s of the first process and 1740 s of the second
    assert cells[3:5] == [".900 .800 .700", ".600 .500 -"]
    assert cells[5:] == [".400", ".300", ".200", ".100", ".750", ".500"]  # agreement is no Dice against a reference
