"""Layouts of data sets: which one a folder has, and the scans in it.

``folder``: any images, searched below. ``bids``: the ``anat`` folders of a BIDS data set; ``derivatives`` and
``sourcedata`` are left out. ``oasis3``: sessions as OASIS-3's download scripts write them
(``OAS30001_MR_d0129/anat2/[NIFTI/]sub-OAS30001_ses-d0129_run-01_T1w.nii.gz``), as XNAT itself does
(``OAS30001_MR_d0129/scans/anat2-T1w/resources/NIFTI/files/*.nii.gz``), or in BIDS.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from otfsynth.data.scan import Scan
from otfsynth.data.scan_names import (
    STRUCTURAL,
    describe,
    is_visible_volume,
    reason_to_leave_out,
    session_folder,
    split_bids_name,
)
from otfsynth.volumes import volume_stem

LEFT_OUT_FOLDERS = frozenset({"derivatives", "sourcedata"})
FREESURFER_PARTS = frozenset({"surf", "label", "stats", "touch", "scripts", "bem", "tmp", "trash", "src"})
"""Folders beside ``mri`` in FreeSurfer's output: nothing in them is a volume to look for."""
LOOKED_AT = 50
"""Entries of a folder that decide about its layout."""


@dataclass
class Found:
    """Scans of a folder, and one sentence for each file that was left out."""

    scans: list[Scan] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def recognise(root: Path) -> str:
    """``bids``, ``oasis3`` or ``folder``, told by the names at the top of a folder without searching it."""
    children = _children(root)
    here = [root, *children]
    if any(session_folder(folder.name) for folder in here) or (children and all(_holds_sessions(f) for f in children)):
        return "oasis3"
    if (root / "dataset_description.json").is_file() or any(_is_bids_subject(folder) for folder in here):
        return "bids"
    if re.fullmatch(r"ses-[A-Za-z0-9+]+", root.name) and (root / "anat").is_dir():
        return "bids"
    return "folder"


def scans_of_folder(root: Path) -> Found:
    """Every image below a folder whose name does not say that it is a label map or a mask."""
    found = Found()
    for folder, names in walk(root):
        for path in (folder / name for name in names):
            reason = reason_to_leave_out(path, root)
            if reason is None:
                found.scans.append(describe(path))
            else:
                found.skipped.append(f"'{path}' is left out: {reason}")
    return found


def scans_of_bids(root: Path) -> Found:
    """The structural scans of a BIDS data set, of one of its subjects or of a session."""
    found = Found()

    def enter(folder: Path, children: list[str]) -> list[str]:
        if "anat" in children:
            return ["anat"]
        return _raw(found, folder, children)

    for folder, names in walk(root, enter):
        if folder.name == "anat":
            for name in names:
                add_structural(found, folder / name)
    return found


def scans_of_oasis3(root: Path) -> Found:
    """The structural scans of every session of OASIS-3 below a folder."""
    found = Found()

    def enter(folder: Path, children: list[str]) -> list[str]:
        if "mri" in children and FREESURFER_PARTS & set(children):
            found.skipped.append(f"'{folder / 'mri'}' is left out: it is FreeSurfer's output")
            return [name for name in children if name not in FREESURFER_PARTS | {"mri"}]
        return _raw(found, folder, children)

    for folder, names in walk(root, enter):
        for name in names:
            add_structural(found, folder / name)
    return found


def add_structural(found: Found, path: Path) -> None:
    """Add a scan of BIDS or OASIS-3 to ``found.scans``, or the reason against it to ``found.skipped``."""
    scan = describe(path)
    if not scan.subject:
        found.skipped.append(f"'{path}' is left out: neither its name nor its folders name a subject")
        return
    entities, words = split_bids_name(volume_stem(path))
    suffix = words[-1] if entities and words else scan.contrast or _scan_folder(path)
    if suffix not in STRUCTURAL or (entities and len(words) > 1):
        kind = f"'{suffix}'" if suffix else "a name without contrast"
        found.skipped.append(f"'{path}' is left out: {kind} is no structural scan of BIDS ({', '.join(STRUCTURAL)})")
        return
    if not entities:
        scan = _with_bids_name(scan, _scan_folder(path))
    folder = Path(f"sub-{scan.subject}", *([f"ses-{scan.session}"] if scan.session else []), "anat")
    found.scans.append(replace(scan, folder=folder))


def walk(
    root: Path, enter: Callable[[Path, list[str]], list[str]] = lambda folder, children: children
) -> Iterator[tuple[Path, list[str]]]:
    """Folders below ``root``, itself included, each with the sorted names of its volumes; links are followed once.

    Args:
        root: where to begin.
        enter: gets a folder and the sorted names of its children; returns those to enter.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        children, files = [], []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    children.append(entry.name)
                elif is_visible_volume(entry.name) and entry.is_file():
                    files.append(entry.name)
        yield folder, sorted(files)
        waiting += [folder / name for name in reversed(enter(folder, sorted(children)))]


def _raw(found: Found, folder: Path, children: list[str]) -> list[str]:
    """The children without those of derived data, which are noted in ``found.skipped``."""
    derived = [name for name in children if name in LEFT_OUT_FOLDERS]
    found.skipped += [f"'{folder / name}' is left out: it holds no raw data" for name in derived]
    return [name for name in children if name not in LEFT_OUT_FOLDERS]


def _with_bids_name(scan: Scan, scan_folder: str) -> Scan:
    """A raw scan whose file is not named in BIDS gets a name that does not depend on the scans beside it."""
    entities = (("sub", scan.subject), *((("ses", scan.session),) if scan.session else ()))
    if scan_folder:
        entities = (*entities, ("acq", scan_folder))
    case = "_".join([*(f"{key}-{value}" for key, value in entities), scan.contrast])
    return replace(scan, case=case, entities=entities)


def _scan_folder(path: Path) -> str:
    """``anat2`` of ``.../anat2-T1w/resources/NIFTI/files/scan.nii.gz``; empty where no folder is named so."""
    for part in reversed(path.parts[:-1]):
        match = re.fullmatch(r"(anat\d+)(?:-[A-Za-z0-9]+)?", part)
        if match:
            return match[1]
    return ""


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except PermissionError:
        return []
    return [folder / name for name in names[:LOOKED_AT]]


def _holds_sessions(folder: Path) -> bool:
    """Whether all folders in a folder, of a subject for example, are sessions of OASIS-3."""
    children = _children(folder)
    return bool(children) and all(session_folder(child.name) for child in children)


def _is_bids_subject(folder: Path) -> bool:
    return re.fullmatch(r"sub-[A-Za-z0-9+]+", folder.name) is not None and (
        (folder / "anat").is_dir() or any((child / "anat").is_dir() for child in _children(folder))
    )
