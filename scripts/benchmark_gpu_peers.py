"""What the engine is timed against on a GPU: eager torch, cornucopia, a copy; and how time is taken."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from otfsynth.data.bank import LabelBank

COPY_BYTES = 1 << 29
"""Of the array whose copy measures the bandwidth: larger than any cache."""


def milliseconds(work: Callable[[], object], device: torch.device, repeats: int, warm_ups: int = 3) -> float:
    """Median time of a call, by events of the device where it is a GPU: what the device needs, host included."""
    for _ in range(warm_ups):
        work()
    if device.type != "cuda":
        return 1e3 * median(_wall_seconds(work) for _ in range(repeats))
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return median(times)


def _wall_seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def copy_gigabytes_a_second(device: torch.device, count: int = COPY_BYTES) -> float:
    """Bytes read and written by a copy within the device's memory."""
    source = torch.zeros(count, dtype=torch.uint8, device=device)
    destination = torch.empty_like(source)
    return 2 * count / milliseconds(lambda: destination.copy_(source), device, 10) / 1e6


def eager_sample(bank: LabelBank, edge: int, batch: int, device: torch.device) -> Callable[[], tuple[Tensor, Tensor]]:
    """lab2im's model in plain torch, batched, without a loop over labels or samples.

    One gather through an affine and a coarse displacement, table look-ups, bias, gamma, a separable blur.
    """
    maps = torch.stack([_fitted(bank[i % len(bank)].indices, edge) for i in range(batch)]).to(device)[:, None].float()
    targets = torch.from_numpy(np.asarray(bank.scheme.target_table)).to(device)
    labels = len(targets)
    size = (edge, edge, edge)
    blur = torch.exp(-0.5 * (torch.arange(-2, 3, device=device) / 0.5) ** 2)
    blur = blur / blur.sum()

    def smooth_field(channels: int, nodes: int, std: float) -> Tensor:
        coarse = std * torch.randn((batch, channels, nodes, nodes, nodes), device=device)
        return functional.interpolate(coarse, size, mode="trilinear", align_corners=True)

    def sample() -> tuple[Tensor, Tensor]:
        theta = torch.eye(3, 4, device=device) + 0.1 * torch.randn((batch, 3, 4), device=device)
        grid = functional.affine_grid(theta, [batch, 1, *size], align_corners=False)
        grid = grid + smooth_field(3, max(4, edge // 16), 0.05).permute(0, 2, 3, 4, 1)
        indices = functional.grid_sample(maps, grid, mode="nearest", align_corners=False).long()
        means = 25 + 200 * torch.rand((batch, labels), device=device)
        stds = 5 + 20 * torch.rand((batch, labels), device=device)
        flat = indices.reshape(batch, -1)
        image = means.gather(1, flat) + stds.gather(1, flat) * torch.randn(flat.shape, device=device)
        image = image.reshape(indices.shape) * torch.exp(smooth_field(1, 4, 0.3))
        lowest, highest = torch.aminmax(image.clamp_(0, 300))
        image = ((image - lowest) / (highest - lowest)) ** torch.exp(
            0.4 * torch.randn((batch, 1, 1, 1, 1), device=device)
        )
        for axis in range(3):
            shape = [1, 1, 1, 1, 1]
            shape[2 + axis] = 5
            padding = [2 if axis == a else 0 for a in range(3)]
            image = functional.conv3d(image, blur.reshape(shape), padding=padding)
        return image, targets[indices]

    return sample


def cornucopia_sample(bank: LabelBank, edge: int, device: torch.device) -> Callable[[], object] | None:
    """Its ``SynthFromLabelTransform`` with its defaults; None where it is not installed."""
    if importlib.util.find_spec("cornucopia") is None:
        return None
    import cornucopia

    transform = cornucopia.SynthFromLabelTransform()
    labels = _fitted(bank[0].indices, edge).to(device)[None].long()
    return lambda: transform(labels)


def _fitted(indices: Tensor, edge: int) -> Tensor:
    """The middle of a map, cut or filled with background to ``edge`` voxels a side."""
    for axis, length in enumerate(indices.shape):
        cut = max(length - edge, 0)
        indices = indices.narrow(axis, cut // 2, length - cut)
    missing = [edge - length for length in indices.shape]
    padding = [part for gap in reversed(missing) for part in (gap // 2, gap - gap // 2)]
    return functional.pad(indices.cpu(), padding)
