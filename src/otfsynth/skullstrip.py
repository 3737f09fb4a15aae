"""Skull-strip scans: ``python -m otfsynth.skullstrip input=scans/ output=brains/ method=auto``.

Every scan gets a mask and a masked copy on its own grid, with its own header and values. A scan that can't be done is
reported by name, and the others go on; the exit code is then 1. Results are listed in ``skullstrip.csv``.
"""

from __future__ import annotations

import csv
import io
import logging
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from otfsynth.config.command import Job, run_command
from otfsynth.config.skullstrip import SkullStripConfig

if TYPE_CHECKING:
    import numpy as np

    from otfsynth.data.scan import Scan
    from otfsynth.inference.skullstrip import Stripper
    from otfsynth.volumes import Volume

TABLE = "skullstrip.csv"
COLUMNS = ("case", "method", "reason", "brain_volume_ml", "seconds")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A line of the table; ``method`` is ``none`` where the scan was stripped already."""

    case: str
    method: str
    reason: str
    brain_volume_ml: str
    seconds: str


def skullstrip(config: SkullStripConfig, job: Job) -> None:
    """Strip all scans, then exit with 1 where some failed.

    Raises:
        InputError: no scans, or the method lacks something; nothing was done.
    """
    # Late, so that --help and a misspelt override answer at once
    from otfsynth.inference.cases import find_inputs, report_failures, run_cases
    from otfsynth.inference.skullstrip import choose_stripper
    from otfsynth.inference.skullstrip.output import BRAIN_ENDING, MASK_ENDING

    output = Path(config.output).expanduser()
    scans = find_inputs(config.input, config.layout, results=(BRAIN_ENDING, MASK_ENDING))
    stripper = choose_stripper(config.method, config.stripping)
    logger.info("%d scan(s); skull-stripping by %s", len(scans), stripper.reason)
    output.mkdir(parents=True, exist_ok=True)
    rows = _read_table(output / TABLE)

    def work(scan: Scan) -> None:
        rows[scan.case] = strip_scan(scan, config, stripper, output, rows.pop(scan.case, None))
        _write_table(output / TABLE, rows)  # after every scan, so that an interrupted run can be resumed

    outcome = run_cases(scans, work, "skull-stripping", config.progress)
    _write_table(output / TABLE, rows)
    logger.info("%-16s %s", "masks and brains", output)
    report_failures(outcome, len(scans), output)
    if outcome.failures:
        sys.exit(outcome.exit_code)


def strip_scan(
    scan: Scan, config: SkullStripConfig, stripper: Stripper, output: Path, earlier: Row | None = None
) -> Row:
    """Mask one scan, write its files and its picture.

    Args:
        scan: the scan.
        config: method and what to write.
        stripper: as :func:`choose_stripper` made it.
        output: folder of the results.
        earlier: its line of the table of an earlier run.

    Raises:
        InputError: the scan can't be read, or no brain was found.
    """
    from otfsynth.inference.skullstrip import find_brain
    from otfsynth.inference.skullstrip.output import BrainFiles
    from otfsynth.volumes import read_volume

    begin = time.perf_counter()
    volume = read_volume(scan.path)
    files = BrainFiles.of(output, scan.case)
    mask = files.read_mask(volume) if config.resume else None
    if mask is not None:
        logger.info("%s: kept, its results are whole", scan.case)
        return earlier or Row(scan.case, "", "kept from an earlier run", _volume_ml(mask, volume), "")
    brain = find_brain(volume, config.method, stripper, scan.path, scan.case)
    files.write(scan.path, volume, brain.mask)
    seconds = time.perf_counter() - begin
    row = Row(scan.case, brain.method, brain.reason, _volume_ml(brain.mask, volume), f"{seconds:.1f}")
    if config.pictures:
        _draw(volume, brain.mask, output / "qc" / f"{scan.case}.png", row)
    logger.info("%s: %s ml by %s in %s s; %s", scan.case, row.brain_volume_ml, row.method, row.seconds, row.reason)
    return row


def _volume_ml(mask: np.ndarray, volume: Volume) -> str:
    import numpy as np

    return f"{mask.sum() * abs(np.linalg.det(volume.affine[:3, :3])) / 1000:.1f}"


def _draw(volume: Volume, mask: np.ndarray, path: Path, row: Row) -> None:
    import numpy as np

    from otfsynth.volumes import spacing_of, to_canonical
    from otfsynth.volumes.figures import Panel, draw_panels

    image, affine = to_canonical(np.nan_to_num(volume.data.astype(np.float32)), volume.affine)
    outline, _ = to_canonical(mask.astype(np.uint8), volume.affine)
    x, y, z = (float(size) for size in spacing_of(affine))
    title = f"{row.case}   {row.brain_volume_ml} ml, method {row.method}\n{row.reason}"
    panel = Panel(image, outline, title=title, aspect_mm=(x, y, z))
    draw_panels([panel], ("background", "brain"), path, columns=1)


def _read_table(path: Path) -> dict[str, Row]:
    """Lines of an earlier run by case; none where there is no such table."""
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if set(COLUMNS) <= set(row)]
    return {row["case"]: Row(**{name: row[name] or "" for name in COLUMNS}) for row in rows}


def _write_table(path: Path, rows: dict[str, Row]) -> None:
    from otfsynth.volumes import write_bytes_atomically

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows.values())
    write_bytes_atomically(path, text.getvalue().encode())


if __name__ == "__main__":
    run_command("skullstrip", SkullStripConfig, skullstrip)
