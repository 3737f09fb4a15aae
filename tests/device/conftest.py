"""The emulated device, compiled once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device import emulated


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The emulator's library; skips, visibly, where nothing compiles it."""
    library = emulated.build(tmp_path_factory.mktemp("emulator"))
    if library is None:
        pytest.skip("no C++ compiler, so the device is not emulated (Debian: apt-get install g++)")
    return library
