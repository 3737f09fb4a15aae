"""Real scans with labels of GM, WM and CSF, to measure: those of a list, and those of the developers' data folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.data.validation import ValidationCase, ValidationCases, ValidationListError, ValidationScan
from otfsynth.labels import LabelScheme

GM, WM, CSF = 1, 2, 3
ATROPOS = IBSR = {0: 0, 1: CSF, 2: GM, 3: WM}
IBSR_CASES = ("01", "07", "11", "16")
MS_SCANS = {
    "T1w": "T1_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz",
    "T2w": "T2_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz",
    "FLAIR": "FLAIR_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz",
    "T1Gd": "T1POST_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz",
}
MS_LABELS = "silver_tissue_csf1_gm2_wm3.nii.gz"


def listed_scans(path: Path, targets: Mapping[int, int]) -> ValidationCases:
    """Scans of a list with the columns ``image,label[,contrast]``; labels are read and checked before anything else.

    Args:
        path: of the CSV file; relative paths in it start there.
        targets: 0 or the tissue, from 1 on, of each label.

    Raises:
        InputError: files are missing or damaged, or hold labels without a tissue.
    """
    try:
        return ValidationCases.from_path(path, LabelScheme.load("tissue"), targets)
    except ValidationListError as error:
        raise InputError(f"{error}\n(tissues are given by --labels here, e.g. --labels 1=CSF 2=GM 3=WM 4=0)") from error


def developers_scans(folder: Path) -> Iterator[ValidationCase]:
    """IBSR (T1w), voxelmorph's test volume (T1w) and four contrasts of a patient with multiple sclerosis.

    Raises:
        InputError: ``folder`` has another layout.
    """
    real = folder / "real" if (folder / "real").is_dir() else folder
    if not (real / "ibsr18").is_dir():
        raise InputError(f"--shared {folder} has no folder real/ibsr18; give the developers' data folder")
    ibsr = [
        ValidationScan(real / f"ibsr18/IBSR_{case}.nii.gz", real / f"ibsr18/IBSR_{case}_seg.nii.gz", "T1w")
        for case in IBSR_CASES
    ]
    yield from ValidationCases(ibsr, IBSR)
    yield _voxelmorph(real / "voxelmorph_test_vol")
    patient = real / "open_ms_p07"
    scans = [ValidationScan(patient / file, patient / MS_LABELS, contrast) for contrast, file in MS_SCANS.items()]
    for case in ValidationCases(scans, ATROPOS):
        name = ValidationScan(Path(f"open_ms_p07_{case.scan.contrast}"), case.scan.label, case.scan.contrast)
        yield replace(case, scan=name, image=case.image.clip(min=0))


def _voxelmorph(folder: Path) -> ValidationCase:
    """Two arrays without affine: axes are LIA, voxels 1 mm; labels are FreeSurfer's."""
    image, labels = (np.load(folder / f"test_{part}.npz")["vol_data"] for part in ("vol", "seg"))
    affine = np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    scheme = LabelScheme.load("freesurfer")
    table = dict(zip(scheme.generation_labels, scheme.target_labels, strict=True))
    values, inverse = np.unique(labels, return_inverse=True)
    tissues = np.array([table.get(int(value), 0) for value in values], np.uint8)[inverse].reshape(labels.shape)
    scan = ValidationScan(Path("voxelmorph_test_vol"), folder / "test_seg.npz", "T1w")
    return ValidationCase(scan, image.astype(np.float32), affine, tissues)
