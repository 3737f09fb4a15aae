"""Real scans with reference labels, to watch during training; never trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.data.csv_tables import read_table
from otfsynth.data.scan_names import channel_number, describe
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Grid, VolumeError, is_volume_name, read_volume, resample_to_grid, volume_stem

IGNORED = 255
"""Target of labels that count neither for nor against a prediction."""
IMAGE_FOLDERS = ("images", "imagesTr", "imagesTs")
LABEL_FOLDERS = ("labels", "labelsTr", "labelsTs")


class ValidationListError(InputError):
    """The list of real validation scans can't be used; the message has one line per problem."""


@dataclass(frozen=True)
class ValidationScan:
    """Where one scan and its reference are."""

    image: Path
    label: Path
    contrast: str = ""
    others: tuple[Path | None, ...] = ()
    """Images of further channels; ``None`` where one is missing."""
    subject: str = ""
    """Where the list says it."""

    @property
    def name(self) -> str:
        """File name of the image without its suffix."""
        return volume_stem(self.image)

    @property
    def channels(self) -> int:
        """Number of images, missing ones included."""
        return 1 + len(self.others)


@dataclass(frozen=True)
class ValidationCase:
    """One scan with its reference on its own grid.

    Args:
        scan: where they come from.
        image: float32 (x, y, z), intensities as stored; (channels, x, y, z) on the grid of the first where there are
            several, 0 where one is missing.
        affine: (4, 4) voxel index to RAS world millimetres.
        reference: uint8 (x, y, z) target values, 255 where voxels do not count.
    """

    scan: ValidationScan
    image: np.ndarray
    affine: np.ndarray
    reference: np.ndarray

    @property
    def first_image(self) -> np.ndarray:
        """The image of the first channel, (x, y, z)."""
        return self.image if self.image.ndim == 3 else np.asarray(self.image[0])

    def check(self) -> None:
        """Refuse an image that can't be segmented.

        Raises:
            ValidationListError: it is 0 everywhere.
        """
        if not self.image.any():
            raise ValidationListError(f"'{self.scan.image}' holds nothing but 0; export it again, or leave it out")


class ValidationCases(Sequence[ValidationCase]):
    """Real validation scans, read from disk when they are asked for.

    Args:
        scans: files.
        targets: target value of each label of the references (255: does not count).
    """

    def __init__(self, scans: Sequence[ValidationScan], targets: Mapping[int, int]) -> None:
        self.scans = list(scans)
        self.targets = dict(targets)

    @classmethod
    def from_path(
        cls, path: str | Path, scheme: LabelScheme, targets: Mapping[int, int] | None = None, channels: int = 1
    ) -> ValidationCases:
        """Find the scans that ``data.real_validation`` names and check every one of them.

        Args:
            path: a ``.csv`` list with columns ``image,label[,contrast]`` (relative paths start at the list), or a
                folder with ``images/`` and ``labels/`` that hold files of the same names (nnU-Net's ``imagesTr``,
                ``labelsTr`` and ``_0000`` are understood). Several channels are files of one cell, separated by
                semicolons (nothing between two where one is missing), or those of nnU-Net's ``_0001`` and so on.
            scheme: gives each label its target.
            targets: replaces the scheme where the references have labels of their own.
            channels: images that the network takes.

        Raises:
            ValidationListError: files are missing or damaged, or hold labels without a target; all in one message.
        """
        scans = find_pairs_of_files(Path(path).expanduser(), "data.real_validation")
        wrong = next((scan for scan in scans if scan.channels != channels), None)
        if wrong is not None:
            raise ValidationListError(
                f"data.real_validation: '{wrong.name}' has {wrong.channels} image(s), the network takes "
                f"synthesis.channels.count={channels}; list as many for every scan, separated by semicolons"
            )
        by_scheme = dict(zip(scheme.generation_labels, scheme.target_labels, strict=True))
        cases = cls(scans, {0: 0, **targets} if targets else by_scheme)
        cases.check(scheme.target_count)
        return cases

    def __len__(self) -> int:
        return len(self.scans)

    @overload
    def __getitem__(self, index: int) -> ValidationCase: ...

    @overload
    def __getitem__(self, index: slice) -> ValidationCases: ...

    def __getitem__(self, index: int | slice) -> ValidationCase | ValidationCases:
        """Read one scan, or choose some of them."""
        if isinstance(index, slice):
            return ValidationCases(self.scans[index], self.targets)
        scan = self.scans[index]
        image = read_volume(scan.image, np.float32)
        x, y, z = image.data.shape
        reference = self._reference(scan, Grid((x, y, z), image.affine))
        data = np.nan_to_num(image.data)
        if scan.others:
            data = np.stack([data, *(_on_grid(path, Grid((x, y, z), image.affine)) for path in scan.others)])
        return ValidationCase(scan, data, image.affine, reference)

    def of_rank(self, rank: int, world_size: int) -> ValidationCases:
        """Every ``world_size``-th scan from ``rank`` on."""
        return self[rank::world_size]

    def check(self, target_count: int) -> None:
        """Read every file once.

        Raises:
            ValidationListError: one line for each file that can't be used.
        """
        wrong = sorted({value for value in self.targets.values() if value != IGNORED and not 0 <= value < target_count})
        if wrong:
            raise ValidationListError(
                f"data.real_validation_labels names targets {wrong}; give 0 to {target_count - 1}, or {IGNORED} for "
                "voxels that do not count"
            )
        problems = []
        for index in range(len(self)):
            try:
                self[index].check()
            except (VolumeError, ValidationListError) as error:
                problems.append(str(error))
        if problems:
            raise ValidationListError(
                f"{len(problems)} of {len(self)} real validation scan(s) can't be used:\n  " + "\n  ".join(problems)
            )

    def _reference(self, scan: ValidationScan, grid: Grid) -> np.ndarray:
        volume = read_volume(scan.label)
        labels = np.rint(volume.data).astype(np.int32)
        if labels.shape != grid.shape or not np.allclose(volume.affine, grid.affine, atol=1e-3):
            labels = resample_to_grid(labels, volume.affine, grid, order=0)
        values, inverse = np.unique(labels, return_inverse=True)
        unknown = [int(value) for value in values if int(value) not in self.targets]
        if unknown:
            raise ValidationListError(
                f"'{scan.label}' holds labels {unknown} without a target; list all of its labels in "
                f"data.real_validation_labels, with their targets, or {IGNORED} to leave one out of the score: "
                f"{{1: 1, 2: 2, {unknown[0]}: {IGNORED}}}"
            )
        table = np.array([self.targets[int(value)] for value in values], np.uint8)
        return table[inverse].reshape(labels.shape)


def _on_grid(path: Path | None, grid: Grid) -> np.ndarray:
    """A further channel at the voxels of the first; 0 where it is missing."""
    if path is None:
        return np.zeros(grid.shape, np.float32)
    image = read_volume(path, np.float32)
    return resample_to_grid(np.nan_to_num(image.data), image.affine, grid)


def find_pairs_of_files(path: Path, option: str) -> list[ValidationScan]:
    """Scans with label maps, of a ``.csv`` list or a folder.

    Args:
        path: see :meth:`ValidationCases.from_path`.
        option: of the configuration, for messages.

    Raises:
        ValidationListError: the list or the folder can't be used.
    """
    return _listed(path, option) if path.suffix.lower() == ".csv" else _in_folder(path, option)


def _listed(path: Path, option: str) -> list[ValidationScan]:
    if not path.is_file():
        raise ValidationListError(f"{option}={path} does not exist; check the path")
    columns, rows = read_table(path)
    if not {"image", "label"} <= set(columns):
        raise ValidationListError(
            f"'{path}' has the columns {columns}; its first line must be image,label or image,label,contrast"
        )
    rows = [row for row in rows if row["image"].strip()]
    scans = []
    for row in rows:
        label = path.parent / Path(row["label"].strip()).expanduser()
        cells = [cell.strip() for cell in row["image"].split(";")]
        image, *others = (path.parent / Path(cell).expanduser() if cell else None for cell in cells)
        if image is None:
            raise ValidationListError(f"'{path}': '{row['image']}' has no first image, which gives the grid; name it")
        contrast = row.get("contrast", "").strip() or describe(image).contrast
        scans.append(ValidationScan(image, label, contrast, tuple(others), row.get("subject", "").strip()))
    if not scans:
        raise ValidationListError(f"'{path}' lists no scan; add one per line below image,label")
    return scans


def _in_folder(folder: Path, option: str) -> list[ValidationScan]:
    images = next((folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()), None)
    labels = next((folder / name for name in LABEL_FOLDERS if (folder / name).is_dir()), None)
    if images is None or labels is None:
        raise ValidationListError(
            f"{option}={folder} is neither a .csv list nor a folder with images/ and labels/ inside"
        )
    references = {volume_stem(file): file for file in sorted(labels.iterdir()) if is_volume_name(file)}
    scans, lonely = [], []
    for image, others in _grouped(sorted(file for file in images.iterdir() if is_volume_name(file))):
        stem = volume_stem(image)
        reference = references.get(stem) or references.get(re.sub(r"_0000$", "", stem))
        if reference is None:
            lonely.append(f"'{image}' has no file of its name in '{labels}'")
        else:
            scans.append(ValidationScan(image, reference, describe(image).contrast, others))
    if lonely or not scans:
        raise ValidationListError("\n".join(lonely) or f"'{images}' holds no NIfTI or MGZ file")
    return scans


def _grouped(files: Sequence[Path]) -> list[tuple[Path, tuple[Path | None, ...]]]:
    """First channels with the others, by nnU-Net's suffixes; a gap between two numbers is a missing channel."""
    further: dict[str, dict[int, Path]] = {}
    firsts = []
    stems = {volume_stem(file) for file in files}
    for file in files:
        case, number = channel_number(volume_stem(file))
        if number and f"{case}_0000" in stems:
            further.setdefault(f"{case}_0000", {})[number] = file
        else:
            firsts.append(file)
    groups = []
    for first in firsts:
        numbers = further.get(volume_stem(first), {})
        groups.append((first, tuple(numbers.get(number) for number in range(1, max(numbers, default=0) + 1))))
    return groups
