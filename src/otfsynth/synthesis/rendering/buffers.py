"""The volumes of one sample on their way through the stages, as addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.cut import masks_background
from otfsynth.synthesis.rendering.launching import Launcher


@dataclass(frozen=True)
class Buffers:
    """Addresses of volumes of the patch's size.

    Args:
        size: voxels of the patch.
        image: float32, the sample itself.
        target: uint8.
        mask: uint8, 1 where the image is kept; 0 where everything is.
        row_statistics: one entry a row (x, y).
    """

    size: tuple[int, int, int]
    image: int
    target: int
    mask: int
    row_statistics: int

    @classmethod
    def of(cls, launch: Launcher, parameters: SynthesisParameters, image: Tensor, target: Tensor | None) -> Buffers:
        size, workspace = parameters.size, launch.workspace
        strip, view = parameters.skull_strip, parameters.field_of_view
        cuts = strip is not None or view is not None or masks_background(parameters)
        cuts = cuts or parameters.defacing is not None or (parameters.real is not None and parameters.real.masked)
        return cls(
            size=size,
            image=image.data_ptr(),
            target=workspace.take("unused_target", np.uint8, size) if target is None else target.data_ptr(),
            mask=workspace.take("mask", np.uint8, size) if cuts else 0,
            row_statistics=workspace.take("row_statistics", STRUCTS["Statistics"], size[:2]),
        )

    def fold_statistics(self, launch: Launcher) -> int:
        """Fold the rows' statistics to the volume's; their address."""
        slices, rows, _ = self.size
        folded = launch.workspace.take("slice_statistics", STRUCTS["Statistics"], (slices,))
        total = launch.workspace.take("statistics", STRUCTS["Statistics"], (1,))
        launch("FoldStatistics", entries=self.row_statistics, folded=folded, groups=slices, group=rows)
        launch("FoldStatistics", entries=folded, folded=total, groups=1, group=slices)
        return total
