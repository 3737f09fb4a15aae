"""The loss against values computed by hand and against nnU-Net's own."""

from __future__ import annotations

import math

import pytest
import torch
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

from otfsynth.learning.losses import (
    DeepSupervisionLoss,
    DiceCrossEntropyLoss,
    deep_supervision_weights,
    downsample_target,
)


def nnunets(batch_dice: bool) -> DC_and_CE_loss:
    options = {"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False, "ddp": False}
    return DC_and_CE_loss(options, {}, dice_class=MemoryEfficientSoftDiceLoss)


def random_case(labels: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, labels, 6, 5, 4, generator=generator)
    target = torch.randint(0, labels, (3, 1, 6, 5, 4), generator=generator, dtype=torch.uint8)
    target[0] = 0  # a sample without foreground
    return logits, target


def test_value_by_hand() -> None:
    # Two voxels, two labels, p(label 1) = 0.8 and 0.4; the reference is 1 and 0.
    logits = torch.tensor([[0.0, 0.0], [math.log(4.0), math.log(2 / 3)]]).view(1, 2, 2, 1, 1)
    target = torch.tensor([1, 0], dtype=torch.uint8).view(1, 1, 2, 1, 1)
    cross_entropy = -(math.log(0.8) + math.log(0.6)) / 2
    dice = (2 * 0.8 + 1e-5) / (1.0 + 1.2 + 1e-5)
    assert DiceCrossEntropyLoss()(logits, target).item() == pytest.approx(cross_entropy - dice, abs=1e-6)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_value_and_gradient_are_nnunets(batch_dice: bool) -> None:
    logits, target = random_case()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, reference = DiceCrossEntropyLoss(batch_dice)(ours, target), nnunets(batch_dice)(theirs, target)
    assert loss.item() == pytest.approx(reference.item(), abs=1e-6)
    loss.backward()
    reference.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-8)


def test_low_precision_logits_are_summed_in_float32() -> None:
    logits, target = random_case()
    half = logits.bfloat16()
    assert DiceCrossEntropyLoss()(half, target).item() == pytest.approx(
        DiceCrossEntropyLoss()(half.float(), target).item(), abs=1e-6
    )


def test_perfect_prediction_of_all_labels_gives_minus_one() -> None:
    target = torch.arange(4, dtype=torch.uint8).view(1, 1, 4, 1, 1).expand(1, 1, 4, 2, 2)
    logits = 100.0 * torch.nn.functional.one_hot(target[:, 0].long(), 4).movedim(-1, 1).float()
    assert DiceCrossEntropyLoss()(logits, target).item() == pytest.approx(-1.0, abs=1e-5)


def test_weights_of_the_outputs() -> None:
    assert deep_supervision_weights(4) == pytest.approx([4 / 7, 2 / 7, 1 / 7, 0])
    assert deep_supervision_weights(1) == [1.0]


def test_deep_supervision_is_nnunets() -> None:
    generator = torch.Generator().manual_seed(1)
    outputs = [torch.randn(2, 3, 2**size, 2**size, 2**size, generator=generator) for size in (4, 3, 2)]
    target = torch.randint(0, 3, (2, 1, 16, 16, 16), generator=generator, dtype=torch.uint8)
    targets = [downsample_target(target, output.shape[2:]) for output in outputs]
    reference = DeepSupervisionWrapper(nnunets(False), deep_supervision_weights(3))(outputs, targets)
    loss = DeepSupervisionLoss(DiceCrossEntropyLoss())(outputs, target)
    assert loss.item() == pytest.approx(reference.item(), abs=1e-6)


def test_downsampled_target_takes_the_voxel_at_the_centre() -> None:
    target = torch.arange(64, dtype=torch.uint8).view(1, 1, 4, 4, 4)
    assert torch.equal(downsample_target(target, (2, 2, 2)), target[..., 1::2, 1::2, 1::2])
    assert downsample_target(target, (2, 2, 2)).dtype == torch.uint8
