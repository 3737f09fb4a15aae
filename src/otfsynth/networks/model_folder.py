"""Published models: a folder with half-precision weights and, as JSON, all that is needed to use and to judge them.

``model.safetensors`` holds one set of weights in float16 (the moving average where a run kept one), ``model.json`` the
network, the labels, the training's configuration and the checksum of the weights, ``MODEL_CARD.md`` the same for
readers. Weights are float32 again once read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from otfsynth.networks.build import build_network
from otfsynth.networks.checkpoint import Checkpoint, CheckpointError, package_versions
from otfsynth.networks.plan import NetworkPlan
from otfsynth.volumes import VolumeError, write_bytes_atomically

WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "model.json", "MODEL_CARD.md"
MODEL_FILES = (WEIGHTS, DESCRIPTION)
FORMAT = "otfsynth-model"
FORMAT_VERSION = 1
LFS_POINTER = b"version https://git-lfs"
REQUIRED = ("name", "version", "weights", "network_plan", "label_scheme", "config", "step")


def is_model_folder(path: str | Path) -> bool:
    """Whether a folder is, or was, a published model: it holds at least one of the two files that make one."""
    return any((Path(path) / name).is_file() for name in MODEL_FILES)


def write_model_folder(
    checkpoint: Checkpoint, folder: str | Path, name: str, version: str, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write weights and description; the description, which makes the folder a model, comes last.

    Args:
        checkpoint: of a run; its averaged weights are taken where it keeps some.
        folder: made where it is missing.
        name: of the model.
        version: of the model.
        about: more entries of ``model.json``, plain data.

    Returns:
        What ``model.json`` holds.

    Raises:
        CheckpointError: weights are not finite or too large for float16, or the folder can't be written.
    """
    folder = Path(folder)
    weights = _own_tensors(checkpoint.build_network())
    payload = to_safetensors({name: _halved(name, tensor) for name, tensor in weights.items()})
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": name,
        "version": version,
        "weights": {
            "file": WEIGHTS,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "bytes": len(payload),
            "dtype": "float16",
            "parameters": sum(tensor.numel() for tensor in weights.values()),
            "averaged": checkpoint.ema_weights is not None,
        },
        "network_plan": checkpoint.network_plan,
        "label_scheme": checkpoint.label_scheme,
        "spacing_mm": list(checkpoint.plan.spacing_mm),
        "normalization": checkpoint.normalization,
        "config": checkpoint.config,
        "step": checkpoint.step,
        "sample_position": checkpoint.sample_position,
        "metrics": checkpoint.metrics,
        "versions": {"trained": checkpoint.versions, "exported": package_versions()},
        **(about or {}),
    }
    try:
        (folder / DESCRIPTION).unlink(missing_ok=True)  # never beside weights of another model
        write_bytes_atomically(folder / WEIGHTS, payload)
        write_bytes_atomically(folder / DESCRIPTION, (json.dumps(description, indent=2) + "\n").encode())
    except (OSError, VolumeError) as error:
        raise CheckpointError(f"model folder '{folder}' could not be written ({error}); is the disk full?") from error
    return description


def load_model_folder(folder: str | Path, map_location: str | torch.device = "cpu") -> Checkpoint:
    """Read a model folder; the weights become float32.

    Raises:
        CheckpointError: a file is missing or damaged, or the weights are not those that the description tells of.
    """
    folder = Path(folder)
    description = read_description(folder)
    stored = _read_weights(folder, description["weights"])
    try:
        weights = _state(NetworkPlan.from_dict(description["network_plan"]), stored, map_location)
        checkpoint = Checkpoint(
            network_weights=weights,
            ema_weights=weights if description["weights"].get("averaged") else None,
            network_plan=description["network_plan"],
            label_scheme=description["label_scheme"],
            config=description["config"],
            step=int(description["step"]),
            sample_position=int(description.get("sample_position", 0)),
            metrics=description.get("metrics", {}),
            versions=description.get("versions", {}).get("trained", {}),
            name=str(description["name"]),
            version=str(description["version"]),
        )
        _ = checkpoint.scheme  # a description that was edited is told here, and not when the first scan is read
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"'{folder / DESCRIPTION}' does not describe the weights beside it ({type(error).__name__}: "
            f"{str(error).splitlines()[0][:200]}); get the folder again"
        ) from error
    return checkpoint


def read_description(folder: str | Path) -> dict[str, Any]:
    """Contents of ``model.json``.

    Raises:
        CheckpointError: it is missing, damaged, newer than this version or not otfsynth's.
    """
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"model folder '{folder}' has no {DESCRIPTION}; get the whole folder again") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"'{path}' is damaged ({error}); get the folder again") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' was not written by otfsynth; give a folder that otfsynth.export wrote")
    if description.get("format_version", 0) > FORMAT_VERSION:
        raise CheckpointError(
            f"'{path}' has format {description['format_version']}, newer than {FORMAT_VERSION}; update otfsynth"
        )
    missing = [name for name in REQUIRED if name not in description]
    weights = description.get("weights")
    if missing or not isinstance(weights, dict) or "sha256" not in weights:
        lacks = ", ".join(missing) or "the checksum of the weights"
        raise CheckpointError(f"'{path}' lacks parts ({lacks}); get the folder again")
    return description


def _read_weights(folder: Path, expected: dict[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"model folder '{folder}' has no readable {WEIGHTS} ({error.strerror or error}); get the whole folder again"
        ) from error
    found = hashlib.sha256(payload).hexdigest()
    if found != expected["sha256"]:
        pointer = "; it is a pointer of git-lfs, not the file itself" if payload.startswith(LFS_POINTER) else ""
        raise CheckpointError(
            f"checkpoint '{path}' is damaged or truncated: its SHA-256 is {found[:12]}..., {DESCRIPTION} beside it "
            f"says {str(expected['sha256'])[:12]}...{pointer}; get the folder again"
        )
    try:
        return read_safetensors(payload)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint '{path}' is damaged ({error}); get the folder again") from error


def _own_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers under one name each: a state dictionary lists those of nnU-Net's networks three times."""
    return {name: tensor.detach() for name, tensor in (*network.named_parameters(), *network.named_buffers())}


def _state(plan: NetworkPlan, stored: dict[str, Tensor], map_location: str | torch.device) -> dict[str, Tensor]:
    """State dictionary of the planned network with the stored tensors in it.

    Raises:
        ValueError: they are not those of such a network.
    """
    network = build_network(plan, seed=0)
    own = _own_tensors(network)
    if {name: tensor.shape for name, tensor in own.items()} != {name: one.shape for name, one in stored.items()}:
        raise ValueError("the tensors are those of another network")
    for name, tensor in own.items():
        tensor.copy_(stored[name])
    return network.to(map_location).state_dict()


def _halved(name: str, tensor: Tensor) -> Tensor:
    half = tensor.half() if tensor.is_floating_point() else tensor
    if not bool(torch.isfinite(half).all()):
        raise CheckpointError(
            f"weight '{name}' holds values that are not finite or leave float16 (above 65504); did the training "
            "diverge? Export an earlier checkpoint"
        )
    return half.contiguous()
