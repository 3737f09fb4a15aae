"""More GPUs than there are, machines that nobody starts: refused at once, with the remedy."""

from __future__ import annotations

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.trainer import TrainerConfig
from otfsynth.learning import devices
from otfsynth.learning.devices import check_devices


@pytest.mark.parametrize(
    ("gpus", "settings", "message"),
    [
        (0, {"accelerator": "gpu"}, "no CUDA GPU is seen here"),
        (2, {"accelerator": "cuda", "devices": 4}, r"trainer\.devices=4, but 2 GPUs can be seen here \(CUDA_.*=0,1\)"),
        (0, {"accelerator": "cpu", "strategy": "fsdp"}, r"fsdp divides a network among GPUs.*trainer\.strategy=ddp"),
        (0, {"accelerator": "auto", "strategy": "fsdp"}, "this run is on 'cpu'"),
        (0, {"accelerator": "mps", "devices": 2}, "a Mac's GPU trains alone"),
        (8, {"accelerator": "gpu", "devices": 8, "num_nodes": 2}, r"num_nodes=2, but this process was started alone"),
    ],
)
def test_what_the_machine_has_not_is_refused(
    gpus: int, settings: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ConfigurationError, match=message):
        check_devices(TrainerConfig(**settings))


def test_number_of_processes_is_that_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "processes_started_outside", lambda: 4)
    check_devices(TrainerConfig(accelerator="cpu", devices=2, num_nodes=2))
    with pytest.raises(
        ConfigurationError, match=r"4 processes have been started.*devices=2 x trainer\.num_nodes=1 is 2"
    ):
        check_devices(TrainerConfig(accelerator="cpu", devices=2))
