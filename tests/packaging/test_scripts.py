"""The scripts of the checkout: build flags, kernel compilation, set-up."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PTXAS = """\
ptxas info    : Compiling entry function 'otf_Paint' for 'sm_90'
ptxas info    : Function properties for otf_Paint
    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 80 registers, used 0 barriers, 16 bytes cumulative stack size
ptxas info    : Compiling entry function 'otf_Finish' for 'sm_90'
ptxas info    : Function properties for otf_Finish
    8 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers
"""


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_registers_and_spills_are_read_from_ptxas() -> None:
    script = load_script("compile_kernels")
    kernels = script.parse_ptxas(PTXAS)
    assert [(kernel.name, kernel.registers, kernel.spilled_bytes) for kernel in kernels] == [
        ("otf_Finish", 255, 32),
        ("otf_Paint", 80, 0),
    ]


def fake_nvcc(folder: Path, output: str, code: int) -> Path:
    (folder / "ptxas.txt").write_text(output)
    path = folder / "nvcc"
    path.write_text(f"#!/bin/sh\ncat '{folder}/ptxas.txt' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("output", "code", "expected"),
    [(PTXAS.split("ptxas info    : Compiling entry function 'otf_Finish'")[0], 0, 0), (PTXAS, 0, 1), ("error", 2, 1)],
    ids=["clean", "spills", "does not compile"],
)
def test_kernel_compilation_fails_on_spills_and_errors(tmp_path, monkeypatch, capsys, output, code, expected):
    script = load_script("compile_kernels")
    monkeypatch.setenv("NVCC", str(fake_nvcc(tmp_path, output, code)))
    monkeypatch.setattr(script, "_check_with_nvrtc", list)
    assert script.main() == expected
    if output == PTXAS:
        assert "otf_Finish spills 32 bytes on sm_75" in capsys.readouterr().err


def test_kernel_compilation_is_skipped_visibly_without_a_toolkit(monkeypatch, capsys):
    script = load_script("compile_kernels")
    monkeypatch.delenv("NVCC", raising=False)
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None)
    assert script.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("SKIPPED: ") for line in lines)


def test_too_many_registers_fail(tmp_path, monkeypatch, capsys):
    script = load_script("compile_kernels")
    output = PTXAS.split("ptxas info    : Compiling entry function 'otf_Finish'")[0]
    monkeypatch.setenv("NVCC", str(fake_nvcc(tmp_path, output, 0)))
    monkeypatch.setattr(script, "_check_with_nvrtc", list)
    monkeypatch.setattr(script, "MOST_REGISTERS", 79)
    assert script.main() == 1
    assert "otf_Paint needs 80 registers on sm_75" in capsys.readouterr().err


def test_layout_assertions_see_a_wrong_struct(tmp_path, monkeypatch):
    script = load_script("compile_kernels")
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = tmp_path / "layouts.cpp"
    command = [compiler, "-std=c++17", "-fsyntax-only", "-w", f"-I{script.SOURCE.parent}", str(program)]
    program.write_text(script.layout_assertions())
    assert subprocess.run(command, capture_output=True).returncode == 0
    wrong = np.dtype([("seed_lo", np.uint64), ("seed_hi", np.uint32), ("sample", np.uint32), ("stage", np.uint32)])
    monkeypatch.setattr(script, "STRUCTS", {"RandomKey": wrong})
    program.write_text(script.layout_assertions())
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert "offset of RandomKey.seed_hi" in result.stderr


@pytest.mark.parametrize("name", ["setup.sh", "quickstart.sh", "reproduce_real_scans.sh", "test.sh", "../.ci/run"])
def test_shell_scripts_parse(name):
    subprocess.run(["bash", "-n", str(ROOT / "scripts" / name)], check=True)


@pytest.mark.parametrize(
    ("reported", "expected"), [("13.0", "cuda13"), ("12.4", "cuda12"), ("11.8", ""), (None, "")], ids=str
)
def test_set_up_picks_the_extra_by_the_driver(tmp_path, reported, expected):
    nvidia_smi = tmp_path / "nvidia-smi"
    line = f"| NVIDIA-SMI 580.1   Driver Version: 580.1   CUDA Version: {reported}  |"
    nvidia_smi.write_text(f"#!/bin/sh\necho '{line}'\n" if reported else "#!/bin/sh\nexit 9\n")
    nvidia_smi.chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", "-c", f"set -euo pipefail; source '{ROOT}/scripts/setup.sh'; cuda_extra"]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == expected


def test_every_constraint_is_a_version_and_torchvision_is_left_out():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.split("==")[0] for line in lines]
    assert all(line.count("==") == 1 for line in lines)
    assert names == sorted(set(names))
    assert "torch==2.13.0" in lines
    assert "torchvision" not in names
