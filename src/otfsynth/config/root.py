"""The whole configuration of a training run, one field per group of ``conf/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from otfsynth.config import checks
from otfsynth.config.curriculum import CurriculumConfig
from otfsynth.config.data import DataConfig
from otfsynth.config.hardware import HardwareConfig
from otfsynth.config.labels import LabelsConfig
from otfsynth.config.logger import LoggerConfig
from otfsynth.config.network import NetworkConfig
from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.config.paths import PathsConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.config.trainer import TrainerConfig


@dataclass
class TrainConfig:
    """Everything that ``python -m otfsynth.train`` reads."""

    data: DataConfig = field(default_factory=DataConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    experiment_name: str = "train"
    """Names the run's folder; each experiment sets its own."""
    seed: int = 0
    """Key of every random choice of the run, in [0, 2**31 - 1]."""
    resume: str = "auto"
    """``auto`` continues the run in ``hydra.run.dir`` where there is one; ``never``; or the path of a checkpoint."""

    initial_weights: str | None = None
    """A checkpoint or model folder whose weights a new run begins with, e.g. of narrower ranges or smaller patches; a
    run that is continued has its own."""

    def __post_init__(self) -> None:
        checks.check_between("seed", self.seed, 0, 2**31 - 1)
        if self.resume not in ("auto", "never") and not Path(self.resume).expanduser().is_file():
            raise checks.ConfigurationError(
                f"resume={self.resume} is no file; give the path of a checkpoint, or 'auto' or 'never'"
            )
        if self.initial_weights is not None and not Path(self.initial_weights).expanduser().exists():
            raise checks.ConfigurationError(
                f"initial_weights={self.initial_weights} does not exist; give a checkpoint or a model folder"
            )
        if not self.experiment_name or set(self.experiment_name) & set("/\\"):
            raise checks.ConfigurationError(
                f"experiment_name={self.experiment_name} names a folder; give a word without slashes"
            )
        if self.curriculum.is_on:
            self.curriculum.easier(self.synthesis)
        if self.trainer.strategy == "fsdp":
            _check_sharded(self)


def _check_sharded(config: TrainConfig) -> None:
    """Every rank calls the network equally often there, or the others wait for it, and none has all of its weights."""
    problem = None
    if config.optimizer.ema_decay > 0:
        problem = f"keeps no average of the weights; set optimizer.ema_decay=0 (now {config.optimizer.ema_decay})"
    elif config.data.real_validation:
        problem = f"can't segment scans of different sizes while training; leave out {config.data.real_validation}"
    elif config.data.validation_samples % config.trainer.processes:
        problem = (
            f"validates as much on each of {config.trainer.processes} GPUs; data.validation_samples="
            f"{config.data.validation_samples} is no multiple of that"
        )
    if problem:
        raise checks.ConfigurationError(f"trainer.strategy=fsdp {problem}")
