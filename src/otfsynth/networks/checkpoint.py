"""Checkpoint files: plain data and tensors, written whole or not at all, read without running anything in them."""

from __future__ import annotations

import os
import pickle
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otfsynth.config.checks import InputError
from otfsynth.labels import LabelScheme
from otfsynth.networks.build import build_network, set_deep_supervision
from otfsynth.networks.plan import NetworkPlan

FORMAT = "otfsynth-checkpoint"
FORMAT_VERSION = 1
PACKAGES = ("otfsynth", "torch", "lightning", "nnunetv2", "dynamic-network-architectures", "monai", "numpy")


class CheckpointError(InputError):
    """A checkpoint that can't be used; the message names the file, what is wrong and what to do."""


@dataclass
class Checkpoint:
    """What a checkpoint file holds.

    Args:
        network_weights: state dictionary of the network.
        ema_weights: moving average of the weights, or ``None`` where none is kept.
        network_plan: :meth:`NetworkPlan.to_dict`.
        label_scheme: :meth:`LabelScheme.to_dict`.
        config: resolved configuration of the run, plain data.
        step: optimiser steps done.
        sample_position: samples drawn from the stream so far, all ranks together: the next run starts there.
        metrics: last validation's values.
        versions: of Python and of the packages that matter.
        training_state: optimiser, schedule, loop counters and callbacks; empty in a file for inference only.
        name: of a published model; empty for a checkpoint of a run.
        version: of a published model.
    """

    network_weights: dict[str, Tensor]
    network_plan: dict[str, Any]
    label_scheme: dict[str, Any]
    config: dict[str, Any]
    ema_weights: dict[str, Tensor] | None = None
    step: int = 0
    sample_position: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    training_state: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    version: str = ""

    @property
    def plan(self) -> NetworkPlan:
        """The network's topology."""
        return NetworkPlan.from_dict(self.network_plan)

    @property
    def scheme(self) -> LabelScheme:
        """Names and targets of the labels."""
        return LabelScheme.from_dict(self.label_scheme)

    @property
    def normalization(self) -> str:
        """Of the intensities in training."""
        return normalization_of(self.config)

    def build_network(self, ema: bool = True) -> nn.Module:
        """The network with its weights (averaged ones where kept and asked for), in evaluation mode, one output."""
        network = build_network(self.plan, seed=0)
        network.load_state_dict(self.ema_weights if ema and self.ema_weights is not None else self.network_weights)
        set_deep_supervision(network, False)
        return network.eval()


def normalization_of(config: Mapping[str, Any]) -> str:
    """Normalisation of the intensities that a run's configuration, plain data, asks for."""
    return str(config.get("synthesis", {}).get("normalization", "zscore"))


def save_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write a checkpoint beside its final name, then rename: a reader never sees half a file.

    Raises:
        CheckpointError: the disk is full or the folder can't be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    contents = {"format": FORMAT, "format_version": FORMAT_VERSION, **vars(checkpoint)}
    contents["versions"] = checkpoint.versions or package_versions()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            torch.save(contents, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint '{path}' could not be written ({error}); is the disk full?") from error
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint_file(path: str | Path, map_location: str | torch.device = "cpu") -> Checkpoint:
    """Read a ``.ckpt`` file with ``weights_only=True``: nothing in the file is executed.

    Raises:
        CheckpointError: no such file, damaged, or not written by otfsynth.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint '{path}' does not exist; check the path")
    try:
        contents = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint '{path}' is damaged or holds Python objects, as files of other programs do; it was not "
            f"opened. Give a .ckpt file of otfsynth ({_first_line(error)})"
        ) from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"checkpoint '{path}' is damaged or truncated ({_first_line(error)}); use another, e.g. best.ckpt beside it"
        ) from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint '{path}' was not written by otfsynth; give a .ckpt file of an otfsynth run")
    if contents["format_version"] > FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint '{path}' has format {contents['format_version']}, newer than {FORMAT_VERSION}; update otfsynth"
        )
    fields = {name: contents[name] for name in Checkpoint.__dataclass_fields__ if name in contents}
    try:
        return Checkpoint(**fields)
    except TypeError as error:
        raise CheckpointError(f"checkpoint '{path}' lacks parts ({error}); use another") from error


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a run computes."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
