"""A small head that every test of the bank can recognise, and the developers' data folder."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.labels import LabelRow, LabelsConfig
from otfsynth.labels import LabelScheme


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The developers' data folder; tests that need it are skipped where it is absent."""
    checkout = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("OTFSYNTH_SHARED_DATA") or checkout.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set OTFSYNTH_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def scheme() -> LabelScheme:
    """Left and right white matter, cortex, CSF and a skull."""
    rows = [
        LabelRow("cortex", left=3, right=42, target="GM"),
        LabelRow("white matter", left=2, right=41, target="WM"),
        LabelRow("fluid", labels=24, target="CSF"),
        LabelRow("skull", labels=515, extracerebral=True),
    ]
    return LabelScheme.from_config(LabelsConfig(name="toy", rows=rows))


@pytest.fixture(scope="session")
def head() -> np.ndarray:
    """Label values int32 (26, 32, 30) in RAS at 1 mm: nested boxes, different on every side, left half below x = 13."""
    labels = np.zeros((26, 32, 30), np.int32)
    labels[2:24, 1:30, 3:29] = 515
    labels[4:22, 3:27, 5:27] = 24
    labels[5:13, 4:26, 6:26] = 3
    labels[13:21, 4:26, 6:26] = 42
    labels[7:13, 6:22, 8:24] = 2
    labels[13:19, 6:22, 8:24] = 41
    return labels


@pytest.fixture(scope="session")
def head_affine() -> np.ndarray:
    """World origin near the middle of the head."""
    affine = np.eye(4)
    affine[:3, 3] = [-12.5, -15.0, -14.0]
    return affine


@pytest.fixture
def save(tmp_path: Path, head: np.ndarray, head_affine: np.ndarray):  # type: ignore[no-untyped-def]
    """Write the head, or other data, as a file below ``tmp_path / "maps"``."""

    def write(name: str, data: np.ndarray | None = None, affine: np.ndarray | None = None) -> Path:
        path = tmp_path / "maps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = head if data is None else data
        placed = head_affine if affine is None else affine
        kind = nib.MGHImage if name.endswith((".mgz", ".mgh")) else nib.Nifti1Image
        nib.save(kind(values, placed), path)
        return path

    return write
