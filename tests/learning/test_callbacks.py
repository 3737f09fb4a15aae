"""What a run leaves behind: pictures, real scans' scores, W&B, the step's side conditions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.config.trainer import TrainerConfig
from otfsynth.data.validation import ValidationCase, ValidationCases, ValidationScan
from otfsynth.learning import build_trainer, fit
from otfsynth.learning.records import Records
from otfsynth.learning.scores import PICTURED
from otfsynth.volumes.figures import Panel, central_slices, draw_panels, plane
from tests.learning.fakes import BlobSynthesizer, toy_data, toy_module, toy_trainer


class BlobScans(ValidationCases):
    """Blobs as if they had been scanned, stored in LPS order."""

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return BlobScans(self.scans[index], self.targets)
        batch = BlobSynthesizer(50)([index])
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        image, target = batch.image[0, 0].numpy()[::-1, ::-1], batch.target[0, 0].numpy()[::-1, ::-1]
        return ValidationCase(self.scans[index], np.ascontiguousarray(image), affine, np.ascontiguousarray(target))


def blob_scans() -> BlobScans:
    scans = [ValidationScan(Path(f"{name}.nii.gz"), Path("truth.nii.gz"), name) for name in ("T1w", "FLAIR")]
    return BlobScans(scans, {})


def test_pictures_and_real_scores(tmp_path: Path) -> None:
    data = toy_data(real_validation=blob_scans())
    trainer = toy_trainer(tmp_path, max_steps=8, pictures_every=2)
    metrics = fit(trainer, toy_module(real_validation_every=2), data)
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["real_0000004.png", "samples_0000004.png", "validation_0000004.png"]
    for name in names:
        with Image.open(tmp_path / "pictures" / name) as picture:
            assert picture.width > 400
            assert np.asarray(picture.convert("L")).std() > 10
    assert 0 <= metrics["real/dice"] <= 1
    assert {"real/dice/GM", "real/dice/contrast/T1w", "real/dice/contrast/FLAIR"} <= set(metrics)
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows if ",real/dice," in row] == ["4"]


def test_real_scan_is_scored_in_its_own_orientation() -> None:
    module, case = toy_module(), blob_scans()[0]
    edges = (torch.tensor([-0.75, 0.5, 1.5]) - float(case.image.mean())) / float(case.image.std())

    class Truth(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            label = torch.bucketize(image[:, 0], edges)  # intensities grow from CSF over background and GM to WM
            return 9.0 * torch.nn.functional.one_hot(torch.tensor([3, 0, 1, 2])[label], 4).movedim(-1, 1)

    module.average.network = Truth()  # type: ignore[union-attr]
    module._score_scan(case)
    score = module.scores.scans[0]
    assert score.labels.shape == case.reference.shape
    assert min(score.dice) > 0.99


def test_a_scan_is_normalised_as_the_samples_were(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    module = toy_module(run_config={"synthesis": {"normalization": "minmax"}})

    class Witness(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(image)
            return torch.zeros(len(image), 4, *image.shape[2:])

    module.average.network = Witness()  # type: ignore[union-attr]
    module._score_scan(blob_scans()[0])
    assert min(float(image.min()) for image in seen) == 0.0
    assert max(float(image.max()) for image in seen) == pytest.approx(1.0)


def test_of_many_scans_only_the_pictured_are_kept() -> None:
    module, scans = toy_module(), [*blob_scans(), *blob_scans(), *blob_scans()]
    for case in scans:
        module._score_scan(case)
    assert len(module.scores.scans) == PICTURED < len(scans)
    module.scores.finish(SimpleNamespace(barrier=lambda name: None), world_size=1)
    assert module.scores.metrics["real/dice"] == pytest.approx(np.mean([score.dice for score in module.scores.scans]))
    module.on_validation_end()
    assert not module.scores.scans


def test_wandb_offline_gets_metrics_and_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    destination = WandbLogger(save_dir=tmp_path, offline=True, project="test")
    sent: list[tuple[str, dict[str, Any]]] = []
    logged: list[dict[str, float]] = []
    keep_image, keep_metrics = destination.log_image, destination.log_metrics

    def log_image(key: str, images: list[Any], step: int | None = None, **options: Any) -> None:
        sent.append((key, options))
        keep_image(key, images, step, **options)

    def log_metrics(metrics: dict[str, float], step: int | None = None) -> None:
        logged.append(dict(metrics))
        keep_metrics(metrics, step)

    monkeypatch.setattr(destination, "log_image", log_image)
    monkeypatch.setattr(destination, "log_metrics", log_metrics)
    fit(toy_trainer(tmp_path, loggers=[destination], max_steps=4, pictures_every=1), toy_module(), toy_data())
    destination.experiment.finish()
    keys = [key for key, _ in sent]
    assert keys == ["pictures/samples", "slices/samples", "pictures/validation", "slices/validation"]
    mask = dict(sent)["slices/validation"]["masks"][0]
    assert set(mask) == {"reference", "prediction"}
    assert mask["prediction"]["class_labels"][2] == "WM"
    assert any("validation/dice_ema" in metrics for metrics in logged)
    assert list(tmp_path.glob("wandb/offline-run-*"))


def test_picture_failure_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("otfsynth.learning.pictures.draw_panels", broken)
    fit(toy_trainer(tmp_path, max_steps=4, pictures_every=1), toy_module(), toy_data())
    assert "could not be drawn: no space left" in caplog.text
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_orientation_of_a_slice() -> None:
    volume = np.zeros((2, 3, 4))
    volume[0, 1, 3] = 1.0  # left, middle, top
    assert plane(volume, 1, 1).shape == (4, 2)
    assert plane(volume, 1, 1)[0, 0] == 1.0
    panel = Panel(volume, (volume > 0).astype(np.uint8))
    assert central_slices(panel) == (0, 1, 3)


def test_figure_without_labels_or_contrast(tmp_path: Path) -> None:
    empty = Panel(np.zeros((8, 8, 8)), np.zeros((8, 8, 8), np.uint8), title="nothing")
    assert draw_panels([empty], ("background", "GM"), tmp_path / "a" / "b.png").is_file()


def test_mixed_precision_and_channels_last_train(tmp_path: Path) -> None:
    losses = []
    for options, module in (({}, toy_module()), ({"precision": "bf16-mixed"}, toy_module(channels_last=True))):
        fit(toy_trainer(tmp_path / str(len(losses)), max_steps=4, **options), module, toy_data())
        losses.append(module.latest_loss.item())
    assert losses[1] == pytest.approx(losses[0], abs=0.05)


def test_validation_happens_in_runs_shorter_than_its_interval(tmp_path: Path) -> None:
    metrics = fit(toy_trainer(tmp_path, max_steps=3, validate_every_steps=250), toy_module(), toy_data())
    assert "validation/dice" in metrics
    assert (tmp_path / "checkpoints" / "best.ckpt").is_file()


def test_gradient_is_clipped(tmp_path: Path) -> None:
    config = OptimizerConfig(learning_rate=1.0, momentum=0.0, weight_decay=0.0, gradient_clip=1e-3, schedule="constant")
    module = toy_module(config)
    before = torch.cat([weights.detach().flatten().clone() for weights in module.network.parameters()])
    fit(toy_trainer(tmp_path, max_steps=1), module, toy_data())
    after = torch.cat([weights.detach().flatten() for weights in module.network.parameters()])
    assert (after - before).norm().item() == pytest.approx(1e-3, rel=0.01)


def test_progress_lines_in_a_log_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(toy_trainer(tmp_path, progress=True, max_steps=8), toy_module(), toy_data())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert len(lines) == 2
    assert lines[0].startswith("step 4/8  loss ")
    assert "samples/s" in lines[0]
    assert lines[1].endswith("0:00:00 left")


def test_extra_callbacks_and_files_of_a_run(tmp_path: Path) -> None:
    trainer = build_trainer(TrainerConfig(max_steps=2, accelerator="cpu", progress=False), run_dir=tmp_path)
    assert any(isinstance(callback, Records) for callback in trainer.callbacks)
    assert trainer.max_steps == 2
    fit(trainer, toy_module(), toy_data())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoints", "metrics.csv", "metrics.json", "pictures"]
