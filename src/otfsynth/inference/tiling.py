"""Overlapping tiles: probabilities of a large image, a few planes at a time, with memory to spare.

A window's Gaussian weight is a product over the axes. So MONAI blends the windows of one layer (those at one place
along x), and layers are blended along x by the remaining factor as they come: the result is that of one sliding window
over the whole image, and never more than a layer of it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Triple = tuple[int, int, int]

SIGMA_SHARE = 0.125
"""Standard deviation of a window's weight, as a share of the window: nnU-Net's (Isensee et al. 2021)."""
LEAST_WEIGHT = 1e-3
"""Along each axis, of the largest: no voxel's weights vanish."""
ENOUGH = 96
"""Voxels along an axis from which on a tile is not made larger than the training's patches."""
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "seems to be oom")


def layer_starts(size: int, tile: int, overlap: float) -> list[int]:
    """First voxels of the tiles along an axis; the last tile ends where the axis ends."""
    step = max(int(tile * (1 - overlap)), 1)
    starts = list(range(0, max(size - tile, 0), step))
    return [*starts, max(size - tile, 0)]


def axis_weight(tile: int) -> Tensor:
    """Weight of a window's voxels along one axis: (tile,), at most 1."""
    places = torch.arange(tile) - (tile - 1) / 2
    return torch.exp(-0.5 * (places / (SIGMA_SHARE * tile)) ** 2).clamp(min=LEAST_WEIGHT)


def stream_probabilities(
    data: Tensor,
    predict_patches: Callable[[Tensor], Tensor],
    tile: Triple,
    overlap: float,
    batch_size: int,
    device: torch.device,
) -> Iterator[Tensor]:
    """Blended predictions, from the first plane along x to the last.

    Args:
        data: (x, y, z) or (channels, x, y, z), in host memory.
        predict_patches: (b, channels, *tile) -> (b, labels, *tile), both on ``device``.
        tile: voxels of a window.
        overlap: share of a window that its neighbour covers too, in [0, 1).
        batch_size: windows a pass.
        device: where windows are predicted and layers blended.

    Yields:
        float32 (labels, planes, y, z) in host memory, planes adding up to x.
    """
    data = data if data.ndim == 4 else data[None]
    planes = data.shape[1]
    length = min(tile[0], planes)
    weight = axis_weight(tile[0]) if length == tile[0] else torch.ones(length)
    total, weights, begin = torch.empty(0), torch.empty(0), 0
    for start in layer_starts(planes, tile[0], overlap):
        layer = _layer(data[:, start : start + length], predict_patches, tile, overlap, batch_size, device)
        layer *= weight[:, None, None]
        if start:
            done = start - begin
            yield total[:, :done] / weights[:done, None, None]
            kept = length - done
            layer[:, :kept] += total[:, done:]
            weights = weight + torch.cat([weights[done:], torch.zeros(done)])
        else:
            weights = weight.clone()
        total, begin = layer, start
    yield total / weights[:, None, None]


def smaller_tile(tile: Triple, divisor: Triple) -> Triple | None:
    """The tile with its longest edge halved, still a multiple of the network's strides; ``None`` where it can't be.

    The network's coarsest feature map keeps two voxels along an axis, since one voxel can't be normalised.
    """
    for axis in sorted(range(3), key=lambda axis: -tile[axis]):
        half = tile[axis] // 2 // divisor[axis] * divisor[axis]
        if half >= 2 * divisor[axis]:
            edges = list(tile)
            edges[axis] = half
            return edges[0], edges[1], edges[2]
    return None


def prediction_tile(patch: Sequence[int], divisor: Triple) -> Triple:
    """The tile for a network trained on patches of a size: half as large again, up to :data:`ENOUGH` voxels.

    Patches are small where memory or time of the training was short; what lies around helps to tell CSF from background
    (docs/predict.md).

    Args:
        patch: (x, y, z) voxels.
        divisor: what the tile's edges must be multiples of.
    """
    x, y, z = (
        -(-max(edge, min(ENOUGH, edge * 3 // 2)) // step) * step for edge, step in zip(patch, divisor, strict=True)
    )
    return x, y, z


def limited_tile(tile: Sequence[int], divisor: Triple, longest: int | None) -> Triple:
    """The tile with no edge longer than ``longest``, as far as the network's strides allow."""
    edges = [
        min(edge, max(longest // step, 2) * step) if longest is not None else edge
        for edge, step in zip(tile, divisor, strict=True)
    ]
    return edges[0], edges[1], edges[2]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or in the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)


def _layer(
    data: Tensor,
    predict_patches: Callable[[Tensor], Tensor],
    tile: Triple,
    overlap: float,
    batch_size: int,
    device: torch.device,
) -> Tensor:
    """The windows at one place along x, blended along y and z: (labels, planes, y, z) in host memory."""
    from monai.inferers import sliding_window_inference  # late: importing MONAI takes seconds

    blended = sliding_window_inference(
        data[None].to(device),
        tile,
        batch_size,
        predict_patches,
        overlap=overlap,
        roi_weight_map=(axis_weight(tile[1])[:, None] * axis_weight(tile[2])).expand(tile).to(device),
    )
    assert isinstance(blended, Tensor)  # MONAI returns a tensor where the predictor returns one
    return blended[0].float().cpu()
