"""What is written beside every run, so that it can be told later how it was made."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError


def save_run_record(config: Any, versions: dict[str, str], folder: Path) -> None:
    """Write ``config.yaml`` (resolved, the seed included) and ``versions.json`` into the run's folder.

    Args:
        config: dataclass of the whole configuration.
        versions: of Python and of the packages that decide what a run computes.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dataclasses.asdict(config))))
    _write(folder / "versions.json", json.dumps(versions, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")  # every process of a run writes its own
    part.write_text(text)
    os.replace(part, path)


def read_overrides(folder: Path) -> list[str] | None:
    """Overrides that a run in ``folder`` was started with; ``None`` where Hydra left no readable record there."""
    try:
        found = OmegaConf.to_object(OmegaConf.load(folder / ".hydra" / "overrides.yaml"))
    except (OSError, YAMLError):
        return None
    return [str(override) for override in found] if isinstance(found, list) else None


def read_setting(path: Path, name: str) -> Any:
    """A setting in a ``config.yaml`` that :func:`save_run_record` wrote; ``None`` where it can't be read."""
    try:
        found = OmegaConf.to_object(OmegaConf.load(path))
    except (OSError, YAMLError):
        return None
    return found.get(name) if isinstance(found, dict) else None
