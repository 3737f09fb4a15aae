"""Compare synthetic with real images: ``python -m otfsynth.quality synthetic=fresh real=SCANS output=DIR``.

Intensity statistics, histograms, slice-wise SSIM and PSNR, and of each real scan the synthetic image that is most like
it. An image that can't be used is reported by name, and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from otfsynth.config.command import Job, run_command
from otfsynth.config.quality import FRESH, QualityConfig

if TYPE_CHECKING:
    from otfsynth.data.scan import Scan
    from otfsynth.evaluation.image_quality_study import ImageSource, LoadedImage
    from otfsynth.synthesis import SynthesisParameters, Synthesizer

logger = logging.getLogger(__name__)


def quality(config: QualityConfig, job: Job) -> None:
    """Compare all images, then exit with 1 where some could not be used.

    Raises:
        InputError: no scans, no label maps, or not a single image of one kind that can be used.
    """
    # Late, so that --help and a misspelt override answer at once: torch takes a second to import.
    from otfsynth.data.scans import find_scans
    from otfsynth.evaluation.image_quality import Preparation
    from otfsynth.evaluation.image_quality_report import write_study
    from otfsynth.evaluation.image_quality_study import compare_images

    folder = job.folder / Path(config.output).expanduser()
    scans = find_scans(config.real, config.real_layout).scans
    notes: list[str] = []
    real = [_real_source(scan, config.region, notes) for scan in scans]
    synthetic, count = _fresh(config, folder) if config.synthetic == FRESH else _frozen(config, notes)
    x, y, z = config.box_mm
    preparation = Preparation(config.spacing_mm, (x, y, z), config.normalization)
    logger.info("%-16s %d real, %d synthetic", "images", len(scans), count)
    folder.mkdir(parents=True, exist_ok=True)
    show = config.trainer.progress
    with TemporaryDirectory(dir=folder, prefix="prepared-") as temporary:
        result = compare_images(
            _tracked(real, len(real), "real images", show),
            _tracked(synthetic, count, "synthetic images", show),
            preparation,
            Path(temporary),
            config.bins,
            config.slice_step,
            config.hardware.threads or os.cpu_count() or 1,
        )
    report = write_study(result, folder, _title(config), tuple(notes))
    logger.info("%-16s %s", "report", report)
    for kind, name, reason in result.failures:
        logger.error("%s image %s left out: %s", kind, name, reason)
    if result.failures:
        sys.exit(1)


def _real_source(scan: Scan, region: str, notes: list[str]) -> ImageSource:
    from otfsynth.evaluation.image_quality_study import ImageSource, LoadedImage
    from otfsynth.inference.skullstrip import has_skull
    from otfsynth.volumes import read_volume

    def load() -> LoadedImage:
        volume = read_volume(scan.path)
        if region == "brain" and has_skull(volume.data, volume.affine).needed:
            notes.append(
                f"{scan.case} seems to have its skull, but region=brain compares brains: strip it first "
                "(python -m otfsynth.skullstrip), or set region=all."
            )
            logger.warning("%s", notes[-1])
        return LoadedImage(volume.data, volume.affine)

    return ImageSource(scan.case, scan.contrast, load)


def _fresh(config: QualityConfig, folder: Path) -> tuple[Iterator[ImageSource], int]:
    """Samples as ``preview`` draws them, rendered one by one; it can draw them again from ``samples.json``."""
    from otfsynth.data.loading import build_synthesizer
    from otfsynth.data.sample_records import write_records
    from otfsynth.data.whole_heads import draw_record

    synthesizer = build_synthesizer(config)
    indices = range(config.index, config.index + config.n)
    records = [draw_record(synthesizer, index, config.data.patch_size) for index in indices]
    write_records(records, folder / "samples.json")
    return (_fresh_source(synthesizer, record, config.region) for record in records), len(records)


def _fresh_source(synthesizer: Synthesizer, record: SynthesisParameters, region: str) -> ImageSource:
    import numpy as np

    from otfsynth.evaluation.image_quality import brain_of
    from otfsynth.evaluation.image_quality_study import ImageSource, LoadedImage

    def load() -> LoadedImage:
        batch = synthesizer.render([record])
        affine = np.diag([record.spacing_mm] * 3 + [1.0])
        brain = brain_of(batch.target[0, 0].numpy()) if region == "brain" else None
        return LoadedImage(batch.image[0, record.first_seen].numpy(), affine, brain)

    return ImageSource(f"sample {record.key.index}", record.mixture.source, load)


def _frozen(config: QualityConfig, notes: list[str]) -> tuple[Iterator[ImageSource], int]:
    """Images of a folder; with ``region=brain`` their labels, in nnU-Net's layout, say where the brain is.

    Images without labels are compared as they are, which a note says.
    """
    from otfsynth.data.scans import find_scans
    from otfsynth.evaluation.image_quality import brain_of
    from otfsynth.evaluation.image_quality_study import ImageSource, LoadedImage
    from otfsynth.volumes import read_volume

    scans = find_scans(config.synthetic).scans
    labels = {scan.case: _labels_of(scan.path) for scan in scans} if config.region == "brain" else {}
    lacking = [case for case, path in labels.items() if not path.is_file()]
    if lacking:
        notes.append(
            f"{len(lacking)} of {len(scans)} synthetic images have no labels that say where their brain is "
            f"('{labels[lacking[0]]}', for example, is not there): all of them that is not 0 is compared. Put the "
            "labels there, strip the images first, or set region=all."
        )
        logger.warning("%s", notes[-1])

    def source(scan: Scan) -> ImageSource:
        def load() -> LoadedImage:
            volume = read_volume(scan.path)
            path = labels.get(scan.case)
            brain = brain_of(read_volume(path).data) if path is not None and path.is_file() else None
            return LoadedImage(volume.data, volume.affine, brain)

        return ImageSource(scan.case, scan.contrast or "frozen", load)

    return (source(scan) for scan in scans), len(scans)


def _labels_of(image: Path) -> Path:
    """Where nnU-Net keeps the labels of an image, whichever channel of its head it is."""
    return image.absolute().parent.with_name("labelsTr") / re.sub(r"_\d{4}(?=\.)", "", image.name)


def _tracked(sources: Iterable[ImageSource], count: int, description: str, show: bool) -> Iterable[ImageSource]:
    from rich.progress import track

    return track(sources, description, count, disable=not show)


def _title(config: QualityConfig) -> str:
    if config.synthetic != FRESH:
        return f"Image quality: {Path(config.synthetic).name} against {Path(config.real).name}"
    return (
        f"Image quality: fresh samples ({config.experiment_name}, seed {config.seed}) against {Path(config.real).name}"
    )


if __name__ == "__main__":
    run_command("quality", QualityConfig, quality)
