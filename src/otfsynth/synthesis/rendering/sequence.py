"""The order of the model: every stage of one sample, on whatever the launcher runs them."""

from __future__ import annotations

from torch import Tensor

from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.acquisition import acquire, finish
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.geometry import source_lattice
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.painting import paint
from otfsynth.synthesis.rendering.tables import LabelTables
from otfsynth.synthesis.sampling import LabelMapLike


def run_stages(
    launch: Launcher,
    parameters: SynthesisParameters,
    label_map: LabelMapLike,
    tables: LabelTables,
    image: Tensor,
    target: Tensor | None,
) -> None:
    """Fill ``image`` (float32) and ``target`` (uint8), both (x, y, z) contiguous, where the launcher's kernels run.

    Where ``target`` is ``None``, as for channels after the first, it is not kept.
    """
    buffers = Buffers.of(launch, parameters, image, target)
    source = source_lattice(launch, parameters)
    paint(launch, parameters, label_map, tables, source, buffers)
    acquired = acquire(launch, parameters, buffers)
    finish(launch, parameters, buffers, acquired)
