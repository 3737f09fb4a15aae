"""Streamed tiles are one sliding window over the whole image; lack of memory makes them smaller."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers import sliding_window_inference
from monai.inferers.utils import _get_scan_interval
from torch import Tensor, nn

from otfsynth.inference import SlidingWindowPredictor, prepare_image
from otfsynth.inference.tiling import (
    axis_weight,
    is_out_of_memory,
    layer_starts,
    limited_tile,
    prediction_tile,
    smaller_tile,
    stream_probabilities,
)


def places(patches: Tensor) -> Tensor:
    """Something that depends on the place inside the window, so that the weights of windows show."""
    ramp = torch.linspace(-1, 1, patches.shape[2]).view(1, 1, -1, 1, 1) + torch.linspace(0, 1, patches.shape[4])
    return torch.cat([patches + ramp, patches * ramp], 1)


@pytest.mark.parametrize("size", [10, 16, 17, 24, 40, 41])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_layers_lie_where_monai_puts_its_windows(size: int, overlap: float) -> None:
    interval = _get_scan_interval((max(size, 16),), (16,), 1, (overlap,))
    expected = sorted({window[0].start for window in dense_patch_slices((max(size, 16),), (16,), interval)})
    assert layer_starts(size, 16, overlap) == expected


@pytest.mark.parametrize("shape", [(40, 30, 22), (17, 16, 35), (9, 20, 12), (16, 16, 16)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_the_stream_is_monais_sliding_window_over_the_whole_image(shape: tuple[int, int, int], overlap: float) -> None:
    data = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    tile = (16, 16, 16)
    parts = list(stream_probabilities(data, places, tile, overlap, 2, torch.device("cpu")))
    weight = axis_weight(16)
    assert weight[8] == pytest.approx(math.exp(-0.5 * (0.5 / 2) ** 2))  # half a voxel from the middle, sigma 2
    cube = weight[:, None, None] * weight[:, None] * weight
    whole = sliding_window_inference(data[None, None], tile, 2, places, overlap, roi_weight_map=cube)
    torch.testing.assert_close(torch.cat(parts, 1), whole[0], atol=1e-5, rtol=1e-4)
    assert len(parts) == len(layer_starts(shape[0], 16, overlap))


def test_tiles_get_smaller_as_the_strides_allow() -> None:
    assert smaller_tile((128, 160, 112), (16, 16, 16)) == (128, 80, 112)
    sizes = []
    tile = (96, 96, 96)
    while tile is not None:
        sizes.append(tile)
        tile = smaller_tile(tile, (16, 16, 16))
    assert sizes[-1] == (48, 48, 48)
    assert all(edge % 16 == 0 and edge >= 32 for size in sizes for edge in size)


def test_the_longest_edge_is_limited_as_the_strides_allow() -> None:
    assert limited_tile((128, 160, 64), (16, 16, 32), 100) == (96, 96, 64)
    assert limited_tile((128, 160, 64), (16, 16, 32), None) == (128, 160, 64)
    assert limited_tile((128, 160, 64), (16, 16, 16), 4) == (32, 32, 32)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 68 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


class Hungry(nn.Module):
    """Runs out of memory above so many voxels a pass; label 1 above 0."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most = most
        self.error = error
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Tensor:
        """(b, 1, x, y, z) -> (b, 2, x, y, z)."""
        self.shapes.append(tuple(image.shape))
        if image.numel() > self.most:
            raise self.error
        return torch.cat([-20 * image, 20 * image], 1)


def image() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(40, 30, 20)).astype(np.float32)


def test_out_of_memory_falls_back_to_fewer_and_smaller_tiles(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    network = Hungry(16 * 32 * 16, torch.OutOfMemoryError("CUDA out of memory"))
    predictor = SlidingWindowPredictor(network, (32, 32, 32), 1.0, batch_size=2, divisor=(8, 8, 8))
    prediction = predictor.predict(image(), np.eye(4))
    assert prediction.labels.tolist() == (prepare_image(image(), np.eye(4), 1.0).data > 0).astype(int).tolist()
    assert predictor.patch_size == (16, 16, 32)
    assert predictor.batch_size == 1
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "not enough memory; continuing with 1 tile(s) of 32 x 32 x 32 voxels at once",
        "not enough memory; continuing with 1 tile(s) of 16 x 32 x 32 voxels at once",
        "not enough memory; continuing with 1 tile(s) of 16 x 16 x 32 voxels at once",
    ]
    caplog.clear()
    predictor.predict(image(), np.eye(4))  # the next scan starts with what has worked
    assert not caplog.records


def test_memory_that_does_not_suffice_for_the_smallest_tile_is_an_error() -> None:
    network = Hungry(10, RuntimeError("DefaultCPUAllocator: not enough memory"))
    with pytest.raises(RuntimeError, match="not enough memory"):
        SlidingWindowPredictor(network, (16, 16, 16), 1.0, divisor=(8, 8, 8)).predict(image(), np.eye(4))
    broken = Hungry(10, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        SlidingWindowPredictor(broken, (16, 16, 16), 1.0, divisor=(4, 4, 4)).predict(image(), np.eye(4))
    assert len(broken.shapes) == 1


def test_small_patches_get_larger_tiles() -> None:
    assert prediction_tile((64, 64, 64), (16, 16, 16)) == (96, 96, 96)
    assert prediction_tile((80, 40, 20), (16, 16, 16)) == (96, 64, 32)
    assert prediction_tile((128, 160, 112), (16, 32, 16)) == (128, 160, 112)
    assert prediction_tile((100, 90, 30), (4, 10, 10)) == (100, 100, 50)
