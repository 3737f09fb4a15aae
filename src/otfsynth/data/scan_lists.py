"""Lists of scans: text files with one path a line, or CSV tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from otfsynth.config.checks import InputError
from otfsynth.data.layouts import Found
from otfsynth.data.scan import Scan
from otfsynth.data.scan_names import describe
from otfsynth.volumes import is_volume_name

LIST_SUFFIXES = (".txt", ".csv")
IMAGE_COLUMNS = ("image", "path", "scan")


class ScanListError(InputError):
    """No scans are where they were looked for, or a list names files that are not there; all in one message."""


def listed_scans(path: Path) -> Found:
    """Scans of a list, whatever their names: the user chose them.

    Args:
        path: ``.txt``: one path a line, ``#`` begins a comment; ``.csv``: column ``image``, ``path`` or ``scan``, and
            ``case``, ``subject``, ``session``, ``contrast`` where given. Relative paths start at the list.

    Raises:
        ScanListError: files are missing or the list can't be read; one line for each of its lines that is wrong.
    """
    try:
        rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _text_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScanListError(f"'{path}' is no list of scans in UTF-8 ({error}); save it as plain text") from error
    found, problems = Found(), []
    first_line: dict[Path, int] = {}
    for line, row in rows:
        file = path.parent / Path(row["image"]).expanduser()
        if not file.is_file():
            problems.append(f"  line {line}: '{file}' does not exist")
        elif not is_volume_name(file):
            problems.append(f"  line {line}: '{file}' is neither NIfTI nor MGZ")
        elif set(row.get("case", "")) & set("/\\"):
            problems.append(f"  line {line}: case '{row['case']}' holds a slash; output files are named after it")
        elif file in first_line:
            found.leave_out(file, f"line {line} of '{path}' repeats line {first_line[file]}")
        else:
            first_line[file] = line
            found.scans.append(_with_given(describe(file), row))
    cases = [row["case"] for _, row in rows if row.get("case")]
    if len(set(cases)) < len(cases):
        double = next(case for case in cases if cases.count(case) > 1)
        problems.append(f"  case '{double}' is named {cases.count(double)} times; outputs would overwrite each other")
    if problems:
        listing = "\n".join(problems)
        raise ScanListError(f"'{path}' has {len(problems)} line(s) that can't be used; mend them:\n{listing}")
    return found


def _with_given(scan: Scan, row: Mapping[str, str]) -> Scan:
    """What the list says wins over what the name says."""
    return replace(
        scan,
        case=row.get("case") or scan.case,
        subject=row.get("subject") or scan.subject,
        session=row.get("session") or scan.session,
        contrast=row.get("contrast") or scan.contrast,
    )


def _text_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    stripped = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return [(number, {"image": line}) for number, line in stripped if line and not line.startswith("#")]


def _csv_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        column = next((name for name in IMAGE_COLUMNS if name in (reader.fieldnames or [])), None)
        if column is None:
            wanted = ", ".join(IMAGE_COLUMNS)
            raise ScanListError(
                f"'{path}' has the columns {reader.fieldnames}; its first line must name one of {wanted}"
            )
        rows = []
        for row in reader:
            cells = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
            if cells.get(column):
                rows.append((reader.line_num, {**cells, "image": cells[column]}))
    return rows
