"""One prepared label map, as the label bank holds it and the synthesis engine reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otfsynth.data.boundaries import BoundaryMaps
from otfsynth.data.prepare import PreparedMap


@dataclass(frozen=True)
class LabelVolume:
    """One prepared label map.

    Args:
        name: file name, or ``embedded:...``.
        subject: maps of one subject are never divided between training and validation.
        indices: uint8 (x, y, z), contiguous, RAS: generation-label indices, at least one voxel of background on every
            side and, but in maps of real scans, all within 16 mm of the brain.
        brain_distance: uint8 (x, y, z): ``clamp(round(128 + 8 * d), 0, 255)``, d the signed distance to the brain in
            mm, outside positive; 255 on the six faces, so that a look-up clamped to the map is far from the brain.
        foreground: per target value from 1 on, int32 (n, 3) voxels of that target, n <= 4096; always on the CPU, where
            parameters are drawn.
        affine: (4, 4) float64, voxel of ``indices`` to RAS world millimetres.
        boundaries: what may move where shapes vary; see :meth:`otfsynth.data.bank.LabelBank.with_boundaries`.
        cache_key: name of the map's cache entry; ``None`` for maps that have none.
        second: of a map of probabilities, uint8 (x, y, z), the second most probable index of each voxel.
        share: of a map of probabilities, uint8 (x, y, z), 255 times the share of ``indices`` beside ``second``.
        image: of a real pair, uint16 (x, y, z), 128 times the scan's intensity on the 0-255 scale; 0 on the six faces.
        contrast: of the scan.
        masked: what the scan shows as exactly 0 was masked out.
    """

    name: str
    subject: str
    indices: Tensor
    brain_distance: Tensor
    foreground: tuple[Tensor, ...]
    affine: np.ndarray
    boundaries: BoundaryMaps | None = None
    cache_key: str | None = None
    second: Tensor | None = None
    share: Tensor | None = None
    image: Tensor | None = None
    contrast: str = ""
    masked: bool = False

    @property
    def memory_bytes(self) -> int:
        """Bytes of the volumes."""
        volumes = sum(volume.nbytes for volume in self.volumes().values())
        return volumes if self.boundaries is None else volumes + 2 * self.indices.numel()

    def volumes(self) -> dict[str, Tensor]:
        """The volumes that this map has, by the names of their fields."""
        fields = {name: getattr(self, name) for name in ("indices", "brain_distance", "second", "share", "image")}
        return {name: volume for name, volume in fields.items() if volume is not None}

    def to(self, device: torch.device) -> LabelVolume:
        """The same map with its volumes on ``device``."""
        moved: dict[str, Any] = {name: volume.to(device, non_blocking=True) for name, volume in self.volumes().items()}
        boundaries = None if self.boundaries is None else self.boundaries.to(device)
        return replace(self, boundaries=boundaries, **moved)

    def pinned(self) -> LabelVolume:
        """The same map in memory from which a GPU can copy by itself."""
        pinned: dict[str, Any] = {name: tensor.pin_memory() for name, tensor in self.volumes().items()}
        boundaries = None if self.boundaries is None else self.boundaries.pin_memory()
        return replace(self, boundaries=boundaries, **pinned)


def label_volume(name: str, subject: str, prepared: PreparedMap) -> LabelVolume:
    """A prepared map as the bank holds it."""
    return LabelVolume(
        name=name,
        subject=subject,
        indices=torch.from_numpy(np.ascontiguousarray(prepared.indices)),
        brain_distance=torch.from_numpy(np.ascontiguousarray(prepared.brain_distance)),
        foreground=tuple(torch.from_numpy(np.ascontiguousarray(voxels)) for voxels in prepared.foreground),
        affine=prepared.affine,
        second=_tensor(prepared.second),
        share=_tensor(prepared.share),
        image=_tensor(prepared.image),
        contrast=prepared.contrast,
        masked=prepared.masked,
    )


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array))
