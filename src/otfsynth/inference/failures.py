"""Cases without a result: one file each beside the records, and ``failures.csv``, which lists them all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from otfsynth.data.scan import Scan
from otfsynth.inference.record_folder import RecordFolder
from otfsynth.volumes import write_bytes_atomically

ENDING = ".failed"


@dataclass(frozen=True)
class Failure:
    """A case that could not be done.

    Args:
        case: its name.
        scan: its file; once that is gone, so is the case.
        problem: one sentence.
    """

    case: str
    scan: str
    problem: str

    @classmethod
    def read(cls, path: Path) -> Failure | None:
        """Read a failure; ``None`` where the file is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


class Failures:
    """Failures of an output folder, of all processes and runs; that of a case is forgotten when it is done again."""

    def __init__(self, output: Path) -> None:
        self.folder = RecordFolder(output, ENDING, Failure.read)

    def add(self, scan: Scan, problem: str) -> None:
        """Note that a case failed.

        Raises:
            VolumeError: the disk is full.
        """
        failure = Failure(scan.case, str(scan.path.absolute()), problem)
        write_bytes_atomically(self.folder.path(scan.case), (json.dumps(asdict(failure), indent=1) + "\n").encode())

    def path(self, case: str) -> Path:
        """Where the failure of a case is noted."""
        return self.folder.path(case)

    def problems(self) -> dict[str, str]:
        """One sentence by case, as of the last refresh."""
        return {one.case: one.problem for one in self.folder.records if Path(one.scan).exists()}
