"""What maps may hold beside labels, on the emulated device: the second label of each voxel, and a scan."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from otfsynth.data.bank import LabelBank, LabelVolume
from otfsynth.synthesis.real import with_real_image
from otfsynth.synthesis.rendering import Renderer
from tests.device import samples
from tests.device.emulated import EmulatedDevice


def soft(volume: LabelVolume) -> LabelVolume:
    shares = torch.randint(128, 256, volume.indices.shape, dtype=torch.uint8)
    return dataclasses.replace(volume, second=volume.indices.roll(1, 2), share=shares)


def scanned(volume: LabelVolume) -> LabelVolume:
    image = (30_000 * torch.rand(volume.indices.shape)).to(torch.uint16)
    return dataclasses.replace(volume, image=image, masked=True, contrast="T1w")


@pytest.mark.parametrize("kind", [soft, scanned])
def test_inputs_agree_with_the_cpu(kind, emulator: Path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    plain = samples.bank()
    bank = LabelBank(plain.scheme, 1.0, [kind(volume) for volume in plain])
    records = [record for record in samples.mixed_records(plain) if record.shape is None and record.storage is None]
    if kind is scanned:
        records = [with_real_image(record, bank[record.map_index]) for record in records]
    image, target = samples.on_device(bank, records, EmulatedDevice(emulator))
    backwards = samples.on_device(bank, records, EmulatedDevice(emulator, falling=True))
    assert torch.equal(image, backwards[0])
    expected = samples.empty_batch(len(records))
    renderer = Renderer(bank.scheme, 1)
    for channel in samples.channels(bank, records, *expected):
        renderer.render(channel)
    assert torch.equal(target, expected[1])
    scale = expected[0].abs().amax((1, 2, 3, 4), keepdim=True)
    assert float(((image - expected[0]).abs() / scale).max()) < 1e-5
