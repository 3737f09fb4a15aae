"""Shared by all tests: the developers' data folder, and skips that say why."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared_data_folder() -> Path:
    """``$OTFSYNTH_SHARED_DATA``, else ``../shared/data`` beside the checkout; may not exist."""
    return Path(os.environ.get("OTFSYNTH_SHARED_DATA") or ROOT.parent / "shared" / "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, visibly (``-ra``), what this machine can't run."""
    missing = {}
    if not shared_data_folder().is_dir():
        missing["shared"] = f"no developers' data at {shared_data_folder()} (set OTFSYNTH_SHARED_DATA)"
    if shutil.which("chromium") is None:
        missing["browser"] = "no chromium on the PATH (Debian: apt-get install chromium)"
    if not _has_gpu():
        missing["gpu"] = "no CUDA GPU with CuPy"
    for item in items:
        for marker, reason in missing.items():
            if marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The developers' data folder, for tests marked ``shared``."""
    return shared_data_folder()


def _has_gpu() -> bool:
    if find_spec("cupy") is None:
        return False
    import torch

    return torch.cuda.is_available()
