"""A CSV table with one row a case, written after every case so that an interrupted run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otfsynth.inference.record_folder import RecordFolder, tabulate
from otfsynth.volumes import write_bytes_atomically, write_csv_atomically


class CaseTable:
    """Rows by case, those of earlier runs and of other processes among them.

    Each row is kept in a record, ``qc/CASE_TABLE.json``, with what the case was made from; the table is made of these.

    Args:
        path: the CSV file.
        columns: its columns, the first of which is ``case``.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.records = RecordFolder(path.parent, f"_{path.stem}.json", self._read)

    def put(self, row: dict[str, str], made_from: dict[str, Any]) -> None:
        """Add the row of a case, or replace it, and write the table.

        Args:
            row: its values by column.
            made_from: what :meth:`is_of` compares.
        """
        contents = {"row": row, "made_from": made_from}
        write_bytes_atomically(self.records.path(row["case"]), (json.dumps(contents, indent=1) + "\n").encode())
        self.write()

    def is_of(self, case: str, made_from: dict[str, Any]) -> bool:
        """Whether a case has a row, and was made from the same."""
        record = self._read(self.records.path(case))
        return record is not None and bool(record["made_from"] == json.loads(json.dumps(made_from)))

    def write(self) -> None:
        """Write the table."""
        tabulate([self.records], self._write)

    def _write(self) -> None:
        rows = ([record["row"][name] for name in self.columns] for record in self.records.records)
        write_csv_atomically(self.path, self.columns, rows)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            record = json.loads(path.read_text())
            whole = set(self.columns) <= set(record["row"]) and "made_from" in record
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if whole else None
