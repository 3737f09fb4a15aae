"""The batched path of the GPU, on the emulated device, makes what the CPU makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from otfsynth.data.bank import LabelBank
from otfsynth.kernels.device import Launch
from otfsynth.kernels.structs import STRUCTS
from otfsynth.synthesis.parameters import SynthesisParameters
from otfsynth.synthesis.rendering.device import DeviceRenderer
from tests.device import samples
from tests.device.emulated import EmulatedDevice
from tests.synthesis import heads


@pytest.fixture(scope="module")
def bank() -> LabelBank:
    return samples.bank()


@pytest.fixture(scope="module")
def records(bank: LabelBank) -> list[SynthesisParameters]:
    return samples.mixed_records(bank)


@pytest.fixture(scope="module")
def rendered(
    bank: LabelBank, records: list[SynthesisParameters], emulator: Path
) -> tuple[torch.Tensor, torch.Tensor, EmulatedDevice]:
    device = EmulatedDevice(emulator)
    return *samples.on_device(bank, records, device), device


def test_the_batch_has_every_stage(records: list[SynthesisParameters]) -> None:
    optional = ["partial_volume", "subclasses", "texture", "heterogeneity", "skull_strip", "field_of_view"]
    optional += ["signal_loss", "ringing", "motion", "ghosting", "spikes", "noise_field", "storage", "bias_field"]
    for name in [*optional, "gamma", "lesions", "shell", "shell_neck", "shape"]:
        assert any(getattr(record, name) is not None for record in records), name
        assert any(getattr(record, name) is None for record in records), name


def test_a_mixed_batch_equals_the_cpu(
    bank: LabelBank,
    records: list[SynthesisParameters],
    rendered: tuple[torch.Tensor, torch.Tensor, EmulatedDevice],
) -> None:
    image, target, _ = rendered
    prepared = heads.with_boundaries(bank, next(record for record in records if record.shape))
    expected = heads.synthesizer(prepared, samples.SIZE, threads=1).render(records)
    assert torch.equal(target, expected.target)
    assert torch.isfinite(image).all()
    for number in range(len(records)):
        found, wanted = image[number].numpy(), expected.image[number].numpy()
        # Storage rounds to whole numbers: a rounding that falls to the other side is one level.
        off = np.abs(found - wanted) > 1e-5 * np.abs(wanted).max()
        assert off.mean() < (1e-3 if records[number].storage else 1e-9), f"sample {number}: {off.mean():.2%}"


def test_threads_may_run_in_any_order(
    bank: LabelBank,
    records: list[SynthesisParameters],
    rendered: tuple[torch.Tensor, torch.Tensor, EmulatedDevice],
    emulator: Path,
) -> None:
    image, target = samples.on_device(bank, records, EmulatedDevice(emulator, falling=True))
    assert torch.equal(image, rendered[0])
    assert torch.equal(target, rendered[1])


def test_a_batch_equals_its_samples_one_by_one(
    bank: LabelBank,
    records: list[SynthesisParameters],
    rendered: tuple[torch.Tensor, torch.Tensor, EmulatedDevice],
    emulator: Path,
) -> None:
    device = EmulatedDevice(emulator)
    renderer = DeviceRenderer(bank.scheme, device)
    for number in reversed(range(len(records))):  # working memory is dirty from another sample
        image, target = samples.on_device(bank, records[number : number + 1], device, renderer)
        assert torch.equal(image[0], rendered[0][number])
        assert torch.equal(target[0], rendered[1][number])


def test_one_copy_a_batch_and_one_launch_a_stage(
    bank: LabelBank, records: list[SynthesisParameters], emulator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = EmulatedDevice(emulator)
    queued: list[tuple[str, Launch]] = []
    monkeypatch.setattr(device, "launch", lambda name, geometry, address: queued.append((name, geometry)))
    counts = {}
    for repeats in (1, 2, 4):
        queued.clear()
        device.stagings = 0
        samples.on_device(bank, records * repeats, device)
        counts[repeats] = len(queued)
        assert device.stagings == 1
        assert {geometry.grid[1] for name, geometry in queued if name == "Paint"} == {len(records) * repeats}
    assert counts[1] == counts[2] == counts[4]
    # 6 + 5 for the flow, 4 folds, 3 samplings across rows, and one each of the rest
    assert counts[1] == 6 + 5 + 4 + 3 + 10


def test_a_full_buffer_grows(
    bank: LabelBank,
    records: list[SynthesisParameters],
    rendered: tuple[torch.Tensor, torch.Tensor, EmulatedDevice],
    emulator: Path,
) -> None:
    device = EmulatedDevice(emulator)
    renderer = DeviceRenderer(bank.scheme, device, packed_bytes=1024)
    image, _ = samples.on_device(bank, records[:2], device, renderer)
    assert device.stagings > 1
    assert torch.equal(image, rendered[0][:2])
    samples.on_device(bank, records[:1], device, renderer)
    grown = device.stagings
    samples.on_device(bank, records[:1], device, renderer)
    assert device.stagings == grown + 1


def test_the_emulator_sees_overruns(emulator: Path) -> None:
    values = np.zeros(3 * 4 * 5 * 40, np.float32)
    operator = np.zeros(1, STRUCTS["QuasiInterpolate"])
    operator["values"] = operator["coefficients"] = values.ctypes.data
    operator["shape"] = (4, 5, 40)
    device = EmulatedDevice(emulator)
    device.launch("QuasiInterpolate", Launch((20, 1), 64, 4 * 132), operator.ctypes.data)
    with pytest.raises(AssertionError, match="shared memory"):
        device.launch("QuasiInterpolate", Launch((20, 1), 64, 4 * 100), operator.ctypes.data)
    with pytest.raises(AssertionError, match="geometry"):
        device.launch("QuasiInterpolate", Launch((20, 1), 48, 4 * 132), operator.ctypes.data)
