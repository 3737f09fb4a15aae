"""Training and validation data of a run, as Lightning asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.curriculum import CurriculumConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank, without_subjects
from otfsynth.data.dataset import BatchSynthesizer, CachedBatches, SyntheticDataset
from otfsynth.data.split import Split, split_by_subject
from otfsynth.data.validation import ValidationCase, ValidationCases
from otfsynth.labels import LabelScheme
from otfsynth.synthesis import Synthesizer

VALIDATION_SEED_OFFSET = 1_000_003
"""Validation samples have a seed of their own, this far from the training stream's."""

MakeSynthesizer = Callable[[LabelBank, int, CurriculumConfig], BatchSynthesizer]


class SyntheticDataModule(pl.LightningDataModule):
    """Synthetic training stream, fixed synthetic validation samples and, where given, real validation scans.

    Args:
        bank: all label maps; they are split by subject here.
        synthesis: the generative model.
        patch_size: (x, y, z) voxels of a sample.
        batch_size: samples per step and rank.
        seed: of the training stream; validation uses ``seed + 1_000_003``.
        validation_fraction: share of the subjects kept out of training.
        validation_samples: number of fixed synthetic validation samples, all ranks together.
        real_validation: real scans with labels.
        threads: of the synthesis; ``None`` lets the synthesizer choose.
        prefetch: batches made ahead by a background thread; ``None`` makes 2 where training runs on a GPU, else none.
        curriculum: easier samples at first, in training only.
        make_synthesizer: replaces :class:`otfsynth.synthesis.Synthesizer`, for tests.
    """

    def __init__(
        self,
        bank: LabelBank,
        synthesis: SynthesisConfig,
        patch_size: Sequence[int],
        batch_size: int,
        seed: int,
        validation_fraction: float = 0.2,
        validation_samples: int = 16,
        real_validation: ValidationCases | None = None,
        threads: int | None = None,
        prefetch: int | None = None,
        curriculum: CurriculumConfig | None = None,
        make_synthesizer: MakeSynthesizer | None = None,
    ) -> None:
        super().__init__()
        self.bank = bank
        self.synthesis = synthesis
        self.patch_size = (int(patch_size[0]), int(patch_size[1]), int(patch_size[2]))
        self.batch_size = batch_size
        self.seed = seed
        self.validation_samples = validation_samples
        self.real_validation = real_validation
        self.threads = threads
        self.prefetch = prefetch
        self.split: Split = split_by_subject(bank.subjects, validation_fraction, seed)
        self.training_set: SyntheticDataset | None = None
        self.curriculum = curriculum or CurriculumConfig()
        self._make_synthesizer = make_synthesizer or self._default_synthesizer
        self._validation_set: CachedBatches | None = None
        self._resume_position = 0
        self._first_step = 0

    @property
    def scheme(self) -> LabelScheme:
        """Label scheme of the bank."""
        return self.bank.scheme

    @property
    def validation_seed(self) -> int:
        """Seed of the validation samples."""
        return self.seed + VALIDATION_SEED_OFFSET

    def train_dataloader(self) -> DataLoader[Any]:
        """The training stream, from where the restored checkpoint ended or from sample 0."""
        rank, world_size, self._first_step = self._position()
        self.training_set = SyntheticDataset(
            self._make_synthesizer(self._training_bank(), self.seed, self.curriculum),
            self.batch_size,
            start=self._resume_position,
            rank=rank,
            world_size=world_size,
            prefetch=self._prefetch(),
        )
        return DataLoader(self.training_set, batch_size=None)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Loader 0: the synthetic samples; loader 1, where there are real scans: those."""
        rank, world_size, _ = self._position()
        real_count = 0 if self.real_validation is None else len(self.real_validation)
        if 0 < max(self.validation_samples, real_count) < world_size:
            raise ConfigurationError(
                f"data.validation_samples={self.validation_samples} leaves some of {world_size} processes without a "
                f"sample, and they would wait for each other for ever; give at least {world_size}, or 0"
            )
        synthetic: Any = self.validation_set(rank, world_size)
        loaders: list[DataLoader[Any]] = [DataLoader(synthetic, batch_size=None)]
        if self.real_validation is not None:
            real: Any = self.real_validation.of_rank(rank, world_size)
            loaders.append(DataLoader(real, batch_size=None))
        return loaders

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move image and target; parameters of synthesis and real scans stay where they are."""
        if isinstance(batch, ValidationCase) or batch.image.device == device:
            return batch
        return batch.to(device)

    @property
    def sample_position(self) -> int:
        """Samples of the stream used by optimiser steps so far, all ranks together; prefetched ones do not count."""
        if self.training_set is None:
            return self._resume_position
        batches = (self._position()[2] - self._first_step) * self._batches_per_step()
        return self.training_set.start + batches * self.training_set.samples_per_step

    def state_dict(self) -> dict[str, Any]:
        """Where a resumed run goes on."""
        return {"sample_position": self.sample_position, "seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint ended.

        Raises:
            ConfigurationError: the checkpoint's stream had another seed.
        """
        if state_dict["seed"] != self.seed:
            raise ConfigurationError(
                f"seed={self.seed}, but the checkpoint was trained with seed={state_dict['seed']}; resume with "
                "that seed, or use resume=never"
            )
        self._resume_position = state_dict["sample_position"]

    def validation_set(self, rank: int = 0, world_size: int = 1) -> CachedBatches:
        """This rank's share of the fixed samples 0 .. n-1, rendered at first use."""
        if self._validation_set is None:
            self._validation_set = CachedBatches(
                lambda: self._make_synthesizer(self._validation_bank(), self.validation_seed, CurriculumConfig()),
                range(rank, self.validation_samples, world_size),
            )
        return self._validation_set

    def _training_bank(self) -> LabelBank:
        """Label maps of training, and the real scans of other subjects than those of validation."""
        bank = self.bank.subset(self.split.training)
        if bank.real is not None and self.split.training != self.split.validation:
            bank.real = without_subjects(bank.real, {self.bank.subjects[i] for i in self.split.validation})
        return bank

    def _validation_bank(self) -> LabelBank:
        """Label maps of validation; synthetic validation samples are all synthetic."""
        bank = self.bank.subset(self.split.validation)
        bank.real = None
        return bank

    def _position(self) -> tuple[int, int, int]:
        """(rank, world size, optimiser steps done) of the trainer; (0, 1, 0) without one."""
        trainer = self.trainer
        return (0, 1, 0) if trainer is None else (trainer.global_rank, trainer.world_size, trainer.global_step)

    def _batches_per_step(self) -> int:
        """Batches of a rank whose gradients make one optimiser step."""
        return 1 if self.trainer is None else self.trainer.accumulate_grad_batches

    def _device(self) -> torch.device:
        """Where the trainer computes; the CPU without one."""
        return torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device

    def _prefetch(self) -> int:
        if self.prefetch is not None:
            return self.prefetch
        return 0 if self._device().type == "cpu" else 2

    def _default_synthesizer(self, bank: LabelBank, seed: int, curriculum: CurriculumConfig) -> BatchSynthesizer:
        return Synthesizer(
            self.synthesis,
            bank,
            self.patch_size,
            seed,
            threads=self.threads,
            device=self._device(),
            curriculum=curriculum,
        )
