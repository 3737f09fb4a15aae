"""Segmentation of whole scans by overlapping patches, as nnU-Net does it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from otfsynth.inference.channels import prepare_channels
from otfsynth.inference.fluid_rim import FluidRim, fluid_target
from otfsynth.inference.preparation import ImageError, PreparedImage, from_canonical, prepare_image
from otfsynth.inference.projection import Projected, Projector, averaged, on_grid
from otfsynth.inference.tiling import Triple, is_out_of_memory, prediction_tile, smaller_tile, stream_probabilities
from otfsynth.networks import load_checkpoint
from otfsynth.volumes import Grid

RIM_MM = 3.0
"""Fluid that a good skull-strip leaves around the brain, beyond what the network calls fluid."""
MOST_COPIED_VOXELS = 40_000_000
"""A brain at half a millimetre. Copies of more than that take gigabytes."""
DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """A segmentation in the scan's own space, or on the grid that was asked for.

    Args:
        labels: uint8 (x, y, z) target values, on the grid of the scan as stored.
        probabilities: float16 (labels, x, y, z) on the same grid, or ``None`` where not asked for.
        affine: (4, 4) of both, voxel index to RAS world millimetres.
        expected_voxels: float64 (labels,), sum of every label's probability over all voxels.
        entropy: mean over voxels that the networks label, 0 certain to 1 guessing; see :class:`~.projection.Projected`.
        rim_mm3: volume that is fluid by the rule for the rim alone, see :mod:`.fluid_rim`.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    affine: np.ndarray
    expected_voxels: np.ndarray
    entropy: float
    rim_mm3: float = 0.0


class SlidingWindowPredictor:
    """Networks, patch and spacing, ready to segment scans.

    Probabilities of overlapping patches are averaged with Gaussian weights (sigma an eighth of the patch) and, with
    mirroring, over flipped copies, over copies of other sizes, and over all networks; probabilities, not labels, are
    resampled to the scan.

    Args:
        networks: (b, channels, x, y, z) -> logits (b, labels, x, y, z), or a list of them, finest first; one
            or several.
        patch_size: (x, y, z) voxels.
        spacing_mm: working voxel size.
        device: where the networks run; they are moved there.
        overlap: share of a patch that its neighbour covers too, in [0, 1).
        mirror_axes: axes (0, 1, 2 for x, y, z) whose flips are averaged, all combinations.
        batch_size: patches per pass.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
        normalization: of the intensities, as in training: ``zscore`` or ``minmax``.
        divisor: products of the networks' strides per axis; where given, running out of memory makes patches smaller,
            for this scan and those after it, with a line that says so.
        input_channels: images of one head that the networks take.
        fluid: target of what the networks call background at the edge of a brain's mask, see :mod:`.fluid_rim`;
            ``None``: background.
        rim_mm: how far from labelled voxels.
        scales: sizes of enlarged and reduced copies of the head, which are averaged with the head as it is. These are
            the flipped ones then, and the head itself is not: as good as all flips of all copies, in half the time.
    """

    def __init__(
        self,
        networks: nn.Module | Sequence[nn.Module],
        patch_size: Sequence[int],
        spacing_mm: float,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror_axes: Sequence[int] = (),
        batch_size: int = 1,
        precision: str = "32-true",
        normalization: str = "zscore",
        divisor: Triple | None = None,
        input_channels: int = 1,
        fluid: int | None = None,
        rim_mm: float = RIM_MM,
        scales: Sequence[float] = (),
    ) -> None:
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap {overlap} is outside [0, 1)")
        if precision not in DTYPES:
            raise ValueError(f"precision '{precision}' is unknown; choose one of: {', '.join(DTYPES)}")
        self.networks = [
            network.to(device) for network in ([networks] if isinstance(networks, nn.Module) else networks)
        ]
        self.patch_size: Triple = (patch_size[0], patch_size[1], patch_size[2])
        self.spacing_mm = spacing_mm
        self.device = torch.device(device)
        self.overlap = overlap
        self.flips = [
            axes for size in range(len(mirror_axes) + 1) for axes in itertools.combinations(mirror_axes, size)
        ]
        self.batch_size = batch_size
        self.precision = precision
        self.normalization = normalization
        self.divisor = divisor
        self.input_channels = input_channels
        self.fluid = fluid
        self.rim_mm = rim_mm
        self.scales = tuple(scales)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror_axes: Sequence[int] = (),
        batch_size: int = 1,
        precision: str = "32-true",
        rim_mm: float = RIM_MM,
        scales: Sequence[float] = (),
    ) -> SlidingWindowPredictor:
        """The network of a checkpoint or of a model folder, its averaged weights where it keeps some.

        Raises:
            otfsynth.networks.CheckpointError: the file is missing, damaged or not otfsynth's.
        """
        checkpoint = load_checkpoint(path)
        plan = checkpoint.plan
        return cls(
            checkpoint.build_network(),
            prediction_tile(plan.patch_size, plan.divisor),
            plan.spacing_mm[0],
            device,
            overlap,
            mirror_axes,
            batch_size,
            precision,
            checkpoint.normalization,
            divisor=plan.divisor,
            input_channels=plan.input_channels,
            fluid=fluid_target(checkpoint.config, checkpoint.scheme),
            rim_mm=rim_mm,
            scales=scales,
        )

    def predict(
        self, image: np.ndarray, affine: np.ndarray, keep_probabilities: bool = False, stripped: bool = False
    ) -> Prediction:
        """Segment one scan.

        Args:
            image: (x, y, z) intensities as stored, or (channels, x, y, z) on one grid, 0 where one is missing.
                For images of several grids: :func:`otfsynth.inference.channels.prepare_channels` and :meth:`segment`.
            affine: (4, 4) voxel index to RAS world millimetres.
            keep_probabilities: return them too; they take 2 bytes per voxel and label.
            stripped: what is not 0 is the brain alone.

        Raises:
            ImageError: the image is not 3-D, is empty or constant, or has not as many channels as the networks take.
        """
        if image.ndim == 4:
            given = [channel if channel.any() else None for channel in image]

            def prepare(spacing_mm: float) -> PreparedImage:
                return prepare_channels(given, [affine] * len(given), spacing_mm, normalization=self.normalization)
        else:

            def prepare(spacing_mm: float) -> PreparedImage:
                return prepare_image(image, affine, spacing_mm, normalization=self.normalization)

        copies = self.copies(prepare)
        return self.segment(*copies, keep_probabilities=keep_probabilities, stripped=stripped)

    def copies(self, prepare: Callable[[float], PreparedImage]) -> list[PreparedImage]:
        """A scan at the working voxel size and, unless it is too large for that, at those of its further copies.

        Args:
            prepare: the scan at a voxel size in mm.
        """
        first = prepare(self.spacing_mm)
        scales = self.scales
        if scales and first.mask.size > MOST_COPIED_VOXELS:
            logger.warning("%d million voxels are too many for copies of other sizes", round(first.mask.size / 1e6))
            scales = ()
        return [first, *(prepare(self.spacing_mm / scale) for scale in scales)]

    def segment(
        self,
        prepared: PreparedImage,
        *copies: PreparedImage,
        grid: Grid | None = None,
        keep_probabilities: bool = False,
        stripped: bool = False,
    ) -> Prediction:
        """Segment a prepared scan.

        Args:
            prepared: see :func:`otfsynth.inference.preparation.prepare_image`.
            copies: the same scan at other voxel sizes, to the network a larger or smaller head; see :meth:`copies`.
            grid: where the segmentation is wanted, with the axes of the scan in RAS order; by default the scan's own
                grid, as stored.
            keep_probabilities: return them too; they take 2 bytes per voxel and label.
            stripped: the mask of ``prepared`` is that of the brain, not of the head.

        Raises:
            ImageError: not as many channels as the networks take.
        """
        channels = 1 if prepared.data.ndim == 3 else len(prepared.data)
        if channels != self.input_channels:
            raise ImageError(
                f"the network takes {self.input_channels} image(s) of a head, {channels} given; give as many, "
                "with None for missing ones (otfsynth.inference.channels.prepare_channels), or use another network"
            )
        target = grid or prepared.canonical
        rim_reach = self.rim_mm / self.spacing_mm if stripped and self.fluid is not None else 0.0
        projected = rim = None
        while projected is None:
            if rim_reach > 0 and self.fluid is not None:
                rim = FluidRim(prepared.mask, self.fluid, rim_reach)
            try:
                projected = self._project((prepared, *copies), target, keep_probabilities, rim)
            except Exception as error:
                self._shrink_after(error)
            if projected is None and self.device.type == "cuda":
                torch.cuda.empty_cache()  # here, where the exception no longer holds what it could not finish
        labels, probabilities, affine = projected.labels, projected.probabilities, target.affine
        if grid is None:
            affine = prepared.original_affine
            labels = from_canonical(labels, affine)
            if probabilities is not None:
                probabilities = np.stack([from_canonical(volume, affine) for volume in probabilities])
        entropy = projected.entropy if rim is None else rim.entropy
        rim_mm3 = 0.0 if rim is None else rim.filled_voxels * self.spacing_mm**3
        return Prediction(labels, probabilities, affine, projected.expected_voxels, entropy, rim_mm3)

    def predict_prepared(self, data: Tensor) -> Tensor:
        """Probabilities of a prepared image, alone or averaged with its flips.

        Shape: (x, y, z) or (channels, x, y, z) -> float32 (labels, x, y, z), in host memory.
        """
        return torch.cat(list(self._stream(data, self.flips)), dim=1)

    def _project(
        self, copies: Sequence[PreparedImage], grid: Grid, keep_probabilities: bool, rim: FluidRim | None
    ) -> Projected:
        """Stream planes from the networks to the output grid."""
        prepared = copies[0]
        x, y, z = prepared.mask.shape
        planes = _masked(self._averaged(copies), prepared.mask)
        if rim is not None:
            planes = rim.fill(planes)
        projector = None
        for values in planes:
            if projector is None:
                projector = Projector((x, y, z), prepared.affine, grid, len(values), keep_probabilities)
            projector.add(values)
        assert projector is not None  # an image has planes
        return projector.finish()

    def _averaged(self, copies: Sequence[PreparedImage]) -> Iterator[np.ndarray]:
        """Planes of probabilities on the grid of the first copy, the mean over all."""
        first, streams = copies[0], []
        for number, copy in enumerate(copies):
            flips = self.flips if len(copies) == 1 else self.flips[-1:] if number else self.flips[:1]
            planes = (portion.numpy() for portion in self._stream(torch.from_numpy(copy.data), flips))
            grid, shape = Grid(_shape(first), first.affine), _shape(copy)
            streams.append(on_grid(planes, shape, copy.affine, grid) if number else planes)
        return streams[0] if len(streams) == 1 else averaged(streams)

    @torch.inference_mode()
    def _stream(self, data: Tensor, flips: Sequence[tuple[int, ...]]) -> Iterator[Tensor]:
        yield from stream_probabilities(
            data,
            lambda patches: self._patch_probabilities(patches, flips),
            self.patch_size,
            self.overlap,
            self.batch_size,
            self.device,
        )

    def _patch_probabilities(self, patches: Tensor, flips: Sequence[tuple[int, ...]]) -> Tensor:
        """Mean over networks and ``flips``: (b, channels, x, y, z) -> float32 (b, labels, x, y, z)."""
        total: Tensor | None = None
        for network, axes in itertools.product(self.networks, flips):
            dimensions = [axis + 2 for axis in axes]
            with self._autocast():
                outputs = network(patches.flip(dimensions) if dimensions else patches)
            logits = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
            probabilities = logits.float().softmax(1)
            probabilities = probabilities.flip(dimensions) if dimensions else probabilities
            total = probabilities if total is None else total.add_(probabilities)
        assert total is not None  # there is a flip, perhaps along no axis
        return total.div_(len(self.networks) * len(flips))

    def _shrink_after(self, error: Exception) -> None:
        """After running out of memory: fewer patches a pass, or smaller ones; any other exception is raised again."""
        if self.divisor is None or not is_out_of_memory(error):
            raise error
        smaller = smaller_tile(self.patch_size, self.divisor)
        if self.batch_size > 1:
            self.batch_size = max(self.batch_size // 2, 1)
        elif smaller is not None:
            self.patch_size = smaller
        else:
            raise error
        logger.warning(
            "not enough memory; continuing with %d tile(s) of %s voxels at once",
            self.batch_size,
            " x ".join(str(edge) for edge in self.patch_size),
        )

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = DTYPES[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype=dtype)


def _masked(planes: Iterable[np.ndarray], mask: np.ndarray) -> Iterator[np.ndarray]:
    """Planes of probabilities; outside the mask all is background."""
    first = 0
    for values in planes:
        outside = ~mask[first : first + values.shape[1]]
        values[:, outside] = 0
        values[0, outside] = 1
        yield values
        first += values.shape[1]


def _shape(image: PreparedImage) -> Triple:
    x, y, z = image.mask.shape
    return x, y, z
