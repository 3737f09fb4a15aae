"""Small label maps for the tests of evaluation: nested boxes of three tissues."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otfsynth.volumes import write_volume

GM, WM, CSF = 1, 2, 3
AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])


def head(size: int = 24, shift: int = 0) -> np.ndarray:
    """A cube of GM around one of WM around one of CSF, moved along x."""
    labels = np.zeros((size, size, size), np.uint8)
    for label, margin in ((GM, 4), (WM, 7), (CSF, 10)):
        labels[margin + shift : size - margin + shift, margin : size - margin, margin : size - margin] = label
    return labels


def write(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write a label map and return its path."""
    return write_volume(path, labels, affine)


def touch(root: Path, *names: str) -> list[Path]:
    """Empty files, for tests that read names only."""
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths
