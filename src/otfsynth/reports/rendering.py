"""Pages as one HTML file each: style and script inside, pictures inside or beside it, nothing from a network."""

from __future__ import annotations

import math
import os
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from otfsynth.config.checks import InputError
from otfsynth.reports.page import Cell, Column, Link, Page, Picture
from otfsynth.volumes import VolumeError, write_bytes_atomically

if TYPE_CHECKING:
    from jinja2 import Template

DASH, MINUS, THIN_SPACE = "\u2013", "\u2212", "\u202f"
PNG_SIZE = slice(16, 24)
"""Where a PNG's header has its width and height: two big-endian integers of four bytes."""


class ReportError(InputError):
    """A page that can't be written; the message names it."""


def write_page(page: Page, path: Path) -> Path:
    """Write a page; the file either is whole or does not exist.

    Args:
        page: what it shows.
        path: the HTML file; its folder is made where it is missing.

    Returns:
        ``path``.

    Raises:
        ReportError: the file can't be written.
    """
    path = Path(path)
    html = _template().render(page=page, folder=path.parent)
    try:
        return write_bytes_atomically(path, html.encode())
    except VolumeError as error:
        raise ReportError(str(error)) from error


def link(target: str | Path, folder: Path) -> str:
    """Address of ``target`` as seen from ``folder``; characters that mean something in an address are encoded.

    Both are taken as they are named: a browser goes up from the address of the page, not from where a link leads.
    """
    if isinstance(target, str):
        return target
    relative = os.path.relpath(target, folder)
    return quote(Path(relative).as_posix())


def source(picture: Picture, folder: Path) -> str:
    """Value of ``src``: a link, or the PNG itself."""
    if isinstance(picture.source, bytes):
        return "data:image/png;base64," + b64encode(picture.source).decode()
    return link(picture.source, folder)


def size(picture: Picture) -> tuple[int, int] | None:
    """Width and height of an embedded picture in CSS pixels: half its own."""
    if not isinstance(picture.source, bytes):
        return None
    header = picture.source[PNG_SIZE]
    return int.from_bytes(header[:4], "big") // 2, int.from_bytes(header[4:], "big") // 2


def shown(value: object, column: Column) -> str:
    """Text of a cell."""
    if isinstance(value, Link | Cell):
        return value.text
    if value is None or value == "":
        return DASH
    if column.decimals is None or isinstance(value, str):
        return DASH if isinstance(value, float) and math.isnan(value) else str(value)
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return DASH
    if math.isinf(number):
        return "∞" if number > 0 else MINUS + "∞"
    text = f"{abs(number):,.{column.decimals}f}".replace(",", THIN_SPACE)
    return MINUS + text if number < 0 and re.search("[1-9]", text) else text


def sort_key(value: object, column: Column) -> str:
    """What the script sorts by: a number for JavaScript, or nothing for values that come last."""
    if isinstance(value, Cell):
        value = value.value
    if value is None or column.decimals is None or isinstance(value, str | Link):
        return ""
    number = float(value)  # type: ignore[arg-type]
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return "" if math.isnan(number) else repr(number)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("otfsynth.reports", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(link=link, source=source, size=size, shown=shown, sort_key=sort_key)
    environment.filters["paragraphs"] = lambda text: [part.strip() for part in text.split("\n\n") if part.strip()]
    environment.tests["link"] = lambda value: isinstance(value, Link)
    environment.tests["embedded"] = lambda picture: isinstance(picture.source, bytes)
    return environment.get_template("page.jinja")
