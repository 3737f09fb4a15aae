"""Checkpoints are found, checked against each other and averaged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from otfsynth.config.labels import LabelRow, LabelsConfig
from otfsynth.inference.ensemble import Ensemble, digest, find_checkpoints
from otfsynth.labels import LabelScheme
from otfsynth.networks import CheckpointError, load_checkpoint
from otfsynth.networks.model_folder import write_model_folder
from tests.inference.heads import brain, brain_affine, write_checkpoint


def test_probabilities_of_several_checkpoints_are_averaged(tmp_path: Path) -> None:
    paths = [write_checkpoint(tmp_path / f"fold_{seed}.ckpt", seed) for seed in range(3)]
    data = torch.randn(20, 18, 16, generator=torch.Generator().manual_seed(0))
    single = [Ensemble.load(str(path)).predictor("cpu", 0.5).predict_prepared(data) for path in paths]
    together = Ensemble.load(str(tmp_path)).predictor("cpu", 0.5).predict_prepared(data)
    torch.testing.assert_close(together, torch.stack(single).mean(0), atol=1e-6, rtol=1e-5)
    assert (single[0] - single[1]).abs().max() > 0.01


def test_segmenting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.ckpt")
    results = []
    for _ in range(2):
        predictor = Ensemble.load(str(path)).predictor("cpu", 0.5, mirror_axes=(0,))
        results.append(predictor.predict(brain(), brain_affine(), keep_probabilities=True))
    assert np.array_equal(results[0].labels, results[1].labels)
    assert np.array_equal(results[0].probabilities, results[1].probabilities)


def test_checkpoints_are_found_by_file_folder_glob_and_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = [write_checkpoint(tmp_path / f"fold_{index}" / "checkpoints" / "best.ckpt", index) for index in range(2)]
    last = write_checkpoint(tmp_path / "fold_0" / "checkpoints" / "last.ckpt")
    assert find_checkpoints(str(folds[0])) == (folds[0],)
    assert find_checkpoints(str(last)) == (last,)
    assert find_checkpoints(str(last.parent)) == (folds[0],)  # one run: its best, not its two ages together
    assert find_checkpoints(str(tmp_path)) == tuple(folds)
    assert find_checkpoints(str(tmp_path / "fold_*" / "checkpoints" / "best.ckpt")) == tuple(folds)
    assert find_checkpoints([str(folds[1]), str(folds[0]), str(folds[1])]) == (folds[1], folds[0])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_checkpoints("~/fold_1") == (folds[1],)
    assert Ensemble.load(str(tmp_path)).digests == (digest(folds[0]), digest(folds[1]))


def test_model_folders_vote_as_checkpoints_do(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", 1)
    models = [tmp_path / "models" / name for name in ("one", "two")]
    for seed, model in enumerate(models):
        loaded = load_checkpoint(write_checkpoint(tmp_path / "b" / f"{seed}.ckpt", seed))
        write_model_folder(loaded, model, model.name, "1")
    assert find_checkpoints(str(models[0])) == (models[0],)
    assert find_checkpoints(str(models[0] / "model.safetensors")) == (models[0],)
    assert find_checkpoints(str(tmp_path / "models")) == tuple(models)
    assert find_checkpoints(str(tmp_path / "models" / "*")) == tuple(models)
    together = Ensemble.load([str(checkpoint), str(models[0])])
    assert together.digests == (digest(checkpoint), digest(models[0] / "model.safetensors"))
    data = torch.randn(20, 18, 16, generator=torch.Generator().manual_seed(0))
    single = [Ensemble.load(str(path)).predictor("cpu", 0.5).predict_prepared(data) for path in (checkpoint, models[0])]
    both = together.predictor("cpu", 0.5).predict_prepared(data)
    torch.testing.assert_close(both, torch.stack(single).mean(0), atol=1e-6, rtol=1e-5)


def test_what_names_no_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.ckpt' does not exist"):
        find_checkpoints(str(tmp_path / "nowhere.ckpt"))
    with pytest.raises(CheckpointError, match=r"holds no \.ckpt file"):
        find_checkpoints(str(tmp_path))
    with pytest.raises(CheckpointError, match="no checkpoint is given"):
        find_checkpoints([])


def test_checkpoints_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    first = str(write_checkpoint(tmp_path / "a.ckpt"))
    coarse = str(write_checkpoint(tmp_path / "b.ckpt", spacing_mm=2.0))
    rows = [LabelRow("brain", labels=2, target="brain"), LabelRow("fluid", labels=24, target="CSF")]
    scheme = LabelScheme.from_config(LabelsConfig(name="two", rows=rows, target_names=["background", "brain", "CSF"]))
    targets = str(write_checkpoint(tmp_path / "c.ckpt", scheme=scheme))
    scaled = str(write_checkpoint(tmp_path / "d.ckpt", synthesis={"normalization": "minmax"}))
    raw = str(write_checkpoint(tmp_path / "e.ckpt", synthesis={"normalization": "none"}))
    with pytest.raises(
        CheckpointError, match=r"a\.ckpt' and .*b\.ckpt' can't be averaged: their voxel size .*4.0.*2.0"
    ):
        Ensemble.load([first, coarse])
    with pytest.raises(CheckpointError, match=r"targets differ \(background, GM, WM, CSF and background, brain, CSF\)"):
        Ensemble.load([first, targets])
    with pytest.raises(CheckpointError, match="normalisation differ"):
        Ensemble.load([first, scaled])
    with pytest.raises(CheckpointError, match="normalization=none"):
        Ensemble.load(raw)
    assert Ensemble.load(scaled).predictor("cpu", 0.5).normalization == "minmax"


def test_tiles_fit_every_network(tmp_path: Path) -> None:
    ensemble = Ensemble.load(str(write_checkpoint(tmp_path / "a.ckpt")))
    (checkpoint,) = ensemble.checkpoints
    assert (ensemble.tile, ensemble.divisor) == ((24, 24, 24), (2, 2, 2))
    plan = checkpoint.network_plan | {"patch_size": [30, 12, 18], "strides": [[1, 1, 1], [3, 2, 1]]}
    other = dataclasses.replace(checkpoint, network_plan=plan)
    both = dataclasses.replace(ensemble, checkpoints=(checkpoint, other))
    assert both.divisor == (6, 2, 2)
    assert both.tile == (48, 24, 28)
    assert ensemble.predictor("cpu", 0.5, longest_tile=13).patch_size == (12, 12, 12)


def test_heads_are_mirrored_only_where_networks_know_no_sides(tmp_path: Path) -> None:
    def axes(name: str, **more: object) -> tuple[int, ...]:
        return Ensemble.load(str(write_checkpoint(tmp_path / f"{name}.ckpt", **more))).mirror_axes  # type: ignore[arg-type]

    rows = [LabelRow("cortex", left=3, right=42, target="GM"), LabelRow("fluid", labels=24, target="CSF")]
    config = LabelsConfig(name="both", rows=rows, target_names=["background", "GM", "CSF"])
    assert axes("plain") == (0,)
    assert axes("paired", scheme=LabelScheme.from_config(config)) == (0,)
    assert axes("still", synthesis={"flip": {"probability": 0.0}}) == ()
    assert axes("moving", synthesis={"flip": {"probability": 0.5}}) == (0,)
    sided = dataclasses.replace(
        LabelScheme.from_config(config), target_labels=(0, 1, 2, 3), target_names=("background", "CSF", "left", "right")
    )
    assert axes("sided", scheme=sided) == ()
