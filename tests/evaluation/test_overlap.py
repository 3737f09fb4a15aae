"""Confusion matrix and Dice, by hand."""

from __future__ import annotations

import pytest
import torch

from otfsynth.evaluation import confusion_matrix, dice_per_label


def test_counts_and_dice_by_hand() -> None:
    reference = torch.tensor([0, 0, 1, 1, 1, 2], dtype=torch.uint8)
    prediction = torch.tensor([0, 1, 1, 1, 2, 2], dtype=torch.uint8)
    confusion = confusion_matrix(prediction, reference, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    dice = dice_per_label(confusion)
    assert dice[:3].tolist() == pytest.approx([2 / 3, 4 / 6, 2 / 3])
    assert dice[3].isnan()


def test_missed_structure_is_zero_not_nan() -> None:
    confusion = confusion_matrix(torch.zeros(5, dtype=torch.uint8), torch.ones(5, dtype=torch.uint8), 2)
    assert dice_per_label(confusion).tolist() == [0.0, 0.0]


def test_ignored_voxels_do_not_count() -> None:
    reference = torch.tensor([1, 255, 255], dtype=torch.uint8)
    assert confusion_matrix(torch.tensor([1, 0, 1]), reference, 2).tolist() == [[0, 0], [0, 1]]


def test_matrices_of_parts_add_up() -> None:
    generator = torch.Generator().manual_seed(0)
    reference, prediction = (torch.randint(0, 5, (40, 8), generator=generator, dtype=torch.uint8) for _ in range(2))
    parts = sum(confusion_matrix(prediction[half], reference[half], 5) for half in (slice(0, 20), slice(20, 40)))
    assert torch.equal(parts, confusion_matrix(prediction, reference, 5))


def test_labels_out_of_range_and_shapes() -> None:
    with pytest.raises(ValueError, match="label 9 where only 0 to 1"):
        confusion_matrix(torch.tensor([0]), torch.tensor([9]), 2)
    with pytest.raises(ValueError, match="shape"):
        confusion_matrix(torch.zeros(2), torch.zeros(3), 2)
