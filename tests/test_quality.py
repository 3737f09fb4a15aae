"""The command that compares synthetic with real images."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.freeze import FreezeConfig
from otfsynth.config.quality import QualityConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.sample_records import read_records
from otfsynth.evaluation import figures
from otfsynth.freeze import freeze
from otfsynth.quality import quality
from otfsynth.synthesis import Synthesizer
from otfsynth.volumes import write_volume
from tests.learning.fakes import toy_bank
from tests.reports.pages import png

SIZE = "data.patch_size=[28,30,28]"
COMMON = ["hardware.threads=1", "trainer.progress=false", "box_mm=[32,32,32]", "bins=16", SIZE]


@pytest.fixture(autouse=True)
def toy_heads(monkeypatch: pytest.MonkeyPatch) -> LabelBank:
    """Small heads instead of the configured label maps."""
    bank = toy_bank()
    monkeypatch.setattr(LabelBank, "from_config", lambda *_, **__: bank)
    return bank


@pytest.fixture(autouse=True)
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots as a picture of noise: drawing takes seconds."""
    monkeypatch.setattr(figures, "to_png", lambda _: png())


@pytest.fixture
def scans(toy_heads: LabelBank, tmp_path: Path) -> Path:
    """A folder with two stripped toy scans."""
    folder = tmp_path / "scans"
    for index, contrast in enumerate(("T1w", "T2w")):
        target = toy_heads.scheme.target_table[toy_heads[index].indices.numpy()]
        noise = np.random.default_rng(index).normal(0, 3, target.shape)
        image = np.where(target > 0, np.array([0, 60, 100, 20])[target] + noise, 0)
        write_volume(folder / f"sub-{index}_{contrast}.nii.gz", image.astype(np.float32), np.eye(4))
    return folder


def run(folder: Path, *overrides: str) -> None:
    quality(compose([*COMMON, *overrides], "quality", QualityConfig), Job(folder))


def test_fresh_samples_are_compared_and_can_be_drawn_again(scans: Path, tmp_path: Path, toy_heads: LabelBank) -> None:
    run(tmp_path, f"real={scans}", "output=out", "n=3", "index=4", "seed=5")
    out = tmp_path / "out"
    images = pd.read_csv(out / "images.csv")
    assert list(images["image"]) == ["sub-0_T1w", "sub-1_T2w", "sample 4", "sample 5", "sample 6"]
    assert list(images["contrast"][:2]) == ["T1w", "T2w"]
    assert len(pd.read_csv(out / "pairs.csv")) == 6
    assert (out / "report.html").is_file()
    assert not (out / "failures.csv").exists()
    assert not list(out.glob("prepared-*"))
    records = read_records(out / "samples.json")
    assert [(record.key.seed, record.key.index) for record in records] == [(5, 4), (5, 5), (5, 6)]
    config = compose([*COMMON, "real=.", "output=x"], "quality", QualityConfig)
    batch = Synthesizer(config.synthesis, toy_heads, (28, 30, 28), 5, 1).render(records[:1])
    share = float((batch.image != 0).float().mean())
    assert 0 < images["foreground_ml"][2] <= 28 * 30 * 28 / 1000 * share + 1e-6


def test_frozen_samples_give_the_numbers_of_fresh_ones(scans: Path, tmp_path: Path) -> None:
    options = ["hardware.threads=1", "trainer.progress=false", "output=frozen", "n=2", SIZE]
    freeze(compose(options, "freeze", FreezeConfig), Job(tmp_path))
    run(tmp_path, f"synthetic={tmp_path / 'frozen'}", f"real={scans}", "output=a")
    run(tmp_path, f"real={scans}", "output=b", "n=2")
    frozen, fresh = (pd.read_csv(tmp_path / name / "pairs.csv").iloc[:, 3:].to_numpy() for name in "ab")
    assert frozen == pytest.approx(fresh, abs=1e-4)


def frozen_head(folder: Path, image: str) -> None:
    """A bright cube of brain in a wide grey head, and its labels."""
    head = np.full((30, 30, 30), 20, np.float32)
    head[[0, -1]] = 0
    head[10:20, 10:20, 10:20] = 100
    write_volume(folder / "imagesTr" / image, head + np.arange(30, dtype=np.float32), np.eye(4))
    labels = np.zeros(head.shape, np.uint8)
    labels[10:20, 10:20, 10:20] = 1
    write_volume(folder / "labelsTr" / "head.nii.gz", labels, np.eye(4))


@pytest.mark.parametrize("channel", ["_0000", "_0001", ""])
def test_labels_are_found_whichever_channel_an_image_is(scans: Path, tmp_path: Path, channel: str) -> None:
    frozen_head(tmp_path / "frozen", f"head{channel}.nii.gz")
    run(tmp_path, f"synthetic={tmp_path / 'frozen' / 'imagesTr'}", f"real={scans}", "output=out")
    images = pd.read_csv(tmp_path / "out" / "images.csv").set_index("kind")
    assert images.loc["synthetic", "foreground_ml"] == pytest.approx(1.0)
    assert "have no labels" not in (tmp_path / "out" / "report.html").read_text()


def test_whole_heads_are_not_compared_in_silence(scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frozen_head(tmp_path / "frozen", "head_0000.nii.gz")
    (tmp_path / "frozen" / "labelsTr" / "head.nii.gz").unlink()
    given = (f"synthetic={tmp_path / 'frozen' / 'imagesTr'}", f"real={scans}")
    run(tmp_path, *given, "output=out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "1 of 1 synthetic images have no labels" in page
    assert "labelsTr/head.nii.gz" in page
    assert "set region=all" in caplog.text
    run(tmp_path, *given, "output=all", "region=all")
    assert "have no labels" not in (tmp_path / "all" / "report.html").read_text()


def test_a_bad_scan_is_named_the_others_go_on_and_the_exit_code_is_1(
    scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (scans / "broken_T1w.nii.gz").write_bytes(b"no gzip")
    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit) as ended:
        run(tmp_path, f"real={scans}", "output=out", "n=1")
    assert ended.value.code == 1
    assert "broken_T1w.nii.gz' can't be opened" in caplog.text
    assert list(pd.read_csv(tmp_path / "out" / "failures.csv")["image"]) == ["broken_T1w"]
    assert len(pd.read_csv(tmp_path / "out" / "pairs.csv")) == 2
    assert "broken_T1w" in (tmp_path / "out" / "report.html").read_text()


def test_a_scan_with_its_skull_is_pointed_out(tmp_path: Path) -> None:
    head = np.random.default_rng(0).uniform(1, 2, (40, 40, 40)).astype(np.float32)
    write_volume(tmp_path / "scans" / "head_T1w.nii.gz", head, np.eye(4))
    run(tmp_path, f"real={tmp_path / 'scans'}", "output=out", "n=1")
    assert "head_T1w seems to have its skull" in (tmp_path / "out" / "report.html").read_text()
    run(tmp_path, f"real={tmp_path / 'scans'}", "output=all", "n=1", "region=all")
    assert "seems to have its skull" not in (tmp_path / "all" / "report.html").read_text()


def test_no_scan_at_all_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no scan"):
        run(tmp_path, f"real={tmp_path / 'empty'}", "output=out", "n=1")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("real=", "real is not given"),
        ("output=", "output is not given"),
        ("synthetic=nowhere", "synthetic=nowhere does not exist"),
        ("region=skull", "choose one of: brain, all"),
        ("normalization=zscore", "choose one of: robust, minmax"),
        ("box_mm=[5,5,5]", r"box_mm=5\.0 leaves \[7"),
        ("n=0", "n=0 leaves"),
    ],
)
def test_settings_that_cant_work(scans: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose([f"real={scans}", "output=out", override], "quality", QualityConfig)
