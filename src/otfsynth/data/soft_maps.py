"""Probability maps as label maps: each voxel keeps its two most probable labels and the share of the first.

Either one 4-D file (x, y, z, K), or a set of files of one prefix as BIDS derivatives write them,
``PREFIX_label-GM_probseg.nii.gz``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from otfsynth.data.prepare import PreparedMap, on_working_grid, room_voxels, trimmed
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume, VolumeError, bounding_box, read_volume, resample_to_spacing, to_canonical

PROBSEG = re.compile(r"^(?P<before>.*?)_?label-(?P<label>[A-Za-z0-9+]+)(?P<after>.*)_probseg$")
TOLERANCE = 0.02
"""Probabilities, and their sum over the labels, may leave [0, 1] by so much: rounding of what wrote them."""
SHARE_STEPS = 255
"""Stored numbers of a share of 1; see ``cuda_kernels/soft_map.h``."""


@dataclass(frozen=True)
class ProbabilityMaps:
    """Probabilities of some labels on one grid.

    Args:
        data: float32 (K, x, y, z).
        affine: (4, 4) voxel index to RAS world millimetres.
        name: for messages.
        labels: names of the K labels; ``None`` where they are the scheme's in its order.
    """

    data: np.ndarray
    affine: np.ndarray
    name: str
    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class ProbabilitySource:
    """A 4-D file, or the files of a set."""

    paths: tuple[Path, ...]
    subject: str
    name: str
    labels: tuple[str, ...] | None = None

    def load(self) -> Volume:
        """Raise: there are no labels to be read without a scheme."""
        raise VolumeError(f"'{self.name}' holds probabilities, not labels")

    def fingerprint(self) -> str:
        """Changes whenever one of the files does."""
        files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in self.paths]
        return json.dumps(["probabilities", files, self.labels])

    def read(self) -> ProbabilityMaps:
        """All probabilities.

        Raises:
            VolumeError: a file can't be used, or the files of a set have different grids.
        """
        if self.labels is None:
            return read_4d(self.paths[0])
        volumes = [read_volume(path, np.float32) for path in self.paths]
        for path, volume in zip(self.paths, volumes, strict=True):
            alike = volume.data.shape == volumes[0].data.shape
            if not alike or not np.allclose(volume.affine, volumes[0].affine, atol=1e-3):
                raise VolumeError(
                    f"'{path}' has another grid than '{self.paths[0]}'; probability maps of one head need one grid"
                )
        return ProbabilityMaps(np.stack([volume.data for volume in volumes]), volumes[0].affine, self.name, self.labels)

    def prepare(self, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
        """Read the maps and bring them to the working grid."""
        return prepare_probabilities(self.read(), scheme, spacing_mm)


def is_4d(path: Path) -> bool:
    """Whether a file holds several volumes; ``False`` where it can't be opened, which reading it will tell."""
    try:
        image: Any = nib.load(path)
        shape = image.shape
    except Exception:  # nibabel raises a dozen kinds for a damaged header
        return False
    return len(shape) == 4 and shape[3] > 1


def probability_sets(paths: Sequence[Path]) -> tuple[dict[Path, list[tuple[str, Path]]], list[Path]]:
    """Sort files into sets of one head and others.

    Returns:
        Per set, by its name without label, the labels with their files; and the files that are of no set.
    """
    sets: dict[Path, list[tuple[str, Path]]] = {}
    others = []
    for path in paths:
        stem = path.name.split(".nii")[0].split(".mg")[0]
        match = PROBSEG.match(stem)
        if match is None:
            others.append(path)
        else:
            whole = f"{match['before']}{match['after']}".strip("_") or path.parent.name
            sets.setdefault(path.parent / whole, []).append((match["label"], path))
    return sets, others


def read_4d(path: Path) -> ProbabilityMaps:
    """The volumes of a 4-D file.

    Raises:
        VolumeError: damaged.
    """
    try:
        image: Any = nib.load(path)
        data = np.moveaxis(np.asarray(image.dataobj, np.float32), 3, 0)
        affine = np.asarray(image.affine, np.float64)
    except Exception as error:  # nibabel raises a dozen kinds for a damaged file
        raise VolumeError(f"'{path}' is damaged or truncated ({error}); copy or export it again") from error
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise VolumeError(f"'{path}' has no usable orientation (its affine can't be inverted); mend its sform or qform")
    return ProbabilityMaps(data, affine, path.name, None)


def prepare_probabilities(maps: ProbabilityMaps, scheme: LabelScheme, spacing_mm: float) -> PreparedMap:
    """Check probability maps and bring them to the working grid; the remainder to 1 is background.

    Args:
        maps: probabilities in any orientation and voxel size.
        scheme: what the labels mean.
        spacing_mm: size of the cubic voxels of the working grid.

    Raises:
        VolumeError: not probabilities, labels that fit no scheme, or no target in it.
    """
    _check_probabilities(maps)
    indices = label_indices(maps, scheme)
    order = sorted(range(len(indices)), key=lambda number: indices[number])
    resampled, affine = [], maps.affine
    for number in order:
        volume, canonical = to_canonical(maps.data[number], maps.affine)
        values, affine = resample_to_spacing(volume, canonical, spacing_mm)
        resampled.append(np.clip(values, 0.0, 1.0))
    held = [indices[number] for number in order]
    if held[0] != 0:
        resampled.insert(0, np.clip(1.0 - np.sum(resampled, axis=0), 0.0, 1.0))
        held.insert(0, 0)
    first, second, share = two_most_probable(np.stack(resampled), np.array(held, np.uint8))
    inside = (first != 0) | ((second != 0) & (share < SHARE_STEPS))
    if not inside.any():
        raise VolumeError(f"'{maps.name}' holds background alone; leave it out or export it again")
    box, room = bounding_box(inside), room_voxels(spacing_mm)
    affine = affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([extent.start - room for extent in box])
    prepared = on_working_grid(np.pad(first[box], room), affine, maps.name, scheme, spacing_mm)
    outside = np.pad(share[box], room, constant_values=SHARE_STEPS)
    return trimmed(replace(prepared, second=np.pad(second[box], room), share=outside))


def two_most_probable(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels of the two largest probabilities, and the first one's share of their sum.

    Args:
        probabilities: float32 (K, x, y, z), K at least 2.
        labels: uint8 (K,) label index of each; of equal probabilities the earlier label wins.

    Returns:
        First and second label index, uint8 (x, y, z), and 255 times the share, uint8 (x, y, z).
    """
    order = np.argsort(-probabilities, axis=0, kind="stable")[:2]
    top = np.take_along_axis(probabilities, order, axis=0)
    total = top.sum(axis=0)
    share = np.divide(top[0], total, out=np.ones_like(total), where=total > 0)
    return labels[order[0]], labels[order[1]], np.rint(SHARE_STEPS * share).astype(np.uint8)


def label_indices(maps: ProbabilityMaps, scheme: LabelScheme) -> list[int]:
    """Label index of each probability map: by its name, or by its place in the scheme with or without background.

    Raises:
        VolumeError: a name, or the number of maps, fits the scheme in no way.
    """
    count = len(scheme.generation_labels)
    if maps.labels is None:
        if len(maps.data) in (count, count - 1):
            return list(range(count - len(maps.data), count))
        raise VolumeError(
            f"'{maps.name}' holds probabilities of {len(maps.data)} labels; scheme '{scheme.name}' has {count} with "
            f"background ({_spelled(scheme.label_names)}): give {count}, or {count - 1} without it, in that order"
        )
    return [_index_of(name, maps.name, scheme) for name in maps.labels]


def _index_of(name: str, of: str, scheme: LabelScheme) -> int:
    """A label by its own name, or by that of its target where that has no other label."""
    for index, known in enumerate(scheme.label_names):
        if known.replace(" ", "").lower() == name.lower():
            return index
    lower = [target.lower() for target in scheme.target_names]
    if name.lower() == "bg":
        return 0
    found = [
        index for index, target in enumerate(scheme.target_labels) if name.lower() == lower[target]
    ]  # fmt: skip
    if len(found) == 1:
        return found[0]
    reason = f"names a target of {len(found)} labels of" if found else "is no label of"
    raise VolumeError(
        f"'{of}': label-{name} {reason} scheme '{scheme.name}' ({_spelled(scheme.label_names)}); rename the file, or "
        "use a scheme with one label a map, such as labels=tissue for GM, WM and CSF"
    )


def _check_probabilities(maps: ProbabilityMaps) -> None:
    if not np.isfinite(maps.data).all():
        raise VolumeError(f"'{maps.name}' holds values that are not finite; export the probabilities again")
    low, high = float(maps.data.min()), float(maps.data.max())
    if low < -TOLERANCE or high > 1.0 + TOLERANCE:
        kind = "has 4 dimensions, as probability maps have," if maps.labels is None else "is named as probability maps"
        raise VolumeError(
            f"'{maps.name}' {kind} and holds values from {low:g} to {high:g}; probabilities lie in [0, 1]: divide them "
            "by their largest possible value, or give one 3-D label map per file"
        )
    total = float(maps.data.sum(axis=0).max())
    if total > 1.0 + 2 * TOLERANCE:
        raise VolumeError(
            f"the probabilities of '{maps.name}' sum to {total:g} in some voxel, more than 1; divide them by their sum"
        )
    if high < 0.5:
        raise VolumeError(f"no probability of '{maps.name}' reaches 0.5 (the largest is {high:g}); check the files")


def _spelled(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
