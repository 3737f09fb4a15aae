"""Overlap of a predicted and a reference segmentation."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = 255
"""Reference value of voxels that count neither for nor against."""


def confusion_matrix(prediction: Tensor, reference: Tensor, label_count: int) -> Tensor:
    """Count voxels by reference and predicted label.

    Args:
        prediction: integers in [0, label_count), any shape.
        reference: integers in [0, label_count) or :data:`IGNORED`, of the same shape.
        label_count: labels, background included.

    Returns:
        int64 (label_count, label_count); row: reference, column: prediction. Matrices of parts add up.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"prediction of shape {tuple(prediction.shape)} against reference {tuple(reference.shape)}")
    flat_reference, flat_prediction = reference.reshape(-1), prediction.reshape(-1)
    kept = flat_reference != IGNORED
    if not bool(kept.all()):
        flat_reference, flat_prediction = flat_reference[kept], flat_prediction[kept]
    # int32 halves the traffic of int64; 255 * 256 + 255 fits.
    pairs = flat_reference.to(torch.int32) * label_count + flat_prediction.to(torch.int32)
    counts = torch.bincount(pairs, minlength=label_count * label_count)
    if counts.numel() > label_count * label_count:
        largest = max(int(flat_reference.max()), int(flat_prediction.max()))
        raise ValueError(f"label {largest} where only 0 to {label_count - 1} are expected")
    return counts.view(label_count, label_count)


def dice_per_label(confusion: Tensor) -> Tensor:
    """Dice of each label from a confusion matrix: 2 TP / (2 TP + FP + FN).

    Args:
        confusion: (labels, labels), rows reference, columns prediction.

    Returns:
        float64 (labels,); NaN where neither segmentation has the label, 0 where only one has it.
    """
    counts = confusion.to(torch.float64)
    return 2 * counts.diagonal() / (counts.sum(0) + counts.sum(1))
