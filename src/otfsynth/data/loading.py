"""From label maps on disk to a synthesizer in one call, for training loops without Hydra."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from otfsynth.config.data import DataConfig
from otfsynth.config.labels import LabelsConfig
from otfsynth.config.priors import resolve_priors
from otfsynth.config.root import TrainConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.embedded import EMBEDDED
from otfsynth.data.scheme_choice import AUTO, resolve_labels
from otfsynth.data.whole_heads import whole_head_size
from otfsynth.labels import LabelScheme
from otfsynth.synthesis import Synthesizer


def build_synthesizer(config: TrainConfig) -> Synthesizer:
    """The stream of samples that a configuration asks for: of its patch size, or whole heads where it has none.

    All are of the whole generative model: the curriculum is of training alone.

    Args:
        config: of a training run, or of a command that draws samples as one would.

    Raises:
        LabelMapError: no usable label map; one message lists every bad file.
        ConfigurationError: a value that can't work.
    """
    scheme = LabelScheme.from_config(resolve_labels(config.labels, config.data))
    bank = LabelBank.from_config(config.data, scheme, show_progress=config.trainer.progress)
    size = config.data.patch_size or whole_head_size(config.data.spacing_mm)
    synthesis = resolve_priors(config.synthesis, scheme.name)
    return Synthesizer(synthesis, bank, size, config.seed, config.hardware.threads)


def load_synthesizer(
    label_maps: str = EMBEDDED,
    size: Sequence[int] = (128, 128, 128),
    seed: int = 0,
    scheme: LabelScheme | str = AUTO,
    synthesis: SynthesisConfig | None = None,
    spacing_mm: float = 1.0,
    device: torch.device | str = "cpu",
) -> Synthesizer:
    """Prepare label maps (or take them from the cache) and return the stream of samples drawn from them.

    Args:
        label_maps: file, folder, glob or CSV list; ``embedded`` for the two anatomies that need no file.
        size: (x, y, z) voxels of every sample.
        seed: key of the random generator.
        scheme: a label scheme, the name of a shipped one, a YAML file, or ``auto`` to choose by the labels in the maps.
        synthesis: the generative model; by default that of ``+experiment=randomized``.
        spacing_mm: working spacing, cubic voxels.
        device: where batches are delivered.

    Raises:
        LabelMapError: no usable label map; one message lists every bad file.
        ConfigurationError: a value that can't work.
    """
    data = DataConfig(label_maps=label_maps, spacing_mm=spacing_mm)
    if scheme == AUTO:
        scheme = LabelScheme.from_config(resolve_labels(LabelsConfig(name=AUTO), data))
    elif isinstance(scheme, str):
        scheme = LabelScheme.load(scheme)
    bank = LabelBank.from_config(data, scheme, show_progress=False)
    resolved = resolve_priors(synthesis or SynthesisConfig(), scheme.name)
    return Synthesizer(resolved, bank, size, seed, device=device)
