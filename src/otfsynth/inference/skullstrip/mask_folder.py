"""Brain masks that exist already, in a folder, found by the name of the case."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otfsynth.inference.skullstrip.stripper import SkullStripError
from otfsynth.volumes import Volume, is_volume_name, read_volume, volume_stem

ENDINGS = ("", "_mask", "_desc-brain_mask", "_brain_mask", "_brainmask", "_bet", "_brain")
"""Behind the name of the case, in the order in which they are tried."""
AFFINE_TOLERANCE_MM = 0.01


class MaskFolderStripper:
    """Reads masks: every voxel above 0 is brain.

    Args:
        folder: masks, in subfolders too.

    Raises:
        SkullStripError: the folder is not there, or holds no volume.
    """

    name = "mask"

    def __init__(self, folder: str | None) -> None:
        if not folder:
            raise SkullStripError("method=mask needs the folder of the masks: stripping.mask_folder=FOLDER")
        self.folder = Path(folder).expanduser()
        if not self.folder.is_dir():
            raise SkullStripError(f"stripping.mask_folder={folder} is no folder; check the path")
        self._files: dict[str, list[Path]] = {}
        for file in sorted(self.folder.rglob("*")):
            if is_volume_name(file) and not file.name.startswith(".") and file.is_file():
                self._files.setdefault(volume_stem(file), []).append(file)
        if not self._files:
            raise SkullStripError(f"stripping.mask_folder={folder} holds no NIfTI or MGZ file")
        self.reason = f"masks from '{self.folder}'"

    def mask(self, volume: Volume, path: Path | None, case: str = "") -> np.ndarray:
        """The brain, see :class:`Stripper`."""
        stems = _stems(case, path, volume)
        file = self._find(stems, path)
        if file is None:
            looked_for = ", ".join(f"{stems[0]}{ending}.nii.gz" for ending in ENDINGS[:4])
            raise SkullStripError(
                f"no mask of '{case or volume.name}' in '{self.folder}'; looked for {looked_for} and the like"
            )
        return checked_mask(read_volume(file), volume, str(file))

    def _find(self, stems: list[str], scan: Path | None) -> Path | None:
        for stem in stems:
            for ending in ENDINGS:
                files = [file for file in self._files.get(stem + ending, []) if not _same_file(file, scan)]
                if len(files) > 1:
                    listing = ", ".join(f"'{file.relative_to(self.folder)}'" for file in files)
                    raise SkullStripError(f"'{self.folder}' holds several masks of '{stem}': {listing}; leave one")
                if files:
                    return files[0]
        return None


def checked_mask(mask: Volume, volume: Volume, name: str) -> np.ndarray:
    """Voxels above 0 of a mask that lies on the grid of a volume, or on the same grid in another order of axes.

    Returns:
        bool (x, y, z) on the grid of ``volume``.

    Raises:
        SkullStripError: another grid, or nothing above 0.
    """
    from otfsynth.inference.preparation import from_canonical
    from otfsynth.volumes import to_canonical

    data, affine = to_canonical(mask.data, mask.affine)
    wanted, wanted_affine = to_canonical(volume.data, volume.affine)
    if data.shape != wanted.shape:
        raise SkullStripError(
            f"mask '{name}' has the shape {mask.data.shape}, scan '{volume.name}' {volume.data.shape}; "
            "make the mask on the grid of the scan"
        )
    corners = np.array(np.meshgrid(*((0, size - 1) for size in data.shape))).reshape(3, -1)
    apart = np.abs(np.linalg.multi_dot([(affine - wanted_affine)[:3, :3], corners]) + (affine - wanted_affine)[:3, 3:])
    if apart.max() > AFFINE_TOLERANCE_MM * 50:
        raise SkullStripError(
            f"mask '{name}' lies up to {apart.max():.1f} mm beside scan '{volume.name}'; "
            "make the mask on the grid of the scan"
        )
    inside = np.nan_to_num(data) > 0
    if not inside.any():
        raise SkullStripError(f"mask '{name}' is empty; make it again")
    return from_canonical(inside, volume.affine)


def _stems(case: str, path: Path | None, volume: Volume) -> list[str]:
    """Names under which the masks of a scan may be filed: its case, its file, and that without its BIDS suffix."""
    stems = [stem for stem in (case, volume_stem(path) if path else "", volume_stem(volume.name)) if stem]
    without_suffix = [stem.rpartition("_")[0] for stem in stems if stem.startswith("sub-")]
    return list(dict.fromkeys([*stems, *(stem for stem in without_suffix if stem)]))


def _same_file(file: Path, scan: Path | None) -> bool:
    return scan is not None and scan.exists() and file.samefile(scan)
