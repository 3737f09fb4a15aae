"""Where label maps come from: files, folders, globs, CSV lists, or the installed packages."""

from __future__ import annotations

import csv
import glob
import re
from dataclasses import dataclass
from pathlib import Path

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.data import DataConfig
from otfsynth.data import embedded
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
        status = self.path.stat()
        return f"{self.path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


LabelMapSource = FileSource | embedded.EmbeddedSource


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
        return list(_listed(path, config.subject_pattern))
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
    return [FileSource(file, subject_of(file, config.subject_pattern)) for file in files]


def subject_of(path: Path, pattern: str) -> str:
    """Subject that a file belongs to: the pattern's first match in its path, searched from the name upwards.

    Without a match it is the name without suffix, which keeps every map a subject of its own.
    """
    for part in reversed(path.parts):
        match = re.search(pattern, part)
        if match:
            return match.group(1) if match.groups() else match.group(0)
    return volume_stem(path)


def _listed(path: Path, pattern: str) -> list[FileSource]:
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
    sources, missing = [], []
    for row in rows:
        file_path = Path(row["label_map"].strip()).expanduser()
        if not file_path.is_absolute():
            file_path = path.parent / file_path
        if not file_path.is_file():
            missing.append(f"  '{file_path}' does not exist; mend the line in '{path}'")
        sources.append(FileSource(file_path, (row.get("subject") or "").strip() or subject_of(file_path, pattern)))
    if missing:
        raise LabelMapError(f"'{path}' lists {len(missing)} file(s) that are not there:\n" + "\n".join(missing))
    return sources
