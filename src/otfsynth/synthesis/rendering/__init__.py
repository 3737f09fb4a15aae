"""Rendering: parameters become operator structs, launched in the order of the model.

Deterministic: the same parameters and label map give the same bytes, whatever the number of threads. A group of stages
is one file: a function of (launcher, parameters, buffers) that leaves its result in the buffers. A stage that is off
launches nothing, or leaves its struct of the launch at zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from otfsynth.labels import LabelScheme
from otfsynth.synthesis.rendering.launching import HostLauncher
from otfsynth.synthesis.rendering.sequence import ChannelToRender, run_stages
from otfsynth.synthesis.rendering.tables import LabelTables


@dataclass
class Renderer:
    """Renders samples of one scheme on the CPU, one by one; keeps its working memory."""

    scheme: LabelScheme
    threads: int

    def __post_init__(self) -> None:
        self._tables = LabelTables(self.scheme)
        self._launch = HostLauncher(self.threads)

    def render(self, channel: ChannelToRender) -> None:
        """Fill its image and target."""
        self._launch.threads = self.threads
        try:
            run_stages(self._launch, channel, self._tables)
        finally:
            self._launch.workspace.release()
