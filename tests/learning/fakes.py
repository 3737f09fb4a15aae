"""A head of nested boxes and a synthesizer of bright blobs: what a run needs, in milliseconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from otfsynth.config.labels import LabelRow, LabelsConfig
from otfsynth.config.network import NetworkConfig
from otfsynth.config.optimizer import OptimizerConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.config.trainer import TrainerConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.datamodule import SyntheticDataModule
from otfsynth.labels import LabelScheme
from otfsynth.learning import SegmentationModule, build_trainer
from otfsynth.networks import plan_network
from otfsynth.synthesis import SynthesisParameters, SyntheticBatch
from otfsynth.synthesis.parameters import AcquisitionParameters, DeformationParameters, MixtureParameters
from otfsynth.types import SampleKey

SIZE = (16, 16, 16)


def toy_scheme() -> LabelScheme:
    """Grey matter, white matter and CSF."""
    rows = [
        LabelRow("cortex", left=3, right=42, target="GM"),
        LabelRow("white matter", left=2, right=41, target="WM"),
        LabelRow("fluid", labels=24, target="CSF"),
    ]
    return LabelScheme.from_config(LabelsConfig(name="toy", rows=rows))


def toy_bank(count: int = 4, subjects: Sequence[str] | None = None) -> LabelBank:
    """Nested boxes of CSF, cortex and white matter; every map a little different."""
    maps = []
    for index in range(count):
        labels = np.zeros((26, 28, 26), np.int32)
        labels[2:24, 2 : 24 + index % 3, 2:24] = 24
        labels[5:13, 4:22, 5:21] = 3
        labels[13:21, 4:22, 5:21] = 42
        labels[8:13, 7:19, 8:18] = 2
        labels[13:18, 7:19, 8:18] = 41
        maps.append(labels)
    return LabelBank.from_volumes(toy_scheme(), maps, subjects=subjects)


class BlobSynthesizer:
    """Spheres of three targets whose intensities tell them apart; sample i depends on the seed and i alone."""

    def __init__(self, seed: int, size: tuple[int, int, int] = SIZE) -> None:
        self.seed = seed
        self.size = size
        self.asked: list[list[int]] = []

    def __call__(self, indices: Sequence[int]) -> SyntheticBatch:
        """Render the samples."""
        self.asked.append(list(indices))
        pairs = [self._sample(index) for index in indices]
        image, target = torch.stack([image for image, _ in pairs]), torch.stack([target for _, target in pairs])
        return SyntheticBatch(image[:, None], target[:, None], [self._record(index) for index in indices])

    def _sample(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        axes = torch.meshgrid(*[torch.arange(float(edge)) for edge in self.size], indexing="ij")
        target = torch.zeros(self.size, dtype=torch.uint8)
        for value, radius in ((3, 7.0), (1, 5.0), (2, 3.0)):
            centre = torch.tensor(self.size) / 2 + torch.rand(3, generator=generator) * 2 - 1
            distance = sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True))
            target[distance < radius**2] = value
        means = torch.tensor([0.0, 1.0, 2.0, -1.5])
        image = means[target.long()] + 0.1 * torch.randn(self.size, generator=generator)
        return image, target

    def _record(self, index: int) -> SynthesisParameters:
        identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        return SynthesisParameters(
            key=SampleKey(self.seed, index),
            label_map="blobs",
            map_index=0,
            size=self.size,
            spacing_mm=1.0,
            deformation=DeformationParameters(False, identity, (0.0, 0.0, 0.0), 0.0, 8.0),
            mixture=MixtureParameters((0.0,), (0.0,), "random"),
            background="zero",
            skull_strip=None,
            bias_field=None,
            clip_max=300.0,
            gamma=None,
            acquisition=AcquisitionParameters((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.0),
            normalization="none",
        )


def toy_data(seed: int = 3, batch_size: int = 2, **options: object) -> SyntheticDataModule:
    """Blobs, four subjects of which one validates, three validation samples."""
    return SyntheticDataModule(
        toy_bank(),
        SynthesisConfig(),
        SIZE,
        batch_size,
        seed,
        validation_fraction=0.25,
        validation_samples=3,
        make_synthesizer=lambda bank, sample_seed, curriculum: BlobSynthesizer(sample_seed),
        **options,  # type: ignore[arg-type]
    )


def toy_module(
    optimizer: OptimizerConfig | None = None, run_config: dict[str, object] | None = None, **options: object
) -> SegmentationModule:
    """A U-Net of three stages and 4-8-16 feature maps."""
    network = NetworkConfig(base_features=4, max_features=16, max_stages=3, min_feature_map_voxels=4)
    config = optimizer or OptimizerConfig(learning_rate=0.02, momentum=0.9, ema_decay=0.9)
    scheme = toy_scheme()
    return SegmentationModule(
        plan_network(network, scheme.target_count, SIZE),
        scheme,
        config,
        config={"seed": 3, "network": {"base_features": 4}, "optimizer": dataclasses.asdict(config)}
        | (run_config or {}),
        **options,  # type: ignore[arg-type]
    )


def toy_trainer(run_dir: Path, callbacks: Sequence[object] = (), loggers: Sequence[object] = (), **options: object):  # type: ignore[no-untyped-def]
    """Twelve steps on the CPU in float32, a validation every four."""
    values = {
        "max_steps": 12,
        "validate_every_steps": 4,
        "log_every_steps": 2,
        "pictures_every": 0,
        "accelerator": "cpu",
        "precision": "32-true",
        "progress": False,
    } | options
    return build_trainer(TrainerConfig(**values), loggers, callbacks, run_dir)  # type: ignore[arg-type]
