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
    from otfsynth.inference.skullstrip import choose_stripper
    from otfsynth.inference.skullstrip.output import BRAIN_ENDING, MASK_ENDING

    output = Path(config.output).expanduser()
    scans = find_inputs(config.input, config.input_layout, results=(BRAIN_ENDING, MASK_ENDING))
    stripper = choose_stripper(config.method, config.stripping)
    logger.info("%d scan(s); skull-stripping by %s", len(scans), stripper.reason)
    output.mkdir(parents=True, exist_ok=True)
    table = CaseTable(output / "skullstrip.csv", COLUMNS)

    def work(scan: Scan) -> None:
        strip_scan(scan, config, stripper, output, table)

    outcome = run_cases(scans, work, "skull-stripping", config.progress)
    for case in outcome.failures:
        table.drop(case)
    logger.info("%-16s %s", "masks and brains", output)
    report_failures(outcome, len(scans), output)
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
    from otfsynth.inference.outline import draw_outline
    from otfsynth.inference.skullstrip import find_brain
    from otfsynth.inference.skullstrip.output import BrainFiles, volume_ml
    from otfsynth.volumes import read_volume

    begin = time.perf_counter()
    volume = read_volume(scan.path)
    files = BrainFiles.of(output, scan.case)
    kept = files.read_mask(volume) if config.resume else None
    if kept is not None:
        logger.info("%s: kept, its results are whole", scan.case)
        if scan.case not in table.rows:
            size = f"{volume_ml(kept, volume):.1f}"
            table.put(dict(zip(COLUMNS, (scan.case, "", "kept from an earlier run", size, ""), strict=True)))
        return
    brain = find_brain(volume, config.method, stripper, scan.path, scan.case)
    files.write(scan.path, volume, brain.mask)
    size, seconds = f"{volume_ml(brain.mask, volume):.1f}", f"{time.perf_counter() - begin:.1f}"
    if config.pictures:
        title = f"{scan.case}   {size} ml, method {brain.method}\n{brain.reason}"
        draw_outline(volume, brain.mask, output / "qc" / f"{scan.case}.png", title)
    table.put(dict(zip(COLUMNS, (scan.case, brain.method, brain.reason, size, seconds), strict=True)))
    logger.info("%s: %s ml by %s in %s s; %s", scan.case, size, brain.method, seconds, brain.reason)


if __name__ == "__main__":
    run_command("skullstrip", SkullStripConfig, skullstrip)
