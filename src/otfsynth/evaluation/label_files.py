"""Finding label maps: predictions and references in folders, globs, lists, BIDS derivatives and FreeSurfer trees."""

from __future__ import annotations

import csv
import glob
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from otfsynth.data.layouts import Found
from otfsynth.data.oasis3 import FREESURFER_PARTS, FREESURFER_VOLUMES
from otfsynth.data.scan_names import LABEL_FOLDERS, reason_to_leave_out
from otfsynth.evaluation.label_names import (
    LabelFile,
    LabelFilesError,
    describe_labels,
    doubles,
    with_unique_cases,
)
from otfsynth.volumes import is_volume_name, volume_stem

FREESURFER_FILES = ("aparc+aseg", "aseg")
"""Of a folder ``mri`` the first of these that is there; FreeSurfer's other volumes are no references."""
NO_SEGMENTATION = re.compile(r"_?(probseg|mask|brainmask)$|_label-[A-Za-z0-9]+_", re.IGNORECASE)
RECORDS = "qc/*.json"
"""Where ``predict`` notes which scan became which label map."""


def find_label_files(wanted: str, setting: str) -> list[LabelFile]:
    """Label maps that a setting names, sorted by path.

    Of a folder, the first of these that is there: ``mri/aparc+aseg`` of FreeSurfer (else ``mri/aseg``), files called
    ``_dseg``, files in folders such as ``labelsTr``, files whose name says that they are label maps, all volumes.
    Probabilities (``_probseg``) and masks are left out. Files that a glob matches are taken as they are.

    Args:
        wanted: a folder, a glob, a file, or a ``.csv`` with a column ``label`` and where known
            ``image,contrast,case,subject,session``, and ``ignored``, a mask of what does not count; its relative paths
            start at the list.
        setting: name of the setting for messages.

    Raises:
        LabelFilesError: nothing is there, or files of a list are missing.
    """
    path = Path(wanted).expanduser()
    if path.suffix.lower() == ".csv":
        return _listed(path, setting)
    if path.is_dir():
        files = _label_maps_below(path)
        remedy = "put NIfTI or MGZ label maps there, or give a glob or a .csv list"
    elif glob.has_magic(wanted):
        matches = (Path(match) for match in glob.glob(str(path), recursive=True))
        files = sorted(match for match in matches if is_volume_name(match) and match.is_file())
        remedy = "quote the pattern and check it"
    else:
        files = [path] if path.is_file() and is_volume_name(path) else []
        remedy = "check the path"
    if not files:
        raise LabelFilesError(f"{setting}={wanted} names no label map; {remedy}")
    return with_unique_cases(_as_recorded([describe_labels(file) for file in files], path))


def _as_recorded(files: Sequence[LabelFile], root: Path) -> list[LabelFile]:
    """Case, contrast and scan of predictions, as the records that ``predict`` left in their folder tell."""
    records = {}
    for path in sorted(root.glob(RECORDS)) if root.is_dir() else ():
        try:
            record = json.loads(path.read_text())
            image = Path(record["source"]["path"])
            told = {name: str(record[name]) for name in ("case", "subject", "session", "contrast") if record[name]}
            records.update({root / name: (image, told) for name in record["volumes"]})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # not one of those records
    nothing: tuple[None, dict[str, str]] = (None, {})
    return [
        replace(file, image=image, **told)  # type: ignore[arg-type]
        for file, (image, told) in ((file, records.get(file.path, nothing)) for file in files)
    ]


def _label_maps_below(root: Path) -> list[Path]:
    def enter(folder: Path, children: list[str]) -> list[str]:
        if FREESURFER_VOLUMES in children:
            return [child for child in children if child not in FREESURFER_PARTS]
        return [] if folder.name == FREESURFER_VOLUMES and folder != root else children

    files: list[Path] = []
    for folder, names in Found().walk(root, enter):
        if folder.name == FREESURFER_VOLUMES:
            stems = {volume_stem(name): name for name in reversed(names)}
            chosen = [stems[stem] for stem in FREESURFER_FILES if stem in stems][:1]
            names = chosen if chosen or folder != root else names
        files += [folder / name for name in names if not NO_SEGMENTATION.search(volume_stem(name))]
    for rule in (
        lambda file: file.parent.name == FREESURFER_VOLUMES,
        lambda file: volume_stem(file).lower().endswith("dseg"),
        lambda file: bool(set(LABEL_FOLDERS) & set(file.relative_to(root).parts[:-1])),
        lambda file: reason_to_leave_out(file, root) is not None,
    ):
        fitting = [file for file in files if rule(file)]
        if fitting:
            return sorted(fitting)
    return sorted(files)


def _listed(path: Path, setting: str) -> list[LabelFile]:
    if not path.is_file():
        raise LabelFilesError(f"{setting}={path} does not exist; check the path")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "label" not in (reader.fieldnames or []):
            raise LabelFilesError(
                f"'{path}' has the columns {reader.fieldnames}; its first line must name label, and may name image, "
                "contrast, case, subject, session and ignored"
            )
        rows = [{key: (value or "").strip() for key, value in row.items() if isinstance(value, str)} for row in reader]
    rows = [row for row in rows if row["label"]]
    if not rows:
        raise LabelFilesError(f"'{path}' lists no label map; add one per line below label")
    files = [_listed_file(path.parent, row) for row in rows]
    wanted = {path for file in files for path in (file.path, file.ignored) if path is not None}
    missing = sorted(str(path) for path in wanted if not path.is_file())
    if missing:
        lines = "\n".join(f"  '{name}' does not exist" for name in missing)
        raise LabelFilesError(f"'{path}' lists {len(missing)} label map(s) that are not there:\n{lines}")
    double = doubles(files)
    if double:
        raise LabelFilesError(f"'{path}' lists the case '{next(iter(double))}' more than once; give each line its own")
    return files


def _listed_file(folder: Path, row: dict[str, str]) -> LabelFile:
    label = folder / Path(row["label"]).expanduser()
    image, ignored = (folder / Path(row[name]).expanduser() if row.get(name) else None for name in ("image", "ignored"))
    described = describe_labels(image if image is not None else label)
    given = {name: row[name] for name in ("case", "subject", "session", "contrast") if row.get(name)}
    return replace(described, path=label, image=image, ignored=ignored, listed=True, **given)  # type: ignore[arg-type]
