"""Reading the CSV tables of ``conf/physics``: lines that begin with ``#`` are comments, the next is the header."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otfsynth.config.checks import ConfigurationError
from otfsynth.resources import conf_folder


@dataclass(frozen=True)
class Row:
    """One line of a table; ``where`` names it in messages."""

    where: str
    cells: dict[str, str]

    def error(self, column: str, problem: str) -> ConfigurationError:
        """An error that quotes the cell; ``problem`` ends with the remedy."""
        return ConfigurationError(f"{self.where}: {column}={self.cells[column]!r} {problem}")

    def number(self, column: str, low: float, high: float) -> float:
        """The number of a cell, checked to lie in [low, high]."""
        value = self._parse(column, self.cells[column])
        if not low <= value <= high:
            raise self.error(column, f"leaves [{low:g}, {high:g}]; choose a number inside it")
        return value

    def range(self, column: str, low: float, high: float) -> tuple[float, float] | None:
        """The range ``low..high`` of a cell, checked to lie in [low, high]; None where the cell is empty."""
        text = self.cells[column]
        if not text:
            return None
        first, dots, last = text.partition("..")
        pair = (self._parse(column, first), self._parse(column, last if dots else first))
        if not low <= pair[0] <= pair[1] <= high:
            raise self.error(column, f"is no range inside [{low:g}, {high:g}]; write it as low..high")
        return pair

    def numbers(self, column: str, low: float, high: float) -> tuple[float, ...]:
        """The numbers of a cell, written with ``|`` between them."""
        values = tuple(self._parse(column, entry) for entry in self.cells[column].split("|"))
        if not all(low <= value <= high for value in values):
            raise self.error(column, f"holds a number outside [{low:g}, {high:g}]; choose numbers inside it")
        return values

    def _parse(self, column: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(column, "holds no number; write one")
        return value


def read_table(field: str, path: str, columns: Sequence[str]) -> list[Row]:
    """The rows of a table of the user's, or of one in ``conf/`` where the path exists only there.

    Args:
        field: configuration field that names the file, for messages.
        path: the file.
        columns: columns that the table must have; others are kept too.

    Raises:
        ConfigurationError: the file is missing, lacks a column, or has a row of another length.
    """
    file = Path(path).expanduser()
    shipped = conf_folder() / path
    file = shipped if shipped.is_file() and not file.is_file() else file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{field}={path} can't be read ({error}); give the path of a CSV table") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header, *entries = [[cell.strip() for cell in cells] for cells in csv.reader(lines)] or [[]]
    missing = [column for column in columns if column not in header]
    if missing or not entries:
        raise ConfigurationError(f"{field}={path} needs rows and the columns {', '.join(missing or columns)}; add them")
    for cells in entries:
        if len(cells) != len(header):
            raise ConfigurationError(
                f"{field}={path}: row '{cells[0]}' has {len(cells)} cells, the header {len(header)}; mend the row"
            )
    return [Row(f"{field}={path}, row '{cells[0]}'", dict(zip(header, cells, strict=True))) for cells in entries]
