"""Skull-strip scans: ``python -m otfsynth.skullstrip input=scans/ output=brains/ method=auto``.

Every scan gets a mask and a masked copy on its own grid, with its own header and values. A scan that can't be done is
reported by name, and the others go on; the exit code is then 1. Results are listed in ``skullstrip.csv``.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.command import Job, run_command
from otfsynth.config.skullstrip import SkullStripConfig

if TYPE_CHECKING:
    from otfsynth.data.scan import Scan
    from otfsynth.inference.case_table import CaseTable
    from otfsynth.inference.skullstrip import Stripper

COLUMNS = ("case", "method", "reason", "brain_volume_ml", "seconds")
"""Of ``skullstrip.csv``; ``method`` is ``none`` where a scan was stripped already."""

logger = logging.getLogger(__name__)


def skullstrip(config: SkullStripConfig, job: Job) -> None:
    """Strip all scans, then exit with 1 where some failed.

    Raises:
        InputError: no scans, or the method lacks something; nothing was done.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.inference.case_table import CaseTable
    from otfsynth.inference.cases import find_inputs, report_failures, run_cases
    from otfsynth.inference.failures import Failures
    from otfsynth.inference.skullstrip import choose_stripper
    from otfsynth.inference.skullstrip.output import BRAIN_ENDING, MASK_ENDING
    from otfsynth.volumes import remove_abandoned_parts

    output = Path(config.output).expanduser()
    scans = find_inputs(config.input, config.input_layout, results=(BRAIN_ENDING, MASK_ENDING))
    stripper = choose_stripper(config.method, config.stripping)
    logger.info("%d scan(s); skull-stripping by %s", len(scans), stripper.reason)
    output.mkdir(parents=True, exist_ok=True)
    remove_abandoned_parts(output)
    table = CaseTable(output / "skullstrip.csv", COLUMNS)

    def work(scan: Scan) -> None:
        strip_scan(scan, config, stripper, output, table)

    outcome = run_cases(scans, work, "skull-stripping", config.progress, Failures(output))
    table.write()
    logger.info("%-16s %s", "masks and brains", output)
    report_failures(outcome.failures, len(scans), output)
    if outcome.failures:
        sys.exit(outcome.exit_code)


def strip_scan(scan: Scan, config: SkullStripConfig, stripper: Stripper, output: Path, table: CaseTable) -> None:
    """Mask one scan; write its files, its picture and its row.

    Args:
        scan: the scan.
        config: method and what to write.
        stripper: as :func:`choose_stripper` made it.
        output: folder of the results.
        table: gets the row.

    Raises:
        InputError: the scan can't be read, or no brain was found.
    """
    from otfsynth.inference.cases import start_over
    from otfsynth.inference.failures import Failures
    from otfsynth.inference.outline import draw_outline
    from otfsynth.inference.records import source_of
    from otfsynth.inference.skullstrip import find_brain, what_decides
    from otfsynth.inference.skullstrip.output import BrainFiles, volume_ml
    from otfsynth.volumes import read_volume

    begin = time.perf_counter()
    files, picture = BrainFiles.of(output, scan.case), output / "qc" / f"{scan.case}.png"
    masks = stripper.sources(scan.path, scan.case)
    settings = what_decides(config.method, config.stripping, stripper)
    same = config.resume and table.is_of(scan.case, {"source": source_of(scan, masks), **settings})
    if same and files.are_whole(scan.path):
        logger.info("%s: kept, its results are whole", scan.case)
        return
    start_over(
        [table.records.path(scan.case), files.mask, files.brain, picture, Failures(output).path(scan.case)],
        [scan.path, *masks],
    )
    volume = read_volume(scan.path)
    brain = find_brain(volume, config.method, stripper, scan.path, scan.case)
    files.write(scan.path, volume, brain.mask)
    size, seconds = f"{volume_ml(brain.mask, volume):.1f}", f"{time.perf_counter() - begin:.1f}"
    if config.pictures:
        title = f"{scan.case}   {size} ml, method {brain.method}\n{brain.reason}"
        draw_outline(volume, brain.mask, picture, title)
    row = dict(zip(COLUMNS, (scan.case, brain.method, brain.reason, size, seconds), strict=True))
    table.put(row, {"source": source_of(scan, masks), **settings})
    logger.info("%s: %s ml by %s in %s s; %s", scan.case, size, brain.method, seconds, brain.reason)


if __name__ == "__main__":
    run_command("skullstrip", SkullStripConfig, skullstrip)
