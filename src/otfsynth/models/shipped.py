"""The model that comes with the package: a folder of :mod:`otfsynth.networks.model_folder` beside this module."""

from __future__ import annotations

from pathlib import Path

from otfsynth.config.checks import InputError
from otfsynth.networks.model_folder import DESCRIPTION, is_model_folder

FOLDER = Path(__file__).resolve().parent
MOST_MEGABYTES = 15.0
"""Of the shipped weights: what a package index and its users' connections bear."""


class NoShippedModelError(InputError):
    """This installation holds no model; the message says what to do."""


def shipped_model() -> Path:
    """Folder of the model that the package ships.

    Raises:
        NoShippedModelError: there is none, as in a checkout from before the first one was trained.
    """
    found = sorted(path for path in FOLDER.iterdir() if is_model_folder(path))
    if not found:
        raise NoShippedModelError(
            f"this installation of otfsynth has no model of its own (no folder with {DESCRIPTION} in '{FOLDER}'); give "
            "checkpoint=RUN/checkpoints/best.ckpt or a model folder, or install a release"
        )
    return found[0]
