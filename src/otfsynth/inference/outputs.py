"""What a run over scans leaves: the volumes of a case, its record, and the tables of all cases."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from otfsynth import __version__
from otfsynth.config.checks import ConfigurationError
from otfsynth.data.scan import Scan
from otfsynth.data.scan_names import describe
from otfsynth.inference.output_names import OutputNames
from otfsynth.inference.quality import Quality
from otfsynth.inference.records import CaseRecord, plain_grid, source_of
from otfsynth.inference.segmenter import SegmentedScan
from otfsynth.volumes import write_bytes_atomically, write_csv_atomically, write_volume

BIDS_VERSION = "1.9.0"
DATASET_DESCRIPTION = "dataset_description.json"
OWN_NAME = "otfsynth"


def write_volumes(
    segmented: SegmentedScan, names: OutputNames, folder: Path, save_mask: bool, native: bool
) -> tuple[str, ...]:
    """Write label map, probability maps where there are any, and brain mask where asked for.

    Returns:
        Paths written on the grid of the results, relative to ``folder``. (A mask is on the scan's own grid, and is
        among them only where that is the same.)

    Raises:
        VolumeError: the disk is full, or the folder can't be written; no partial file is left.
    """
    header = segmented.image.header
    affine = segmented.grid.affine
    written = [names.labels]
    if segmented.probabilities is not None:
        for path, volume in zip(names.probabilities, segmented.probabilities[1:], strict=True):
            write_volume(folder / path, volume.astype("float32"), affine, header)
            written.append(path)
    if save_mask:
        write_volume(folder / names.mask, segmented.brain, segmented.image.affine, header)
        written += [names.mask] if native else []
    write_volume(folder / names.labels, segmented.labels, affine, header)
    return tuple(path.as_posix() for path in written)


def record_of(
    scan: Scan,
    segmented: SegmentedScan,
    names: OutputNames,
    volumes: tuple[str, ...],
    fingerprint: str,
    target_names: tuple[str, ...],
    masks: Sequence[Path] = (),
) -> CaseRecord:
    """The record of a case whose files are written; ``masks`` are those that its brain was read from."""
    return CaseRecord(
        case=scan.case,
        subject=scan.subject,
        session=scan.session,
        contrast=_contrasts(scan),
        source=source_of(scan, masks),
        fingerprint=fingerprint,
        volumes=volumes,
        picture=names.picture.as_posix(),
        grid=plain_grid(segmented.grid),
        target_names=target_names,
        measures=segmented.measures,
    )


def write_volume_table(path: Path, records: Sequence[CaseRecord], target_names: Sequence[str]) -> None:
    """Write ``volumes.csv``: one line a case, mm^3, from labels (``GM_mm3``) and probabilities (``GM_soft_mm3``)."""
    targets = target_names[1:]
    head = ["case", "subject", "session", "contrast", "voxel_volume_mm3"]
    head += [f"{name}_mm3" for name in targets] + [f"{name}_soft_mm3" for name in targets]
    rows = []
    for record in sorted(records, key=lambda record: record.case):
        measures = record.measures
        numbers = [measures.voxel_volume_mm3, *measures.volumes_mm3, *measures.soft_volumes_mm3]
        rows.append(
            [record.case, record.subject, record.session, record.contrast, *(_number(value, 3) for value in numbers)]
        )
    write_csv_atomically(path, head, rows)


def write_quality_table(
    path: Path, judged: Sequence[Quality], records: Sequence[CaseRecord], target_names: Sequence[str]
) -> None:
    """Write ``quality.csv``: one line a case, the worst first."""
    targets = target_names[1:]
    head = ["case", "score", "warnings", "entropy", "largest_component_share", "rim_mm3"]
    head += [f"{name}_asymmetry" for name in targets] + [f"{name}_volume_z" for name in targets]
    head += ["border_mm2", "skull_stripping"]
    by_case = {record.case: record.measures for record in records}
    rows = []
    for quality in judged:
        measures = by_case[quality.case]
        numbers = [measures.entropy, measures.largest_share, measures.rim_mm3, *measures.asymmetry, *quality.volume_z]
        border = "; ".join(f"{side} {area:.0f}" for side, area in measures.border_mm2.items())
        row = [quality.case, _number(quality.score, 3), "; ".join(quality.warnings)]
        rows.append([*row, *(_number(value, 4) for value in numbers), border, measures.stripping])
    write_csv_atomically(path, head, rows)


def write_label_table(folder: Path, target_names: Sequence[str]) -> None:
    """Write ``dseg.tsv``: what the values of the label maps mean, as BIDS has it."""
    lines = ["index\tname", *(f"{index}\t{name}" for index, name in enumerate(target_names))]
    write_bytes_atomically(folder / "dseg.tsv", ("\n".join(lines) + "\n").encode())


def check_dataset(folder: Path) -> None:
    """Check that a folder may become a BIDS derivative of this program.

    Raises:
        ConfigurationError: it is another data set; names the folder to give instead.
    """
    path = folder / DATASET_DESCRIPTION
    if not path.is_file():
        return
    try:
        made_by = {entry["Name"] for entry in json.loads(path.read_text())["GeneratedBy"]}
    except (OSError, ValueError, KeyError, TypeError):
        made_by = set()
    if OWN_NAME not in made_by:
        raise ConfigurationError(
            f"output={folder} is another data set: its {DATASET_DESCRIPTION} would be overwritten; "
            f"give a folder of its own, e.g. output={folder / 'derivatives' / OWN_NAME}"
        )


def write_dataset_description(folder: Path, source: Path, how: str = "") -> None:
    """Write ``dataset_description.json`` of a BIDS derivative; ``how`` describes the processing where given."""
    uri = source.resolve().as_uri()
    generated_by = {"Name": OWN_NAME, "Version": __version__} | ({"Description": how} if how else {})
    contents = {
        "Name": "Brain segmentations by otfsynth",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generated_by],
        "SourceDatasets": [{"URL": uri}],
        "DatasetLinks": {"source": uri},
    }
    write_json(folder / DATASET_DESCRIPTION, contents)


def write_description(path: Path, scan: Scan, root: Path, space_mm: float | None) -> None:
    """Write the JSON beside the label map of a BIDS derivative."""
    # Not resolved: in data sets under git-annex every scan is a link to somewhere else
    files = [Path(os.path.abspath(path)).relative_to(os.path.abspath(root)).as_posix() for path in scan.files]
    contents: dict[str, Any] = {"Sources": [f"bids:source:{quote(file)}" for file in files], "Manual": False}
    if space_mm is not None:
        contents["Resolution"] = f"cubic voxels of {space_mm:g} mm along the axes of the scan"
    write_json(path, contents)


def write_json(path: Path, contents: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_bytes_atomically(path, (json.dumps(contents, indent=2) + "\n").encode())


def _contrasts(scan: Scan) -> str:
    """``T1w+FLAIR`` of a head with several images."""
    further = [describe(path).contrast for path in scan.files[1:]]
    return "+".join(name for name in (scan.contrast, *further) if name)


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
