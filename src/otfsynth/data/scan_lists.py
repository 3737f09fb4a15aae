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
JOIN = ";"
"""Between the images of one head; nothing between two where one is missing."""


class ScanListError(InputError):
    """No scans are where they were looked for, or a list names files that are not there; all in one message."""


def listed_scans(path: Path, images: int = 1) -> Found:
    """Scans of a list, whatever their names: the user chose them.

    Args:
        path: ``.txt``: one path a line, ``#`` begins a comment; ``.csv``: column ``image``, ``path`` or ``scan``, and
            ``case``, ``subject``, ``session``, ``contrast`` where given. Relative paths start at the list.
        images: files of a line, joined by :data:`JOIN`.

    Raises:
        ScanListError: files are missing or the list can't be read; one line for each of its lines that is wrong.
    """
    try:
        rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _text_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScanListError(f"'{path}' is no list of scans in UTF-8 ({error}); save it as plain text") from error
    found, problems = Found(), []
    first_line: dict[tuple[Path, ...], int] = {}
    for line, row in rows:
        scan, wrong = head_of_files(row["image"], path.parent, images)
        if scan is None:
            problems += [f"  line {line}: {problem}" for problem in wrong]
        elif set(row.get("case", "")) & set("/\\"):
            problems.append(f"  line {line}: case '{row['case']}' holds a slash; output files are named after it")
        elif scan.files in first_line:
            found.leave_out(scan.path, f"line {line} of '{path}' repeats line {first_line[scan.files]}")
        else:
            first_line[scan.files] = line
            found.scans.append(_with_given(scan, row))
    cases = [row["case"] for _, row in rows if row.get("case")]
    if len(set(cases)) < len(cases):
        double = next(case for case in cases if cases.count(case) > 1)
        problems.append(f"  case '{double}' is named {cases.count(double)} times; outputs would overwrite each other")
    if problems:
        listing = "\n".join(problems)
        raise ScanListError(f"'{path}' has {len(problems)} line(s) that can't be used; mend them:\n{listing}")
    return found


def head_of_files(joined: str, folder: Path, images: int) -> tuple[Scan | None, list[str]]:
    """The case of one file, or of several of one head.

    Args:
        joined: file names, see :data:`JOIN`.
        folder: where relative ones start.
        images: how many there must be, missing ones included.

    Returns:
        The case, or ``None`` with what is wrong.
    """
    whole = images == 1 and (JOIN not in joined or (folder / joined).is_file())
    cells = [joined] if whole else [cell.strip() for cell in joined.split(JOIN)]
    paths = [folder / Path(cell).expanduser() if cell else None for cell in cells]
    files = [path for path in paths if path is not None]
    if len(paths) != images:
        remedy = f"; join them by '{JOIN}', with nothing where one is missing" if images > 1 else ""
        return None, [f"'{joined}' names {len(paths)} image(s) of a head where {images} belong{remedy}"]
    problems = [f"'{file}' does not exist" for file in files if not file.is_file()]
    problems += [f"'{file}' is neither NIfTI nor MGZ" for file in files if file.is_file() and not is_volume_name(file)]
    if len(set(files)) < len(files):
        problems.append(f"'{joined}' names a file twice")
    if problems or not files:
        return None, problems or [f"'{joined}' names no image"]
    return replace(describe(files[0]), channels=tuple(paths) if images > 1 else ()), []


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
