"""Finding scans: one file, a folder, a list, a BIDS tree or an OASIS-3 tree give the same list of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otfsynth.config.checks import check_choice
from otfsynth.config.layouts import LAYOUTS
from otfsynth.data.layouts import Found, LeftOut, recognise, scans_of_bids, scans_of_folder
from otfsynth.data.oasis3 import scans_of_oasis3
from otfsynth.data.scan import Scan
from otfsynth.data.scan_lists import LIST_SUFFIXES, ScanListError, listed_scans
from otfsynth.data.scan_names import describe
from otfsynth.volumes import is_volume_name, volume_stem

__all__ = ["LAYOUTS", "Scan", "ScanList", "ScanListError", "describe", "find_scans"]

SHOWN = 5
"""Files named in a message about none found."""


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


def find_scans(input: str, layout: str = "auto", images: int = 1) -> ScanList:
    """List the scans that ``input`` names.

    Args:
        input: a NIfTI or MGZ file; a ``.txt`` list (one path a line, ``#`` begins a comment) or ``.csv`` list (column
            ``image``, ``path`` or ``scan``, and ``case,subject,session,contrast`` where given), whose relative paths
            start at the list; or a folder.
        layout: one of :data:`LAYOUTS`; ``auto`` tells it by what is there.
        images: files that every line of a list names, see :func:`otfsynth.data.heads.find_heads`.

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
        found = Found([describe(path)]) if layout == "scan" else listed_scans(path, images)
    else:
        if not path.is_dir():
            raise ScanListError(f"'{path}' is a file, which layout={layout} can't read; use layout=auto")
        root = path
        finders = {"folder": scans_of_folder, "bids": scans_of_bids, "oasis3": scans_of_oasis3}
        found = finders[layout](path)
    if not found.scans:
        raise ScanListError(_nothing_found(path, layout, found.skipped))
    return ScanList(
        tuple(with_unique_cases(found.scans)), layout, root, tuple(str(left_out) for left_out in found.skipped)
    )


def _layout_of(path: Path) -> str:
    if path.is_dir():
        return recognise(path)
    if is_volume_name(path):
        return "scan"
    if path.suffix.lower() in LIST_SUFFIXES:
        return "list"
    raise ScanListError(f"'{path}' is neither a NIfTI or MGZ scan nor a .txt or .csv list of scans; check the name")


def with_unique_cases(scans: Sequence[Scan]) -> list[Scan]:
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


def _nothing_found(path: Path, layout: str, skipped: Sequence[LeftOut]) -> str:
    message = f"'{path}' holds no scan (layout {layout})"
    if not skipped:
        return f"{message}; check the path, or give another layout ({', '.join(LAYOUTS)})"
    more = f"\n  and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    listing = "\n".join(f"  {left_out}" for left_out in skipped[:SHOWN])
    return f"{message}; check the path, or give the scans in a list. Left out:\n{listing}{more}"
