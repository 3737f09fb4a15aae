"""CSV lists that users write: read whole, or refused with the file's name."""

from __future__ import annotations

import csv
from pathlib import Path

from otfsynth.config.checks import InputError


class TableError(InputError):
    """A list is not text in UTF-8, or no CSV."""


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows; cells that a row lacks are empty.

    Raises:
        TableError: the file can't be read as CSV.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            return list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"'{path}' is no CSV list in UTF-8 ({error}); save it as 'CSV UTF-8'") from error
