"""What is known of a finished case: a JSON file written last, so that its being there means the others are whole.

A run that is killed loses the case it was working on and nothing else; the tables are made from these records.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.data.scan import Scan
from otfsynth.inference.measures import Measures
from otfsynth.volumes import Grid, VolumeError, read_volume, write_bytes_atomically

FORMAT = "otfsynth-case-2"
PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class CaseRecord:
    """One finished case.

    Args:
        case: its name.
        subject: empty where unknown, as the next two.
        session: see :class:`otfsynth.data.scan.Scan`.
        contrast: see :class:`otfsynth.data.scan.Scan`.
        source: path, size in bytes and time of change (ns) of the scan, of each channel where there are several, and
            of the file that its brain mask was read from.
        fingerprint: of the checkpoints and of the settings that change results.
        volumes: label map and other volumes, relative to the output folder.
        picture: relative to the output folder.
        grid: shape and affine of the volumes.
        target_names: background first.
        measures: its numbers.
    """

    case: str
    subject: str
    session: str
    contrast: str
    source: dict[str, Any]
    fingerprint: str
    volumes: tuple[str, ...]
    picture: str
    grid: dict[str, Any]
    target_names: tuple[str, ...]
    measures: Measures

    def write(self, path: Path) -> None:
        """Write it atomically."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "measures"}
        contents = {"format": FORMAT, **fields, "measures": self.measures.to_dict()}
        write_bytes_atomically(path, (json.dumps(contents, indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> CaseRecord | None:
        """Read a record; ``None`` where there is none that can be used."""
        try:
            contents = json.loads(path.read_text())
            if contents.pop("format") != FORMAT:
                return None
            measures = Measures.from_dict(contents.pop("measures"))
            names, volumes = tuple(contents.pop("target_names")), tuple(contents.pop("volumes"))
            return cls(**contents, volumes=volumes, target_names=names, measures=measures)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def source_of(scan: Scan, masks: Sequence[Path] = ()) -> dict[str, Any]:
    """Path, size and time of change of a scan, of all channels and masks: what tells whether they are the same files.

    Args:
        scan: the case.
        masks: files that its brain mask is read from.
    """
    source = _file(scan.path)
    if scan.channels:
        source["channels"] = [path and _file(path) for path in scan.channels]
    if masks:
        source["masks"] = [_file(path) for path in masks]
    return source


def _file(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"path": str(path.resolve()), "bytes": status.st_size, "changed_ns": status.st_mtime_ns}


def plain_grid(grid: Grid) -> dict[str, Any]:
    """A grid as plain data."""
    return {"shape": [int(size) for size in grid.shape], "affine": np.asarray(grid.affine, float).tolist()}


def why_not_done(
    record: CaseRecord | None, scan: Scan, masks: Sequence[Path], fingerprint: str, folder: Path, native: bool
) -> str:
    """Why a case has to be done again; empty where its outputs are whole and those that would be made now.

    Every volume is read to its end, so that damage is found; hand-corrected label maps count as done.

    Args:
        record: what the last run left.
        scan: the case.
        masks: files that its brain mask is read from.
        fingerprint: of this run.
        folder: the outputs'.
        native: whether outputs are on the scan's own grid.
    """
    if record is None:
        return "it was not finished"
    source = source_of(scan, masks)
    if record.source | {"masks": source.get("masks")} != source | {"masks": source.get("masks")}:
        return "its scan has changed"
    if record.source != source:
        return "its brain mask has changed"
    if record.fingerprint != fingerprint:
        return "it was made with other checkpoints or settings"
    shape, affine = record.grid["shape"], np.array(record.grid["affine"])
    if native and not _is_grid_of(scan.path, shape, affine):
        return "its outputs are not on the grid of its scan"
    for name in record.volumes:
        try:
            volume = read_volume(folder / name)
        except VolumeError as error:
            return str(error)
        if list(volume.data.shape) != shape or not np.allclose(volume.affine, affine, atol=1e-3):
            return f"'{name}' is on another grid"
    try:
        whole = (folder / record.picture).read_bytes().endswith(PNG_END)
    except OSError:
        whole = False
    return "" if whole else f"'{record.picture}' is missing or damaged"


def _is_grid_of(path: Path, shape: list[int], affine: np.ndarray) -> bool:
    image: Any = nib.load(path)
    return list(image.shape[:3]) == shape and bool(np.allclose(image.affine, affine, atol=1e-3))
