"""A CSV table with one row a case, written after every case so that an interrupted run can be resumed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from otfsynth.volumes import write_csv_atomically


class CaseTable:
    """Rows by case; those of an earlier run are there until their cases are done again.

    Args:
        path: the CSV file.
        columns: its columns, the first of which is ``case``.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.rows = self._read()

    def put(self, row: dict[str, str]) -> None:
        """Add the row of a case, or replace it, and write the file."""
        self.rows.pop(row["case"], None)
        self.rows[row["case"]] = row
        self._write()

    def drop(self, case: str) -> None:
        """Take out the row of a case, where there is one, and write the file."""
        if self.rows.pop(case, None) is not None:
            self._write()

    def _read(self) -> dict[str, dict[str, str]]:
        if not self.path.is_file():
            return {}
        with open(self.path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if set(self.columns) <= set(row)]
        return {row["case"]: {name: row[name] or "" for name in self.columns} for row in rows}

    def _write(self) -> None:
        rows = ([row[name] for name in self.columns] for row in self.rows.values())
        write_csv_atomically(self.path, self.columns, rows)
