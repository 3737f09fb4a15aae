"""What of a stripped or cropped sample can be seen: nothing else is computed (``cuda_kernels/visibility.h``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering import kspace
from otfsynth.synthesis.rendering.cut import masks_background
from otfsynth.synthesis.rendering.launching import Launcher
from otfsynth.synthesis.rendering.lesions import farthest_push_voxels
from otfsynth.synthesis.resampling import BandMatrix, acquired_positions
from otfsynth.synthesis.sampling import LabelMapLike

SEEN_CELL = 8
MAP_BLOCK = 4
MARGIN_VOXELS = 0.05
"""For rounding: bounds and coordinates are float32."""


@dataclass(frozen=True)
class Visibility:
    """Spans along z that can be seen of each column of 8 x 8 rows of the patch.

    Args:
        columns: address of int32 (x, y, 2); 0: everything can be seen.
        shape: columns along x and y.
        spacing_voxels: of the acquired grid.
        reach_voxels: of the point spread function of each axis.
        origin_voxels: of its first samples.
    """

    columns: int
    shape: tuple[int, int]
    spacing_voxels: tuple[float, float, float]
    reach_voxels: tuple[float, float, float]
    origin_voxels: tuple[float, float, float]

    def region(self, rows_y: int, sampled: tuple[bool, bool, bool], shown: bool = False) -> NDArray[np.void]:
        """What is needed of a grid.

        Args:
            rows_y: rows of a slice of the grid.
            sampled: axes that are those of the acquired grid already; the others are the patch's.
            shown: of the image itself, of which nothing more is made.
        """
        struct = np.zeros((), STRUCTS["Region"])
        if self.columns == 0:
            return struct
        struct["columns"], struct["columns_xy"], struct["rows_y"] = self.columns, self.shape, rows_y
        struct["step"] = 1.0
        if shown:
            return struct
        for axis in range(3):
            spacing = self.spacing_voxels[axis]
            # A voxel lies between samples at most one spacing away; they are averages over the point spread function.
            reach = spacing if spacing > 1.0 else 0.0
            if sampled[axis]:
                struct["origin"][axis], struct["step"][axis] = self.origin_voxels[axis], spacing
            else:
                reach += self.reach_voxels[axis]
            struct["reach"][axis] = reach
        return struct


def visible_columns(
    launch: Launcher,
    parameters: SynthesisParameters,
    label_map: LabelMapLike,
    labels: int,
    source: NDArray[np.void],
    cut: NDArray[np.void],
    bands: list[BandMatrix],
) -> Visibility:
    """Find what the mask of a sample leaves; everything where it cuts nothing that can be told beforehand.

    Args:
        launch: runs the kernels, or records them.
        parameters: the sample's record.
        label_map: the map that it names.
        labels: address of the labels that are looked up.
        source: lattice of source coordinates.
        cut: what decides about the mask.
        bands: point spread functions.
    """
    size, strip = parameters.size, parameters.skull_strip
    zero = masks_background(parameters)
    shape = (-(-size[0] // SEEN_CELL), -(-size[1] // SEEN_CELL))
    spacing = parameters.acquisition.spacing_voxels
    cuts = strip is not None or zero or parameters.field_of_view is not None
    spread = kspace.is_corrupted(parameters)  # a change in k-space is seen everywhere
    fine = cut["edge"]["coefficients"] != 0 and cut["edge"]["spacing"] % SEEN_CELL != 0
    columns = launch.workspace.take("columns", np.int32, (*shape, 2)) if cuts and not spread and not fine else 0
    reach = [_reach(band, length, s) for band, length, s in zip(bands, size, spacing, strict=True)]
    origins = [float(acquired_positions(length, s)[0]) for length, s in zip(size, spacing, strict=True)]
    visibility = Visibility(
        columns=columns,
        shape=shape,
        spacing_voxels=spacing,
        reach_voxels=(reach[0], reach[1], reach[2]),
        origin_voxels=(origins[0], origins[1], origins[2]),
    )
    if columns:
        distances = 0 if strip is None else label_map.brain_distance.data_ptr()
        of_the_map = {"distances": distances, "labels": labels if zero else 0}
        _find_columns(launch, parameters, label_map, columns, MARGIN_VOXELS, of_the_map, {"source": source, "cut": cut})
    return visibility


def inhabited_region(
    launch: Launcher, parameters: SynthesisParameters, label_map: LabelMapLike, labels: int, source: NDArray[np.void]
) -> NDArray[np.void]:
    """Where labels may be other than background, so that they must be looked up: everywhere where that can't be told.

    It is not asked where the mask tells as much, nor where background voxels have to know where they come from.
    """
    struct = np.zeros((), STRUCTS["Region"])
    placed: list[object] = [
        parameters.shell,
        parameters.defacing,
        parameters.signal_loss,
        parameters.real,
        parameters.subclasses,
    ]
    placed += [parameters.lesions, parameters.oedema, parameters.necrosis, label_map.second]
    masked = parameters.skull_strip is not None or masks_background(parameters)
    if masked or any(stage is not None for stage in placed):
        return struct
    size, volume = parameters.size, parameters.partial_volume
    shape = (-(-size[0] // SEEN_CELL), -(-size[1] // SEEN_CELL))
    columns = launch.workspace.take("inhabited", np.int32, (*shape, 2))
    margin = MARGIN_VOXELS
    if volume is not None:  # the corners of a cube around each voxel
        margin += volume.width_voxels * float(np.abs(parameters.deformation.matrix).sum(axis=1).max()) / 2
    _find_columns(launch, parameters, label_map, columns, margin, {"labels": labels}, {"source": source})
    struct["columns"], struct["columns_xy"], struct["rows_y"], struct["step"] = columns, shape, size[1], 1.0
    return struct


def _find_columns(
    launch: Launcher,
    parameters: SynthesisParameters,
    label_map: LabelMapLike,
    columns: int,
    margin_voxels: float,
    of_the_map: dict[str, Any],
    of_the_patch: dict[str, Any],
) -> None:
    """Fill the spans of every column; fields of MapBlocks and of SeeColumns say of what."""
    size = parameters.size
    map_shape = tuple(label_map.indices.shape)
    block_shape = tuple(-(-length // MAP_BLOCK) for length in map_shape)
    blocks = launch.workspace.take("blocks", np.uint8, block_shape)
    launch("MapBlocks", blocks=blocks, map_shape=map_shape, shape=block_shape, **of_the_map)
    launch(
        "SeeColumns",
        blocks=blocks,
        columns=columns,
        map_shape=map_shape,
        block_shape=block_shape,
        length=size[2],
        columns_xy=(-(-size[0] // SEEN_CELL), -(-size[1] // SEEN_CELL)),
        margin=margin_voxels + farthest_push_voxels(parameters.mass_effect),
        **of_the_patch,
    )


def _reach(band: BandMatrix, length: int, spacing: float) -> float:
    """Voxels between a sample and the farthest voxel that it is made of."""
    if band.is_identity:
        return 0.0
    before = acquired_positions(length, spacing) - band.starts
    return float(max(before.max(), band.taps - 1 - before.min()))
