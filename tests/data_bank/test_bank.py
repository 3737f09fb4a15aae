"""The bank: preparation of many files at once, its cache, its memory, its errors."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from otfsynth.config.data import DataConfig
from otfsynth.data import bank as bank_module
from otfsynth.data import sources as sources_module
from otfsynth.data.bank import LabelBank
from otfsynth.data.cache import PreparedMapCache, cache_key, default_cache_dir
from otfsynth.data.sources import LabelMapError
from otfsynth.labels import LabelScheme
from otfsynth.volumes import bounding_box


def build(tmp_path: Path, scheme: LabelScheme, **fields: object) -> LabelBank:
    settings = {"label_maps": str(tmp_path / "maps"), "cache_dir": str(tmp_path / "cache"), **fields}
    return LabelBank.from_config(DataConfig(**settings), scheme, show_progress=False)  # type: ignore[arg-type]


def test_bank_of_files(tmp_path: Path, scheme: LabelScheme, head: np.ndarray, save, caplog) -> None:  # type: ignore[no-untyped-def]
    save("sub-02_dseg.nii.gz")
    save("sub-01_dseg.mgz")
    with caplog.at_level(logging.INFO):
        bank = build(tmp_path, scheme)
    assert len(bank) == 2
    assert [volume.name for volume in bank] == ["sub-01_dseg.mgz", "sub-02_dseg.nii.gz"]
    assert bank.subjects == ["sub-01", "sub-02"]
    volume = bank[0]
    assert volume.indices.dtype == volume.brain_distance.dtype == torch.uint8
    assert volume.indices.is_contiguous()
    assert volume.indices.shape == volume.brain_distance.shape
    labels = np.array(scheme.generation_labels)[volume.indices.numpy()]
    np.testing.assert_array_equal(labels[bounding_box(labels != 0)], head[2:24, 1:30, 3:29])
    assert bank.memory_bytes == 2 * 2 * volume.indices.numel()
    assert "2 label map(s) of 2 subject(s) at 1 mm, scheme 'toy', 1 MB on cpu" in caplog.text


def test_arrays_and_files_agree(tmp_path: Path, scheme: LabelScheme, head: np.ndarray, save) -> None:  # type: ignore[no-untyped-def]
    save("a.nii.gz")
    from_file = build(tmp_path, scheme)[0]
    from_array = LabelBank.from_volumes(scheme, [head])[0]
    assert torch.equal(from_file.indices, from_array.indices)
    assert torch.equal(from_file.brain_distance, from_array.brain_distance)
    assert all(torch.equal(a, b) for a, b in zip(from_file.foreground, from_array.foreground, strict=True))
    assert (from_array.name, from_array.subject) == ("map-0", "map-0")


def test_working_spacing(tmp_path: Path, scheme: LabelScheme, save) -> None:  # type: ignore[no-untyped-def]
    save("a.nii.gz")
    bank = build(tmp_path, scheme, spacing_mm=2.0)
    assert bank.spacing_mm == 2.0
    assert max(bank[0].indices.shape) < 20 + 2 * 8
    np.testing.assert_allclose(np.linalg.norm(bank[0].affine[:3, :3], axis=0), 2.0)


def test_all_bad_files_in_one_message(tmp_path: Path, scheme: LabelScheme, head: np.ndarray, save) -> None:  # type: ignore[no-untyped-def]
    good = save("good.nii.gz").read_bytes()
    (tmp_path / "maps" / "cut.nii.gz").write_bytes(good[:300])
    save("empty.nii.gz", head * 0)
    save("four.nii.gz", np.stack([head, head], -1))
    save("foreign.nii.gz", np.where(head == 24, 77, head))
    save("image.nii.gz", (head * 0.37).astype(np.float32))
    with pytest.raises(LabelMapError) as caught:
        build(tmp_path, scheme)
    message = str(caught.value)
    assert message.startswith("5 of 6 label map(s) can't be used:")
    assert len(message.splitlines()) == 6
    for name, reason in (
        ("cut.nii.gz", "damaged or truncated"),
        ("empty.nii.gz", "every voxel is 0"),
        ("four.nii.gz", "4 dimensions"),
        ("foreign.nii.gz", f"label 77 ({(head == 24).sum()} voxels), which scheme 'toy' does not list"),
        ("image.nii.gz", "no whole numbers"),
    ):
        assert any(name in line and reason in line for line in message.splitlines()), name
    assert "good" not in message


def test_embedded_maps_need_their_scheme(tmp_path: Path, scheme: LabelScheme, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(bank_module, "_prepare_one", lambda *_: (_ for _ in ()).throw(OSError("x")))
    with pytest.raises(LabelMapError, match="use them with labels=freesurfer"):
        build(tmp_path, scheme, label_maps="embedded")


def test_second_start_reads_the_cache(tmp_path: Path, scheme: LabelScheme, save, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = save("a.nii.gz")
    first = build(tmp_path, scheme)[0]
    entries = list((tmp_path / "cache").iterdir())
    assert [entry.suffix for entry in entries] == [".npz"]

    def refuse(*_: object) -> None:
        raise AssertionError("prepared again")

    with monkeypatch.context() as patch:
        patch.setattr(sources_module, "prepare", refuse)
        second = build(tmp_path, scheme)[0]
        assert torch.equal(first.indices, second.indices)
        assert torch.equal(first.brain_distance, second.brain_distance)
        assert [voxels.tolist() for voxels in first.foreground] == [voxels.tolist() for voxels in second.foreground]
        np.testing.assert_array_equal(first.affine, second.affine)
        with pytest.raises(AssertionError, match="prepared again"):
            build(tmp_path, scheme, spacing_mm=1.5)
    content = bytearray(entries[0].read_bytes())
    content[len(content) // 3] ^= 255
    entries[0].write_bytes(content)
    assert torch.equal(build(tmp_path, scheme)[0].indices, first.indices)
    entries[0].write_bytes(b"")
    assert torch.equal(build(tmp_path, scheme)[0].indices, first.indices)
    save("a.nii.gz", np.where(np.asarray(first.indices.numpy()) > 0, 3, 0).astype(np.int32))
    assert path.is_file()
    assert not torch.equal(build(tmp_path, scheme)[0].indices, first.indices)


def test_cache_key_follows_what_the_map_becomes(scheme: LabelScheme) -> None:
    plain = scheme.to_dict()
    key = cache_key("file", scheme, 1.0)
    renamed = LabelScheme.from_dict({**plain, "name": "other"})
    lenient = LabelScheme.from_dict({**plain, "unlisted": "background"})
    retargeted = LabelScheme.from_dict({**plain, "target_labels": [0, 1, 1, 2, 2, 3, 3]})
    assert cache_key("file", renamed, 1.0) == key
    assert len({key, cache_key("new", scheme, 1.0), cache_key("file", scheme, 2.0)}) == 3
    assert key not in {cache_key("file", lenient, 1.0), cache_key("file", retargeted, 1.0)}


def test_a_folder_that_cannot_be_written_is_only_reported(tmp_path: Path, scheme: LabelScheme, save, caplog) -> None:  # type: ignore[no-untyped-def]
    save("a.nii.gz")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(build(tmp_path, scheme)) == 1
    assert "set data.cache_dir" in caplog.text


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTFSYNTH_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("OTFSYNTH_CACHE")
    assert default_cache_dir() == Path.home() / ".cache" / "otfsynth"
    assert PreparedMapCache(tmp_path / "none").get("key") is None


def test_subsets_share_memory(scheme: LabelScheme, head: np.ndarray) -> None:
    bank = LabelBank.from_volumes(scheme, [head, np.where(head == 2, 3, head), head], subjects=["a", "b", "a"])
    part = bank.subset([2, 0])
    assert part.subjects == ["a", "a"]
    assert part[1].indices.data_ptr() == bank[0].indices.data_ptr()
    assert part.memory_bytes == 2 * bank[0].memory_bytes
    assert bank[1:].subjects == ["b", "a"]
    assert bank[-1].indices.data_ptr() == bank[2].indices.data_ptr()
    with pytest.raises(IndexError):
        bank[3]


def test_a_large_bank_is_streamed(scheme: LabelScheme, head: np.ndarray) -> None:
    volumes = list(LabelBank.from_volumes(scheme, [head] * 6))
    bank = LabelBank(scheme, 1.0, volumes, device="meta", memory_limit_bytes=1000)
    assert bank.streamed
    assert bank.stored(3).indices.device.type == "cpu"
    assert bank[3].indices.device.type == "meta"
    assert bank[3].foreground[0].device.type == "cpu"
    assert bank[3] is bank[3]
    kept = bank[0]
    for index in range(1, 6):
        bank[index]
    assert bank[0] is not kept
    assert bank.subset([1]).streamed
    assert "host memory, streamed to meta" in bank.describe()
    assert not LabelBank(scheme, 1.0, volumes, "cpu", memory_limit_bytes=1000).streamed
