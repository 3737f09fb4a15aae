"""One scan from its file to its label map: read, clean, find the brain, prepare, predict, tidy, measure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np

from otfsynth.data.scan import Scan
from otfsynth.inference.channels import prepare_channels
from otfsynth.inference.measures import Measures, measure
from otfsynth.inference.postprocessing import fill_holes, keep_largest_component
from otfsynth.inference.predictor import SlidingWindowPredictor
from otfsynth.inference.preparation import (
    ImageError,
    PreparedImage,
    clean_image,
    foreground_mask,
    prepare_clean_image,
)
from otfsynth.inference.skullstrip import Brain, Stripper, find_brain, has_skull
from otfsynth.volumes import Grid, Volume, isotropic_grid, read_volume, spacing_of

LEAST_EXTENT_MM = 40.0
LEAST_VOXELS = 8
"""Along every axis: less is no picture of a head."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentationOptions:
    """What is done to every scan.

    Args:
        skullstrip: method, see :data:`otfsynth.config.skullstrip.METHODS`.
        space_mm: voxel size of the outputs, ``None`` for the scan's own grid.
        keep_largest_component: drop islands.
        fill_holes: close holes.
        keep_probabilities: return probability maps.
    """

    skullstrip: str = "auto"
    space_mm: float | None = None
    keep_largest_component: bool = False
    fill_holes: bool = False
    keep_probabilities: bool = False


@dataclass(frozen=True)
class SegmentedScan:
    """A segmented scan.

    Args:
        image: the scan, float32, as stored; of several channels the first that is not missing.
        brain: bool (x, y, z) on the grid of ``image``.
        labels: uint8 (x, y, z) on ``grid``.
        probabilities: float16 (labels, x, y, z) on ``grid``, where asked for.
        grid: of the outputs, as stored.
        measures: numbers about it.
    """

    image: Volume
    brain: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None
    grid: Grid
    measures: Measures


class ScanSegmenter:
    """Segments scans, one after the other.

    Args:
        predictor: the networks.
        stripper: finds the brain where a scan has its skull.
        options: what is done to every scan.
    """

    def __init__(
        self, predictor: SlidingWindowPredictor, stripper: Stripper, options: SegmentationOptions | None = None
    ) -> None:
        self.predictor = predictor
        self.stripper = stripper
        self.options = options or SegmentationOptions()

    def __call__(self, scan: Scan) -> SegmentedScan:
        """Segment one scan.

        Raises:
            InputError: the file can't be read, shows no head, or no brain was found in it.
        """
        images = [read_image(replace(scan, path=path)) for path in scan.files]
        image = images[0][0]
        brain, skull = self._brain(image, scan)
        options = self.options
        volumes = [volume for volume, _, _ in images]
        prepared, *copies = self.predictor.copies(
            lambda spacing_mm: self._prepare(scan, volumes, brain.mask, spacing_mm)
        )
        grid = None
        if options.space_mm is not None:
            grid = isotropic_grid(prepared.canonical.shape, prepared.canonical.affine, options.space_mm)
        prediction = self.predictor.segment(
            prepared, *copies, grid=grid, keep_probabilities=options.keep_probabilities, stripped=not skull
        )
        labels = prediction.labels
        if options.keep_largest_component:
            labels = keep_largest_component(labels)
        if options.fill_holes:
            labels = fill_holes(labels)
        x, y, z = labels.shape
        measures = measure(
            labels,
            prediction.affine,
            prediction.expected_voxels,
            prediction.entropy,
            prepared,
            brain.mask,
            missing_voxels=sum(missing for _, missing, _ in images),
            orientation_known=all(oriented for _, _, oriented in images),
            skull=skull,
            stripping=f"{brain.method}: {brain.reason}",
            rim_mm3=prediction.rim_mm3,
        )
        return SegmentedScan(
            image, brain.mask, labels, prediction.probabilities, Grid((x, y, z), prediction.affine), measures
        )

    def _prepare(self, scan: Scan, images: Sequence[Volume], mask: np.ndarray, spacing_mm: float) -> PreparedImage:
        """All images of a head, on the grid of the first and inside its brain, as they were in training."""
        normalization = self.predictor.normalization
        if not scan.channels:
            (image,) = images
            return prepare_clean_image(image.data, image.affine, spacing_mm, mask, normalization)
        given = iter(images)
        channels = [None if path is None else next(given) for path in scan.channels]
        try:
            return prepare_channels(
                [None if volume is None else volume.data for volume in channels],
                [None if volume is None else volume.affine for volume in channels],
                spacing_mm,
                mask,
                normalization,
            )
        except ImageError as error:
            names = ", ".join(f"{number} is '{path}'" for number, path in enumerate(scan.channels) if path is not None)
            raise ImageError(f"{error} (channel {names})") from error

    def _brain(self, image: Volume, scan: Scan) -> tuple[Brain, bool]:
        """The brain, and whether it is still in its skull."""
        if self.options.skullstrip != "none":
            brain = find_brain(image, self.options.skullstrip, self.stripper, scan.path, scan.case)
            logger.info("%s: skull-stripping %s: %s", scan.case, brain.method, brain.reason)
            return brain, False
        decision = has_skull(image.data, image.affine)
        return Brain(foreground_mask(image.data), "none", f"skullstrip=none; {decision.reason}"), decision.needed


def read_image(scan: Scan) -> tuple[Volume, int, bool]:
    """Read a scan for segmentation.

    Returns:
        Cleaned float32 volume, its number of voxels that were not finite, and whether the file says how the head lies.

    Raises:
        VolumeError, ImageError: it can't be used; the message names the file and says why.
    """
    stored = read_volume(scan.path)
    extent_mm = spacing_of(stored.affine) * stored.data.shape
    if min(stored.data.shape) < LEAST_VOXELS or min(extent_mm) < LEAST_EXTENT_MM:
        size = " x ".join(f"{length:g}" for length in extent_mm.round(1))
        voxels = " x ".join(str(length) for length in stored.data.shape)
        raise ImageError(
            f"'{scan.path}' shows only {size} mm ({voxels} voxels); a head scan needs {LEAST_EXTENT_MM:g} mm and "
            f"{LEAST_VOXELS} voxels along every axis"
        )
    try:
        values, missing = clean_image(stored.data)
    except ImageError as error:
        raise ImageError(f"'{scan.path}': {error}") from error
    header = stored.header
    nifti = isinstance(header, nib.Nifti1Header)
    oriented = not nifti or bool(header["sform_code"]) or bool(header["qform_code"])
    return Volume(values, stored.affine, stored.name, header), missing, oriented
