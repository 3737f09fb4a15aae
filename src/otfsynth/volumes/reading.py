"""Reading NIfTI and MGZ files, with everything that can be wrong about them said in one sentence."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.config.checks import InputError

logger = logging.getLogger(__name__)

SUFFIXES = (".nii.gz", ".nii", ".mgz", ".mgh")
MAX_VOXELS = 2**29
"""About 810^3: larger headers are taken for damage, since a 1 MB gzip file can claim gigabytes."""
MAX_SPACING_MM = 50.0
MIN_SPACING_MM = 0.02


class VolumeError(InputError):
    """A file that can't be used as a volume; the message names the file, the value and what to do."""


@dataclass(frozen=True)
class Volume:
    """A three-dimensional image with its place in the scanner.

    Args:
        data: (x, y, z) in the order of the file's axes.
        affine: (4, 4) float64, voxel index to RAS world millimetres.
        name: file name for messages.
        header: header of the file, kept so that outputs can inherit units and codes.
    """

    data: np.ndarray
    affine: np.ndarray
    name: str
    header: Any = None


def is_volume_name(path: str | Path) -> bool:
    """Whether the name ends like a NIfTI or MGZ file."""
    return str(path).lower().endswith(SUFFIXES)


def volume_stem(path: str | Path) -> str:
    """File name without folder and without its volume suffix: ``a/sub-1_T1w.nii.gz`` gives ``sub-1_T1w``."""
    name = Path(path).name
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def read_volume(path: str | Path, dtype: Any = None) -> Volume:
    """Read a scan or a label map; header and dimensions are checked before any voxel is read.

    Args:
        path: NIfTI (``.nii``, ``.nii.gz``) or FreeSurfer (``.mgz``, ``.mgh``) file.
        dtype: type of the voxels; by default the file's own, or float64 where it has a scale.

    Returns:
        The volume as stored, axes of length 1 behind the third removed.

    Raises:
        VolumeError: missing, unreadable, truncated, not 3-D, empty, of absurd size or spacing.
    """
    path = Path(path)
    image = _open(path)
    _check_header(path, image)
    if isinstance(image.header, nib.Nifti1Header) and not image.header["sform_code"] and not image.header["qform_code"]:
        logger.warning(
            "'%s' does not say how the head lies (sform_code and qform_code are 0); taken as %s",
            path,
            "".join(nib.aff2axcodes(image.affine)),
        )
    try:
        data = np.asarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        raise VolumeError(
            f"'{path}' is damaged or truncated ({_first_line(error)}); copy or export it again"
        ) from error
    data = data.reshape(data.shape[:3])
    if data.dtype.kind not in "uifb":
        raise VolumeError(f"'{path}' holds values of type {data.dtype}; only real numbers can be read, convert it")
    wanted = np.dtype(dtype) if dtype is not None else data.dtype.newbyteorder("=")
    return Volume(data.astype(wanted, copy=False), np.asarray(image.affine, np.float64), path.name, image.header)


def check_volume(path: str | Path) -> None:
    """Check all that :func:`read_volume` checks before it reads voxels; takes a millisecond.

    Raises:
        VolumeError: missing, unreadable, not 3-D, empty, of absurd size or spacing.
    """
    _check_header(Path(path), _open(Path(path)))


def _open(path: Path) -> Any:
    if not path.is_file():
        raise VolumeError(f"'{path}' does not exist or is no file; check the path")
    if path.stat().st_size == 0:
        raise VolumeError(f"'{path}' is an empty file (0 bytes); copy or export it again")
    if not is_volume_name(path):
        raise VolumeError(f"'{path}' is neither NIfTI nor MGZ; its name must end in {', '.join(SUFFIXES)}")
    try:
        return nib.load(path)
    except Exception as error:  # nibabel raises a dozen kinds for a damaged header
        raise VolumeError(f"'{path}' can't be opened ({_first_line(error)}); copy or export it again") from error


def _check_header(path: Path, image: Any) -> None:
    shape = tuple(int(size) for size in image.shape)
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise VolumeError(f"'{path}' has {len(shape)} dimensions, shape {shape}; give one 3-D volume per file")
    if min(shape) < 1 or int(np.prod(shape, dtype=object)) > MAX_VOXELS:
        raise VolumeError(f"'{path}' claims the shape {shape}, which no head scan has; it is damaged, export it again")
    affine = image.affine
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise VolumeError(f"'{path}' has no usable orientation (its affine can't be inverted); mend its sform or qform")
    if isinstance(image.header, nib.Nifti1Header) and not image.header["sform_code"] and not _has_spacing(path, image):
        raise VolumeError(f"'{path}' claims voxels of 0 mm; its header must give millimetres (pixdim), mend it")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < MIN_SPACING_MM or spacing.max() > MAX_SPACING_MM:
        sizes = " x ".join(f"{size:g}" for size in spacing)
        raise VolumeError(f"'{path}' claims voxels of {sizes} mm; its header must give millimetres, mend it")


def _has_spacing(path: Path, image: Any) -> bool:
    """Whether the file itself gives voxel sizes: nibabel takes a size of 0 as 1 mm."""
    with nib.openers.ImageOpener(str(path)) as file:
        stored = type(image.header).from_fileobj(file, check=False)
    return bool((stored["pixdim"][1:4] != 0).all())


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
