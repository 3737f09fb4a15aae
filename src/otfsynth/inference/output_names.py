"""What the files of a case are called: flat beside each other, or as BIDS derivatives.

BIDS: ``sub-X/[ses-Y/]anat/sub-X[_ses-Y][_run-1][_space-T2w]_desc-otfsynth_dseg.nii.gz``. The contrast of scans other
than T1w is their space, so that the scans of a session stay apart and no name depends on what else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from glob import escape
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
        mask: brain mask, on the scan's own grid whatever that of the others.
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

    def files(self, folder: Path) -> list[Path]:
        """Paths of all files of the case, its record first; probabilities of an earlier model's targets among them.

        Args:
            folder: of the results.
        """
        paths = [self.record, self.labels, self.mask, *self.probabilities, self.picture]
        paths += [self.description] if self.description is not None else []
        files = [folder / path for path in paths]
        for path in self.probabilities[:1]:
            stem = path.name.rpartition("_label-")[0]
            files += sorted((folder / path.parent).glob(f"{escape(stem)}_label-*_probseg.nii.gz"))
        return list(dict.fromkeys(files))


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
        labels = folder / f"{derivative_stem(scan, space_mm, desc=described)}_dseg.nii.gz"
        return OutputNames(
            labels,
            folder / f"{derivative_stem(scan, desc='brain')}_mask.nii.gz",
            tuple(
                folder / f"{derivative_stem(scan, space_mm, _alphanumeric(name))}_probseg.nii.gz" for name in targets
            ),
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


def derivative_stem(scan: Scan, space_mm: float | None = None, label: str = "", desc: str = "") -> str:
    """What BIDS derivatives of a scan are called, without suffix and ending: ``sub-1_ses-2_space-T2w_desc-brain``.

    Args:
        scan: has entities.
        space_mm: voxel size, where it is not the scan's own grid.
        label: of the structure that the derivative shows.
        desc: what it is.
    """
    entities = {key: value for key, value in scan.entities if key not in PLACED_LATER}
    space = dict(scan.entities).get("space", "")
    if scan.contrast and scan.contrast != REFERENCE_CONTRAST:
        space += scan.contrast
    resolution = f"{space_mm:g}mm".replace(".", "p") if space_mm is not None else ""
    later = dict(zip(PLACED_LATER, (space, resolution, label, desc), strict=True))
    return "_".join(f"{key}-{value}" for key, value in (entities | later).items() if value)


def _described(scan: Scan) -> str:
    """``otfsynth``, behind the description that the scan has already."""
    own = dict(scan.entities).get("desc", "")
    return own + DESCRIPTION.capitalize() if own else DESCRIPTION


def _alphanumeric(name: str) -> str:
    return "".join(character for character in name if character.isalnum())
