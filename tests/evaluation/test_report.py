"""The report of an evaluation: its numbers, its parts, and results with little or much in them."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from otfsynth.evaluation import figures
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.evaluation.report import write_report
from otfsynth.evaluation.result import EvaluationResult
from otfsynth.evaluation.scoring import ScoringRules
from otfsynth.evaluation.targets import TargetMap
from otfsynth.volumes import write_volume
from tests.evaluation.report_results import AFFINE, NAMES, ball, result, summary_of, with_value
from tests.reports.pages import Parsed, png

COMPARISON = ["contrast", "label", "metric", "n", "mean_difference", "low", "high", "p_value", "adjusted_p_value"]


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots as a picture of noise: drawing takes seconds."""
    monkeypatch.setattr(figures, "to_png", lambda _: png())


def report(found: EvaluationResult, folder: Path, **options: object) -> Parsed:
    path = write_report(found, folder, "Scores of <these>", **options)  # type: ignore[arg-type]
    assert path == folder / "report.html"
    return Parsed(path.read_text(encoding="utf-8"))


def sections(html: Parsed) -> list[str]:
    return html.text("h2")


def test_every_part_is_there_and_the_numbers_are_those_of_the_summary(tmp_path: Path) -> None:
    found = result(tmp_path, cases=2)
    html = report(found, tmp_path)
    assert html.text("h1") == ["Scores of <these>"]
    assert sections(html) == ["Overlap", "Distributions", "All metrics", "Volumes", "Confusion", "Cases", "Definitions"]
    assert html.text("p")[0].startswith("6 cases scored (T1w 2, T2w 2, FLAIR 2)")
    summary = found.summary
    assert summary is not None
    row = summary[(summary["contrast"] == "T2w") & (summary["label"] == "WM") & (summary["metric"] == "dice")].iloc[0]
    cells = html.text("td")
    first = cells.index("T2w") + 7
    assert cells[first : first + 4] == ["T2w", "WM", "2", f"{row['mean']:.3f}"]
    assert cells[first + 4] == f"{row['low']:.3f} to {row['high']:.3f}"
    volume = summary[(summary["contrast"] == "T1w") & (summary["label"] == "GM") & (summary["metric"] == "volume_mm3")]
    assert f"{volume['mean'].item() / 1000:.1f}" in cells
    assert html.of("img")[0]["alt"] == "Dice of every case, by structure and contrast"
    assert html.text("caption")[:4] == ["Dice by contrast and structure", "T1w", "T2w", "FLAIR"]


@pytest.mark.usefixtures("without_plots")
def test_problems_come_first_and_are_listed(tmp_path: Path) -> None:
    found = dataclasses.replace(result(tmp_path, cases=1), problems=("'a<b>.nii.gz' is empty", "'c' has no reference"))
    html = report(found, tmp_path)
    assert sections(html)[0] == "Not scored"
    assert html.text("td")[:2] == ["'a<b>.nii.gz' is empty", "'c' has no reference"]
    assert "2 not scored" in html.text("p")[0]


def test_nothing_scored_still_gives_a_page(tmp_path: Path) -> None:
    empty = result(tmp_path, cases=0)
    html = report(dataclasses.replace(empty, summary=None, problems=("'a' is damaged",)), tmp_path)
    assert sections(html) == ["Not scored", "Definitions"]


@pytest.mark.usefixtures("without_plots")
def test_one_case_of_unknown_contrast(tmp_path: Path) -> None:
    html = report(result(tmp_path, contrasts=("",), cases=1), tmp_path)
    assert "1 case scored (unknown 1)" in html.text("p")[0]
    assert html.text("caption")[:3] == ["Dice by contrast and structure", "unknown", "All metrics with their intervals"]


def test_missing_structures_are_dashes_crosses_and_badges(tmp_path: Path) -> None:
    found = result(tmp_path, contrasts=("T1w",), cases=5)
    case = "sub-002_T1w"
    for metric, value in (("dice", 0.0), ("hd95_mm", math.inf), ("volume_mm3", 0.0), ("relative_volume_error", -1.0)):
        with_value(found, case, "CSF", metric, value)
    with_value(found, "sub-003_T1w", "CSF", "dice", math.nan)
    html = report(dataclasses.replace(found, summary=summary_of(found.metrics)), tmp_path)
    assert html.text("h3")[0] == case
    assert "CSF not predicted" in html.text("li")
    assert "∞" in html.text("td")
    assert any("∞: the structure is missing on one side" in text for text in html.text("figcaption"))
    assert "\u2013" in html.text("td")


def test_all_numbers_missing(tmp_path: Path) -> None:
    found = result(tmp_path, contrasts=("T1w",), cases=2)
    found.metrics["value"] = math.nan
    html = report(dataclasses.replace(found, summary=summary_of(found.metrics)), tmp_path)
    assert set(html.text("td")[3:5]) == {"\u2013"}


@pytest.mark.usefixtures("without_plots")
def test_three_hundred_cases_have_eight_cards(tmp_path: Path) -> None:
    found = result(tmp_path, cases=100)
    means = found.metrics[found.metrics["metric"] == "dice"].groupby("case")["value"].mean().sort_values()
    html = report(found, tmp_path)
    assert html.text("h3") == list(means.index[:8])
    linked = [anchor["href"] for anchor in html.of("a") if str(anchor["href"]).startswith("#case-")]
    assert len(linked) == 8


@pytest.mark.usefixtures("without_plots")
def test_overlays_are_drawn_on_the_scan_and_without_one(tmp_path: Path) -> None:
    found = result(tmp_path / "data", contrasts=("T1w",), cases=3, files=True)
    html = report(found, tmp_path / "out")
    pictures = {
        Path(unquote(str(image["src"]))).stem: image for image in html.of("img") if "overlays" in str(image["src"])
    }
    assert set(pictures) == {"sub-000_T1w", "sub-001_T1w", "sub-002_T1w"}
    assert all(picture["alt"] for picture in pictures.values())
    for picture in pictures.values():
        assert np.asarray(Image.open(tmp_path / "out" / unquote(str(picture["src"])))).std() > 10
    captions = [text for text in html.text("figcaption") if text.startswith("Solid")]
    assert sum("the scan is not known" in caption for caption in captions) == 1
    assert "GM red, WM yellow, CSF blue" in captions[0]


@pytest.mark.usefixtures("without_plots")
def test_labels_of_the_reference_become_targets(tmp_path: Path) -> None:
    found = result(tmp_path / "data", contrasts=("T1w",), cases=1, files=True)
    write_report(found, tmp_path / "plain", "a")
    freesurfer = np.array([0, 3, 2, 4], np.int32)[ball(0)]
    freesurfer[:2, :2, :2] = 77
    write_volume(found.scored[0].reference, freesurfer, AFFINE)
    freesurfer_targets = TargetMap({0: 0, 3: 1, 2: 2, 4: 3, 77: IGNORED}, "reference_labels")
    rules = ScoringRules(
        NAMES, freesurfer_targets, TargetMap({value: value for value in range(4)}, "prediction_labels")
    )
    write_report(found, tmp_path / "mapped", "a", rules=rules)
    plain, mapped = (
        np.asarray(Image.open(tmp_path / name / "overlays/sub-000_T1w.png")) for name in ("plain", "mapped")
    )
    assert np.array_equal(plain, mapped)


@pytest.mark.usefixtures("without_plots")
def test_a_volume_that_is_gone_leaves_a_sentence_instead_of_a_picture(tmp_path: Path) -> None:
    html = report(result(tmp_path, contrasts=("T1w",), cases=1), tmp_path)
    assert any(text.startswith("No picture: '") and "sub-000_T1w_dseg" in text for text in html.text("p"))


@pytest.mark.usefixtures("without_plots")
def test_published_numbers_stand_beside(tmp_path: Path) -> None:
    found = result(tmp_path, contrasts=("T1w",), cases=2)
    assert found.summary is not None
    mean = found.summary.query("label == 'GM' and metric == 'dice' and contrast == 'T1w'")["mean"].item()
    thesis = pd.DataFrame([("T1w", "GM", 0.5)], columns=["contrast", "label", "dice"])
    cells = report(dataclasses.replace(found, thesis=thesis), tmp_path).text("td")
    assert cells[:2] == ["T1w", "GM"]
    assert cells[7:9] == ["0.500", f"+{mean - 0.5:.3f}"]


def test_comparison_and_agreement(tmp_path: Path) -> None:
    comparison = pd.DataFrame([("T1w", "GM", "dice", 9, 0.0123, -0.0001, 0.02, 0.0004, 0.0012)], columns=COMPARISON)
    agreement = pd.DataFrame(
        [("1", "", "T1w", "T2w", "GM", 0.8), ("2", "", "T1w", "T2w", "GM", 0.6)],
        columns=["subject", "session", "contrast_a", "contrast_b", "label", "dice"],
    )
    found = dataclasses.replace(result(tmp_path, cases=2), comparison=comparison, agreement=agreement)
    html = report(found, tmp_path)
    assert "Comparison" in sections(html)
    cells = html.text("td")
    start = cells.index("+0.012")
    assert cells[start : start + 4] == ["+0.012", "0.000 to +0.020", "< 0.001", "0.001"]
    assert "T1w|T2w|GM|2|0.700|0.600" in "|".join(cells)


def test_many_structures(tmp_path: Path) -> None:
    found = result(tmp_path, contrasts=("T1w",), cases=2)
    names = ("background", *(f"structure-{number}" for number in range(40)))
    dice = found.metrics.query("label == 'GM' and metric == 'dice'")
    metrics = pd.concat([dice.assign(label=name) for name in names[1:]])
    confusion = {case.case: np.eye(41, dtype=np.int64) for case in found.scored}
    found = EvaluationResult(metrics, confusion, names, found.scored, summary=summary_of(metrics))
    html = report(found, tmp_path)
    assert "structure-39" in html.text("td")
    assert all(int(str(image["width"])) < 1400 for image in html.of("img"))


@pytest.mark.usefixtures("without_plots")
def test_definitions_name_every_metric(tmp_path: Path) -> None:
    found = result(tmp_path, cases=1)
    cells = report(dataclasses.replace(found, notes=("Resampled.",)), tmp_path).text("td")
    assert {"Dice", "HD95", "ASSD", "Surface Dice, 1 mm", "Volume error"} <= set(cells)


@pytest.mark.browser
@pytest.mark.usefixtures("without_plots")
def test_the_page_fits_a_telephone_and_asks_for_nothing(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    found = result(tmp_path / "data", contrasts=("T1w", "T2w"), cases=1, files=True)
    path = write_report(dataclasses.replace(found, problems=("'" + 60 * "long_name_" + "' is damaged",)), tmp_path, "a")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 360, "height": 700})
        complaints, requested = [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert complaints == []
        assert {url.split(":")[0] for url in requested} <= {"file", "data"}
        chromium.close()
