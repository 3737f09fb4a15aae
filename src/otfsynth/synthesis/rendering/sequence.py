"""The order of the model: every stage of one sample, on whatever the launcher runs them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.acquisition import acquire, finish, sampling_matrices
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.cut import cut_struct
from otfsynth.synthesis.rendering.geometry import source_lattice
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.painting import paint
from otfsynth.synthesis.rendering.shape import changed_labels
from otfsynth.synthesis.rendering.tables import LabelTables
from otfsynth.synthesis.rendering.visibility import inhabited_region, visible_columns
from otfsynth.synthesis.sampling import LabelMapLike


@dataclass(frozen=True)
class ChannelToRender:
    """One channel of one sample, with memory where the launcher's kernels run.

    Args:
        parameters: its record.
        label_map: the map that the record names.
        image: float32 (x, y, z), contiguous; to be filled.
        target: uint8 (x, y, z), contiguous; ``None`` where it is not kept, as for channels after the first.
    """

    parameters: SynthesisParameters
    label_map: LabelMapLike
    image: Tensor
    target: Tensor | None


def run_stages(launch: Launcher, channel: ChannelToRender, tables: LabelTables) -> None:
    """Fill image and target."""
    parameters = channel.parameters
    buffers = Buffers.of(launch, parameters, channel.image, channel.target)
    source = source_lattice(launch, parameters)
    labels, cut = changed_labels(launch, parameters, channel.label_map, source), cut_struct(launch, parameters)
    bands = sampling_matrices(parameters)
    visibility = visible_columns(launch, parameters, channel.label_map, labels, source, cut, bands)
    inhabited = inhabited_region(launch, parameters, channel.label_map, labels, source)
    paint(launch, parameters, channel.label_map, labels, tables, source, cut, visibility, inhabited, buffers)
    acquired = acquire(launch, parameters, bands, visibility, buffers)
    finish(launch, parameters, visibility, buffers, acquired)
