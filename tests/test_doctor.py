"""``otfsynth doctor``: findings, remedies, exit codes."""

from __future__ import annotations

import json
import sys

import pytest

from otfsynth import doctor
from otfsynth.doctor import Finding


def run_doctor(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *arguments: str) -> int | str | None:
    monkeypatch.setattr(doctor, "CHECKS", (lambda: findings,))
    monkeypatch.setattr(sys, "argv", ["doctor", *arguments])
    with pytest.raises(SystemExit) as stop:
        doctor.main()
    return stop.value.code


def test_this_environment_can_train(monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", [check for check in doctor.CHECKS if check is not doctor.check_frameworks])
    findings = {finding.part: finding for finding in doctor.examine()}
    assert [finding for finding in findings.values() if finding.status == "broken"] == []
    assert findings["CPU extension"].status == "ok"
    assert any(name in findings["CPU extension"].detail for name in ("baseline", "v3", "v4"))
    assert "hardware=auto takes" in findings["machine"].detail


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("broken", 1)])
def test_exit_code_is_1_only_where_something_is_broken(monkeypatch, capsys, status, code):
    assert run_doctor(monkeypatch, [Finding("part", status, "detail", "the remedy")], *()) == code
    assert "-> the remedy" in capsys.readouterr().out


def test_json_is_the_whole_report(monkeypatch, capsys):
    finding = Finding("part", "note", "detail", "remedy")
    assert run_doctor(monkeypatch, [finding], "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"part": "part", "status": "note", "detail": "detail", "remedy": "remedy"}
    ]


def test_a_failing_check_is_a_finding(monkeypatch):
    def check_broken():
        raise OSError("no such thing")

    monkeypatch.setattr(doctor, "CHECKS", (check_broken,))
    assert doctor.examine() == [
        Finding("check_broken", "broken", "OSError: no such thing", "report this as a bug"),
    ]


def test_the_torchvision_trap_is_named_with_its_remedy(monkeypatch):
    def fail(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    (finding,) = doctor.check_torchvision()
    assert finding.status == "broken"
    assert "torchvision::nms" in finding.detail
    assert finding.remedy == "pip uninstall -y torchvision"


def test_missing_and_mismatched_packages_are_named(monkeypatch):
    versions = {"torch": "2.9.1", "numpy": None}
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda name: ["torch>=2.4,!=2.9.*", "numpy>=1.26", "x; extra == 'a'"]
    )
    monkeypatch.setattr(doctor, "_version", versions.__getitem__)
    torch, numpy, summary = doctor.check_packages()
    assert (torch.status, torch.remedy) == ("broken", "pip install 'torch!=2.9.*,>=2.4'")
    assert "2.9.1 is installed" in torch.detail
    assert (numpy.status, numpy.detail) == ("broken", "not installed")
    assert summary.detail.startswith("2 ")


def test_a_gpu_that_torch_does_not_see_is_reported(monkeypatch):
    monkeypatch.setattr(doctor, "_gpu_by_driver", lambda: "NVIDIA RTX 4090")
    monkeypatch.setattr(doctor.Machine, "detect", classmethod(lambda cls: cls(None, 0.0, 8, False)))
    findings = list(doctor.check_machine())
    assert [finding.part for finding in findings] == ["machine", "CUDA"]
    assert "RTX 4090" in findings[1].detail
