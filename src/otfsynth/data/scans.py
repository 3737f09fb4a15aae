"""Finding scans: one file, a folder, a list, a BIDS tree or an OASIS-3 tree give the same list of cases."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otfsynth.config.checks import InputError, check_choice
from otfsynth.data.layouts import Found, recognise, scans_of_bids, scans_of_folder, scans_of_oasis3
from otfsynth.data.scan import Scan
from otfsynth.data.scan_names import describe
from otfsynth.volumes import is_volume_name, volume_stem

__all__ = ["LAYOUTS", "ScanList", "ScanListError", "describe", "find_scans"]

LAYOUTS = ("auto", "scan", "folder", "list", "bids", "oasis3")
IMAGE_COLUMNS = ("image", "path", "scan")
LIST_SUFFIXES = (".txt", ".csv")
SHOWN = 5
"""Files named in a message about none found."""


class ScanListError(InputError):
    """No scans are where they were looked for, or a list names files that are not there; all in one message."""


@dataclass(frozen=True)
class ScanList:
    """Scans that were found.

    Args:
        scans: in the order of their paths, or of the list that names them; no two cases have the same name.
        layout: ``scan``, ``folder``, ``list``, ``bids`` or ``oasis3``.
        root: folder that was searched, or the one the file or list is in.
        skipped: one sentence for each file, or folder, that was seen and left out, with the reason.
    """

    scans: tuple[Scan, ...]
    layout: str
    root: Path
    skipped: tuple[str, ...] = ()


def find_scans(input: str, layout: str = "auto") -> ScanList:
    """List the scans that ``input`` names.

    Args:
        input: a NIfTI or MGZ file; a ``.txt`` list (one path a line, ``#`` begins a comment) or ``.csv`` list (column
            ``image``, ``path`` or ``scan``, and ``case,subject,session,contrast`` where given), whose relative paths
            start at the list; or a folder.
        layout: one of :data:`LAYOUTS`; ``auto`` tells it by what is there.

    Raises:
        ScanListError: nothing is there, or files of a list are missing.
        ConfigurationError: the layout is unknown.
    """
    check_choice("layout", layout, LAYOUTS)
    path = Path(input).expanduser()
    if not input or not path.exists():
        raise ScanListError(f"'{input}' does not exist; give a scan, a folder, or a .txt or .csv list of scans")
    if layout == "auto":
        layout = _layout_of(path)
    if layout in ("scan", "list"):
        if not path.is_file():
            raise ScanListError(f"'{path}' is a folder, which layout={layout} can't read; use layout=folder or auto")
        root = path.parent
        found = Found([describe(path)]) if layout == "scan" else _listed(path)
    else:
        if not path.is_dir():
            raise ScanListError(f"'{path}' is a file, which layout={layout} can't read; use layout=auto")
        root = path
        finders = {"folder": scans_of_folder, "bids": scans_of_bids, "oasis3": scans_of_oasis3}
        found = finders[layout](path)
        if layout != "folder":
            found = _without_doubles(found)
    if not found.scans:
        raise ScanListError(_nothing_found(path, layout, found.skipped))
    return ScanList(tuple(_with_unique_cases(found.scans)), layout, root, tuple(found.skipped))


def _layout_of(path: Path) -> str:
    if path.is_dir():
        return recognise(path)
    if is_volume_name(path):
        return "scan"
    if path.suffix.lower() in LIST_SUFFIXES:
        return "list"
    raise ScanListError(f"'{path}' is neither a NIfTI or MGZ scan nor a .txt or .csv list of scans; check the name")


def _listed(path: Path) -> Found:
    """Scans of a list, whatever their names: the user chose them."""
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _text_rows(path)
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
            found.skipped.append(f"'{file}' is left out: line {line} of '{path}' repeats line {first_line[file]}")
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


def _without_doubles(found: Found) -> Found:
    """Keep one of the files that have the same BIDS name, such as ``T1w.nii`` beside ``T1w.nii.gz``."""
    kept: dict[str, Scan] = {}
    skipped = list(found.skipped)
    for scan in found.scans:
        first = kept.setdefault(scan.case, scan)
        if first is not scan:
            skipped.append(f"'{scan.path}' is left out: '{first.path}' has the same name")
    return Found(list(kept.values()), skipped)


def _with_unique_cases(scans: Sequence[Scan]) -> list[Scan]:
    """Prefix parent folders, joined by ``__``, to the names of cases that collide."""
    groups: dict[str, list[Scan]] = defaultdict(list)
    for scan in scans:
        groups[scan.case].append(scan)
    names: dict[Path, str] = {}
    for case, group in groups.items():
        names.update(zip((scan.path for scan in group), _distinct_names(case, group), strict=True))
    return [replace(scan, case=names[scan.path]) for scan in scans]


def _distinct_names(case: str, group: Sequence[Scan]) -> list[str]:
    deepest = max(len(scan.path.absolute().parts) for scan in group)
    for with_suffix in (False, True):  # needed for a.nii beside a.mgz only
        for depth in range(deepest):
            names = ["__".join([*_parents(scan.path, depth), case]) for scan in group]
            if with_suffix:
                names = [name + _suffix(scan.path) for name, scan in zip(names, group, strict=True)]
            if len(set(names)) == len(group):
                return names
    raise AssertionError("two scans of one path")


def _parents(path: Path, depth: int) -> tuple[str, ...]:
    folders = path.absolute().parts[1:-1]
    return folders[max(len(folders) - depth, 0) :]


def _suffix(path: Path) -> str:
    return path.name.removeprefix(volume_stem(path)).replace(".", "_")


def _nothing_found(path: Path, layout: str, skipped: Sequence[str]) -> str:
    message = f"'{path}' holds no scan (layout {layout})"
    if not skipped:
        return f"{message}; check the path, or give another layout ({', '.join(LAYOUTS)})"
    more = f"\n  and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    listing = "\n".join(f"  {sentence}" for sentence in skipped[:SHOWN])
    return f"{message}; check the path, or give the scans in a list. Left out:\n{listing}{more}"
