"""Layouts of data sets: which one a folder has, and the scans in it.

``folder``: any images, searched below. ``bids``: the ``anat`` folders of a BIDS data set; ``derivatives`` and
``sourcedata`` are left out. ``oasis3``: see :mod:`otfsynth.data.oasis3`.
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
    reason_to_leave_out,
    session_folder,
    split_bids_name,
)
from otfsynth.volumes import is_volume_name, volume_stem

LEFT_OUT_FOLDERS = frozenset({"derivatives", "sourcedata"})
LOOKED_AT = 50
"""Entries of a folder that decide about its layout."""


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that was seen and is no scan; as text, a sentence."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"'{self.path}' is left out: {self.reason}"


@dataclass
class Found:
    """Scans of a folder, and the files that were left out."""

    scans: list[Scan] = field(default_factory=list)
    skipped: list[LeftOut] = field(default_factory=list)

    def leave_out(self, path: Path, reason: str) -> None:
        """Note that a file or folder is no scan."""
        self.skipped.append(LeftOut(path, reason))

    def without_doubles(self) -> Found:
        """One of the scans that have the same BIDS name, such as ``T1w.nii`` beside ``T1w.nii.gz``, is kept."""
        kept: dict[str, Scan] = {}
        for scan in self.scans:
            first = kept.setdefault(scan.case, scan)
            if first is not scan:
                self.leave_out(scan.path, f"'{first.path}' has the same name")
        return Found(list(kept.values()), self.skipped)

    def walk(self, root: Path, enter: Callable[[Path, list[str]], list[str]]) -> Iterator[tuple[Path, list[str]]]:
        """Folders below ``root``, itself included, each with the sorted names of its volumes.

        No file is opened. Links are followed, but no folder is entered twice; one that can't be read is noted in
        ``skipped``.

        Args:
            root: where to begin.
            enter: gets a folder and the sorted names of its children; returns those to enter.
        """
        seen: set[tuple[int, int]] = set()
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                children, volumes = _entries(folder)
            except OSError as error:
                self.leave_out(folder, f"it can't be read ({error.strerror})")
                continue
            yield folder, volumes
            waiting += [folder / name for name in reversed(enter(folder, children))]


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
    for folder, names in found.walk(root, lambda folder, children: children):
        for path in (folder / name for name in names):
            reason = reason_to_leave_out(path, root)
            if reason is None:
                found.scans.append(describe(path))
            else:
                found.leave_out(path, reason)
    return found


def scans_of_bids(root: Path) -> Found:
    """The structural scans of a BIDS data set, of one of its subjects or of a session."""
    found = Found()

    def enter(folder: Path, children: list[str]) -> list[str]:
        if "anat" in children:
            return ["anat"]
        return raw_children(found, folder, children)

    for folder, names in found.walk(root, enter):
        if folder.name == "anat":
            for name in names:
                add_structural(found, folder / name)
    return found.without_doubles()


def add_structural(found: Found, path: Path) -> None:
    """Add a scan of BIDS or OASIS-3 to ``found.scans``, or the reason against it to ``found.skipped``."""
    scan = describe(path)
    if not scan.subject:
        found.leave_out(path, "neither its name nor its folders name a subject")
        return
    entities, words = split_bids_name(volume_stem(path))
    suffix = words[-1] if entities and words else scan.contrast or _scan_folder(path)
    if suffix not in STRUCTURAL or (entities and len(words) > 1):
        found.leave_out(path, f"'{suffix}' is no structural scan" if suffix else "its name says no contrast")
        return
    reason = None if entities else reason_to_leave_out(path, path.parent)
    if reason is not None:
        found.leave_out(path, reason)
        return
    if not entities:
        scan = _with_bids_name(scan, _scan_folder(path))
    folder = Path(f"sub-{scan.subject}", *([f"ses-{scan.session}"] if scan.session else []), "anat")
    found.scans.append(replace(scan, folder=folder))


def raw_children(found: Found, folder: Path, children: list[str]) -> list[str]:
    """The children without those of derived data, which are noted in ``found.skipped``."""
    derived = [name for name in children if name in LEFT_OUT_FOLDERS]
    for name in derived:
        found.leave_out(folder / name, "it holds no raw data")
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


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Sorted names of the folders and of the volumes in a folder, hidden ones left out."""
    children, volumes = [], []
    with os.scandir(folder) as entries:  # tells folders from files without a call for each, which network disks feel
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                children.append(entry.name)
            elif is_volume_name(entry.name) and entry.is_file():
                volumes.append(entry.name)
    return sorted(children), sorted(volumes)


def _children(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in _entries(folder)[0][:LOOKED_AT]]
    except OSError:
        return []


def _holds_sessions(folder: Path) -> bool:
    """Whether all folders in a folder, of a subject for example, are sessions of OASIS-3."""
    children = _children(folder)
    return bool(children) and all(session_folder(child.name) for child in children)


def _is_bids_subject(folder: Path) -> bool:
    return re.fullmatch(r"sub-[A-Za-z0-9+]+", folder.name) is not None and (
        (folder / "anat").is_dir() or any((child / "anat").is_dir() for child in _children(folder))
    )
