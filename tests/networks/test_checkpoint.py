"""Checkpoint files: whole or absent, and nothing in them runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from otfsynth.config.network import NetworkConfig
from otfsynth.networks import (
    Checkpoint,
    CheckpointError,
    build_network,
    load_checkpoint,
    plan_network,
    save_checkpoint,
)
from tests.learning.fakes import toy_scheme


def checkpoint() -> Checkpoint:
    plan = plan_network(NetworkConfig(base_features=4, max_features=8, max_stages=2), 4, (16, 16, 16))
    return Checkpoint(build_network(plan, 0).state_dict(), plan.to_dict(), toy_scheme().to_dict(), {"seed": 1}, step=7)


def test_round_trip(tmp_path: Path) -> None:
    saved = checkpoint()
    save_checkpoint(saved, tmp_path / "runs" / "a.ckpt")
    loaded = load_checkpoint(tmp_path / "runs" / "a.ckpt")
    assert (loaded.plan, loaded.scheme, loaded.config, loaded.step) == (saved.plan, toy_scheme(), {"seed": 1}, 7)
    image = torch.randn(1, 1, 16, 16, 16)
    expected = build_network(saved.plan, 0)(image)[0]
    assert torch.equal(loaded.build_network()(image), expected)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a.ckpt"]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(checkpoint(), path)
    before = path.read_bytes()

    def full_disk(contents: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_checkpoint(checkpoint(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


class Evil:
    ran = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("import tests.networks.test_checkpoint as t; t.Evil.ran = True",))


def test_foreign_files_are_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"format": "otfsynth-checkpoint", "network_weights": Evil()}, path)
    with pytest.raises(CheckpointError, match=r"evil\.ckpt' is damaged or holds Python objects"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not Evil.ran
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="was not written by otfsynth"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "torn.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"torn\.ckpt"):
        load_checkpoint(path)


def test_missing_newer_and_incomplete_files(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(path)
    torch.save({"format": "otfsynth-checkpoint", "format_version": 99}, path)
    with pytest.raises(CheckpointError, match="format 99, newer than 1; update otfsynth"):
        load_checkpoint(path)
    torch.save({"format": "otfsynth-checkpoint", "format_version": 1}, path)
    with pytest.raises(CheckpointError, match="lacks parts"):
        load_checkpoint(path)
