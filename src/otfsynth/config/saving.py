"""What is written beside every run, so that it can be told later how it was made."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


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
