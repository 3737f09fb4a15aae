"""Brain masks that exist already, in a folder, found by the name of the case."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otfsynth.data.scan_names import describe
from otfsynth.inference.output_names import derivative_stem
from otfsynth.inference.preparation import from_canonical
from otfsynth.inference.skullstrip.stripper import SkullStripError, Stripper
from otfsynth.volumes import Grid, Volume, corner_distance_mm, is_volume_name, read_volume, to_canonical, volume_stem

MASK_ENDINGS = ("_desc-brain_mask", "_mask", "_brain_mask", "_brainmask", "_bet", "")
"""Behind the name of the case, in the order in which they are tried."""
BRAIN_ENDINGS = ("_brain",)
"""Of stripped scans, whose voxels that are not 0 are brain; tried last."""
MOST_APART_MM = 0.5
"""Between a corner voxel of the mask and that of the scan: more than rounding in headers, less than a voxel."""


class MaskFolderStripper(Stripper):
    """Reads masks: voxels above 0 are brain, of probabilities those above one half.

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
        name, stem = case or volume_stem(path or volume.name), volume_stem(path or volume.name)
        files, ending = self._find(name, stem, path)
        if not files:
            looked_for = ", ".join(f"{name}{ending}.nii.gz" for ending in MASK_ENDINGS)
            raise SkullStripError(f"no mask of '{name}' in '{self.folder}'; looked for {looked_for} (or .nii, .mgz)")
        if len(files) > 1:
            listing = ", ".join(f"'{file.relative_to(self.folder)}'" for file in files)
            raise SkullStripError(f"'{self.folder}' holds several masks of one name: {listing}; leave one")
        return _read(files[0], ending, volume)

    def sources(self, path: Path, case: str) -> tuple[Path, ...]:
        """The mask, or those between which there is no telling; see :class:`Stripper`."""
        return self._find(case, volume_stem(path), path)[0]

    def _find(self, case: str, stem: str, scan: Path | None) -> tuple[tuple[Path, ...], str]:
        """Masks of the first name that there is, and its ending."""
        for name, folders in _names(case, stem):
            for ending in MASK_ENDINGS + BRAIN_ENDINGS:
                files = tuple(
                    file
                    for file in self._files.get(name + ending, [])
                    if file.parts[-1 - len(folders) : -1] == folders and file.is_file() and not _same_file(file, scan)
                )
                if files:
                    return files, ending
        return (), ""


def checked_mask(inside: np.ndarray, affine: np.ndarray, volume: Volume, name: str) -> np.ndarray:
    """A mask on the grid of a scan, brought from the same grid in whatever order of axes.

    Args:
        inside: bool (x, y, z).
        affine: (4, 4) of ``inside``.
        volume: the scan.
        name: of the mask, for messages.

    Raises:
        SkullStripError: another grid, or an empty mask.
    """
    turned, affine = to_canonical(inside, affine)
    wanted, wanted_affine = to_canonical(volume.data, volume.affine)
    if turned.shape != wanted.shape:
        raise SkullStripError(
            f"mask '{name}' has the shape {inside.shape}, scan '{volume.name}' {volume.data.shape}; "
            "make the mask on the grid of the scan"
        )
    x, y, z = turned.shape
    apart_mm = corner_distance_mm(Grid((x, y, z), affine), Grid((x, y, z), wanted_affine))
    if apart_mm > MOST_APART_MM:
        raise SkullStripError(
            f"mask '{name}' lies up to {apart_mm:.1f} mm beside scan '{volume.name}'; "
            "make the mask on the grid of the scan"
        )
    if not turned.any():
        raise SkullStripError(f"mask '{name}' is empty; make it again")
    return from_canonical(turned, volume.affine)


def _names(case: str, stem: str) -> list[tuple[str, tuple[str, ...]]]:
    """Names under which masks of a case may be filed, and the folders that each of them must lie in.

    The case; its file, below the folders by which the case is told from others of the same file name (``a__scan`` is
    ``a/scan``); the name of the BIDS derivative that ``predict`` writes, which tells contrasts apart; and BIDS names
    without their suffix, for one mask that serves all contrasts of a session.
    """
    names: list[tuple[str, tuple[str, ...]]] = [(case, ())]
    prefix = case.removesuffix(f"__{stem}")
    if case != stem:
        names.append((stem, tuple(prefix.split("__")) if prefix != case else ()))
    if stem.startswith("sub-") and "_" in stem and prefix == case:
        described = describe(Path(case))
        names += [(derivative_stem(described), ())] if described.entities else []
        names.append((stem.rpartition("_")[0], ()))
    return names


def _read(file: Path, ending: str, volume: Volume) -> np.ndarray:
    found = read_volume(file)
    values = np.nan_to_num(found.data)
    if ending in BRAIN_ENDINGS:
        inside = values != 0
    else:
        inside = values > (0.5 if values.max() <= 1 else 0)
        if ending == "" and np.ptp(values[inside]) > 1:
            raise SkullStripError(f"'{file}' holds intensities, not a mask; name the masks {MASK_ENDINGS[0]}.nii.gz")
    return checked_mask(inside, found.affine, volume, str(file))


def _same_file(file: Path, scan: Path | None) -> bool:
    return scan is not None and scan.exists() and file.samefile(scan)
