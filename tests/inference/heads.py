"""A small stripped brain and untrained networks for it: cases in milliseconds."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from otfsynth.config.network import NetworkConfig
from otfsynth.labels import LabelScheme
from otfsynth.networks import Checkpoint, build_network, plan_network, save_checkpoint
from tests.learning.fakes import toy_scheme

SPACING_MM = 4.0
SHAPE = (44, 50, 42)
"""Voxels of :func:`brain`: 176 x 200 x 168 mm."""


def brain_affine() -> np.ndarray:
    """(4, 4) of :func:`brain`, RAS."""
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = [-88, -100, -60]
    return affine


def brain(seed: int = 0) -> np.ndarray:
    """float32 :data:`SHAPE`: an ellipsoid of 1.3 l with a bright core that is larger on the right, and noise."""
    places = np.stack(np.meshgrid(*[np.arange(size) - size / 2 + 0.5 for size in SHAPE], indexing="ij"), -1)
    radii = np.sqrt(((places * SPACING_MM / np.array([62, 82, 61])) ** 2).sum(-1))
    core = np.sqrt((((places - [3, 0, 0]) * SPACING_MM / np.array([40, 50, 35])) ** 2).sum(-1))
    noise = np.random.default_rng(seed).normal(0, 4, SHAPE)
    return np.where(radii < 1, np.where(core < 1, 110, 70) + noise, 0).astype(np.float32)


def write_scan(path: Path, data: np.ndarray | None = None, affine: np.ndarray | None = None) -> Path:
    """Write a scan, by default :func:`brain`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(brain() if data is None else data, brain_affine() if affine is None else affine)
    image.set_qform(image.affine, 1)
    nib.save(image, path)
    return path


def write_checkpoint(
    path: Path,
    seed: int = 0,
    spacing_mm: float = SPACING_MM,
    scheme: LabelScheme | None = None,
    channels: int = 1,
    **config: object,
) -> Path:
    """An untrained U-Net of two stages with patches of 16^3; as its weights differ, so do its labels."""
    scheme = scheme or toy_scheme()
    network = NetworkConfig(base_features=4, max_features=8, max_stages=2)
    plan = plan_network(network, scheme.target_count, (16, 16, 16), (spacing_mm,) * 3, input_channels=channels)
    weights = build_network(plan, seed).state_dict()
    save_checkpoint(Checkpoint(weights, plan.to_dict(), scheme.to_dict(), dict(config)), path)
    return path
