"""Configuration of a training run: its budget, its precision, how often it validates, saves and draws."""

from __future__ import annotations

from dataclasses import dataclass

from otfsynth.config import checks

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
STRATEGIES = ("auto", "ddp", "fsdp")


@dataclass
class TrainerConfig:
    """Budget in optimiser steps; nnU-Net calls 250 steps an epoch and trains 1,000 of them."""

    max_steps: int = 250_000
    validate_every_steps: int = 250
    real_validation_every: int = 1
    """Real scans, where given, are segmented at every k-th validation."""
    checkpoint_every_steps: int | None = None
    """Steps between two writings of ``last.ckpt``; ``null`` writes it at each validation only."""
    log_every_steps: int = 10
    pictures_every: int = 1
    """Pictures are drawn at every k-th validation; 0 draws none."""
    batch_dice: bool = False
    """Dice over the whole batch instead of sample by sample (nnU-Net uses it for small patches)."""
    accumulate: int = 1
    """Batches whose gradients are averaged for one step; the samples of a step are data.batch_size x accumulate x
    devices x num_nodes, and two runs that agree in this product see the same samples in the same steps."""
    accelerator: str = "auto"
    devices: int = 1
    """Processes of each machine, one GPU each."""
    num_nodes: int = 1
    """Machines; srun or torchrun starts the processes then (docs/scaling.md)."""
    strategy: str = "auto"
    """``ddp``: every GPU keeps the whole network; ``fsdp``: each keeps a part; ``auto``: one GPU, or ddp for several."""
    precision: str = "auto"
    """``auto``: bf16-mixed where the processor or GPU computes in bfloat16, 16-mixed on older GPUs, else 32-true."""
    channels_last: bool = False
    """Store feature maps with channels last (faster on tensor cores; of no use on CPUs)."""
    compile: bool = False
    """Compile the network with ``torch.compile`` (a minute at the start, faster steps after)."""
    deterministic: bool = False
    """Refuse operations whose result may differ from run to run on a GPU; CPU runs repeat exactly without it."""
    progress: bool = True

    def __post_init__(self) -> None:
        at_least_one = ("max_steps", "validate_every_steps", "real_validation_every", "log_every_steps")
        for name in (*at_least_one, "accumulate", "devices", "num_nodes"):
            checks.check_at_least(f"trainer.{name}", getattr(self, name), 1)
        if self.checkpoint_every_steps is not None:
            checks.check_at_least("trainer.checkpoint_every_steps", self.checkpoint_every_steps, 1)
        checks.check_at_least("trainer.pictures_every", self.pictures_every, 0)
        checks.check_choice("trainer.precision", self.precision, PRECISIONS)
        checks.check_choice("trainer.accelerator", self.accelerator, ACCELERATORS)
        checks.check_choice("trainer.strategy", self.strategy, STRATEGIES)

    @property
    def processes(self) -> int:
        """Processes that train together, on all machines."""
        return self.devices * self.num_nodes
