"""Writing volumes so that a file either is whole or does not exist."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Sequence
from glob import escape
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.volumes.reading import SUFFIXES, VolumeError

ABANDONED_S = 3600.0
"""No file takes so long to write."""


def write_volume(path: str | Path, data: np.ndarray, affine: np.ndarray, header: Any = None) -> Path:
    """Write a volume as NIfTI or MGZ, by the suffix of ``path``; its type is that of ``data``.

    Args:
        path: the folder is made where it is missing.
        data: (x, y, z) or (x, y, z, channels); bool is stored as uint8, float64 as float32, int64 as int32.
        affine: (4, 4) voxel index to RAS world millimetres.
        header: header of the volume that the data derive from: units, codes and description are kept, and both forms
            where ``affine`` is its own.

    Raises:
        VolumeError: the suffix is unknown, or what was written can't be read back (a full disk, for example).
    """
    path = Path(path)
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise VolumeError(f"'{path}' can't be written: its name must end in {', '.join(SUFFIXES)}")
    narrow = {"bool": np.uint8, "float64": np.float32, "int64": np.int32, "uint64": np.int32}
    values = data.astype(narrow.get(data.dtype.name, data.dtype), copy=False)
    if suffix.startswith(".nii"):
        payload = _nifti(values, affine, header).to_bytes()
    else:
        payload = nib.MGHImage(values, affine).to_bytes()
    if suffix in (".nii.gz", ".mgz"):
        payload = gzip.compress(payload, compresslevel=4, mtime=0)  # mtime 0: equal volumes are equal files
    return write_bytes_atomically(path, payload)


def write_bytes_atomically(path: str | Path, payload: bytes) -> Path:
    """Write beside the final name, read back, then rename; several processes may write one file, the last one counts.

    Raises:
        VolumeError: the bytes on disk differ from ``payload``; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}-{os.getpid()}-{socket.gethostname()}.part")
    try:
        with open(part, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        if part.read_bytes() != payload:
            raise VolumeError(f"'{path}' could not be written whole; is the disk full?")
        os.replace(part, path)
    except OSError as error:
        raise VolumeError(f"'{path}' could not be written ({error.strerror or error}); is the disk full?") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def remove_file(path: Path) -> None:
    """Remove a file, where it is there, and what processes that were killed left of it."""
    path.unlink(missing_ok=True)
    for part in path.parent.glob(f"{escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)


def remove_abandoned_parts(folder: Path) -> None:
    """Remove what killed processes left of files in a folder, and nothing that another one may be writing."""
    for part in folder.glob("*.part"):
        if _is_abandoned(part):
            part.unlink(missing_ok=True)


def write_csv_atomically(
    path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]], line_end: str = "\r\n"
) -> Path:
    """Write a table in UTF-8, its head first; see :func:`csv_bytes`.

    Raises:
        VolumeError: as :func:`write_bytes_atomically`.
    """
    return write_bytes_atomically(path, csv_bytes(columns, rows, line_end))


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]], line_end: str = "\r\n") -> bytes:
    """A table as the bytes of a CSV file; lines end as RFC 4180 has it, unless asked for otherwise."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows([columns, *rows])
    return text.getvalue().encode()


def _nifti(values: np.ndarray, affine: np.ndarray, header: Any) -> nib.Nifti1Image:
    inherited = header.copy() if isinstance(header, nib.Nifti1Header) else None
    image = nib.Nifti1Image(values, affine, header=inherited, dtype=values.dtype)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"] = image.header["cal_max"] = 0
    if inherited is None:
        image.header.set_xyzt_units("mm")
    if inherited is None or not _is_grid_of(inherited, values.shape, affine):
        sform, qform = (int(inherited[code]) if inherited is not None else 2 for code in ("sform_code", "qform_code"))
        image.set_sform(affine, sform or 2)
        image.set_qform(affine, qform or 2)
    return image


def _is_grid_of(header: nib.Nifti1Header, shape: tuple[int, ...], affine: np.ndarray) -> bool:
    return header.get_data_shape()[:3] == shape[:3] and bool(np.allclose(header.get_best_affine(), affine))


def _is_abandoned(part: Path) -> bool:
    """Whether its writer is gone: told by the process on this machine, elsewhere by the time."""
    writer = re.search(r"\.[0-9a-f]{8}-(\d+)-(.+)\.part$", part.name)
    if writer is not None and writer[2] == socket.gethostname() and os.name == "posix":
        try:
            os.kill(int(writer[1]), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it lives, and is another user's
            return False
    try:
        return time.time() - part.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:
        return False
