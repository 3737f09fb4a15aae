"""The synthesizer renders on a device where it can, and says why where it can't."""

from __future__ import annotations

import dataclasses
import logging
import pickle
from pathlib import Path

import pytest
import torch

from otfsynth import kernels
from otfsynth.config.channels import ChannelsConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.synthesis import synthesizer as module
from tests.device import samples
from tests.device.emulated import EmulatedDevice
from tests.synthesis import heads


@pytest.fixture
def emulated(emulator: Path, monkeypatch: pytest.MonkeyPatch) -> EmulatedDevice:
    device = EmulatedDevice(emulator)
    monkeypatch.setattr(module, "_can_render_on", lambda place: True)
    monkeypatch.setattr(kernels.cuda, "open_device", lambda place: device)
    return device


def test_batches_are_those_of_the_cpu(emulated: EmulatedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = samples.bank()
    found = heads.synthesizer(bank, samples.SIZE, SynthesisConfig())([3, 4])
    assert emulated.stagings == 1
    assert emulated.launch_counts["Paint"] == 1
    monkeypatch.setattr(module, "_can_render_on", lambda place: False)
    expected = heads.synthesizer(bank, samples.SIZE, SynthesisConfig())([3, 4])
    assert found.parameters == expected.parameters
    assert torch.equal(found.target, expected.target)
    torch.testing.assert_close(found.image, expected.image, atol=1e-4, rtol=1e-4)


def test_channels_of_all_samples_share_launches(emulated: EmulatedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = samples.bank()
    config = dataclasses.replace(SynthesisConfig(), channels=ChannelsConfig(count=3, missing_probability=0.4))
    found = heads.synthesizer(bank, samples.SIZE, config)([0, 1])
    rendered = [
        channel
        for record in found.parameters
        for number, channel in enumerate(record.all_channels)
        if number == 0 or not channel.missing
    ]
    assert emulated.launch_counts["Paint"] == 1
    assert {geometry.grid[1] for name, geometry in emulated.launches if name == "Paint"} == {len(rendered)}
    assert len(rendered) < 6
    monkeypatch.setattr(module, "_can_render_on", lambda place: False)
    expected = heads.synthesizer(bank, samples.SIZE, config)([0, 1])
    assert torch.equal(found.target, expected.target)
    torch.testing.assert_close(found.image, expected.image, atol=1e-4, rtol=1e-4)


def test_working_memory_stays_behind_in_pickles(emulated: EmulatedDevice) -> None:
    engine = heads.synthesizer(samples.bank(), samples.SIZE)
    expected = engine([1])
    copied = pickle.loads(pickle.dumps(engine))([1])
    assert torch.equal(copied.image, expected.image)
    assert emulated.stagings == 2


def test_without_cupy_the_cpu_renders_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(kernels.cuda.importlib.util, "find_spec", lambda name: None)
    module._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not module._can_render_on(torch.device("cuda"))
        assert not module._can_render_on(torch.device("cuda"))
    assert [record.message for record in caplog.records] == [
        "CuPy is missing, so samples are made on the CPU; pip install 'otfsynth[cuda12]'"
    ]
    assert not module._can_render_on(torch.device("cpu"))


def test_kernels_that_do_not_compile_leave_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(place: torch.device) -> None:
        raise kernels.cuda.CudaUnavailableError("CuPy can't compile the kernels (OSError: libnvrtc)")

    monkeypatch.setattr(module, "_can_render_on", lambda place: True)
    monkeypatch.setattr(kernels.cuda, "open_device", broken)
    module._warn_once.cache_clear()
    bank = samples.bank()
    engine = heads.synthesizer(bank, samples.SIZE)
    image = engine([0]).image
    assert torch.isfinite(image).all()
    assert [record.message for record in caplog.records] == ["CuPy can't compile the kernels (OSError: libnvrtc)"]
    engine([1])
    assert len(caplog.records) == 1
