"""One small tree of real images for all tests; trees of empty files where only names matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oasis3.tree import make_tree


@pytest.fixture(scope="session")
def image_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects with images, in XNAT's own layout, FreeSurfer in a folder of its own."""
    root = tmp_path_factory.mktemp("oasis3")
    make_tree(root, 6, layout="xnat", freesurfer="separate")
    return root


@pytest.fixture
def name_tree(tmp_path: Path) -> Path:
    """Twelve subjects, empty files, as the download scripts write them."""
    make_tree(tmp_path / "oasis3", 12, images=False)
    return tmp_path / "oasis3"
