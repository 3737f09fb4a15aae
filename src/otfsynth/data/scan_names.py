"""What the name and the folders of a file say: subject, session, contrast, and whether it is an image at all.

Understood are BIDS names (``sub-01_ses-2_acq-TSE_run-01_T2w``), the names that OASIS-3 gives to sessions
(``OAS30001_MR_d0129``, ``OAS30001_Freesurfer53_d0129``) and, in other names, the usual words for a contrast.
"""

from __future__ import annotations

import re
from pathlib import Path

from otfsynth.data.scan import Scan
from otfsynth.volumes import volume_stem

STRUCTURAL = ("T1w", "T2w", "FLAIR", "PDw", "PD", "T2star", "T2starw", "UNIT1", "inplaneT1", "inplaneT2")
"""BIDS suffixes of scans that show a whole brain; angiograms, susceptibility images and quantitative maps do not."""
SPELLINGS = {"t1gd": "T1Gd", "t1post": "T1Gd", "t1ce": "T1Gd", "t1c": "T1Gd", "t1": "T1", "t2": "T2", "ct": "CT"}
"""Contrasts of names that are not BIDS, in lower case, beside those of :data:`STRUCTURAL`."""
CONTRASTS = {**SPELLINGS, **{suffix.lower(): suffix for suffix in STRUCTURAL}}
LABEL_WORDS = (
    *("seg", "dseg", "probseg", "segmentation", "segmentations", "label", "labels", "labelmap", "mask", "brainmask"),
    *(
        "aseg",
        "aparc",
        "wmparc",
        "ribbon",
        "parcellation",
        "pveseg",
        "mixeltype",
        "gold",
        "silver",
        "gt",
        "groundtruth",
    ),
)
"""A name with one of these words is a label map, a mask or a reference, no scan."""
LABEL_FOLDERS = ("labels", "labelsTr", "labelsTs", "masks", "segmentations")

_CONTRAST = re.compile(
    rf"(?<![A-Za-z])(?:T2[-_ ]?(?=FLAIR))?({'|'.join(sorted(CONTRASTS, key=len, reverse=True))})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")
_OASIS_FOLDER = re.compile(r"(OAS\d{5})_[A-Za-z0-9]+_(d\d{4,5})(?!\d)")
_OASIS_SCAN_FOLDER = re.compile(r"anat\d+(?:-([A-Za-z0-9]+))?")
_DERIVED_SUFFIXES = ("dseg", "probseg", "mask")
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def channel_number(stem: str) -> tuple[str, int | None]:
    """The case and the channel of nnU-Net's names: ``head_0001`` is channel 1 of ``head``, ``head`` has no number."""
    match = _CHANNEL.fullmatch(stem)
    return (match[1], int(match[2])) if match else (stem, None)


def describe(path: Path) -> Scan:
    """What name and folders of one file say; the file itself is not opened.

    The session of a BIDS name that lacks it is taken from the folders (OASIS-3 has such files) and enters the entities
    and the case. The contrast of a segmentation or mask is the one its entity ``space-`` names.

    Args:
        path: file of any layout; it need not exist.

    Returns:
        A scan whose ``case`` is the file's stem and whose ``folder`` is empty.
    """
    stem = volume_stem(path)
    entities, words = split_bids_name(stem)
    subject, session = _from_folders(path.parent)
    named = dict(entities)
    subject, session = named.get("sub") or subject, named.get("ses") or session
    case = stem
    if entities and session and "ses" not in named:
        entities = (entities[0], ("ses", session), *entities[1:])
        case = stem.replace(f"sub-{subject}", f"sub-{subject}_ses-{session}", 1)
    if words and words[-1] in _DERIVED_SUFFIXES and "space" in named:
        contrast = CONTRASTS.get(named["space"].lower(), "")
    else:
        contrast = contrast_of("_".join(words)) or ("" if entities else contrast_of(stem))
        contrast = contrast or _contrast_of_folders(path.parent)
    return Scan(path, case, subject, session, contrast, entities)


def split_bids_name(stem: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Entities and words of a BIDS name: ``sub-1_run-02_T1w`` gives ``(("sub", "1"), ("run", "02"))``, ``("T1w",)``.

    Returns:
        Entities up to the first word, and every word; no entities where the name does not begin with ``sub-``. A name
        that BIDS allows has exactly one word, its suffix.
    """
    parts = stem.split("_")
    matches = [_ENTITY.fullmatch(part) for part in parts]
    words = tuple(part for part, match in zip(parts, matches, strict=True) if match is None)
    entities = []
    for match in matches:
        if match is None:
            break
        entities.append(("ses" if match[1] == "sess" else match[1], match[2]))  # older OASIS-3 files say sess-
    if not entities or entities[0][0] != "sub":
        return (), words
    return tuple(entities), words


def contrast_of(name: str) -> str:
    """First word of a name that means a contrast, in BIDS's spelling where it has one; empty without one."""
    match = _CONTRAST.search(name)
    return CONTRASTS[match[1].lower()] if match else ""


def without_contrast(stem: str) -> str:
    """What the names of the images of one head share: the words of a name, in lower case, but for its contrast."""
    return "_".join(re.findall(r"[a-z0-9]+", _CONTRAST.sub("", stem, count=1).lower()))


def session_folder(name: str) -> tuple[str, str] | None:
    """Subject and day of a folder name of OASIS-3, e.g. ``OAS30001``, ``d0129`` of ``OAS30001_MR_d0129``."""
    match = _OASIS_FOLDER.search(name)
    return (match[1], match[2]) if match else None


def reason_to_leave_out(path: Path, root: Path) -> str | None:
    """Why a volume in a folder is no scan by its name or folders, as the end of a sentence; ``None`` for a scan."""
    words = re.split(r"[^A-Za-z0-9]+", volume_stem(path).lower())
    found = next((word for word in words if word in LABEL_WORDS), None)
    if found:
        return f"'{found}' in its name says that it is no scan"
    folder = next((part for part in path.relative_to(root).parts[:-1] if part in LABEL_FOLDERS), None)
    return f"it is in a folder '{folder}'" if folder else None


def _from_folders(folder: Path) -> tuple[str, str]:
    """Subject and session of the nearest folder that names them."""
    subject = session = ""
    for part in reversed(folder.parts):
        named = dict(split_bids_name(part)[0])
        oasis = session_folder(part)
        if oasis is not None:
            return subject or oasis[0], session or oasis[1]
        if "sub" in named:
            return named["sub"], session or named.get("ses", "")
        if re.fullmatch(r"ses-[A-Za-z0-9+]+", part):
            session = session or part.removeprefix("ses-")
    return subject, session


def _contrast_of_folders(folder: Path) -> str:
    """Contrast of the nearest folder of a raw OASIS-3 scan, ``anat2-T1w``."""
    for part in reversed(folder.parts):
        match = _OASIS_SCAN_FOLDER.fullmatch(part)
        if match:
            return contrast_of(match[1] or "")
    return ""
