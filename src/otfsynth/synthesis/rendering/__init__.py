"""Rendering one sample on the CPU: parameters become operator structs, launched in the order of the model.

Deterministic: the same parameters and label map give the same bytes, whatever the number of threads. A group of stages
is one file: a function of (launcher, parameters, buffers) that leaves its result in the buffers. A stage that is off
launches nothing, or leaves its struct of the launch at zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from otfsynth.labels import LabelScheme
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.acquisition import acquire, finish
from otfsynth.synthesis.rendering.buffers import Buffers
from otfsynth.synthesis.rendering.geometry import source_lattice
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.painting import paint
from otfsynth.synthesis.rendering.tables import LabelTables
from otfsynth.synthesis.sampling import LabelMapLike


@dataclass
class Renderer:
    """Renders samples of one scheme; keeps its working memory."""

    scheme: LabelScheme
    threads: int

    def __post_init__(self) -> None:
        self._tables = LabelTables(self.scheme)
        self._launch = Launcher(self.threads)

    def render(
        self, parameters: SynthesisParameters, label_map: LabelMapLike, image: NDArray[Any], target: NDArray[Any] | None
    ) -> None:
        """Fill ``image`` (float32) and ``target`` (uint8), both (x, y, z) contiguous, with one channel of a sample.

        Where ``target`` is ``None``, as for channels after the first, it is not kept.
        """
        launch = self._launch
        launch.threads = self.threads
        try:
            buffers = Buffers.of(launch, parameters, image, target)
            source = source_lattice(launch, parameters)
            paint(launch, parameters, label_map, self._tables, source, buffers)
            acquired = acquire(launch, parameters, buffers)
            finish(launch, parameters, buffers, acquired)
        finally:
            launch.workspace.release()
