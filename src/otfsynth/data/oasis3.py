"""OASIS-3 on disk: its sessions, their structural scans and the FreeSurfer segmentation of the same day.

Understood are the layouts that OASIS-3's download scripts write
(``OAS30001_MR_d0129/anat2/[NIFTI/]sub-OAS30001_ses-d0129_run-01_T1w.nii.gz``), that of XNAT itself
(``OAS30001_MR_d0129/scans/anat2-T1w/resources/NIFTI/files/*.nii.gz``) and BIDS; FreeSurfer as
``OAS30001_MR_d0129/mri/aparc+aseg.mgz`` or ``OAS30001_Freesurfer53_d0129/**/mri/aparc+aseg.mgz``, in the same tree or
in one of its own. Days count from the subject's entry into the study; subject and day name a session (LaMontagne et
al., medRxiv 2019).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otfsynth.config.checks import InputError
from otfsynth.data.layouts import LEFT_OUT_FOLDERS, Found, LeftOut, add_structural, raw_children
from otfsynth.data.scan import Scan
from otfsynth.data.scan_names import describe

CONTRASTS = ("T1w", "T2w", "FLAIR")
"""Contrasts that the protocol tests."""
SEGMENTATIONS = ("aparc+aseg.mgz", "aparc+aseg.nii.gz")
FREESURFER_VOLUMES = "mri"
FREESURFER_PARTS = frozenset({"surf", "label", "stats", "touch", "scripts", "bem", "tmp", "trash", "src"})
"""Folders beside ``mri`` in FreeSurfer's output: nothing in them is a volume to look for."""


class Oasis3Error(InputError):
    """A folder holds no OASIS-3, or less of it than was asked for."""


@dataclass(frozen=True)
class Session:
    """What is there of one visit of one subject.

    Args:
        subject: e.g. ``OAS30001``.
        day: days since entry, e.g. ``d0129``; empty where neither file nor folder says it.
        scans: structural scans of all contrasts.
        segmentation: ``aparc+aseg`` of that day.
    """

    subject: str
    day: str
    scans: tuple[Scan, ...] = ()
    segmentation: Path | None = None

    @property
    def name(self) -> str:
        """As OASIS-3 writes it: ``OAS30001_MR_d0129``."""
        return f"{self.subject}_MR_{self.day}" if self.day else self.subject

    def of_contrast(self, contrast: str) -> tuple[Scan, ...]:
        """Scans with that BIDS suffix."""
        return tuple(scan for scan in self.scans if scan.contrast == contrast)

    def missing(self) -> list[str]:
        """Which of T1w, T2w, FLAIR and the segmentation are not there."""
        missing = [contrast for contrast in CONTRASTS if not self.of_contrast(contrast)]
        return missing if self.segmentation else [*missing, "segmentation"]


@dataclass(frozen=True)
class Oasis3:
    """All sessions found, sorted by subject and day.

    Args:
        root: folder that was searched.
        sessions: with scans, a segmentation, or both.
        skipped: files that were seen and left out.
    """

    root: Path
    sessions: tuple[Session, ...]
    skipped: tuple[LeftOut, ...] = ()

    @property
    def files(self) -> list[Path]:
        """Every scan and segmentation."""
        segmentations = [session.segmentation for session in self.sessions if session.segmentation]
        return sorted([*(scan.path for session in self.sessions for scan in session.scans), *segmentations])

    def without(self, files: Collection[Path]) -> Oasis3:
        """The sessions without some files; those that lose everything are dropped."""
        sessions = [
            replace(
                session,
                scans=tuple(scan for scan in session.scans if scan.path not in files),
                segmentation=None if session.segmentation in files else session.segmentation,
            )
            for session in self.sessions
        ]
        return replace(self, sessions=tuple(session for session in sessions if session.scans or session.segmentation))


def read_oasis3(root: Path, freesurfer: Path | None = None, on_folder: Callable[[], None] = lambda: None) -> Oasis3:
    """Walk the tree once, without opening a file.

    Args:
        root: folder of the scans; segmentations in it are found too.
        freesurfer: folder of the segmentations where they are apart.
        on_folder: called for every folder that is entered, for a progress bar.

    Raises:
        Oasis3Error: a folder is missing, or there is nothing in it.
    """
    for place, setting in ((root, "root"), (freesurfer, "freesurfer")):
        if place is not None and not place.is_dir():
            raise Oasis3Error(f"{setting}={place} is no folder; give the one that holds OASIS-3")
    found, segmentations = _search(root, on_folder)
    if freesurfer is not None:
        apart = _search(freesurfer, on_folder)[1]
        if not apart:
            raise Oasis3Error(
                f"freesurfer={freesurfer} holds no mri/aparc+aseg.mgz; give the folder of OASIS-3's FreeSurfer results"
            )
        segmentations += apart
    sessions = _sessions(found.scans, _one_per_session(segmentations, found))
    if not sessions:
        raise Oasis3Error(
            f"root={root} holds neither a structural scan nor an aparc+aseg of OASIS-3; give the folder whose "
            "subfolders are called like OAS30001_MR_d0129, or its BIDS form"
        )
    return Oasis3(root, sessions, tuple(found.skipped))


def scans_of_oasis3(root: Path) -> Found:
    """The structural scans of every session below a folder; FreeSurfer's volumes are none."""
    return _search(root, lambda: None)[0]


def _search(root: Path, on_folder: Callable[[], None]) -> tuple[Found, list[Path]]:
    """Structural scans, and every aparc+aseg, also of derivatives."""
    found, segmentations = Found(), []

    def enter(folder: Path, children: list[str]) -> list[str]:
        on_folder()
        if folder.name == FREESURFER_VOLUMES:
            return [name for name in children if name.startswith(("OAS", "sub-"))]  # else it is no FreeSurfer folder
        raw_children(found, folder, children)
        return [name for name in children if FREESURFER_VOLUMES not in children or name not in FREESURFER_PARTS]

    for folder, names in found.walk(root, enter):
        segmentations += [folder / name for name in names if name in SEGMENTATIONS]
        if LEFT_OUT_FOLDERS & set(folder.relative_to(root).parts):
            continue
        if folder.name == FREESURFER_VOLUMES and names:
            found.leave_out(folder, "it is FreeSurfer's output")
            continue
        for name in names:
            add_structural(found, folder / name)
    return found.without_doubles(), segmentations


def _one_per_session(segmentations: Sequence[Path], found: Found) -> dict[tuple[str, str], Path]:
    """The newest FreeSurfer's result for every subject and day."""
    chosen: dict[tuple[str, str], Path] = {}
    for path in sorted(set(segmentations), key=lambda path: (-_freesurfer_version(path), len(path.parts), path)):
        scan = describe(path)
        if not scan.subject:
            found.leave_out(path, "its folders name no subject")
        elif (scan.subject, scan.session) in chosen:
            kept = chosen[scan.subject, scan.session]
            found.leave_out(path, f"'{kept}' is the segmentation of that session")
        else:
            chosen[scan.subject, scan.session] = path
    return chosen


def _freesurfer_version(path: Path) -> int:
    """53 of ``OAS30001_Freesurfer53_d0129``; 0 where no folder says it."""
    versions = [int(found) for part in path.parts for found in re.findall(r"_Freesurfer(\d+)_", part)]
    return versions[-1] if versions else 0


def _sessions(scans: Sequence[Scan], segmentations: dict[tuple[str, str], Path]) -> tuple[Session, ...]:
    of_session: dict[tuple[str, str], list[Scan]] = defaultdict(list)
    for scan in scans:
        of_session[scan.subject, scan.session].append(scan)
    return tuple(
        Session(*key, tuple(sorted(of_session[key], key=lambda scan: scan.case)), segmentations.get(key))
        for key in sorted({*of_session, *segmentations})
    )
