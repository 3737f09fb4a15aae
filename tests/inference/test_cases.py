"""The loop over scans: failures by case, Ctrl-C, the bar and log lines beside it."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest
from rich.console import Console

from otfsynth.config.checks import InputError
from otfsynth.data.scan import Scan
from otfsynth.inference import cases
from otfsynth.inference.cases import CaseResults, report_failures, run_cases

SCANS = [Scan(Path(f"{name}.nii"), name) for name in "abcd"]


def test_each_case_has_a_result_or_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    errors = {
        "b": InputError("'b.nii' is damaged; copy it again"),
        "c": MemoryError(),
        "d": ZeroDivisionError("by 0\nx"),
    }

    def work(scan: Scan) -> int:
        if scan.case in errors:
            raise errors[scan.case]
        return ord(scan.case)

    with caplog.at_level(logging.DEBUG):
        outcome = run_cases(SCANS, work, "working", False)
    assert outcome.results == {"a": 97}
    assert outcome.failures == {
        "b": "'b.nii' is damaged; copy it again",
        "c": "not enough memory; close other programs or work on a smaller scan",
        "d": "ZeroDivisionError: by 0",
    }
    assert outcome.exit_code == 1
    assert CaseResults().exit_code == 0
    assert "d failed: ZeroDivisionError: by 0" in caplog.messages
    traced = [record for record in caplog.records if record.exc_info]
    assert [record.levelname for record in traced] == ["DEBUG"] * 3


def test_ctrl_c_goes_through() -> None:
    done = []

    def work(scan: Scan) -> None:
        done.append(scan.case)
        if scan.case == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cases(SCANS, work, "working", False)
    assert done == ["a", "b"]


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_has_name_count_and_case_where_a_terminal_is_watched(
    monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(cases, "Console", lambda **_: Console(file=screen, force_terminal=True, width=120))
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    handler = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(handler)
    stream = handler.stream
    try:
        run_cases(SCANS, lambda scan: logging.getLogger().error("about %s", scan.case), "stripping", shown)
        assert handler.stream is stream
    finally:
        logging.getLogger().removeHandler(handler)
    assert ("stripping" in screen.getvalue()) == shown
    assert ("4/4" in screen.getvalue()) == shown
    assert ("about c" in screen.getvalue()) == shown  # above the bar, through rich


def test_failures_are_listed_in_a_file_that_goes_when_they_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    report_failures({"x": 'of "one", two'}, 3, tmp_path)
    assert (tmp_path / "failures.csv").read_bytes() == b'case,problem\r\nx,"of ""one"", two"\r\n'
    assert "1 of 3 case(s) failed: x" in caplog.text
    report_failures({}, 3, tmp_path)
    assert not (tmp_path / "failures.csv").exists()
