"""Tables of several processes from records of each, and failures that outlive the process that noted them."""

from __future__ import annotations

from pathlib import Path

from otfsynth.data.scan import Scan
from otfsynth.inference.case_table import CaseTable
from otfsynth.inference.cases import report_failures, run_cases
from otfsynth.inference.failures import Failures
from otfsynth.inference.record_folder import RecordFolder, tabulate

COLUMNS = ("case", "size")


def row(case: str) -> dict[str, str]:
    return {"case": case, "size": "1"}


def test_files_are_read_again_where_they_changed_only(tmp_path: Path) -> None:
    read: list[str] = []

    def reading(path: Path) -> str | None:
        read.append(path.name)
        return path.read_text() or None

    folder = RecordFolder(tmp_path, ".txt", reading)
    assert (folder.refresh(), folder.records) == ({}, [])
    (tmp_path / "qc").mkdir()
    for name, text in (("a", "one"), ("b", "two"), ("c", "")):
        folder.path(name).write_text(text)
    before = folder.refresh()
    assert folder.records == ["one", "two"]
    assert folder.refresh() == before
    assert read == ["a.txt", "b.txt", "c.txt"]
    folder.path("a").unlink()
    folder.path("b").write_text("other")
    assert folder.refresh() != before
    assert folder.records == ["other"]
    assert read[3:] == ["b.txt"]


def test_what_another_process_finishes_while_a_table_is_written_enters_it(tmp_path: Path) -> None:
    mine, theirs = (CaseTable(tmp_path / "table.csv", COLUMNS) for _ in range(2))
    mine.put(row("a"), {})
    written = []

    def write() -> None:
        written.append([record["row"]["case"] for record in mine.records.records])
        if len(written) == 1:  # between what was read and what is written
            theirs.put(row("b"), {})

    tabulate([mine.records], write)
    assert written == [["a"], ["a", "b"]]


def test_tables_keep_the_rows_of_others(tmp_path: Path) -> None:
    first, second = (CaseTable(tmp_path / "table.csv", COLUMNS) for _ in range(2))  # both begin with nothing
    first.put(row("b"), {"size": (1, 2)})
    second.put(row("a"), {})
    first.put(row("c"), {})
    assert (tmp_path / "table.csv").read_text().split() == ["case,size", "a,1", "b,1", "c,1"]
    assert second.is_of("b", {"size": (1, 2)})
    assert not second.is_of("b", {"size": (1, 3)})
    assert not second.is_of("d", {})
    first.records.path("b").unlink()
    second.write()
    assert (tmp_path / "table.csv").read_text().split() == ["case,size", "a,1", "c,1"]


def test_a_run_without_failures_keeps_those_of_others(tmp_path: Path) -> None:
    scans = [Scan(tmp_path / f"{name}.nii", name) for name in "abc"]
    for scan in scans:
        scan.path.touch()

    def work(scan: Scan) -> None:
        failures.path(scan.case).unlink(missing_ok=True)
        if scan.case != "a":
            raise ValueError("of no use")

    failures = Failures(tmp_path)
    outcome = run_cases(scans[:2], work, "", False, failures)
    report_failures(outcome.failures, 2, tmp_path)
    report_failures({}, 1, tmp_path)  # another process, where all is fine
    listed = (tmp_path / "failures.csv").read_text().splitlines()
    assert listed == ["case,problem", "b,ValueError: of no use"]
    outcome = run_cases(scans[2:], work, "", False, failures)
    report_failures(outcome.failures, 1, tmp_path)
    assert len((tmp_path / "failures.csv").read_text().splitlines()) == 3
    scans[1].path.unlink()  # the scan is gone, and its failure with it
    failures.path("c").unlink()  # done again
    report_failures({}, 1, tmp_path)
    assert not (tmp_path / "failures.csv").exists()
