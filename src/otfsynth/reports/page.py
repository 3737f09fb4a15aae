"""What a page holds, free of HTML: texts are plain, and every one of them is escaped when the page is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Picture:
    """A picture with what it shows.

    Args:
        source: a ``Path`` becomes a link relative to the page, a ``str`` is such a link already; ``bytes`` are a PNG
            that is embedded, drawn at two of its pixels to one of the page's.
        caption: shown below.
        alt: what a reader who can't see it has to know.
    """

    source: str | Path | bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Link:
    """Text of a table's cell that leads to a file; ``target`` as :attr:`Picture.source`."""

    text: str
    target: str | Path

    @classmethod
    def to_card(cls, card: Card) -> Link:
        """Lead to a card of the same page."""
        return cls(card.title, "#" + quote(card.anchor))


@dataclass(frozen=True)
class Cell:
    """Text of a table's cell that is sorted by ``value``, such as an interval by its middle or ``< 0.001``."""

    text: str
    value: float | None


@dataclass(frozen=True)
class Column:
    """Head of a table's column.

    Args:
        title: what the column holds.
        unit: shown behind the title.
        decimals: digits behind the point of its numbers, or ``None`` for a column of text.
    """

    title: str
    unit: str = ""
    decimals: int | None = None


@dataclass(frozen=True)
class Table:
    """A table whose columns the reader can sort by.

    Args:
        columns: heads.
        rows: as many values a row as there are columns: text, number, :class:`Link` or :class:`Cell`; NaN and ``None``
            are shown as an en dash and sorted last.
        caption: shown above.
        notes: shown below.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[object, ...], ...]
    caption: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"row {row} has {len(row)} values for the {len(self.columns)} columns of a table")


@dataclass(frozen=True)
class Card:
    """One case: a picture, what is known of it, and ``badges``, short warnings."""

    title: str
    picture: Picture | None = None
    badges: tuple[str, ...] = ()
    text: str = ""

    @property
    def anchor(self) -> str:
        """Its ``id`` on the page."""
        return "case-" + "-".join(self.title.split())


@dataclass(frozen=True)
class Section:
    """A part of a page, shown in the order of its fields; an empty line in ``text`` begins a paragraph."""

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page; sections are listed at its top where there are more than two."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    footer: str = ""
