"""HD-BET's own package end to end, with a network that is a threshold; what it does to its surroundings is undone."""

from __future__ import annotations

import itertools
import os
import socket
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from otfsynth.inference.skullstrip import SkullStripError, StrippingConfig, choose_stripper
from otfsynth.inference.skullstrip.hd_bet import FILES, missing_files
from otfsynth.volumes import Volume
from tests.inference.hd_bet_model import write_threshold_model

Z_SCORE = 1.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_threshold_model(tmp_path_factory.mktemp("weights") / "release", Z_SCORE)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""

    def refuse(*arguments: object) -> None:
        raise AssertionError(f"tried to connect to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def scan_data() -> np.ndarray:
    """Noise around 10 with an oblong "brain" around 200 that no flip or turn maps onto itself."""
    data = np.random.default_rng(0).normal(10, 1, (22, 26, 18)).astype(np.float32)
    data[4:12, 6:22, 5:11] += 190
    data[12:16, 6:10, 5:8] += 190
    return data


def thresholded(data: np.ndarray) -> np.ndarray:
    return np.asarray((data - data.mean()) / data.std() > Z_SCORE)


def strip(weights: Path, data: np.ndarray, affine: np.ndarray, tta: bool = False) -> np.ndarray:
    config = StrippingConfig(hd_bet_weights=str(weights), hd_bet_tta=tta, device="cpu")
    return choose_stripper("hd-bet", config).mask(Volume(data, affine, "scan.nii.gz"), None)


def test_the_mask_lies_on_the_scans_grid_in_every_orientation(weights: Path) -> None:
    data, base = scan_data(), np.diag([1.0, 1.0, 1.0, 1.0])
    stripper = choose_stripper("hd-bet", StrippingConfig(hd_bet_weights=str(weights), device="cpu"))
    for axes in itertools.permutations(range(3)):
        for flips in ((1, 1, 1), (-1, 1, -1), (-1, -1, -1)):
            turn = np.array([[axis, flip] for axis, flip in zip(axes, flips, strict=True)])
            stored = nib.orientations.apply_orientation(data, turn)
            affine = base @ nib.orientations.inv_ornt_aff(turn, data.shape)
            mask = stripper.mask(Volume(stored, affine, "scan.nii.gz"), None)
            assert mask.dtype == bool
            assert np.array_equal(mask, thresholded(stored))


def test_other_voxel_sizes_come_back_on_the_scans_grid(weights: Path) -> None:
    data = np.full((12, 30, 10), 10, np.int16)
    data[3:9, 8:20, 3:7] = 200
    mask = strip(weights, data, np.diag([2.0, 0.8, 3.0, 1.0]))
    assert mask.shape == data.shape
    assert 2 * (mask & (data == 200)).sum() / (mask.sum() + (data == 200).sum()) > 0.9


def test_mirrored_copies_agree_for_a_network_without_sides(weights: Path) -> None:
    data = scan_data()
    assert np.array_equal(strip(weights, data, np.eye(4), tta=True), thresholded(data))


def test_nothing_around_it_changes(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("nnUNet_compile", raising=False)
    for name in [name for name in sys.modules if name.startswith("HD_BET")]:
        monkeypatch.delitem(sys.modules, name)  # so that its import happens now
    before = {file: file.read_bytes() for file in weights.rglob("*") if file.is_file()}
    stdout, threads = sys.stdout, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        strip(weights, scan_data(), np.eye(4))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert sys.stdout is stdout
    assert "nnUNet_compile" not in os.environ
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert {file: file.read_bytes() for file in weights.rglob("*") if file.is_file()} == before


@pytest.mark.slow
def test_the_mask_is_the_one_that_hd_bets_own_command_writes(weights: Path, tmp_path: Path) -> None:
    """In a process of its own, as HD-BET starts others."""
    import subprocess

    data = scan_data()
    nib.save(nib.Nifti1Image(data, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / "scan.nii.gz")
    (tmp_path / "run.py").write_text(
        "import functools, torch\n"
        "from HD_BET import hd_bet_prediction as package\n"
        f"package.folder_with_parameter_files = {str(weights)!r}\n"
        "if __name__ == '__main__':\n"
        "    predictor = package.get_hdbet_predictor(device=torch.device('cpu'))\n"
        "    predict, one = predictor.predict_from_files, {'num_processes_preprocessing': 1}\n"
        "    one['num_processes_segmentation_export'] = 1  # instead of twelve processes\n"
        "    predictor.predict_from_files = functools.wraps(predict)(lambda *a, **k: predict(*a, **{**k, **one}))\n"
        "    package.hdbet_predict('scan.nii.gz', 'out.nii.gz', predictor, True, False)\n"
    )
    subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=True, capture_output=True, timeout=400)
    theirs = np.asarray(nib.load(tmp_path / "out_bet.nii.gz").dataobj)
    assert np.array_equal(strip(weights, data, np.diag([-1.0, -1.0, 1.0, 1.0])), theirs > 0)


def test_missing_weights_are_listed_with_their_source_and_the_alternative(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text("{}")
    with pytest.raises(SkullStripError) as caught:
        choose_stripper("hd-bet", StrippingConfig(hd_bet_weights=str(tmp_path)))
    message = str(caught.value)
    assert "dataset.json, fold_all/checkpoint_final.pth missing" in message
    assert "zenodo.org/records/14445620" in message
    assert str(tmp_path / "fold_all" / "checkpoint_final.pth") in message
    assert "method=deepbet" in message
    assert [file.name for file in tmp_path.iterdir()] == ["plans.json"]


@pytest.mark.parametrize("damaged", FILES)
def test_damaged_weights_are_named_before_any_work(weights: Path, tmp_path: Path, damaged: str) -> None:
    for file in FILES:
        content = (weights / file).read_bytes()
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content[: len(content) // 2] if file == damaged else content)
    with pytest.raises(SkullStripError, match=rf"{Path(damaged).name}' is damaged"):
        choose_stripper("hd-bet", StrippingConfig(hd_bet_weights=str(tmp_path)))


def test_weights_of_another_network_are_refused_in_one_sentence(weights: Path, tmp_path: Path) -> None:
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes((weights / file).read_bytes())
    torch.save({"trainer_name": "nnUNetTrainer"}, tmp_path / FILES[-1])
    with pytest.raises(SkullStripError, match="can't be used"):
        strip(tmp_path, scan_data(), np.eye(4))


def test_auto_takes_hd_bet_where_its_weights_are_and_says_so(weights: Path, tmp_path: Path) -> None:
    assert missing_files(str(weights)) == []
    chosen = choose_stripper("auto", StrippingConfig(hd_bet_weights=str(weights), device="cpu"))
    assert (chosen.name, chosen.reason) == ("hd-bet", f"HD-BET, since its weights are in '{weights}'")
    chosen = choose_stripper("auto", StrippingConfig(hd_bet_weights=str(tmp_path), device="cpu"))
    assert (chosen.name, chosen.reason) == ("deepbet", f"deepbet, since HD-BET's weights are not in '{tmp_path}'")


def test_an_empty_answer_is_a_failure_that_names_the_scan(weights: Path) -> None:
    with pytest.raises(SkullStripError, match=r"no brain in 'scan\.nii\.gz'"):
        strip(weights, np.where(np.indices((12, 12, 12)).sum(0) % 2, 1, -1).astype(np.float32), np.eye(4))
    with pytest.raises(SkullStripError, match="empty or constant"):
        strip(weights, np.full((8, 8, 8), 3, np.int16), np.eye(4))
