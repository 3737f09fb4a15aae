"""Published models: small, whole or refused, and the same network as the checkpoint they came from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch

from otfsynth.networks import Checkpoint, CheckpointError, build_network, load_checkpoint
from otfsynth.networks.model_folder import write_model_folder
from tests.learning.fakes import toy_scheme
from tests.networks.test_checkpoint import checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model_folder(checkpoint(), tmp_path / "toy", "toy", "1.2")
    return tmp_path / "toy"


def with_average() -> Checkpoint:
    """A checkpoint whose average differs from its weights."""
    one = checkpoint()
    return dataclasses.replace(one, ema_weights=build_network(one.plan, 5).state_dict())


def test_the_averaged_weights_come_back_rounded_to_half_precision(tmp_path: Path) -> None:
    saved = with_average()
    write_model_folder(saved, tmp_path, "toy", "1")
    loaded = load_checkpoint(tmp_path)
    assert saved.ema_weights is not None
    assert loaded.ema_weights is loaded.network_weights  # averages they stay, when the folder is exported again
    assert set(loaded.network_weights) == set(saved.ema_weights)
    for name, tensor in loaded.network_weights.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, saved.ema_weights[name].half().float())
    assert (loaded.plan, loaded.scheme, loaded.config) == (saved.plan, toy_scheme(), {"seed": 1})
    assert (loaded.step, loaded.name, loaded.version, loaded.normalization) == (7, "toy", "1", "zscore")
    image = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.build_network()(image), saved.build_network()(image), atol=5e-3, rtol=0)


def test_every_parameter_is_stored_once_in_two_bytes(folder: Path) -> None:
    description = json.loads((folder / "model.json").read_text())
    count = sum(parameter.numel() for parameter in build_network(checkpoint().plan, 0).parameters())
    assert description["weights"]["parameters"] == count
    payload = (folder / "model.safetensors").read_bytes()
    assert 2 * count < len(payload) < 2 * count + 10_000  # and a header
    assert description["weights"]["sha256"] == hashlib.sha256(payload).hexdigest()


def test_the_files_name_their_folder(folder: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        assert load_checkpoint(folder / name).name == "toy"


def edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damaged_weights_are_told_by_their_checksum(folder: Path) -> None:
    path = folder / "model.safetensors"
    payload = bytearray(path.read_bytes())
    path.write_bytes(payload[:-1])
    with pytest.raises(CheckpointError, match=r"model\.safetensors' is damaged or truncated: its SHA-256"):
        load_checkpoint(folder)
    payload[-1] ^= 1
    path.write_bytes(payload)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_checkpoint(folder)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CheckpointError, match="pointer of git-lfs"):
        load_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"no readable model\.safetensors"):
        load_checkpoint(folder)


def test_damaged_descriptions_are_named(folder: Path) -> None:
    path = folder / "model.json"
    whole = path.read_text()
    for text, message in (
        (whole[:50], "is damaged"),
        ("[]", "was not written by otfsynth"),
        (json.dumps(json.loads(whole) | {"format_version": 9}), "format 9, newer than 1; update otfsynth"),
    ):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(folder)
    description = json.loads(whole)
    del description["network_plan"]
    path.write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=r"lacks parts \(network_plan\)"):
        load_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.json"):
        load_checkpoint(folder)


def test_a_description_of_another_network_is_refused(folder: Path) -> None:
    plan = json.loads((folder / "model.json").read_text())["network_plan"]
    edit(folder, network_plan=plan | {"features_per_stage": [4, 9]})
    with pytest.raises(CheckpointError, match="does not describe the weights beside it"):
        load_checkpoint(folder)
    edit(folder, network_plan={"architecture": "PlainConvUNet"})
    with pytest.raises(CheckpointError, match="does not describe the weights beside it"):
        load_checkpoint(folder)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    for value in (1e5, float("nan")):
        bad = checkpoint()
        next(iter(bad.network_weights.values())).fill_(value)
        with pytest.raises(CheckpointError, match="not finite or leave float16"):
            write_model_folder(bad, tmp_path / "bad", "bad", "1")
    assert not (tmp_path / "bad").exists()
