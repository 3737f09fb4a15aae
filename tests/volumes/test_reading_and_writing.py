"""Files in and out: every way in which a file can be bad, and files that are never half written."""

from __future__ import annotations

import gzip
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.volumes import (
    VolumeError,
    is_volume_name,
    read_volume,
    remove_abandoned_parts,
    remove_file,
    volume_stem,
    write_bytes_atomically,
    write_volume,
    writing,
)

AFFINE = np.array([[-1.5, 0, 0, 10], [0, 0, 2.0, -20], [0, -1.0, 0, 30], [0, 0, 0, 1]])


def ramp(shape: tuple[int, ...] = (5, 6, 7), dtype: type = np.int16) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def patched(image: nib.Nifti1Image, offset: int, values: np.ndarray) -> bytes:
    """The file with other bytes in its header: 42 holds the shape, 280 and 312 rows of the sform."""
    content = bytearray(image.to_bytes())
    content[offset : offset + values.nbytes] = values.tobytes()
    return bytes(content)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgz", "a.mgh"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_written_volumes_read_back(tmp_path: Path, name: str, dtype: type) -> None:
    if name.endswith(("mgz", "mgh")) and dtype is np.int16:
        dtype = np.int32
    path = write_volume(tmp_path / "new" / name, ramp(dtype=dtype), AFFINE)
    volume = read_volume(path)
    assert volume.data.dtype == dtype
    np.testing.assert_array_equal(volume.data, ramp(dtype=dtype))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert volume.name == name
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_header_is_inherited(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(), AFFINE)
    image.header["descrip"] = b"scanner A"
    image.set_sform(AFFINE, 4)
    image.set_qform(AFFINE, 1)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "in.nii.gz")
    source = read_volume(tmp_path / "in.nii.gz")
    write_volume(tmp_path / "out.nii.gz", np.ones((5, 6, 7), bool), source.affine, source.header)
    written = nib.load(tmp_path / "out.nii.gz")
    assert written.get_data_dtype() == np.uint8
    assert bytes(written.header["descrip"]).rstrip(b"\0") == b"scanner A"
    assert (int(written.header["sform_code"]), int(written.header["qform_code"])) == (4, 1)
    assert written.header.get_xyzt_units() == ("mm", "sec")


@pytest.mark.parametrize("codes", [(4, 1), (1, 0), (0, 1), (0, 0)])
def test_both_forms_of_a_scan_are_kept_on_its_grid_and_set_on_another(tmp_path: Path, codes: tuple[int, int]) -> None:
    image = nib.Nifti1Image(ramp(), AFFINE)
    scanner = AFFINE.copy()
    scanner[:3, 3] += [5, -3, 2]  # the qform as scanned; the sform as aligned later
    image.set_sform(AFFINE, codes[0])
    image.set_qform(scanner, codes[1])
    nib.save(image, tmp_path / "in.nii.gz")
    source = read_volume(tmp_path / "in.nii.gz")
    write_volume(tmp_path / "out.nii.gz", source.data, source.affine, source.header)
    written = nib.load(tmp_path / "out.nii.gz")
    stored = nib.load(tmp_path / "in.nii.gz")
    assert written.get_qform(coded=True)[1] == codes[1]
    assert written.get_sform(coded=True)[1] == codes[0]
    np.testing.assert_allclose(written.get_qform(), stored.get_qform(), atol=1e-5)
    np.testing.assert_allclose(written.get_sform(), stored.get_sform(), atol=1e-5)
    np.testing.assert_allclose(written.affine, stored.affine, atol=1e-5)

    moved = source.affine + np.diag([0.5, 0, 0, 0])
    write_volume(tmp_path / "moved.nii.gz", source.data, moved, source.header)
    cut = write_volume(tmp_path / "cut.nii.gz", source.data[1:], source.affine, source.header)
    for path, affine in ((tmp_path / "moved.nii.gz", moved), (cut, source.affine)):
        other = nib.load(path)
        np.testing.assert_allclose(other.affine, affine, atol=1e-5)
        assert other.header["sform_code"] > 0
        assert other.header["qform_code"] > 0


def test_scale_of_the_file_is_applied(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(ramp().astype(np.float64) * 0.5 + 3, AFFINE, dtype=np.int16), tmp_path / "a.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").data, ramp() * 0.5 + 3, atol=2e-3)


def test_equal_volumes_are_equal_files(tmp_path: Path) -> None:
    first, second = (write_volume(tmp_path / name, ramp(), AFFINE) for name in ("a.nii.gz", "b.nii.gz"))
    assert first.read_bytes() == second.read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"")
    with pytest.raises(VolumeError, match="could not be written whole"):
        write_bytes_atomically(tmp_path / "a.bin", b"new")
    monkeypatch.undo()
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_two_processes_may_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them in the middle of the other."""
    path, syncs = tmp_path / "a.csv", []

    def other_process(_: int) -> None:
        syncs.append(None)
        if len(syncs) == 1:
            write_bytes_atomically(path, b"theirs")
            assert path.read_bytes() == b"theirs"

    monkeypatch.setattr(writing.os, "fsync", other_process)
    write_bytes_atomically(path, b"mine, and longer")
    assert path.read_bytes() == b"mine, and longer"
    assert list(tmp_path.iterdir()) == [path]


def test_parts_of_killed_processes_are_removed_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    ours, parts = socket.gethostname(), {}
    for name, pid, host in (("dead", killed.pid, ours), ("alive", os.getpid(), ours), ("far", 1, f"{ours}-2.cluster")):
        parts[name] = tmp_path / f"a-1-b.csv.0123abcd-{pid}-{host}.part"
        parts[name].write_bytes(b"half")
    remove_abandoned_parts(tmp_path)
    assert {name for name, part in parts.items() if part.exists()} == {"alive", "far"}
    hours_ago = time.time() - 3 * 3600
    os.utime(parts["far"], (hours_ago, hours_ago))
    remove_abandoned_parts(tmp_path)
    assert {name for name, part in parts.items() if part.exists()} == {"alive"}
    (tmp_path / "a-1-b.csv").write_bytes(b"whole")
    (tmp_path / "a-1-b.csv2").write_bytes(b"another")
    remove_file(tmp_path / "a-1-b.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a-1-b.csv2"]


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"must end in \.nii"):
        write_volume(tmp_path / "a.png", ramp(), AFFINE)


def test_trailing_axes_of_length_one_are_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(ramp((4, 5, 6, 1)), AFFINE), tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").data.shape == (4, 5, 6)


def test_bad_files_say_what_is_wrong(tmp_path: Path) -> None:
    good = gzip.compress(nib.Nifti1Image(ramp((20, 20, 20)), AFFINE).to_bytes())
    huge = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), AFFINE)
    claim = patched(huge, 42, np.array([30000, 30000, 30000], "<i2"))
    singular = patched(nib.Nifti1Image(ramp(), np.eye(4)), 312, np.zeros(4, "<f4"))
    nan = patched(nib.Nifti1Image(ramp(), np.eye(4)), 280, np.full(4, np.nan, "<f4"))
    metres = nib.Nifti1Image(ramp(), np.diag([0.001, 0.001, 0.001, 1]))
    complex_values = nib.Nifti1Image(ramp().astype(np.complex64), AFFINE)
    contents = {
        "missing.nii.gz": (None, "does not exist"),
        "empty.nii.gz": (b"", "0 bytes"),
        "text.nii": (b"no image at all", "can't be opened"),
        "text.mgz": (b"no image at all", "can't be opened"),
        "cut.nii.gz": (good[: len(good) // 2], "damaged or truncated"),
        "cut.nii": (gzip.decompress(good)[:-200], "damaged or truncated"),
        "4d.nii": (nib.Nifti1Image(ramp((3, 4, 5, 2)), AFFINE).to_bytes(), r"4 dimensions, shape \(3, 4, 5, 2\)"),
        "2d.nii": (nib.Nifti1Image(ramp((3, 4)), AFFINE).to_bytes(), "2 dimensions"),
        "huge.nii.gz": (gzip.compress(claim), "which no head scan has"),
        "singular.nii": (singular, "no usable orientation"),
        "nan.nii": (nan, "no usable orientation"),
        "metres.nii": (metres.to_bytes(), "claims voxels of 0.001 x 0.001 x 0.001 mm"),
        "complex.nii": (complex_values.to_bytes(), "only real numbers"),
        "scan.dcm": (b"DICM", "neither NIfTI nor MGZ"),
    }
    for name, (content, message) in contents.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(VolumeError, match=message) as caught:
            read_volume(tmp_path / name)
        assert name in str(caught.value)


def test_a_file_without_orientation_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = nib.Nifti1Image(ramp(), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    with caplog.at_level(logging.WARNING):
        read_volume(tmp_path / "a.nii")
    assert "does not say how the head lies" in caplog.text


def test_names() -> None:
    assert is_volume_name("A.NII.GZ")
    assert not is_volume_name("a.nii.gz.part")
    assert volume_stem("x/sub-1_T1w.nii.gz") == "sub-1_T1w"
    assert volume_stem("aparc+aseg.mgz") == "aparc+aseg"
