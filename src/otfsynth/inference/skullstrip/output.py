"""Brain masks and masked scans as files, and whether they are there already."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.volumes import Volume, VolumeError, read_volume, write_bytes_atomically, write_volume

MASK_ENDING, BRAIN_ENDING = "_desc-brain_mask.nii.gz", "_brain.nii.gz"


@dataclass(frozen=True)
class BrainFiles:
    """Where the results of one scan are.

    Args:
        mask: uint8, 1 in the brain.
        brain: the scan with nothing around its brain.
    """

    mask: Path
    brain: Path

    @classmethod
    def of(cls, folder: Path, case: str) -> BrainFiles:
        """The files of a case in a folder of results."""
        return cls(folder / f"{case}{MASK_ENDING}", folder / f"{case}{BRAIN_ENDING}")

    def write(self, scan: Path, volume: Volume, mask: np.ndarray) -> None:
        """Write both, the mask last, so that where it is the brain is too.

        Args:
            scan: file that ``volume`` was read from.
            volume: the scan.
            mask: bool (x, y, z) on its grid.
        """
        write_masked_copy(self.brain, scan, mask)
        write_volume(self.mask, mask.astype(np.uint8), volume.affine, volume.header)

    def are_whole(self, scan: Path) -> bool:
        """Whether both files open and fit the scan.

        Args:
            scan: its file.
        """
        try:
            volume, mask, brain = read_volume(scan), read_volume(self.mask), read_volume(self.brain)
        except VolumeError:
            return False
        fits = all(
            found.data.shape == volume.data.shape and np.allclose(found.affine, volume.affine, atol=1e-3)
            for found in (mask, brain)
        )
        inside = mask.data > 0
        outside_empty = fits and not np.any(np.nan_to_num(brain.data[~inside] - _nearest_to_zero(brain)))
        return bool(fits and inside.any() and outside_empty)


def write_masked_copy(target: Path, scan: Path, mask: np.ndarray) -> None:
    """A copy of a scan with everything outside a mask set to 0; header, type and scale stay as they are, bit by bit.

    MGZ is written as NIfTI of the same type. Where a scale makes an exact 0 impossible, the stored value next to it is
    taken.

    Args:
        target: a ``.nii.gz`` file.
        scan: NIfTI or MGZ file.
        mask: bool (x, y, z) on its grid.
    """
    image: Any = nib.load(scan)
    if not isinstance(image, nib.Nifti1Image):
        data = np.asarray(image.dataobj).reshape(mask.shape)
        write_volume(target, np.where(mask, data, np.zeros(1, data.dtype)), image.affine)
        return
    stored = scan.read_bytes()
    content = bytearray(gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored)
    voxels: Any = image.dataobj
    values = np.frombuffer(content, voxels.dtype, mask.size, voxels.offset).reshape(mask.shape, order="F")
    values[~mask] = _stored_zero(voxels.dtype, voxels.slope, voxels.inter)  # writes into content
    write_bytes_atomically(target, gzip.compress(content, compresslevel=4, mtime=0))


def volume_ml(mask: np.ndarray, volume: Volume) -> float:
    """Volume of a mask on the grid of a scan."""
    return float(mask.sum() * abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


def _stored_zero(dtype: np.dtype, slope: float, intercept: float) -> float:
    value = -intercept / slope
    if dtype.kind == "f":
        return float(value)
    limits = np.iinfo(dtype)
    return int(np.clip(np.rint(value), limits.min, limits.max))


def _nearest_to_zero(brain: Volume) -> float:
    """What :func:`write_masked_copy` leaves outside the mask, in the units of the scan: 0 but for rounding."""
    header = brain.header
    if not isinstance(header, nib.Nifti1Header):
        return 0.0
    slope, intercept = header.get_slope_inter()
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    return float(_stored_zero(header.get_data_dtype(), slope, intercept) * slope + intercept)
