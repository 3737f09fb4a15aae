"""A batch in which every sample has other stages, small enough for the emulated device."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from otfsynth.config.acquisition import CoilsConfig, NoiseFieldConfig, StorageConfig
from otfsynth.config.artefacts import (
    FieldOfViewConfig,
    GhostingConfig,
    MotionConfig,
    RingingConfig,
    SignalLossConfig,
    SpikesConfig,
)
from otfsynth.config.synthesis import NoiseConfig, ResolutionConfig, SkullStripConfig, SynthesisConfig
from otfsynth.config.tissue import HeterogeneityConfig, PartialVolumeConfig, SubclassesConfig, TextureConfig
from otfsynth.data.bank import LabelBank
from otfsynth.synthesis.lesions import LesionParameters
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.device import DeviceRenderer
from otfsynth.synthesis.rendering.sequence import ChannelToRender
from otfsynth.synthesis.shell import ShellParameters
from tests.device.emulated import EmulatedDevice
from tests.synthesis import heads
from tests.synthesis.neck_records import BENT

SIZE = (11, 13, 36)
"""Rows of more than a warp, and of no whole number of them."""

SHAPES = dataclasses.replace(heads.SHAPES, probability=SynthesisConfig().shape_variety.probability)
DEFAULT = dataclasses.replace(SynthesisConfig(), shape_variety=SHAPES)
EVERYTHING = dataclasses.replace(
    DEFAULT,
    partial_volume=PartialVolumeConfig(probability=1.0),
    subclasses=SubclassesConfig(probability=1.0),
    texture=TextureConfig(probability=1.0),
    heterogeneity=HeterogeneityConfig(probability=1.0),
    skull_strip=SkullStripConfig(probability=1.0),
    resolution=ResolutionConfig(0.0, 0.0, 1.0),
    noise=NoiseConfig(probability=1.0),
    field_of_view=FieldOfViewConfig(probability=1.0),
    signal_loss=SignalLossConfig(probability=1.0),
    ringing=RingingConfig(probability=1.0),
    motion=MotionConfig(probability=1.0),
    ghosting=GhostingConfig(probability=1.0),
    spikes=SpikesConfig(probability=1.0),
    coils=CoilsConfig(probability=1.0),
    noise_field=NoiseFieldConfig(probability=1.0),
    storage=StorageConfig(probability=1.0),
)


def bank() -> LabelBank:
    return heads.bank_of(heads.head_indices((30, 34, 44)), heads.head_indices((26, 30, 40)))


def mixed_records(bank: LabelBank) -> list[SynthesisParameters]:
    """Nothing on; everything on; lesions; a shell with a neck; ghosts alone; and three of the default model."""
    plain = heads.plain_record(bank, SIZE)
    centre = plain.deformation.centre_voxels
    beside = (centre[0] + 3.0, centre[1] - 2.0, centre[2] + 9.0)
    lesions = LesionParameters((centre, beside), (6.0, 4.0), 180.0, 4.0, 0.4, 2.0, tuple(range(1, 11)), 3)
    shell = ShellParameters((2.0, 5.0, 8.0), (60.0, 10.0, 200.0), (3.0, 2.0, 9.0), 0.3)
    models = {
        1: EVERYTHING,
        2: heads.plain_config(ghosting=GhostingConfig(probability=1.0)),
        4: DEFAULT,
        5: DEFAULT,
        6: DEFAULT,
    }
    neck = dataclasses.replace(BENT, anchor_voxels=(centre[0], centre[1], centre[2] - 5.0))
    lesioned = dataclasses.replace(plain, lesions=lesions)
    in_shell = dataclasses.replace(plain, shell=shell, shell_neck=neck)
    return [
        plain,
        lesioned,
        in_shell,
        *(heads.synthesizer(bank, SIZE, model).sample_parameters(i) for i, model in models.items()),
    ]


def empty_batch(count: int) -> tuple[Tensor, Tensor]:
    """Memory that no right renderer leaves as it is."""
    image = torch.full((count, 1, *SIZE), float("nan"))
    return image, torch.full((count, 1, *SIZE), 255, dtype=torch.uint8)


def on_device(
    bank: LabelBank,
    records: Sequence[SynthesisParameters],
    device: EmulatedDevice,
    renderer: DeviceRenderer | None = None,
) -> tuple[Tensor, Tensor]:
    """Image and target of the batched renderer."""
    image, target = empty_batch(len(records))
    renderer = renderer or DeviceRenderer(bank.scheme, device)
    renderer.render(channels(bank, records, image, target))
    return image, target


def channels(
    bank: LabelBank, records: Sequence[SynthesisParameters], image: Tensor, target: Tensor
) -> list[ChannelToRender]:
    """Single-channel samples with memory (b, 1, x, y, z) for them."""
    maps = [heads.with_boundaries(bank, record)[record.map_index] for record in records]
    return [
        ChannelToRender(record, label_map, image[i, 0], target[i, 0])
        for i, (record, label_map) in enumerate(zip(records, maps, strict=True))
    ]
