"""What is measured on every segmented scan, to judge it without a reference."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from otfsynth.inference.postprocessing import largest_share
from otfsynth.inference.preparation import PreparedImage
from otfsynth.inference.symmetry import asymmetry, midsagittal_plane, side_volumes
from otfsynth.volumes import spacing_of, to_canonical

FACES = (("left", "right"), ("back", "front"), ("bottom", "top"))
"""What lies at the first and at the last voxel of each axis of a scan in RAS order."""


@dataclass(frozen=True)
class Measures:
    """Numbers of one case; volumes in mm^3, one entry per target above background where there are several.

    Args:
        voxel_volume_mm3: of the label map.
        volumes_mm3: voxels labelled.
        soft_volumes_mm3: sums of probabilities.
        entropy: mean over the labelled voxels, 0 certain to 1 guessing.
        asymmetry: (right - left) / (right + left), NaN for empty targets.
        largest_share: of the labelled voxels, in their largest island.
        border_mm2: area of brain on each side of the field of view, by its name; sides without any are left out.
        missing_voxels: voxels of the scan that were NaN or infinite.
        orientation_known: whether the file says how the head lies.
        skull: whether the scan went in with its skull on.
        stripping: how the brain was found, and why.
        rim_mm3: volume that is CSF because the mask holds it beside the brain, see :mod:`.fluid_rim`.
    """

    voxel_volume_mm3: float
    volumes_mm3: tuple[float, ...]
    soft_volumes_mm3: tuple[float, ...]
    entropy: float
    asymmetry: tuple[float, ...]
    largest_share: float
    border_mm2: dict[str, float] = field(default_factory=dict)
    missing_voxels: int = 0
    orientation_known: bool = True
    skull: bool = False
    stripping: str = ""
    rim_mm3: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data; NaN is written as ``None``."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Measures:
        """Read what :meth:`to_dict` wrote."""
        return cls(**{name: _read(value) for name, value in fields.items()})


def measure(
    labels: np.ndarray,
    affine: np.ndarray,
    expected_voxels: np.ndarray,
    entropy: float,
    prepared: PreparedImage,
    brain: np.ndarray,
    **known: Any,
) -> Measures:
    """Measure a segmentation.

    Args:
        labels: uint8 (x, y, z), as stored.
        affine: (4, 4) of ``labels``.
        expected_voxels: (labels,), see :class:`~otfsynth.inference.predictor.Prediction`.
        entropy: of the prediction.
        prepared: the scan as the network saw it.
        brain: bool (x, y, z) brain mask on the grid of the scan.
        known: further fields of :class:`Measures`.
    """
    count = len(expected_voxels)
    voxel_volume = float(abs(np.linalg.det(affine[:3, :3])))
    counts = _counts(labels, count)
    plane = midsagittal_plane(prepared.first_image, prepared.mask, prepared.affine)
    sides = side_volumes(labels, affine, plane, count)
    return Measures(
        voxel_volume_mm3=voxel_volume,
        volumes_mm3=tuple((counts[1:] * voxel_volume).tolist()),
        soft_volumes_mm3=tuple((expected_voxels[1:] * voxel_volume).tolist()),
        entropy=entropy,
        asymmetry=tuple(asymmetry(sides)[1:].tolist()),
        largest_share=largest_share(labels),
        border_mm2=border_areas(brain, prepared.original_affine),
        **known,
    )


def border_areas(brain: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Area of a mask on the six sides of its volume, in mm^2, by the side's name; sides without any are left out."""
    turned, turned_affine = to_canonical(brain, affine)
    spacing_mm = spacing_of(turned_affine)
    areas = {}
    for axis, names in enumerate(FACES):
        pixel = float(np.prod(np.delete(spacing_mm, axis)))
        for name, index in zip(names, (0, -1), strict=True):
            area = float(np.count_nonzero(np.take(turned, index, axis=axis)) * pixel)
            if area:
                areas[name] = area
    return areas


def _counts(labels: np.ndarray, count: int) -> np.ndarray:
    """As ``bincount``, which would copy a large volume into integers of eight bytes, section by section."""
    return np.sum([np.bincount(section.ravel(), minlength=count) for section in labels], axis=0)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(entry) for entry in value)
    return float("nan") if value is None else value
