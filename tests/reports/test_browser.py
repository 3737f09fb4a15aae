"""Pages in Chromium, from a file and without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otfsynth.reports import write_page
from otfsynth.reports.rendering import DASH
from tests.reports.pages import full_page

pytestmark = pytest.mark.browser

CELLS = "rows => rows.map(row => row.cells[{column}].textContent)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of :func:`full_page`; what went wrong is in its ``complaints``."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.complaints, page.requested = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    page.on("request", lambda request: page.requested.append(request.url))
    page.goto(write_page(full_page(tmp_path), tmp_path / "index.html").as_uri())
    yield page
    page.close()


def column(page: Any, number: int) -> list[str]:
    cells = page.locator("table").first.locator("tbody tr").evaluate_all(CELLS.format(column=number))
    return list(cells)


def test_it_loads_from_a_file_without_complaints_or_a_network(page: Any) -> None:
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.complaints == []
    assert {url.split(":")[0] for url in page.requested} <= {"file", "data"}
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths == [2400, 640, 640, 640, 640]


def test_numbers_sort_as_numbers_with_dashes_last(page: Any) -> None:
    head = page.get_by_role("columnheader", name="HD95")
    assert column(page, 2) == ["10.00", DASH, "9.00", "∞"]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, 2) == ["9.00", "10.00", "∞", DASH]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, 2) == ["∞", "10.00", "9.00", DASH]


def test_the_keyboard_sorts_too_and_one_column_at_a_time(page: Any) -> None:
    page.get_by_role("button", name="Case").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dice = page.get_by_role("columnheader", name="Dice")
    assert column(page, 1) == ["0.600", "0.700", "0.800", "0.900"]
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert dice.get_attribute("aria-sort") == "none"
    assert page.get_by_role("columnheader", name="HD95").get_attribute("aria-sort") == "ascending"


def test_text_sorts_by_the_numbers_in_it(page: Any) -> None:
    rename = """rows => rows.forEach((row, n) => { row.cells[0].textContent = "case" + [10, 9, 100, 1][n]; })"""
    page.locator("table").first.locator("tbody tr").evaluate_all(rename)
    page.get_by_role("button", name="Case").click()
    assert column(page, 0) == ["case1", "case9", "case10", "case100"]


def test_a_narrow_window_does_not_overflow(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for wide in (page.locator(".scroll").nth(1), page.locator(".pictures .frame").first):
        assert wide.evaluate("element => element.scrollWidth > element.clientWidth")


def test_heads_stay_in_sight(page: Any) -> None:
    grow = """body => { for (let n = 0; n < 100; n++) body.append(body.rows[0].cloneNode(true)); }"""
    page.locator("tbody").first.evaluate(grow)
    scroll = page.locator(".scroll").first
    scroll.evaluate("element => { element.scrollTop = 1000; }")
    head = page.locator("th").first.bounding_box()
    assert head["y"] == pytest.approx(scroll.bounding_box()["y"], abs=2)


def test_a_name_leads_to_its_card(page: Any) -> None:
    page.locator("table").first.locator("tbody a").nth(2).click()
    assert page.evaluate("document.querySelector('.card:target h3').textContent").endswith("2")


def test_printing_shows_whole_tables(page: Any) -> None:
    page.emulate_media(media="print")
    assert page.locator(".scroll").first.evaluate("element => getComputedStyle(element).overflow") == "visible"
    assert not page.locator("nav").is_visible()
