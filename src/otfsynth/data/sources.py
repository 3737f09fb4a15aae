"""Where label maps come from: files, folders, globs, CSV lists, or the installed packages."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.data import DataConfig
from otfsynth.data import embedded
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
    return _sources_of([(file, subject_of(file, config.subject_pattern)) for file in files])


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


def subject_of(path: Path, pattern: str) -> str:
    """Subject that a file belongs to: the pattern's first match in its path, searched from the name upwards.

    Without a match it is the name without suffix, which keeps every map a subject of its own.
    """
    for part in reversed(path.parts):
        match = re.search(pattern, part)
        if match:
            return match.group(1) if match.groups() else match.group(0)
    return volume_stem(path)


def _listed(path: Path, pattern: str) -> list[LabelMapSource]:
    if not path.is_file():
        raise LabelMapError(f"data.label_maps={path} does not exist; check the path")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "label_map" not in (reader.fieldnames or []):
            raise ConfigurationError(
                f"'{path}' has the columns {reader.fieldnames}; its first line must be label_map or label_map,subject"
            )
        rows = [row for row in reader if (row["label_map"] or "").strip()]
    if not rows:
        raise LabelMapError(f"'{path}' lists no label map; add one per line below label_map")
    files, missing = [], []
    for row in rows:
        file_path = Path(row["label_map"].strip()).expanduser()
        if not file_path.is_absolute():
            file_path = path.parent / file_path
        if not file_path.is_file():
            missing.append(f"  '{file_path}' does not exist; mend the line in '{path}'")
        files.append((file_path, (row.get("subject") or "").strip() or subject_of(file_path, pattern)))
    if missing:
        raise LabelMapError(f"'{path}' lists {len(missing)} file(s) that are not there:\n" + "\n".join(missing))
    return _sources_of(files)
