"""The index of a run in a real browser: pictures, order, sorting, failures, nothing on the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inference.heads import SHAPE, brain, write_checkpoint, write_scan
from tests.test_predict import rows, run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over three scans of different quality and one that fails."""
    folder = tmp_path_factory.mktemp("run")
    checkpoint = write_checkpoint(folder / "best.ckpt")
    write_scan(folder / "scans" / "a whole.nii.gz")
    half = brain(1)
    half[:, :, 30:] = 0
    write_scan(folder / "scans" / "b cut.nii.gz", np.roll(half, -12, axis=2)[:, :, :30])
    write_scan(folder / "scans" / "c <b>.nii.gz", brain(2))
    write_scan(folder / "scans" / "d constant.nii.gz", np.ones(SHAPE, np.float32))
    assert run(folder / "scans", folder / "out", checkpoint, "skullstrip=none") == 1
    return folder / "out"


@pytest.fixture(scope="module")
def messages() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(output: Path, messages: list[str]) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("requestfailed", lambda request: messages.append(request.url))
        page.goto((output / "index.html").as_uri())
        yield page
        browser.close()


def test_pictures_load_and_the_console_stays_silent(page: Any, messages: list[str]) -> None:
    for image in page.locator("img").all():
        image.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 500)")
    assert page.locator("article img").count() == 3
    assert messages == []


def test_cases_are_in_the_order_of_their_scores(page: Any, output: Path) -> None:
    expected = [row["case"] for row in rows(output / "quality.csv")]
    scores = [float(row["score"]) for row in rows(output / "quality.csv")]
    assert scores == sorted(scores, reverse=True)
    assert expected[0] == "b cut"
    assert page.locator("article h3").all_inner_texts() == expected
    assert _column(page, "Volumes", 0) == expected


def test_a_table_is_sorted_by_a_press_on_its_head(page: Any) -> None:
    volumes = [float(text.replace("\u202f", "")) for text in _column(page, "Volumes", 3)]
    head = page.locator("section", has=page.get_by_role("heading", name="Volumes")).locator("th").nth(3)
    head.get_by_role("button").click()
    assert [float(text.replace("\u202f", "")) for text in _column(page, "Volumes", 3)] == sorted(volumes)
    head.get_by_role("button").press("Enter")
    assert [float(text.replace("\u202f", "")) for text in _column(page, "Volumes", 3)] == sorted(volumes, reverse=True)


def test_failures_stand_on_the_page_with_their_reason(page: Any) -> None:
    assert _column(page, "Cases that failed", 0) == ["d constant"]
    assert "empty or constant" in _column(page, "Cases that failed", 1)[0]
    assert "3 segmented" in page.locator(".subtitle").inner_text()


def test_the_page_fits_a_telephone(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def _column(page: Any, section: str, index: int) -> list[str]:
    found = page.locator("section", has=page.get_by_role("heading", name=section, exact=True))
    return [text.strip() for text in found.locator(f"tbody td:nth-child({index + 1})").all_inner_texts()]
