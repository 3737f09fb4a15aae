"""Pictures while training: what the network sees, and what it makes of the validation samples and real scans."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.loggers import WandbLogger

from otfsynth.data.validation import ValidationCase
from otfsynth.learning.module import SegmentationModule
from otfsynth.learning.scores import PICTURED, ScanScore
from otfsynth.volumes import spacing_of, to_canonical
from otfsynth.volumes.figures import Panel, central_slices, draw_panels, grey_levels, intensity_window, plane

SAMPLES = 8
"""Samples in the contact sheet of the training stream."""

logger = logging.getLogger(__name__)


class Pictures(pl.Callback):
    """Draws ``samples.png`` from the first steps and overlays at every k-th validation, for W&B with masks.

    A picture that can't be drawn is reported and training goes on.

    Args:
        folder: where PNG files go.
        every: validations between two sets of overlays.
    """

    def __init__(self, folder: str | Path, every: int = 1) -> None:
        self.folder = Path(folder)
        self.every = every
        self._samples: list[Panel] = []
        self._overlays: list[Panel] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect the first samples of the stream; draw them once there are enough."""
        if len(self._samples) >= SAMPLES or not trainer.is_global_zero:
            return
        self._samples += _panels(batch, None, SAMPLES - len(self._samples))
        if len(self._samples) >= SAMPLES or trainer.global_step == trainer.max_steps:
            self._draw(trainer, pl_module, self._samples, "samples", f"samples_{trainer.global_step:07d}.png")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the last validation's pictures."""
        self._overlays = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Collect the first samples with their predictions."""
        if (
            not isinstance(batch, ValidationCase)
            and len(self._overlays) < PICTURED
            and self._is_due(trainer, pl_module)
        ):
            prediction = outputs["prediction"].cpu().numpy()
            self._overlays += _panels(batch, prediction, PICTURED - len(self._overlays))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the collected samples, and the real scans where some were segmented."""
        assert isinstance(pl_module, SegmentationModule)
        if not self._overlays and not pl_module.scores.scans:
            return
        name = f"{trainer.global_step:07d}.png"
        self._draw(trainer, pl_module, self._overlays, "validation", f"validation_{name}")
        scans = [_scan_panel(score) for score in pl_module.scores.scans]
        self._draw(trainer, pl_module, scans, "real", f"real_{name}")

    def _is_due(self, trainer: pl.Trainer, module: pl.LightningModule) -> bool:
        assert isinstance(module, SegmentationModule)
        return trainer.is_global_zero and module.validations_done % self.every == 0

    def _draw(
        self, trainer: pl.Trainer, module: pl.LightningModule, panels: list[Panel], key: str, file_name: str
    ) -> None:
        if not panels or not trainer.is_global_zero:
            return
        assert isinstance(module, SegmentationModule)
        try:
            path = draw_panels(panels, module.scheme.target_names, self.folder / file_name)
            for destination in trainer.loggers:
                if isinstance(destination, WandbLogger):
                    _send(destination, key, path, panels, module.scheme.target_names, trainer.global_step)
        except Exception as error:  # a full disk or a broken font must not end a week of training
            logger.warning("picture '%s' could not be drawn: %s", file_name, error)


def _panels(batch: Any, prediction: np.ndarray | None, count: int) -> list[Panel]:
    pairs = zip(batch.image[:count], batch.parameters, strict=False)
    images = [image[parameters.first_seen].cpu().numpy() for image, parameters in pairs]
    targets = batch.target[:count, 0].cpu().numpy()
    predictions = [None] * len(images) if prediction is None else list(prediction[:count, 0])
    return [
        Panel(image, target, labels, f"{parameters.label_map}  sample {parameters.key.index}")
        for image, target, labels, parameters in zip(images, targets, predictions, batch.parameters, strict=False)
    ]


def _scan_panel(score: ScanScore) -> Panel:
    case = score.case
    image, affine = to_canonical(case.first_image, case.affine)
    x, y, z = (float(size) for size in spacing_of(affine))
    dice = "  ".join(f"{value:.2f}" for value in score.dice)
    title = f"{case.scan.name} {case.scan.contrast}  Dice {dice}"
    reference, labels = to_canonical(case.reference, case.affine)[0], to_canonical(score.labels, case.affine)[0]
    return Panel(image, reference, labels, title, (x, y, z))


def _send(
    destination: WandbLogger, key: str, path: Path, panels: list[Panel], target_names: tuple[str, ...], step: int
) -> None:
    """The PNG, and each panel's axial slice with its segmentations as W&B masks."""
    destination.log_image(f"pictures/{key}", [str(path)], step=step)
    names = dict(enumerate(target_names))
    images, captions, masks = [], [], []
    for panel in panels:
        index = central_slices(panel)[2]
        segmentations = {"reference": panel.reference, "prediction": panel.prediction}
        images.append(np.ascontiguousarray(grey_levels(plane(panel.image, 2, index), intensity_window(panel.image))))
        captions.append(panel.title)
        masks.append(
            {
                kind: {"mask_data": np.ascontiguousarray(plane(labels, 2, index)), "class_labels": names}
                for kind, labels in segmentations.items()
                if labels is not None
            }
        )
    destination.log_image(f"slices/{key}", images, step=step, caption=captions, masks=masks)
