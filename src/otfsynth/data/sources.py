"""Where label maps come from: files, folders, globs, CSV lists, or the installed packages."""

from __future__ import annotations

import glob
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.data import DataConfig
from otfsynth.data import embedded
from otfsynth.data.csv_tables import read_table
from otfsynth.data.prepare import PreparedMap, prepare
from otfsynth.data.soft_maps import ProbabilitySource, is_4d, probability_sets
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume, is_volume_name, read_volume, volume_stem


class LabelMapError(InputError):
    """One or more label maps can't be used; the message has one line for each."""


@dataclass(frozen=True)
class FileSource:
    """A label map on disk."""

    path: Path
    subject: str

    @property
    def name(self) -> str:
        """File name without its folder."""
        return self.path.name

    def load(self) -> Volume:
        """Read the map with the values that the file holds."""
        return read_volume(self.path)

    def fingerprint(self) -> str:
        """Changes whenever the file does."""
        return file_fingerprint(self.path)

    def prepare(self, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
        """Read the map and bring it to the working grid."""
        return prepare(self.load(), scheme, spacing_mm)


class LabelMapSource(Protocol):
    """Where one label map comes from."""

    def load(self) -> Volume:
        """The label values, where there are any."""
        ...

    @property
    def name(self) -> str: ...
    @property
    def subject(self) -> str: ...
    def fingerprint(self) -> str:
        """Changes whenever what is read does."""
        ...

    def prepare(self, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
        """Read the map and bring it to the working grid."""
        ...


def file_fingerprint(path: Path) -> str:
    """Changes whenever the file does."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def find_sources(config: DataConfig) -> list[LabelMapSource]:
    """List the label maps that ``data.label_maps`` names, sorted by name.

    Raises:
        LabelMapError: nothing is there, or a listed file is missing; the message says what was looked for.
    """
    wanted = config.label_maps
    if wanted == embedded.EMBEDDED:
        return list(embedded.embedded_sources())
    path = Path(wanted).expanduser()
    if path.suffix.lower() == ".csv":
        return _listed(path, config.subject_pattern)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if is_volume_name(file) and not file.name.startswith("."))
        remedy = "put NIfTI or MGZ label maps there"
    elif glob.has_magic(wanted):
        matches = (Path(match) for match in glob.glob(str(path), recursive=True))
        files = sorted(file for file in matches if is_volume_name(file))
        remedy = "quote the pattern and check it"
    else:
        files = [path]
        remedy = "check the path"
    files = [file for file in files if file.is_file()]
    if not files:
        raise LabelMapError(f"data.label_maps={wanted} names no label map; {remedy}, or use data.label_maps=embedded")
    return _sources_of(list(zip(files, subjects_of(files, config.subject_pattern), strict=True)))


def _sources_of(files: Sequence[tuple[Path, str]]) -> list[LabelMapSource]:
    """Label maps with their subjects: files, and sets of files where they hold probabilities."""
    subjects = dict(files)
    sets, others = probability_sets([path for path, _ in files])
    sources: dict[Path, LabelMapSource] = {
        path: ProbabilitySource((path,), subjects[path], path.name) if is_4d(path) else FileSource(path, subjects[path])
        for path in others
    }
    for whole, members in sets.items():
        paths = tuple(path for _, path in members)
        labels = tuple(label for label, _ in members)
        sources[paths[0]] = ProbabilitySource(paths, subjects[paths[0]], f"{whole.name}_probseg", labels)
    return [sources[path] for path, _ in files if path in sources]


def subjects_of(paths: Sequence[Path], pattern: str) -> list[str]:
    """Subject that each file belongs to: the pattern's first match in its path, searched from the name upwards.

    Without a match it is the folder of the subject in a FreeSurfer tree (``SUBJECT/mri/FILE``), else the name without
    suffix; files of one name are told apart by the lowest of their folders that differs.
    """
    matches = [_matched(path, pattern) for path in paths]
    unmatched: dict[str, list[Path]] = defaultdict(list)
    for path, match in zip(paths, matches, strict=True):
        if match is None:
            unmatched[volume_stem(path)].append(path)
    folders = {stem: _differing_level(group) for stem, group in unmatched.items()}
    subjects = []
    for path, match in zip(paths, matches, strict=True):
        level = folders.get(volume_stem(path))
        subjects.append(match or (volume_stem(path) if level is None else path.parts[level]))
    return subjects


def _matched(path: Path, pattern: str) -> str | None:
    for part in reversed(path.parts):
        match = re.search(pattern, part)
        if match:
            return match.group(1) if match.groups() else match.group(0)
    return path.parts[-3] if len(path.parts) > 2 and path.parts[-2] == "mri" else None


def _differing_level(paths: Sequence[Path]) -> int | None:
    """Which part of the paths, counted from their ends, tells files of one name apart; ``None`` where none does."""
    for level in range(2, min(len(path.parts) for path in paths) + 1):
        if len({path.parts[-level] for path in paths}) > 1:
            return -level
    return None


def _listed(path: Path, pattern: str) -> list[LabelMapSource]:
    if not path.is_file():
        raise LabelMapError(f"data.label_maps={path} does not exist; check the path")
    columns, rows = read_table(path)
    if "label_map" not in columns:
        raise ConfigurationError(
            f"'{path}' has the columns {columns}; its first line must be label_map or label_map,subject"
        )
    rows = [row for row in rows if row["label_map"].strip()]
    if not rows:
        raise LabelMapError(f"'{path}' lists no label map; add one per line below label_map")
    files = [path.parent / Path(row["label_map"].strip()).expanduser() for row in rows]
    missing = [f"  '{file}' does not exist; mend the line in '{path}'" for file in files if not file.is_file()]
    if missing:
        raise LabelMapError(f"'{path}' lists {len(missing)} file(s) that are not there:\n" + "\n".join(missing))
    named = [row.get("subject", "").strip() for row in rows]
    told = subjects_of(files, pattern)
    return _sources_of([(file, name or own) for file, name, own in zip(files, named, told, strict=True)])
