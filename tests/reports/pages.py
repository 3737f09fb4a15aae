"""A page with one of everything, names that need escaping among them, and a parser of what is written."""

from __future__ import annotations

import io
import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from otfsynth.reports import Card, Column, Link, Page, Picture, Section, Table

AWKWARD = "sub-<1> & \"two\" 'three' #4?"
VOID = {"meta", "img", "link", "br"}


def png(width: int = 120, height: int = 80) -> bytes:
    """A picture of noise."""
    picture = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(values).save(picture, format="png")
    return picture.getvalue()


def full_page(folder: Path, cases: int = 4) -> Page:
    """Pictures of the cards lie in ``folder / "qc"``."""
    (folder / "qc").mkdir(parents=True, exist_ok=True)
    picture = folder / "qc" / f"{AWKWARD}.png"
    picture.write_bytes(png(640, 320))
    cards = tuple(
        Card(
            f"{AWKWARD} {number}", Picture(picture, "Axial", f"Case {AWKWARD}"), ("volume low", "<asymmetric>"), "text"
        )
        for number in range(cases)
    )
    columns = (Column("Case"), Column("Dice", decimals=3), Column("HD95", "mm", 2), Column("Volume", "mm³", 0))
    distances = [10.0, math.nan, 9.0, math.inf]
    rows = tuple(
        (Link.to_card(card), 0.9 - number / 10, distances[number % 4], 1_234_567 * number - 1)
        for number, card in enumerate(cards)
    )
    wide = Table(tuple(Column(f"column_{number}") for number in range(20)), (tuple("value" for _ in range(20)),))
    sections = (
        Section("Scores", "First.\n\nSecond & last.", (Table(columns, rows, "Scores of <all>", "A note."), wide)),
        Section("Plots", pictures=(Picture(png(2400, 400), "A plot", "What it shows"),)),
        Section("Cases", cards=cards),
    )
    return Page(f"Report of {AWKWARD}", "Two lines", sections, "Made by hand")


class Parsed(HTMLParser):
    """Elements with their attributes, their direct text, and whether every one is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]
