"""The record of one synthetic sample: everything about it that is not drawn per voxel or per control point.

Rendering a record is deterministic, so a record saved as JSON replaces the image on disk: it renders the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from otfsynth.types import SampleKey

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class DeformationParameters:
    """Map from the output patch to the label map, in voxels of the working grid.

    A patch voxel x comes from ``centre_voxels + matrix @ (phi(x) - (size - 1) / 2)``, phi being the velocity
    field's flow; a flip is a negative determinant of ``matrix``, and swaps sided labels.
    """

    flip: bool
    matrix: tuple[Vector, Vector, Vector]
    centre_voxels: Vector
    velocity_std_voxels: float
    velocity_spacing_voxels: float


@dataclass(frozen=True)
class MixtureParameters:
    """Mean and standard deviation of each generation class, in the order of the scheme's classes."""

    means: tuple[float, ...]
    stds: tuple[float, ...]
    source: str
    """Where they were drawn: ``random`` or ``prior``."""


@dataclass(frozen=True)
class SkullStripParameters:
    """Edge of the simulated brain mask; ``None`` of it leaves the whole head."""

    edge_offset_mm: float
    edge_roughness_mm: float
    edge_spacing_voxels: int
    """A multiple of 8."""


@dataclass(frozen=True)
class BiasFieldParameters:
    std: float
    spacing_voxels: int
    """A multiple of 8."""


@dataclass(frozen=True)
class AcquisitionParameters:
    """Sampling of the simulated scanner, in voxels of the working grid (1 is the working spacing)."""

    spacing_voxels: Vector
    psf_sigma_voxels: Vector
    noise_std: float


@dataclass(frozen=True)
class SynthesisParameters:
    """One sample: where it comes from, how it is bent, how it looks and how it was acquired."""

    key: SampleKey
    label_map: str
    map_index: int
    size: tuple[int, int, int]
    spacing_mm: float
    deformation: DeformationParameters
    mixture: MixtureParameters
    background: str
    """``zero``, ``dark`` or ``textured``; the intensities are those of class 0 in ``mixture``."""
    skull_strip: SkullStripParameters | None
    bias_field: BiasFieldParameters | None
    clip_max: float
    gamma: float | None
    """Exponent; ``None`` leaves the clipped intensities on their own scale."""
    acquisition: AcquisitionParameters
    normalization: str

    def to_json(self) -> str:
        """One line of JSON; floats keep every bit."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SynthesisParameters:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: the text is not such a record; the message names the field.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            return cls(
                key=SampleKey(**record.pop("key")),
                size=_triple(record.pop("size")),
                deformation=_deformation(record.pop("deformation")),
                mixture=_mixture(record.pop("mixture")),
                skull_strip=_optional(SkullStripParameters, record.pop("skull_strip")),
                bias_field=_optional(BiasFieldParameters, record.pop("bias_field")),
                acquisition=_acquisition(record.pop("acquisition")),
                **record,
            )
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a parameter record of otfsynth: {error}; write records with to_json()") from error


def _triple(values: list[Any]) -> Any:
    first, second, third = values
    return (first, second, third)


def _optional(kind: type[Any], fields: dict[str, Any] | None) -> Any:
    return None if fields is None else kind(**fields)


def _deformation(fields: dict[str, Any]) -> DeformationParameters:
    rows = _triple([_triple(row) for row in fields.pop("matrix")])
    return DeformationParameters(matrix=rows, centre_voxels=_triple(fields.pop("centre_voxels")), **fields)


def _mixture(fields: dict[str, Any]) -> MixtureParameters:
    return MixtureParameters(tuple(fields["means"]), tuple(fields["stds"]), fields["source"])


def _acquisition(fields: dict[str, Any]) -> AcquisitionParameters:
    return AcquisitionParameters(
        _triple(fields["spacing_voxels"]), _triple(fields["psf_sigma_voxels"]), fields["noise_std"]
    )
