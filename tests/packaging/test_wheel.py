"""The wheel carries all it needs: it is built, installed into a new environment, and used outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from otfsynth.networks import load_checkpoint
from otfsynth.networks.model_folder import write_model_folder
from tests.inference.heads import write_checkpoint, write_scan

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("src", "conf", "cuda_kernels", "scripts", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
EXTRAS = ("CHANGELOG.md", "CITATION.cff", "constraints.txt")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources without anything built, so that the checkout stays clean."""
    copy = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
    for part in (*PARTS, *EXTRAS):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, copy / part)
    models = copy / "src" / "otfsynth" / "models"
    if not list(models.glob("*/model.json")):  # a model is shipped as soon as its folder is there
        checkpoint = load_checkpoint(write_checkpoint(copy / "toy.ckpt"))
        write_model_folder(checkpoint, models / "toy", "toy", "1")
        (models / "toy" / "MODEL_CARD.md").write_text("# toy\n")
    return copy


@pytest.fixture(scope="module")
def distributions(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel built from that sdist), as an index would serve them."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", str(folder), str(source)], source)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin`` of a new environment that holds the wheel and sees this one's packages, but not its otfsynth."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run([str(python), "-m", "pip", "install", "--no-deps", "--quiet", str(distributions[1])], folder)
    site = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command; its whole output in the failure message."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, f"{command} ended with {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def test_the_sdist_holds_every_source(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    patterns = (("conf", "*.yaml"), ("conf", "*.npy"), ("conf", "*.csv"), ("cuda_kernels", "*"), ("src", "*.py"))
    for folder, pattern in patterns:
        expected = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob(pattern) if path.is_file()}
        assert expected <= names
    assert {"scripts/build_extension.py", "constraints.txt", "LICENSE", "CITATION.cff"} <= names


def test_the_wheel_holds_configuration_kernels_and_extension(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[1]) as archive:
        names = set(archive.namelist())
    for folder in ("conf", "cuda_kernels"):
        files = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        expected = {f"otfsynth/{path}" for path in files if path.suffix != ".md"}
        assert expected <= names
    assert any(name.startswith("otfsynth/kernels/_host.") for name in names)
    assert "otfsynth/py.typed" in names
    assert not [name for name in names if name.startswith(("scripts", "tests"))]


def test_the_model_is_in_both_distributions(source: Path, distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive, zipfile.ZipFile(distributions[1]) as wheel:
        names = {name.partition("/")[2] for name in archive.getnames()} & {f"src/{name}" for name in wheel.namelist()}
    (folder,) = {path.parent for path in (source / "src" / "otfsynth" / "models").glob("*/model.*")}
    files = {folder / name for name in ("model.safetensors", "model.json", "MODEL_CARD.md")}
    assert {str(path.relative_to(source)) for path in files} <= names


def test_the_installed_predict_needs_no_checkpoint(environment: Path, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz")
    run([str(environment / "otfsynth"), "predict", f"input={scan}", "output=out", "progress=false"], tmp_path)
    (used,) = json.loads((tmp_path / "out" / "run.json").read_text())["checkpoints"]
    assert Path(used["path"]).is_relative_to(environment.parent)
    assert (tmp_path / "out" / "scan_dseg.nii.gz").is_file()


def test_the_installed_wheel_works_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    where = run([str(environment / "python"), "-c", "import otfsynth; print(otfsynth.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(environment.parent)
    findings = json.loads(run([str(environment / "otfsynth"), "doctor", "--json"], tmp_path))
    extension = next(finding for finding in findings if finding["part"] == "CPU extension")
    assert extension["status"] == "ok"
    command = [str(environment / "otfsynth"), "train", "+experiment=t1w", "hardware=gpu8", "--cfg", "job"]
    shown = run(command, tmp_path)
    assert "experiment_name: t1w" in shown
    assert "name: gpu8" in shown


def test_the_installed_engine_renders(environment: Path, tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "from otfsynth.config.synthesis import SynthesisConfig\n"
        "from otfsynth.data.bank import LabelBank\n"
        "from otfsynth.labels import LabelScheme\n"
        "from otfsynth.synthesis import Synthesizer\n"
        "labels = np.zeros((24, 24, 24), np.int32); labels[6:18, 6:18, 6:18] = 2; labels[9:15, 9:15, 9:15] = 3\n"
        "bank = LabelBank.from_volumes(LabelScheme.load('tissue'), [labels])\n"
        "batch = Synthesizer(SynthesisConfig(), bank, (16, 16, 16), seed=1)([0, 1])\n"
        "print(tuple(batch.image.shape), bool(np.isfinite(batch.image.numpy()).all()))\n"
    )
    assert run([str(environment / "python"), "-c", code], tmp_path).strip() == "(2, 1, 16, 16, 16) True"
