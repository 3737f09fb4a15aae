"""The last picture of a run on the embedded label maps: the MNI152 T1 brain, segmented, beside its reference."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from otfsynth.data.embedded import embedded_reference_case
from otfsynth.evaluation import confusion_matrix, dice_per_label
from otfsynth.inference import SlidingWindowPredictor
from otfsynth.inference.channels import prepare_channels
from otfsynth.labels import LabelScheme
from otfsynth.volumes.figures import Panel, draw_panels

TISSUES = ("background", "GM", "WM", "CSF")
"""Targets of the embedded reference."""

logger = logging.getLogger(__name__)


def demonstrate(
    checkpoint: Path, scheme: LabelScheme, folder: Path, device: torch.device | str = "cpu", precision: str = "32-true"
) -> dict[str, float]:
    """Segment the MNI152 T1 brain and score it against the atlas's own tissues.

    The scan's intensities were never trained on, its anatomy was: this shows that a network works, not how well it
    generalises. Writes ``mni152_prediction.nii.gz``, ``mni152_dice.json`` and ``mni152.png`` (prediction solid,
    reference dashed).

    Args:
        checkpoint: of the run.
        scheme: its targets must be the four tissues, or nothing is done.
        folder: where the files go.
        device: where the network runs.
        precision: of the network, as :class:`SlidingWindowPredictor` takes it.

    Returns:
        Dice of every tissue and their ``mean``; empty for other targets.
    """
    if scheme.target_names != TISSUES:
        return {}
    case = embedded_reference_case()
    predictor = SlidingWindowPredictor.from_checkpoint(checkpoint, device, precision=precision)
    missing: list[np.ndarray | None] = [None] * (predictor.input_channels - 1)
    image = case.image.data
    if missing:
        prepared = prepare_channels([image, *missing], [case.affine, *missing], predictor.spacing_mm)
        labels = predictor.segment(prepared, stripped=True).labels
    else:
        labels = predictor.predict(image, case.affine, stripped=True).labels
    counts = confusion_matrix(torch.from_numpy(labels), torch.from_numpy(case.reference.data), len(TISSUES))
    dice = dict(zip(TISSUES[1:], dice_per_label(counts)[1:].tolist(), strict=True))
    dice["mean"] = float(np.mean(list(dice.values())))
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, case.affine), folder / "mni152_prediction.nii.gz")
    (folder / "mni152_dice.json").write_text(json.dumps(dice, indent=2) + "\n")
    title = f"{case.image.name}  Dice " + "  ".join(f"{name} {value:.2f}" for name, value in dice.items())
    draw_panels([Panel(case.image.data, case.reference.data, labels, title)], TISSUES, folder / "mni152.png")
    return dice
