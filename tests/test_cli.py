"""The console script ``otfsynth``."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from otfsynth import cli


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["otfsynth", *arguments])
    try:
        cli.main()
    except SystemExit as error:
        return error.code
    return 0


def test_commands_are_the_runnable_modules():
    known = cli.commands()
    assert {"train", "preview", "doctor"} <= set(known)
    assert not {"cli", "types", "resources", "__init__"} & set(known)
    for name, description in known.items():
        assert description, name
        assert hasattr(importlib.import_module(f"otfsynth.{name}"), "__doc__")


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("--help",), 0), (("-h",), 0)])
def test_usage_lists_the_commands(monkeypatch, capsys, arguments, code):
    assert run_cli(monkeypatch, *arguments) == code
    text = capsys.readouterr().out
    assert text.startswith("usage: otfsynth COMMAND")
    assert "train" in text
    assert "doctor" in text


def test_misspelt_command_names_the_closest(monkeypatch, capsys):
    assert run_cli(monkeypatch, "trian") == 2
    assert "there is no command 'trian' (did you mean train?)" in capsys.readouterr().err


def test_version(monkeypatch, capsys):
    assert run_cli(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("otfsynth ")


def test_arguments_and_exit_code_reach_the_command(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "otfsynth.doctor", raising=False)  # runpy warns of a module that is loaded already
    assert run_cli(monkeypatch, "doctor", "--no-such-option") == 2
    assert "usage: otfsynth doctor" in capsys.readouterr().err


def test_help_imports_no_heavy_package():
    code = (
        "import sys; sys.argv = ['otfsynth', '--help']\n"
        "from otfsynth import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'hydra', 'lightning'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
