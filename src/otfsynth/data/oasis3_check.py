"""Reading the header of every scan and segmentation of OASIS-3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from otfsynth.data.oasis3 import Oasis3
from otfsynth.volumes import VolumeError, check_volume

READERS = 8
"""Threads: they wait for disks, they do not compute."""


def damaged_files(data: Oasis3, show_progress: bool = False) -> dict[Path, str]:
    """One sentence for each file whose header can't be used; voxels are not read, so a torn end is not seen."""
    from rich.progress import track

    files = data.files
    with ThreadPoolExecutor(READERS, thread_name_prefix="headers") as pool:
        results = track(pool.map(_problem, files), "headers", len(files), transient=True, disable=not show_progress)
        return {path: problem for path, problem in zip(files, results, strict=True) if problem}


def _problem(path: Path) -> str:
    try:
        check_volume(path)
    except VolumeError as error:
        return str(error)
    return ""
