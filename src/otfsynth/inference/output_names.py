"""What the files of a case are called: flat beside each other, or as BIDS derivatives.

BIDS: ``sub-X/[ses-Y/]anat/sub-X[_ses-Y][_run-1][_space-T2w]_desc-otfsynth_dseg.nii.gz``. The contrast of scans other
than T1w is their space, so that the scans of a session stay apart and no name depends on what else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otfsynth.data.scan import Scan

BIDS_LAYOUTS = ("bids", "oasis3")
DESCRIPTION = "otfsynth"
REFERENCE_CONTRAST = "T1w"
PLACED_LATER = ("space", "res", "label", "desc")
"""Entities that derivatives have behind all others, in this order."""


@dataclass(frozen=True)
class OutputNames:
    """Paths of a case's files, relative to the output folder.

    Args:
        labels: label map.
        mask: brain mask.
        probabilities: one path per target above background.
        picture: for quality control.
        record: what is known of the case, written when its other files are whole.
        description: JSON beside the label map of a BIDS derivative, else ``None``.
    """

    labels: Path
    mask: Path
    probabilities: tuple[Path, ...]
    picture: Path
    record: Path
    description: Path | None


def output_names(scan: Scan, layout: str, target_names: Sequence[str], space_mm: float | None = None) -> OutputNames:
    """Names of a case's files.

    Args:
        scan: the case.
        layout: of the list it is from; ``bids`` and ``oasis3`` give BIDS names where the scan has entities.
        target_names: background first.
        space_mm: voxel size asked for, where it is not the scan's own grid.
    """
    picture, record = Path("qc") / f"{scan.case}.png", Path("qc") / f"{scan.case}.json"
    targets = target_names[1:]
    if layout in BIDS_LAYOUTS and scan.entities and scan.subject:
        folder = Path(f"sub-{scan.subject}") / (f"ses-{scan.session}" if scan.session else "") / "anat"
        described = _described(scan)
        labels = folder / _bids_name(scan, space_mm, "dseg", desc=described)
        return OutputNames(
            labels,
            folder / _bids_name(scan, space_mm, "mask", desc="brain"),
            tuple(folder / _bids_name(scan, space_mm, "probseg", label=_alphanumeric(name)) for name in targets),
            picture,
            record,
            labels.with_name(labels.name.replace(".nii.gz", ".json")),
        )
    return OutputNames(
        Path(f"{scan.case}_dseg.nii.gz"),
        Path(f"{scan.case}_desc-brain_mask.nii.gz"),
        tuple(Path(f"{scan.case}_label-{_alphanumeric(name)}_probseg.nii.gz") for name in targets),
        picture,
        record,
        None,
    )


def colliding_names(scans: Sequence[Scan], layout: str, target_names: Sequence[str]) -> dict[Path, list[str]]:
    """Label maps that several scans would be written to, with the cases."""
    cases: dict[Path, list[str]] = {}
    for scan in scans:
        cases.setdefault(output_names(scan, layout, target_names).labels, []).append(scan.case)
    return {path: names for path, names in cases.items() if len(names) > 1}


def _bids_name(scan: Scan, space_mm: float | None, suffix: str, label: str = "", desc: str = "") -> str:
    entities = {key: value for key, value in scan.entities if key not in PLACED_LATER}
    space = dict(scan.entities).get("space", "")
    if scan.contrast and scan.contrast != REFERENCE_CONTRAST:
        space += scan.contrast
    resolution = f"{space_mm:g}mm".replace(".", "p") if space_mm is not None else ""
    later = dict(zip(PLACED_LATER, (space, resolution, label, desc), strict=True))
    parts = [f"{key}-{value}" for key, value in (entities | later).items() if value]
    return "_".join([*parts, suffix]) + ".nii.gz"


def _described(scan: Scan) -> str:
    """``otfsynth``, behind the description that the scan has already."""
    own = dict(scan.entities).get("desc", "")
    return own + DESCRIPTION.capitalize() if own else DESCRIPTION


def _alphanumeric(name: str) -> str:
    return "".join(character for character in name if character.isalnum())
