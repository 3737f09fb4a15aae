"""The training and validation steps of a segmentation network."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.optim.lr_scheduler import LambdaLR

from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.data.validation import ValidationCase
from otfsynth.evaluation import confusion_matrix
from otfsynth.inference import SlidingWindowPredictor
from otfsynth.inference.fluid_rim import fluid_target
from otfsynth.inference.skullstrip import has_skull
from otfsynth.inference.tiling import prediction_tile
from otfsynth.labels import LabelScheme
from otfsynth.learning.averaging import MovingAverage
from otfsynth.learning.losses import DeepSupervisionLoss, DiceCrossEntropyLoss
from otfsynth.learning.optimization import build_optimizer, build_schedule, settle
from otfsynth.learning.scores import ValidationScores
from otfsynth.networks import CheckpointError, NetworkPlan, build_network
from otfsynth.networks.checkpoint import normalization_of
from otfsynth.synthesis import SyntheticBatch


class SegmentationModule(pl.LightningModule):
    """A network with its loss and optimiser, trained on synthetic batches.

    Validation batches of loader 0 are synthetic patches, those of loader 1 real scans segmented by sliding window. The
    network that validates is the moving average of the weights where one is kept.

    Args:
        plan: topology of the network.
        scheme: names of the targets.
        optimizer: optimiser, schedule, weight averaging.
        batch_dice: Dice over the whole batch instead of per sample.
        config: resolved configuration of the run, plain data, kept in every checkpoint.
        seed: of the initial weights.
        channels_last: memory format of weights and images.
        compile_network: compile the network with ``torch.compile``.
        real_validation_every: real scans are segmented at every k-th validation.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        scheme: LabelScheme,
        optimizer: OptimizerConfig,
        batch_dice: bool = False,
        config: dict[str, Any] | None = None,
        seed: int = 0,
        channels_last: bool = False,
        compile_network: bool = False,
        real_validation_every: int = 1,
    ) -> None:
        super().__init__()
        if plan.output_channels != scheme.target_count:
            raise ValueError(
                f"the network has {plan.output_channels} outputs, scheme '{scheme.name}' {scheme.target_count} targets"
            )
        self.plan = plan
        self.scheme = scheme
        self.optimizer_config = optimizer
        self.run_config = config or {}
        self.channels_last = channels_last
        self.real_validation_every = real_validation_every
        self.network: nn.Module = build_network(plan, seed)
        self.average = MovingAverage(self.network, optimizer.ema_decay) if optimizer.ema_decay > 0 else None
        self.loss = DeepSupervisionLoss(DiceCrossEntropyLoss(batch_dice))
        self.scores = ValidationScores(scheme.target_names)
        self.validations_done = 0
        self.latest_loss: Tensor = torch.zeros(())
        """Loss of the last step, on the device: reading it waits for the step to end."""
        if channels_last:
            self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        if compile_network:
            self.network.compile()

    @property
    def evaluation_network(self) -> nn.Module:
        """The network that validates and predicts."""
        return self.network if self.average is None else self.average.network

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits of every decoder output, finest first. Shape: (b, c, x, y, z) -> list of (b, labels, ...)."""
        return _as_list(self.network(self._formatted(image)))

    def training_step(self, batch: SyntheticBatch, batch_index: int) -> Tensor:
        """Loss of one synthetic batch."""
        loss = self.loss(self(batch.image), batch.target)
        self.latest_loss = loss.detach()
        return loss

    def configure_gradient_clipping(self, optimizer: Any, *unused: Any, **options: Any) -> None:
        """Clip the norm of the whole gradient, also of one whose parts are on several GPUs."""
        largest = self.optimizer_config.gradient_clip
        if largest <= 0:
            return
        whole = self.trainer.strategy.model
        if isinstance(whole, FullyShardedDataParallel):
            whole.clip_grad_norm_(largest)
        else:
            self.clip_gradients(optimizer, largest, "norm")

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Step, then let the moving average follow."""
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.update(self.network, self.trainer.global_step - 1)

    def configure_optimizers(self) -> Any:
        """Optimiser of the network alone (the average has no gradient) and its step-wise schedule."""
        optimizer = build_optimizer(self.optimizer_config, self.network.parameters())
        schedule = build_schedule(self.optimizer_config, optimizer, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_start(self) -> None:
        """A continued run has the settings that it was given, as its records say."""
        schedule = self.trainer.lr_scheduler_configs[0].scheduler
        assert isinstance(schedule, LambdaLR)
        settle(self.optimizer_config, self.trainer.optimizers[0], schedule)

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the last validation."""
        self.scores.start(self.device)

    def validation_step(
        self, batch: SyntheticBatch | ValidationCase, batch_index: int, dataloader_idx: int = 0
    ) -> dict[str, Tensor]:
        """Score one synthetic patch, whose labels are returned (uint8, as its target), or one real scan."""
        if isinstance(batch, ValidationCase):
            if self.validations_done % self.real_validation_every == 0:
                self._score_scan(batch)
            return {}
        outputs = _as_list(self.evaluation_network(self._formatted(batch.image)))
        loss = self.loss(outputs, batch.target)
        prediction = outputs[0].argmax(1, keepdim=True).to(torch.uint8)
        self.scores.add_synthetic(confusion_matrix(prediction, batch.target, self.plan.output_channels), loss)
        return {"prediction": prediction}

    def on_validation_epoch_end(self) -> None:
        """Add up the ranks' counts and compute the scores."""
        self.scores.finish(self.trainer.strategy, self.trainer.world_size)
        self.validations_done += 1

    def on_validation_end(self) -> None:
        """Let go of the scans; the pictures of them are drawn."""
        self.scores.release()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a checkpoint says about the run, as plain data."""
        checkpoint["otfsynth"] = {
            "network_plan": self.plan.to_dict(),
            "label_scheme": self.scheme.to_dict(),
            "config": self.run_config,
            "metrics": self.scores.metrics,
        }
        checkpoint["validation"] = {"done": self.validations_done, "pseudo_dice_ema": self.scores.pseudo_dice_ema}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the validation scores; refuse a checkpoint of another network, label scheme or optimiser.

        Raises:
            CheckpointError: plan, scheme or the kind of optimiser differ.
        """
        about = checkpoint["otfsynth"]
        differences = _differing(about["network_plan"], self.plan.to_dict())
        differences += _differing(about["label_scheme"], self.scheme.to_dict())
        has_average = any(name.startswith("average.") for name in checkpoint["state_dict"])
        before = about["config"].get("optimizer", {}).get("name", self.optimizer_config.name)
        if before != self.optimizer_config.name:
            differences.append(f"optimizer.name ({before} there)")
        if has_average != (self.average is not None):
            differences.append(f"optimizer.ema_decay ({'kept' if has_average else 'not kept'} there)")
        if differences:
            raise CheckpointError(
                f"the checkpoint is of another run: {', '.join(differences)} differ; resume with the configuration it "
                "was trained with, or use resume=never or another run folder"
            )
        self.validations_done = checkpoint["validation"]["done"]
        self.scores.pseudo_dice_ema = checkpoint["validation"]["pseudo_dice_ema"]

    def _score_scan(self, case: ValidationCase) -> None:
        predictor = SlidingWindowPredictor(
            self.evaluation_network,
            prediction_tile(self.plan.patch_size, self.plan.divisor),
            self.plan.spacing_mm[0],
            self.device,
            overlap=0.25,
            input_channels=self.plan.input_channels,
            normalization=normalization_of(self.run_config),
            fluid=fluid_target(self.run_config, self.scheme),
        )
        first = case.image if case.image.ndim == 3 else case.image[0]
        stripped = not has_skull(first, case.affine).needed
        labels = predictor.predict(case.image, case.affine, stripped=stripped).labels
        confusion = confusion_matrix(
            torch.from_numpy(labels), torch.from_numpy(case.reference), self.plan.output_channels
        )
        self.scores.add_scan(case, labels, confusion)

    def _formatted(self, image: Tensor) -> Tensor:
        return image.contiguous(memory_format=torch.channels_last_3d) if self.channels_last else image


def _differing(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    return [key for key in ours if theirs.get(key) != ours[key]]


def _as_list(outputs: Tensor | list[Tensor]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else outputs
