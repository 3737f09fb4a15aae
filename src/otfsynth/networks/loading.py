"""One door to trained networks: checkpoints of runs and published models."""

from __future__ import annotations

from pathlib import Path

import torch

from otfsynth.networks.checkpoint import Checkpoint, load_checkpoint_file
from otfsynth.networks.model_folder import MODEL_FILES, is_model_folder, load_model_folder


def load_checkpoint(path: str | Path, map_location: str | torch.device = "cpu") -> Checkpoint:
    """Read a ``.ckpt`` file, or the folder of a published model; nothing in it is executed.

    Args:
        path: a checkpoint file, a model folder, or one of the files in such a folder.
        map_location: where the tensors go.

    Raises:
        CheckpointError: nothing is there, it is damaged, or was not written by otfsynth.
    """
    path = Path(path).expanduser()
    if path.name in MODEL_FILES and path.is_file():
        path = path.parent
    return load_model_folder(path, map_location) if is_model_folder(path) else load_checkpoint_file(path, map_location)
