"""The command evaluate from its settings to its files and its exit codes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.evaluate import EvaluateConfig
from otfsynth.evaluate import evaluate
from tests.evaluation.volumes import head, touch, write


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """Predictions of two contrasts of three subjects, and FreeSurfer's segmentation of each in OASIS-3's tree."""
    to_freesurfer = np.array([0, 1003, 41, 4], np.int32)
    for number in (1, 2, 3):
        stem = f"sub-OAS3000{number}_ses-d0{number}00"
        folder = tmp_path / "p" / f"sub-OAS3000{number}" / f"ses-d0{number}00" / "anat"
        write(folder / f"{stem}_run-01_desc-otfsynth_dseg.nii.gz", head(shift=number - 1))
        write(folder / f"{stem}_run-01_space-T2w_desc-otfsynth_dseg.nii.gz", head(shift=1))
        write(
            tmp_path / "fs" / f"OAS3000{number}_Freesurfer53_d0{number}00" / "x" / "mri" / "aparc+aseg.mgz",
            to_freesurfer[head()],
        )
    return tmp_path


def run(folder: Path, *overrides: str, references: str = "fs") -> Path:
    output = folder / "out"
    settings = [f"predictions={folder}/p", f"output={output}", "workers=1", "bootstrap_samples=200"]
    settings += [f"references={folder}/{references}"] if references else []
    evaluate(compose([*settings, *overrides], "evaluate", EvaluateConfig), Job(folder))
    return output


def test_an_oasis_tree_is_scored_per_contrast_and_everything_is_written(heads: Path) -> None:
    output = run(heads, "thesis=true", "title=Trial")
    metrics = pd.read_csv(output / "metrics.csv")
    assert len(metrics) == 6 * 3 * 10
    assert list(metrics["contrast"].unique()) == ["T1w", "T2w"]
    assert set(metrics["case"]) >= {"sub-OAS30001_ses-d0100_run-01_T1w", "sub-OAS30003_ses-d0300_run-01_T2w"}
    summary = pd.read_csv(output / "summary.csv").set_index(["contrast", "label", "metric"])
    wm = {shift: 1 - shift * (100 + 16) / (1000 - 64) for shift in (0, 1, 2)}
    assert summary.loc[("T2w", "WM", "dice"), "mean"] == pytest.approx(wm[1])
    assert summary.loc[("T1w", "WM", "dice"), "n"] == 3
    t1w = [
        metrics.query(f"case == 'sub-OAS3000{n}_ses-d0{n}00_run-01_T1w' and label == 'WM' and metric == 'dice'")
        for n in (1, 2)
    ]
    assert [float(rows["value"].iloc[0]) for rows in t1w] == pytest.approx([wm[0], wm[1]])
    cases = json.loads((output / "summary.json").read_text())["metric_per_case"]
    assert len(cases) == 6
    assert cases[1]["contrast"] == "T2w"
    with open(output / "agreement.csv", newline="") as file:
        agreement = list(csv.DictReader(file))
    assert len(agreement) == 3 * 3
    assert float(agreement[1]["dice"]) == pytest.approx(wm[1])
    assert "Trial" in (output / "report.html").read_text()
    assert (output / "config.yaml").is_file()


def test_a_second_evaluation_is_compared_with_the_first(heads: Path) -> None:
    first = run(heads)
    run(heads, f"compare={first}/summary.json", f"output={heads}/again", "agreement=false")
    comparison = pd.read_csv(heads / "again" / "comparison.csv")
    assert (comparison["mean_difference"] == 0).all()
    assert (comparison["p_value"] == 1).all()
    assert set(comparison["contrast"]) == {"T1w", "T2w", "all"}
    assert not (heads / "again" / "agreement.csv").exists()


def test_a_case_that_cannot_be_scored_gives_exit_code_1_and_is_named(
    heads: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (heads / "fs" / "OAS30002_Freesurfer53_d0200" / "x" / "mri" / "aparc+aseg.mgz").write_bytes(b"damaged")
    with pytest.raises(SystemExit) as stopped:
        run(heads)
    assert stopped.value.code == 1
    assert "sub-OAS30002_ses-d0200_run-01_T2w: '" in caplog.text
    assert len(json.loads((heads / "out" / "summary.json").read_text())["metric_per_case"]) == 4
    assert "aparc+aseg.mgz" in (heads / "out" / "report.html").read_text()


def test_when_no_case_can_be_scored_the_report_says_so(heads: Path) -> None:
    with pytest.raises(SystemExit):
        run(heads, "reference_labels={77: 1}")
    assert "without a target" in (heads / "out" / "report.html").read_text()


def test_contrasts_are_compared_where_there_are_no_references(heads: Path) -> None:
    output = run(heads, references="")
    assert (output / "agreement.csv").is_file()
    assert not (output / "summary.json").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["predictions="], "predictions is not given"),
        (["output="], "output is not given"),
        (["resample=linear"], "resample=linear is unknown"),
        (["agreement=false"], "nothing is left"),
        (["references=r", "compare=missing.json"], "compare=missing.json is no file"),
        (["references=r", "reference_labels={1: a}"], "reference_labels"),
        (["references=r", "prediction_labels={}"], "prediction_labels"),
        (["references=r", "workers=0"], "workers"),
        (["references=r", "bootstrap_samples=1"], "bootstrap_samples"),
    ],
)
def test_settings_that_cannot_work_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose(["predictions=p", "output=o", *overrides], "evaluate", EvaluateConfig)


def test_a_comparison_is_not_overwritten_by_what_it_is_compared_with(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="overwritten"):
        compose(
            ["predictions=p", "references=r", f"output={tmp_path}", f"compare={tmp_path}/summary.json"],
            "evaluate",
            EvaluateConfig,
        )


def test_nothing_that_pairs_is_a_usage_error_with_both_sides_named(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.nii.gz", "r/b.nii.gz")
    with pytest.raises(InputError, match=r"none of 1 prediction\(s\).*'a'.*references of 'b'"):
        run(tmp_path, references="r")
    assert not (tmp_path / "out").exists()


def test_the_command_line_ends_with_2_for_mistakes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otfsynth.evaluate", f"predictions={tmp_path}/none", "references=r", "output=o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "otfsynth evaluate: predictions=" in done.stderr
    assert "Traceback" not in done.stderr
