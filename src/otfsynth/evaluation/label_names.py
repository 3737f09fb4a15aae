"""Whose label map a file is, told by its name and folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otfsynth.config.checks import InputError
from otfsynth.data.scan_names import CONTRASTS, STRUCTURAL
from otfsynth.data.scans import describe
from otfsynth.volumes import volume_stem

ROLES = re.compile(
    r"(^|_)(0000|dseg|seg|segmentation|synthseg|pveseg|label|labels|labelmap|pred|prediction|reference|ref|manual|truth"
    r"|gt|groundtruth|aseg|aparc\+aseg|(desc|space|res|den|atlas|seg)-[A-Za-z0-9]+)$",
    re.IGNORECASE,
)
"""Endings that say what a file is, not whose: two files that differ in them alone belong together."""
DERIVED_ENTITIES = frozenset({"space", "desc", "res", "den", "atlas", "seg", "label"})
NAMES_T1W = "otfsynth"
"""In predictions whose ``desc-`` ends so the contrast is T1w where no ``space-`` says otherwise."""


class LabelFilesError(InputError):
    """No label maps are where they were looked for, or a list can't be used; all in one message."""


@dataclass(frozen=True)
class LabelFile:
    """A label map on disk and what its name and folders say.

    Args:
        path: NIfTI or MGZ file; it exists.
        case: whose it is, without the endings that say what it is.
        subject: without ``sub-``; empty where nothing says it.
        session: without ``ses-``; empty where nothing says it.
        contrast: of the scan it was drawn on or predicted from; empty where nothing says it.
        entities: the other BIDS entities of the scan, such as ``run``.
        image: the scan, where a list names it.
        ignored: mask of what does not count (all that is not 0), where a list names it.
        listed: whether a list named it, so that it belongs to one scan and is expected to be used.
    """

    path: Path
    case: str
    subject: str = ""
    session: str = ""
    contrast: str = ""
    entities: tuple[tuple[str, str], ...] = ()
    image: Path | None = None
    ignored: Path | None = None
    listed: bool = False

    @property
    def stems(self) -> tuple[str, ...]:
        """Names under which another file may be the same case, the most specific first."""
        bare = without_contrast(self.case)
        return (self.case,) if bare in ("", self.case) else (self.case, bare)


def describe_labels(path: Path) -> LabelFile:
    """What the name and folders of a label map say."""
    scan = describe(path)
    named = dict(scan.entities)
    entities = tuple((key, value) for key, value in scan.entities if key not in DERIVED_ENTITIES)
    contrast = scan.contrast or _contrast_of_space(named.get("space", ""))
    if not contrast and named.get("desc", "").lower().endswith(NAMES_T1W):
        contrast = "T1w"
    if entities:
        case = "_".join([*(f"{key}-{value}" for key, value in entities), *([contrast] if contrast else [])])
    else:
        case = without_role(volume_stem(path)) or _folder_name(path)
    others = tuple((key, value) for key, value in entities if key not in ("sub", "ses"))
    return LabelFile(path, case, scan.subject, scan.session, contrast, others)


def without_role(stem: str) -> str:
    """``CASE_desc-otfsynth_dseg`` and ``CASE_seg`` give ``CASE``; ``aparc+aseg`` gives nothing."""
    while True:
        shorter = ROLES.sub("", stem)
        if shorter == stem:
            return stem
        stem = shorter


def without_contrast(name: str) -> str:
    """The name without words such as ``T1w``: ``patient07_FLAIR_2`` gives ``patient07_2``."""
    return "_".join(word for word in name.split("_") if word.lower() not in CONTRASTS)


def with_unique_cases(files: Sequence[LabelFile]) -> list[LabelFile]:
    """Prefix the folder to the cases that several files share.

    Raises:
        LabelFilesError: files of one folder have the same case; the message names them.
    """
    unique = list(files)
    for depth in (1, 2, 3):
        double = doubles(unique)
        unique = [
            replace(file, case="__".join([*file.path.absolute().parts[-1 - depth : -1], first.case]))
            if file.case in double and len({other.path.parent for other in double[file.case]}) > 1
            else file
            for file, first in zip(unique, files, strict=True)
        ]
    double = doubles(unique)
    if double:
        listing = "\n".join(
            f"  {case}: {', '.join(str(file.path) for file in group)}" for case, group in double.items()
        )
        raise LabelFilesError(f"several label maps have the name of one case; keep one, or give a glob:\n{listing}")
    return unique


def doubles(files: Iterable[LabelFile]) -> dict[str, list[LabelFile]]:
    """The cases that several files have, with those files."""
    groups: dict[str, list[LabelFile]] = {}
    for file in files:
        groups.setdefault(file.case, []).append(file)
    return {case: group for case, group in groups.items() if len(group) > 1}


def _contrast_of_space(space: str) -> str:
    """``T2w`` of ``space-MNIT2w``, as ``predict`` calls a T2w scan that is in a space already."""
    return next((name for name in sorted(STRUCTURAL, key=len, reverse=True) if space.endswith(name)), "")


def _folder_name(path: Path) -> str:
    """Name of the folder, FreeSurfer's ``mri`` left out."""
    parts = [part for part in path.absolute().parts[:-1] if part != "mri"]
    return parts[-1]
