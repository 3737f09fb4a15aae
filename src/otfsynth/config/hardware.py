"""Configuration of the machine: what a preset of ``conf/hardware`` stands for."""

from __future__ import annotations

from dataclasses import dataclass

from otfsynth.config import checks


@dataclass
class HardwareConfig:
    """The preset's name, and the threads of the synthesis engine.

    A preset also chooses network, patch and batch; each of them can be overridden by its own name (``network=tiny``,
    ``data.batch_size=1``). The device and the precision are found at run time (``trainer.accelerator=auto``,
    ``trainer.precision=auto``).
    """

    name: str = "auto"
    threads: int | None = None
    """Threads of the synthesis engine on a CPU; by default one per core."""

    prefetch: int | None = None
    """Batches made ahead while the network trains, on a stream of their own where that is a GPU; by default 2 there and
    none on a CPU, where the network needs every core itself."""

    def __post_init__(self) -> None:
        if self.prefetch is not None:
            checks.check_at_least("hardware.prefetch", self.prefetch, 0)
        if self.threads is not None:
            checks.check_at_least("hardware.threads", self.threads, 1)
