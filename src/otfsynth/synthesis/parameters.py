"""The record of one synthetic sample: everything about it that is not drawn per voxel or per control point.

Rendering a record is deterministic, so a record saved as JSON replaces the image on disk: it renders the same bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from otfsynth.synthesis.artefacts import (
    FieldOfViewParameters,
    GhostingParameters,
    MotionParameters,
    RingingParameters,
    SignalLossParameters,
    SpikesParameters,
)
from otfsynth.synthesis.defacing import DefacingParameters
from otfsynth.synthesis.lesion_parameters import LesionLabelParameters, LesionParameters, MassEffectParameters
from otfsynth.synthesis.real import RealImageParameters
from otfsynth.synthesis.shape import ShapeParameters
from otfsynth.synthesis.shell import ShellParameters
from otfsynth.synthesis.shell_neck import ShellNeckParameters
from otfsynth.synthesis.tissue import (
    HeterogeneityParameters,
    PartialVolumeParameters,
    SubclassParameters,
    TextureParameters,
)
from otfsynth.types import SampleKey, Vector


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
    """Where they were drawn: ``random``, ``prior`` or ``physics``; ``real`` where a scan gives the intensities."""


@dataclass(frozen=True)
class SequenceParameters:
    """The MR sequence whose signal equation gave the class means; ``None`` stands for what it does not have."""

    protocol: str
    """Name of the row of the protocol table."""
    contrast: str
    kind: str
    """A key of :data:`otfsynth.synthesis.physics.signals.SEQUENCES`."""
    field_strength_t: float
    repetition_time_ms: float
    echo_time_ms: float
    """Effective echo time: the one whose T2 decay gives the contrast."""
    inversion_time_ms: float | None
    flip_angle_deg: float | None
    pulse_count: int | None
    """Readout pulses after each inversion; the middle one is the centre of k-space."""
    pulse_spacing_ms: float | None
    echo_train_ms: float | None
    intensity_scale: float
    """Class means are this number times the signal."""


@dataclass(frozen=True)
class SkullStripParameters:
    """Edge of the simulated brain mask; ``None`` of it leaves the whole head."""

    edge_offset_mm: float
    edge_roughness_mm: float
    edge_spacing_voxels: int
    """A multiple of 8."""
    fluid: int | None = None
    """Index of the label that everything around the brain becomes, background included; ``None``: what it is."""


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
    coils: int = 1
    """Receivers whose noisy signals are combined as the root of their sum of squares."""


@dataclass(frozen=True)
class NoiseFieldParameters:
    """Smooth variation of the noise over the acquired grid."""

    std: float
    """Of the logarithm of the noise's strength."""
    spacing_voxels: int
    """Acquired voxels, a multiple of 8."""


@dataclass(frozen=True)
class StorageParameters:
    """Whole numbers that the scanner stores: 0 to ``levels`` for magnitudes from 0 to ``highest``."""

    highest: float
    levels: int


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
    """``zero``, ``dark``, ``textured`` or, of a scan, ``real``; the intensities are those of class 0 in ``mixture``."""
    skull_strip: SkullStripParameters | None
    bias_field: BiasFieldParameters | None
    clip_max: float
    gamma: float | None
    """Exponent; ``None`` leaves the clipped intensities on their own scale."""
    acquisition: AcquisitionParameters
    normalization: str
    sequence: SequenceParameters | None = None
    """Where the class means are those of an MR sequence."""
    partial_volume: PartialVolumeParameters | None = None
    subclasses: SubclassParameters | None = None
    texture: TextureParameters | None = None
    heterogeneity: HeterogeneityParameters | None = None
    lesions: LesionParameters | None = None
    shell: ShellParameters | None = None
    field_of_view: FieldOfViewParameters | None = None
    signal_loss: SignalLossParameters | None = None
    ringing: RingingParameters | None = None
    motion: MotionParameters | None = None
    ghosting: GhostingParameters | None = None
    spikes: SpikesParameters | None = None
    noise_field: NoiseFieldParameters | None = None
    storage: StorageParameters | None = None
    shape: ShapeParameters | None = None
    defacing: DefacingParameters | None = None
    oedema: LesionParameters | None = None
    necrosis: LesionParameters | None = None
    mass_effect: MassEffectParameters | None = None
    lesion_labels: LesionLabelParameters | None = None
    shell_neck: ShellNeckParameters | None = None
    """Below ``shell``, and only with it."""
    real: RealImageParameters | None = None
    """Intensities of a scan in the place of ``mixture``."""
    map_shape: tuple[int, int, int] | None = None
    """Voxels of the label map; ``None`` in records of before it was told."""
    missing: bool = False
    """This channel is exactly 0; its targets stay."""
    channels: tuple[SynthesisParameters, ...] | None = None
    """Channels after the first, each with the map, size and spacing of this record; the targets are of this record."""

    @property
    def all_channels(self) -> tuple[SynthesisParameters, ...]:
        """Records of all channels, this one first."""
        return (self, *(self.channels or ()))

    @property
    def first_seen(self) -> int:
        """Number of the first channel that is not missing; 0 where all are."""
        return next((number for number, channel in enumerate(self.all_channels) if not channel.missing), 0)

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
            return _record(_with_tuples(json.loads(text)))
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a parameter record of otfsynth: {error}; write records with to_json()") from error


@functools.cache
def _records() -> dict[str, type[Any]]:
    """Fields that are records of a stage, by what they are annotated with."""
    found = {}
    for name, annotation in get_type_hints(SynthesisParameters).items():
        for kind in (annotation, *get_args(annotation)):
            if dataclasses.is_dataclass(kind) and isinstance(kind, type):
                found[name] = kind
    return found


def _record(values: dict[str, Any]) -> SynthesisParameters:
    record = dict(values)
    for name, kind in _records().items():
        if record.get(name) is not None:
            record[name] = kind(**record[name])
    if record.get("channels") is not None:
        record["channels"] = tuple(_record(channel) for channel in record["channels"])
    return SynthesisParameters(**record)


def _with_tuples(value: Any) -> Any:
    """JSON knows no tuples: its lists become some, at every depth."""
    if isinstance(value, dict):
        return {name: _with_tuples(entry) for name, entry in value.items()}
    return tuple(_with_tuples(entry) for entry in value) if isinstance(value, list) else value
