"""Prepare scans: ``python -m otfsynth.preprocess input=scans/ output=prepared/ steps.spacing_mm=[1,1,1]``.

Scans are reoriented, resampled, skull-stripped and normalised; bias correction, denoising, cropping, clipping and
histogram matching are options. A scan that can't be done is reported by name, and the others go on; the exit code is
then 1. ``preprocess.json`` keeps the settings beside the results.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job, run_command
from otfsynth.config.preprocess import PreprocessConfig

if TYPE_CHECKING:
    import numpy as np

    from otfsynth.data.scan import Scan
    from otfsynth.inference.case_table import CaseTable
    from otfsynth.inference.skullstrip import Stripper

COLUMNS = ("case", "method", "reason", "shape", "spacing_mm", "mask_volume_ml", "seconds")
"""Of ``preprocess.csv``; ``method`` is what found the brain, ``none`` where nothing was stripped."""
IMAGE_ENDING, MASK_ENDING = "_desc-preproc.nii.gz", "_desc-preproc_mask.nii.gz"

logger = logging.getLogger(__name__)


def preprocess(config: PreprocessConfig, job: Job) -> None:
    """Prepare all scans, then exit with 1 where some failed.

    Raises:
        InputError: no scans, or the method lacks something; nothing was done.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.inference.case_table import CaseTable
    from otfsynth.inference.cases import find_inputs, report_failures, run_cases
    from otfsynth.inference.failures import Failures
    from otfsynth.inference.preprocessing import reference_intensities
    from otfsynth.inference.skullstrip import choose_stripper
    from otfsynth.volumes import remove_abandoned_parts

    output = Path(config.output).expanduser()
    scans = find_inputs(config.input, config.input_layout, results=(IMAGE_ENDING, MASK_ENDING))
    stripper = choose_stripper(config.method, config.stripping)
    reference = reference_intensities(config.steps) if config.steps.histogram_reference is not None else None
    logger.info("%d scan(s); skull-stripping by %s", len(scans), stripper.reason)
    remove_abandoned_parts(output)
    _keep_settings(config, output)
    table = CaseTable(output / "preprocess.csv", COLUMNS)

    def work(scan: Scan) -> None:
        prepare_one(scan, config, stripper, reference, output, table)

    outcome = run_cases(scans, work, "preparation", config.progress, Failures(output))
    table.write()
    logger.info("%-16s %s", "prepared scans", output)
    report_failures(outcome.failures, len(scans), output)
    if outcome.failures:
        sys.exit(outcome.exit_code)


def prepare_one(
    scan: Scan,
    config: PreprocessConfig,
    stripper: Stripper,
    reference: np.ndarray | None,
    output: Path,
    table: CaseTable,
) -> None:
    """Prepare one scan; write its files, its picture and its row.

    Args:
        scan: the scan.
        config: steps, method and what to write.
        stripper: as :func:`choose_stripper` made it.
        reference: intensities for histogram matching.
        output: folder of the results.
        table: gets the row.

    Raises:
        InputError: the scan can't be read, no brain was found, or nothing of it is left.
    """
    import numpy as np

    from otfsynth.inference.cases import start_over
    from otfsynth.inference.failures import Failures
    from otfsynth.inference.outline import draw_outline
    from otfsynth.inference.preprocessing import prepare_scan
    from otfsynth.inference.records import source_of
    from otfsynth.inference.skullstrip import find_brain, what_decides
    from otfsynth.inference.skullstrip.output import volume_ml
    from otfsynth.volumes import read_volume, spacing_of, write_volume

    begin = time.perf_counter()
    image, mask = output / f"{scan.case}{IMAGE_ENDING}", output / f"{scan.case}{MASK_ENDING}"
    picture = output / "qc" / f"{scan.case}.png"
    masks = stripper.sources(scan.path, scan.case)
    settings = what_decides(config.method, config.stripping, stripper)
    same = config.resume and table.is_of(scan.case, {"source": source_of(scan, masks), **settings})
    if same and _are_whole(image, mask):
        logger.info("%s: kept, its results are whole", scan.case)
        return
    start_over(
        [table.records.path(scan.case), image, mask, picture, Failures(output).path(scan.case)], [scan.path, *masks]
    )
    volume = read_volume(scan.path)
    method, reason, found = "none", "whole head", None
    if config.method != "none":
        brain = find_brain(volume, config.method, stripper, scan.path, scan.case)
        method, reason, found = brain.method, brain.reason, brain.mask
    prepared = prepare_scan(volume, config.steps, found, reference)
    grid, inside = prepared.volume, prepared.mask
    write_volume(image, grid.data, grid.affine, grid.header)
    write_volume(mask, inside.astype(np.uint8), grid.affine, grid.header)
    shape = " x ".join(str(size) for size in grid.data.shape)
    spacing = " x ".join(f"{size:g}" for size in spacing_of(grid.affine).round(4))
    size, seconds = f"{volume_ml(inside, grid):.1f}", f"{time.perf_counter() - begin:.1f}"
    if config.pictures:
        title = f"{scan.case}   {shape} voxels of {spacing} mm\n{reason}"
        draw_outline(grid, inside, picture, title)
    row = dict(zip(COLUMNS, (scan.case, method, reason, shape, spacing, size, seconds), strict=True))
    table.put(row, {"source": source_of(scan, masks), **settings})
    logger.info("%s: %s voxels of %s mm in %s s; %s", scan.case, shape, spacing, seconds, reason)


def _are_whole(image: Path, mask: Path) -> bool:
    """Whether both files open and lie on one grid."""
    import numpy as np

    from otfsynth.volumes import VolumeError, read_volume

    try:
        first, second = read_volume(image), read_volume(mask)
    except VolumeError:
        return False
    return first.data.shape == second.data.shape and np.allclose(first.affine, second.affine, atol=1e-3)


def _keep_settings(config: PreprocessConfig, output: Path) -> None:
    """Write what decides about the results beside them.

    Raises:
        ConfigurationError: results of other settings are to be continued.
    """
    from otfsynth.volumes import write_bytes_atomically

    path = output / "preprocess.json"
    settings = {"method": config.method, "steps": dataclasses.asdict(config.steps)}
    if config.resume and path.is_file():
        try:
            earlier = json.loads(path.read_text())
        except ValueError:
            earlier = None
        if earlier != settings:
            raise ConfigurationError(
                f"resume=true, but output={config.output} holds results of other settings (see preprocess.json there); "
                "give the same ones, another folder, or resume=false"
            )
    write_bytes_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())


if __name__ == "__main__":
    run_command("preprocess", PreprocessConfig, preprocess)
