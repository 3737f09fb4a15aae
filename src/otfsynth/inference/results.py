"""The output folder of ``predict``: records of all its cases, and the tables and the page that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from otfsynth.inference.failures import Failures
from otfsynth.inference.index_page import write_index
from otfsynth.inference.outputs import write_quality_table, write_volume_table
from otfsynth.inference.quality import assess
from otfsynth.inference.record_folder import RecordFolder, tabulate
from otfsynth.inference.records import CaseRecord


class Results:
    """What is in an output folder, of this run, of earlier ones and of other processes.

    Args:
        output: the folder.
        fingerprint: of this run: tables hold the cases that were made with the same checkpoints and settings.
        target_names: background first.
    """

    def __init__(self, output: Path, fingerprint: str, target_names: tuple[str, ...]) -> None:
        self.output = output
        self.fingerprint = fingerprint
        self.target_names = target_names
        self.failures = Failures(output)
        self._recorded = RecordFolder(output, ".json", CaseRecord.read)

    def otherwise_made(self) -> set[str]:
        """Finished cases of other checkpoints or settings, which the tables leave out."""
        self._recorded.refresh()
        return {record.case for record in self._recorded.records if record.fingerprint != self.fingerprint}

    def write_volumes(self) -> None:
        """Write ``volumes.csv``, as after every case."""
        tabulate([self._recorded], self._write_volumes)

    def write_all(self, failures: Mapping[str, str], skipped: Sequence[str], footer: str) -> None:
        """Write all tables and ``index.html``.

        Args:
            failures: one sentence by case that failed in this run; those that others noted join them.
            skipped: one sentence per file that was left out.
            footer: how the results were made.
        """

        def write() -> None:
            self._write_volumes()
            records = self._records()
            judged = assess(records)
            write_quality_table(self.output / "quality.csv", judged, records, self.target_names)
            failed = {**self.failures.problems(), **failures}
            write_index(self.output / "index.html", judged, records, failed, skipped, self.target_names, footer)

        tabulate([self._recorded, self.failures.folder], write)

    def _write_volumes(self) -> None:
        write_volume_table(self.output / "volumes.csv", self._records(), self.target_names)

    def _records(self) -> list[CaseRecord]:
        return [record for record in self._recorded.records if record.fingerprint == self.fingerprint]
