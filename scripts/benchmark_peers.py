"""What the engine is timed against: MONAI's transforms composed for the same work, a memcpy and torch's ``randn``."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from otfsynth.data.bank import LabelBank

LABEL_BYTES, IMAGE_BYTES, TARGET_BYTES = 1, 4, 1
"""Bytes of a voxel that synthesis has to read (its label) and to write (its image and target)."""


def monai_sample(
    bank: LabelBank, edge: int, seed: int = 0, device: torch.device | str = "cpu"
) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that makes one image and target of ``edge`` voxels a side with MONAI 1.4 or newer.

    The work is that of lab2im: affine and smooth random deformation of the label map with nearest neighbours, a
    Gaussian for each label, bias field, gamma, blur, rescaling. Of MONAI's two deformations the faster one is taken
    (``RandSmoothDeform``; ``Rand3DElastic`` smooths noise of full resolution). Intensities and targets are table
    look-ups, one operation for all labels. Tracking of metadata is off.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.data.meta_obj import set_track_meta
        from monai.transforms import (
            Compose,
            GaussianSmooth,
            RandAdjustContrast,
            RandAffine,
            RandBiasField,
            RandSmoothDeform,
            ScaleIntensity,
        )
    set_track_meta(False)
    size = (edge, edge, edge)
    deform = Compose(
        [
            RandAffine(
                prob=1.0,
                rotate_range=[np.deg2rad(10.0)] * 3,
                shear_range=[0.02] * 6,
                scale_range=[0.15] * 3,
                spatial_size=size,
                mode="nearest",
                padding_mode="zeros",
                cache_grid=True,
                device=device,
            ),
            RandSmoothDeform(
                spatial_size=size,
                rand_size=[max(4, edge // 16)] * 3,
                prob=1.0,
                def_range=0.05,
                field_mode="trilinear",
                grid_mode="nearest",
                grid_padding_mode="zeros",
                device=device,
            ),
        ]
    )
    appear = Compose(
        [
            RandBiasField(prob=1.0, degree=3, coeff_range=(-0.3, 0.3)),
            RandAdjustContrast(prob=1.0, gamma=(0.7, 1.5)),
            GaussianSmooth(sigma=0.5),
            ScaleIntensity(),
        ]
    )
    deform.set_random_state(seed)
    appear.set_random_state(seed)
    maps = [bank[index].indices[None].to(device).float() for index in range(min(len(bank), 4))]
    targets = torch.from_numpy(np.asarray(bank.scheme.target_table)).long().to(device)
    labels = len(targets)
    generator = torch.Generator(device).manual_seed(seed)
    count = 0

    def sample() -> tuple[Tensor, Tensor]:
        nonlocal count
        count += 1
        indices = deform(maps[count % len(maps)]).long()
        means = 25 + 200 * torch.rand(labels, generator=generator, device=device)
        stds = 5 + 20 * torch.rand(labels, generator=generator, device=device)
        noise = torch.randn(indices.shape, generator=generator, device=device)
        image = noise.mul_(stds[indices]).add_(means[indices]).clamp_(0, 300)
        return appear(image), targets[indices].to(torch.uint8)

    return sample


def memcpy(edge: int) -> Callable[[], Tensor]:
    """A copy that moves as many bytes as one sample of ``edge`` voxels a side must, half of them read, half written."""
    moved = (LABEL_BYTES + IMAGE_BYTES + TARGET_BYTES) * edge**3
    source = torch.zeros(moved // 2, dtype=torch.uint8)
    destination = torch.empty_like(source)
    return lambda: destination.copy_(source)


def randn(edge: int) -> Callable[[], Tensor]:
    """PyTorch's normal random numbers, one for each voxel, into memory that is there already."""
    out = torch.empty((edge, edge, edge))
    return lambda: torch.randn(out.shape, out=out)
