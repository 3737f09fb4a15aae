"""Segmentation of whole scans by overlapping patches, as nnU-Net does it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from otfsynth.inference.preparation import PreparedImage, from_canonical, prepare_image
from otfsynth.networks import load_checkpoint
from otfsynth.volumes import Grid, resample_to_grid

DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None}


@dataclass(frozen=True)
class Prediction:
    """A segmentation in the scan's own space.

    Args:
        labels: uint8 (x, y, z) target values, on the grid of the scan as stored.
        probabilities: float16 (labels, x, y, z) on the same grid, or ``None`` where not asked for.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None = None


class SlidingWindowPredictor:
    """Network, patch and spacing, ready to segment scans.

    Logits of overlapping patches are averaged with Gaussian weights (sigma an eighth of the patch) and, with mirroring,
    over flipped copies; probabilities, not labels, are resampled to the scan.

    Args:
        network: (b, 1, x, y, z) -> logits (b, labels, x, y, z), or a list of them, finest first.
        patch_size: (x, y, z) voxels.
        spacing_mm: working voxel size.
        device: where the network runs; it is moved there.
        overlap: share of a patch that its neighbour covers too, in [0, 1).
        mirror_axes: axes (0, 1, 2 for x, y, z) whose flips are averaged, all combinations.
        batch_size: patches per pass.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
    """

    def __init__(
        self,
        network: nn.Module,
        patch_size: Sequence[int],
        spacing_mm: float,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror_axes: Sequence[int] = (),
        batch_size: int = 1,
        precision: str = "32-true",
    ) -> None:
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap {overlap} is outside [0, 1)")
        if precision not in DTYPES:
            raise ValueError(f"precision '{precision}' is unknown; choose one of: {', '.join(DTYPES)}")
        self.network = network.to(device)
        self.patch_size = tuple(patch_size)
        self.spacing_mm = spacing_mm
        self.device = torch.device(device)
        self.overlap = overlap
        self.flips = [
            axes for size in range(len(mirror_axes) + 1) for axes in itertools.combinations(mirror_axes, size)
        ]
        self.batch_size = batch_size
        self.precision = precision

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror_axes: Sequence[int] = (),
        batch_size: int = 1,
        precision: str = "32-true",
    ) -> SlidingWindowPredictor:
        """The network of a checkpoint, its averaged weights where it keeps some.

        Raises:
            otfsynth.networks.CheckpointError: the file is missing, damaged or not otfsynth's.
        """
        checkpoint = load_checkpoint(path)
        plan = checkpoint.plan
        return cls(
            checkpoint.build_network(),
            plan.patch_size,
            plan.spacing_mm[0],
            device,
            overlap,
            mirror_axes,
            batch_size,
            precision,
        )

    def predict(self, image: np.ndarray, affine: np.ndarray, keep_probabilities: bool = False) -> Prediction:
        """Segment one scan.

        Args:
            image: (x, y, z) intensities as stored.
            affine: (4, 4) voxel index to RAS world millimetres.
            keep_probabilities: return them too; they take 2 bytes per voxel and label.

        Raises:
            ImageError: the image is not 3-D, or is empty or constant.
        """
        prepared = prepare_image(image, affine, self.spacing_mm)
        probabilities = self.predict_prepared(torch.from_numpy(prepared.data)).cpu().numpy()
        return _to_scan(probabilities, prepared, keep_probabilities)

    @torch.no_grad()
    def predict_prepared(self, data: Tensor) -> Tensor:
        """Probabilities of a prepared image.

        Shape: (x, y, z) -> float32 (labels, x, y, z), on the predictor's device.
        """
        from monai.inferers import sliding_window_inference  # late: importing MONAI takes seconds

        with self._autocast():
            logits = sliding_window_inference(
                data[None, None].to(self.device),
                self.patch_size,
                self.batch_size,
                self._mirrored_logits,
                overlap=self.overlap,
                mode="gaussian",
            )
        assert isinstance(logits, Tensor)  # MONAI returns a tensor where the predictor returns one
        return logits[0].float().softmax(0)

    def _mirrored_logits(self, patches: Tensor) -> Tensor:
        total = None
        for axes in self.flips:
            dimensions = [axis + 2 for axis in axes]
            outputs = self.network(patches.flip(dimensions) if dimensions else patches)
            logits = (outputs[0] if isinstance(outputs, (list, tuple)) else outputs).float()
            logits = logits.flip(dimensions) if dimensions else logits
            total = logits if total is None else total + logits
        assert total is not None  # the first "flip" is the patch as it is
        return total / len(self.flips)

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = DTYPES[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype=dtype)


def _to_scan(probabilities: np.ndarray, prepared: PreparedImage, keep_probabilities: bool) -> Prediction:
    """Resample label by label and keep the likeliest: two volumes at a time, however many labels there are."""
    reach = _reach(prepared)
    x, y, z = (extent.stop - extent.start for extent in reach)
    corner = np.eye(4)
    corner[:3, 3] = [extent.start for extent in reach]
    grid = Grid((x, y, z), prepared.canonical.affine @ corner)
    best, winner = np.full(grid.shape, -1.0, np.float32), np.zeros(grid.shape, np.uint8)
    kept = []
    for label, volume in enumerate(probabilities):
        resampled = resample_to_grid(volume, prepared.affine, grid, order=1, outside=None)
        better = resampled > best
        best[better], winner[better] = resampled[better], label
        if keep_probabilities:
            whole = np.full(prepared.canonical.shape, 1.0 if label == 0 else 0.0, np.float16)
            whole[reach] = resampled
            kept.append(from_canonical(whole, prepared.original_affine))
    labels = np.zeros(prepared.canonical.shape, np.uint8)
    labels[reach] = winner
    return Prediction(from_canonical(labels, prepared.original_affine), np.stack(kept) if kept else None)


def _reach(prepared: PreparedImage) -> tuple[slice, slice, slice]:
    """Voxels of the scan whose centres lie inside the prepared box, its voxels' outer halves included."""
    mapping = np.linalg.inv(prepared.affine) @ prepared.canonical.affine  # same axes: scale and shift only
    scale, shift = np.diag(mapping)[:3], mapping[:3, 3]
    first = np.ceil((-0.5 - shift) / scale - 1e-6)
    last = np.floor((np.array(prepared.data.shape) - 0.5 - shift) / scale + 1e-6)
    low = np.clip(first, 0, None).astype(int)
    high = np.clip(last + 1, low + 1, prepared.canonical.shape).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])
