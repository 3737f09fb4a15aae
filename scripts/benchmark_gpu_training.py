"""A training step of nnU-Net's default network, fed by synthesis on the fly or by one frozen batch again and again."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmark_gpu_peers import milliseconds
from otfsynth.config.compose import compose
from otfsynth.data.bank import LabelBank
from otfsynth.data.dataset import SyntheticDataset
from otfsynth.learning.losses import DeepSupervisionLoss, DiceCrossEntropyLoss
from otfsynth.networks import build_network, plan_network
from otfsynth.networks.precision import choose_precision
from otfsynth.synthesis import Synthesizer, SyntheticBatch


class TrainingStep:
    """Forward, loss, backward, clipping and SGD, as nnU-Net does them."""

    def __init__(self, bank: LabelBank, edge: int, device: torch.device, network: str = "nnunet") -> None:
        config = compose([f"network={network}", "hardware=laptop"]).network
        plan = plan_network(config, bank.scheme.target_count, (edge,) * 3)
        self.network = build_network(plan, seed=0).to(device)
        self.loss = DeepSupervisionLoss(DiceCrossEntropyLoss())
        self.optimizer = torch.optim.SGD(self.network.parameters(), 1e-2, 0.99, weight_decay=3e-5, nesterov=True)
        self.device = device
        self.precision = choose_precision("auto", device.type)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "16-mixed")

    def __call__(self, batch: SyntheticBatch) -> None:
        kind = torch.float16 if self.precision == "16-mixed" else torch.bfloat16
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, kind, enabled=self.precision != "32-true"):
            loss = self.loss(self.network(batch.image), batch.target)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def step_times(
    synthesizer: Synthesizer, step: TrainingStep, batch: int, prefetch: int, repeats: int
) -> tuple[float, float]:
    """Milliseconds of a step (on the fly, with one frozen batch); the difference is what synthesis costs."""
    frozen = synthesizer(range(batch))
    frozen = SyntheticBatch(frozen.image.clone(), frozen.target.clone(), frozen.parameters)
    stream: Iterator[SyntheticBatch] = iter(SyntheticDataset(synthesizer, batch, prefetch=prefetch))
    on_the_fly = milliseconds(lambda: step(next(stream)), step.device, repeats)
    close = getattr(stream, "close", None)
    if close is not None:
        close()
    return on_the_fly, milliseconds(lambda: step(frozen), step.device, repeats)
