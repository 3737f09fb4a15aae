"""The developers' real scans as predict and evaluate read them, and a baseline: used by ``reproduce_real_scans.sh``.

    python scripts/reproduce_inputs.py SHARED_DATA_FOLDER OUTPUT [--scored-only] [--no-baseline]

Writes ``OUTPUT/inputs/scans.csv`` (all scans), a list of references for each set, and for each scan with a reference
the labels of a k-means that is told that the scan is T1-weighted, in ``OUTPUT/baseline/SET/``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.cluster.vq import kmeans2

from otfsynth.config.checks import InputError
from otfsynth.volumes import read_volume, write_volume
from real_scans import CSF, GM, IBSR_CASES, MS_LABELS, MS_SCANS, WM

LESIONS = "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
LIA = np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
"""Affine of voxelmorph's arrays, which come without one: 1 mm."""
WITHOUT_TRUTH = {
    "spm_avg152/avg152T1.nii": "T1w",
    "spm_avg152/avg152T2.nii": "T2w",
    "spm_avg152/avg152PD.nii": "PDw",
    "unlabelled/ch2.nii.gz": "T1w",
    "unlabelled/chris_PD.nii.gz": "PDw",
    "unlabelled/py_synthsr_FLAIR.nii.gz": "FLAIR",
}
START_PERCENTILES = (10.0, 50.0, 90.0)


@dataclass(frozen=True)
class RealScan:
    """One scan.

    Args:
        group: ``ibsr``, ``test_vol``, ``open_ms`` or ``unlabelled``.
        case: its name.
        subject: whose head it is.
        contrast: as BIDS writes it.
        image: the scan.
        label: its reference, ``None`` without.
        ignored: mask of what does not count, ``None`` without.
    """

    group: str
    case: str
    subject: str
    contrast: str
    image: Path
    label: Path | None = None
    ignored: Path | None = None


def main(shared: Path, output: Path, scored_only: bool = False, baseline: bool = True) -> None:
    """Write the inputs and, with ``baseline``, the k-means; ``scored_only`` leaves out the scans without a reference.

    Raises:
        InputError: the folder has another layout, or a file is damaged.
    """
    inputs = output / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    scans = [scan for scan in real_scans(shared / "real", inputs) if scan.label is not None or not scored_only]
    missing = sorted(str(path) for scan in scans for path in (scan.image, scan.label) if path and not path.is_file())
    if missing:
        raise InputError(f"'{shared}' lacks {', '.join(missing)}; give the developers' data folder")
    write_list(inputs / "scans.csv", scans)
    for group in dict.fromkeys(scan.group for scan in scans if scan.label is not None):
        own = [scan for scan in scans if scan.group == group]
        write_list(inputs / f"{group}.csv", own)
        for scan in own if baseline else []:
            volume = read_volume(scan.image, np.float32)
            labels = told_t1_weighted(np.nan_to_num(volume.data))
            write_volume(output / "baseline" / group / f"{scan.case}.nii.gz", labels, volume.affine)
    print(f"{len(scans)} scans, {sum(scan.label is not None for scan in scans)} with a reference")


def real_scans(real: Path, inputs: Path) -> Iterator[RealScan]:
    """All scans; those that need a change are written to ``inputs``."""
    if not (real / "ibsr18").is_dir():
        raise InputError(f"'{real.parent}' has no folder real/ibsr18; give the developers' data folder")
    for number in IBSR_CASES:
        image = real / "ibsr18" / f"IBSR_{number}.nii.gz"
        yield RealScan(
            "ibsr", f"IBSR_{number}", f"IBSR{number}", "T1w", image, image.with_name(f"IBSR_{number}_seg.nii.gz")
        )
    arrays = real / "voxelmorph_test_vol"
    image, label = (from_array(arrays / f"test_{part}.npz", inputs / f"test_{part}.nii.gz") for part in ("vol", "seg"))
    yield RealScan("test_vol", "test_vol", "voxelmorph", "T1w", image, label)
    patient = real / "open_ms_p07"
    for contrast, name in MS_SCANS.items():
        case = f"open_ms_{contrast}"
        image = without_negatives(patient / name, inputs / f"{case}.nii.gz")
        yield RealScan("open_ms", case, "p07", contrast, image, patient / MS_LABELS, patient / LESIONS)
    for name, contrast in WITHOUT_TRUTH.items():
        stem = Path(name).name.partition(".")[0]
        yield RealScan("unlabelled", stem, stem, contrast, real / name)


def from_array(source: Path, target: Path) -> Path:
    """Write one of voxelmorph's arrays as a volume; labels stay whole numbers."""
    data = np.load(source)["vol_data"]
    return write_volume(target, data.astype(np.float32 if data.dtype.kind == "f" else np.int16), LIA)


def without_negatives(source: Path, target: Path) -> Path:
    """Write a scan with its negative values, which a registration left in the background, at 0."""
    image = nib.load(source)
    data = np.asarray(image.dataobj, np.float32)
    return write_volume(target, data.clip(min=0), image.affine)


def told_t1_weighted(image: np.ndarray) -> np.ndarray:
    """Three classes of intensity in what is not 0: dark CSF, grey GM, bright WM.

    Args:
        image: (x, y, z) intensities of a skull-stripped scan, 0 outside the brain.

    Returns:
        uint8 (x, y, z) target values.
    """
    brain = image > 0
    values = image[brain].astype(np.float64)[:, None]
    start = np.percentile(values, START_PERCENTILES)[:, None]
    centres, classes = kmeans2(values, start, iter=50, minit="matrix")
    by_brightness = np.empty(3, np.uint8)
    by_brightness[np.argsort(centres[:, 0])] = (CSF, GM, WM)
    labels = np.zeros(image.shape, np.uint8)
    labels[brain] = by_brightness[classes]
    return labels


def write_list(path: Path, scans: list[RealScan]) -> None:
    """Write a list that predict takes as its input and evaluate as its references."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "subject", "contrast", "image", "label", "ignored"])
        for scan in scans:
            files = [path.resolve() if path else "" for path in (scan.image, scan.label, scan.ignored)]
            writer.writerow([scan.case, scan.subject, scan.contrast, *files])


if __name__ == "__main__":
    try:
        options = sys.argv[3:]
        main(Path(sys.argv[1]), Path(sys.argv[2]), "--scored-only" in options, "--no-baseline" not in options)
    except (InputError, OSError) as error:
        sys.exit(f"reproduce_inputs: {error}")
