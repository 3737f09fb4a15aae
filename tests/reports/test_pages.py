"""Pages as files: structure, escaping, numbers, links and what happens when writing fails."""

from __future__ import annotations

import math
import re
import shutil
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import pytest

from otfsynth.reports import Column, Link, Page, Picture, ReportError, Section, Table, write_page
from otfsynth.reports.rendering import link, shown, sort_key
from tests.reports.pages import AWKWARD, Parsed, full_page, png


def parsed(page: Page, path: Path) -> Parsed:
    return Parsed(write_page(page, path).read_text(encoding="utf-8"))


def test_a_page_is_whole_html_with_language_titles_and_alt_texts(tmp_path: Path) -> None:
    html = parsed(full_page(tmp_path), tmp_path / "index.html")
    assert html.open == []
    assert html.of("html") == [{"lang": "en"}]
    assert html.text("title") == [f"Report of {AWKWARD}"]
    assert html.text("h1") == [f"Report of {AWKWARD}"]
    assert html.text("h2") == ["Scores", "Plots", "Cases"]
    assert len(html.of("h3")) == 4
    assert all(image["alt"] for image in html.of("img"))
    assert {head["scope"] for head in html.of("th")} == {"col"}
    assert html.text("p")[:3] == ["Two lines", "First.", "Second & last."]
    identifiers = [attributes["id"] for _, attributes in html.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    targets = {unquote(str(anchor["href"]))[1:] for anchor in html.of("a") if str(anchor["href"]).startswith("#")}
    assert targets <= set(identifiers)
    assert len(targets) == 3 + 4


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    table = Table((Column(hostile, hostile),), ((hostile,), (Link(hostile, hostile),)), hostile, hostile)
    picture = Picture(png(), hostile, hostile)
    section = Section(hostile, hostile, (table,), (picture,))
    html = parsed(Page(hostile, hostile, (section,), hostile), tmp_path / "a.html")
    assert len(html.of("script")) == 1
    assert len(html.of("img")) == 1
    assert html.of("img")[0]["alt"] == hostile
    assert html.text("caption") == [hostile]
    assert html.text("td") == [hostile]
    assert html.open == []


def test_a_page_needs_nothing_but_its_folder(tmp_path: Path) -> None:
    html = write_page(full_page(tmp_path), tmp_path / "index.html").read_text(encoding="utf-8")
    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\(", without_pictures)
    assert str(tmp_path) not in html


def test_links_hold_when_the_page_moves_with_its_folder(tmp_path: Path) -> None:
    write_page(full_page(tmp_path / "a"), tmp_path / "a" / "index.html")
    moved = shutil.move(tmp_path / "a", tmp_path / "elsewhere")
    html = Parsed((Path(moved) / "index.html").read_text(encoding="utf-8"))
    linked = [str(image["src"]) for image in html.of("img") if not str(image["src"]).startswith("data:")]
    assert len(linked) == 4
    for address in linked:
        assert (Path(moved) / unquote(address)).is_file()


def test_links_are_relative_to_the_folder_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert link(tmp_path / "b" / "x.png", tmp_path / "a") == "../b/x.png"
    assert link(tmp_path / "a" / "1 #2?.png", tmp_path / "a") == "1%20%232%3F.png"
    assert link("qc/x.png", tmp_path) == "qc/x.png"
    monkeypatch.chdir(tmp_path)
    assert link(Path("a/x.png"), tmp_path / "a") == "x.png"


def test_links_hold_where_the_folder_is_reached_by_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "down" / "real").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "deep" / "down" / "real")
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "out", Path("out")):
        html = parsed(full_page(folder), folder / "index.html")
        linked = [str(image["src"]) for image in html.of("img") if not str(image["src"]).startswith("data:")]
        assert len(linked) == 4
        assert {unquote(address) for address in linked} == {f"qc/{AWKWARD}.png"}


def test_embedded_pictures_are_shown_at_half_their_pixels(tmp_path: Path) -> None:
    page = Page("a", "", (Section("b", pictures=(Picture(png(300, 200), "c", "d"),)),))
    (image,) = parsed(page, tmp_path / "a.html").of("img")
    assert (image["width"], image["height"]) == ("150", "100")
    assert str(image["src"]).startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("value", "decimals", "text", "key"),
    [
        (0.12345, 3, "0.123", "0.12345"),
        (1234567.8, 0, "1\u202f234\u202f568", "1234567.8"),
        (-2.5, 1, "\u22122.5", "-2.5"),
        (-0.0004, 2, "0.00", "-0.0004"),
        (math.nan, 2, "\u2013", ""),
        (None, 2, "\u2013", ""),
        (math.inf, 2, "∞", "Infinity"),
        (-math.inf, 2, "\u2212∞", "-Infinity"),
        (7, 0, "7", "7.0"),
        ("< 0.001", 3, "< 0.001", ""),
    ],
)
def test_numbers(value: object, decimals: int, text: str, key: str) -> None:
    column = Column("a", decimals=decimals)
    assert (shown(value, column), sort_key(value, column)) == (text, key)


def test_text_cells() -> None:
    column = Column("a")
    assert [shown(value, column) for value in ("x", "", None, math.nan, 3)] == ["x", "\u2013", "\u2013", "\u2013", "3"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values for the 1 columns"):
        Table((Column("a"),), (("x", "y"),))


def test_an_empty_page_has_no_navigation(tmp_path: Path) -> None:
    html = parsed(Page("a", "", ()), tmp_path / "new" / "a.html")
    assert html.of("nav") == []
    assert html.of("footer") == []


def test_a_page_that_cant_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_page(Page("old", "", ()), tmp_path / "a.html")

    def full_disk(_: int) -> None:
        assert len(list(tmp_path.glob("a.html.*.part"))) == 1
        raise OSError("No space left on device")

    monkeypatch.setattr("otfsynth.volumes.writing.os.fsync", full_disk)
    with pytest.raises(ReportError, match=r"a\.html' could not be written \(No space left"):
        write_page(Page("new", "", ()), path)
    assert "<h1>old</h1>" in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *[("ink", "paper"), ("ink", "page"), ("ink", "head"), ("muted", "page"), ("muted", "head"), ("accent", "page")],
        ("warning", "warning-page"),
    ],
)
def test_texts_stand_out_from_their_ground(text: str, ground: str) -> None:
    """WCAG 2.1, level AA: a contrast of at least 4.5."""
    style = files("otfsynth.reports").joinpath("style.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", style))
    light, dark = sorted((_luminance(colours[name]) for name in (text, ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance of a colour of sRGB."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
