"""The image-quality study: who matches whom, what is left out, one image at a time; tables and report."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otfsynth.evaluation.image_quality import ImageQualityError, Preparation
from otfsynth.evaluation.image_quality_report import coverage_table, headline_table, write_study
from otfsynth.evaluation.image_quality_study import ImageSource, LoadedImage, QualityResult, compare_images
from otfsynth.volumes import VolumeError
from tests.reports.pages import Parsed

PREPARATION = Preparation(2.0, (48.0, 48.0, 48.0))


def image(seed: int, size: int = 16) -> np.ndarray:
    """Smooth random intensities in a cube."""
    from scipy import ndimage

    data = np.zeros((24, 24, 24), np.float32)
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size,) * 3), 1.5)
    data[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = 100 + 50 * noise / noise.std() + 200
    return data


def source(name: str, data: np.ndarray, contrast: str = "") -> ImageSource:
    return ImageSource(name, contrast, lambda: LoadedImage(data, np.diag([2.0, 2.0, 2.0, 1.0])))


def broken(name: str) -> ImageSource:
    def load() -> LoadedImage:
        raise VolumeError(f"'{name}' is damaged")

    return ImageSource(name, "T1w", load)


def study(folder: Path) -> QualityResult:
    real = [source("a", image(1), "T1w"), broken("bad.nii"), source("b", image(2), "T2w")]
    synthetic = [source("like b", 7 * image(2)), source("dark", 0 * image(1)), source("like a", 3 * image(1) + 0)]
    return compare_images(real, [*synthetic, source("other", image(3, size=12))], PREPARATION, folder, bins=16)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> QualityResult:
    return study(tmp_path_factory.mktemp("prepared"))


def test_each_scan_finds_its_like(result: QualityResult) -> None:
    best = result.best().set_index("real")
    assert best["synthetic"].to_dict() == {"a": "like a", "b": "like b"}
    assert best["ssim"].to_numpy() == pytest.approx([1, 1], abs=1e-4)
    assert result.matches["a"].synthetic == "like a"
    for real, synthetic in zip(result.matches["a"].real_planes, result.matches["a"].synthetic_planes, strict=True):
        assert np.array_equal(real, synthetic)
    assert len(result.pairs) == 2 * 3
    assert (result.pairs.query("synthetic == 'other'")["ssim"] < 0.95).all()
    assert best["highest_psnr_db"]["a"] == result.pairs.query("real == 'a'")["psnr_db"].max()


def test_bad_images_are_named_and_left_out(result: QualityResult) -> None:
    assert [failure[:2] for failure in result.failures] == [("real", "bad.nii"), ("synthetic", "dark")]
    assert result.failures[0][2] == "'bad.nii' is damaged"
    assert list(result.images["image"]) == ["a", "b", "like b", "like a", "other"]


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    good = [source("a", image(1))]
    with pytest.raises(ImageQualityError, match=r"no real image can be used:\n  'x' is damaged"):
        compare_images([broken("x")], good, PREPARATION, tmp_path)
    with pytest.raises(ImageQualityError, match=r"no synthetic image can be used:\n  'y' is damaged"):
        compare_images(good, [broken("y")], PREPARATION, tmp_path)


def test_one_image_is_in_memory_at_a_time(tmp_path: Path) -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def load(seed: int) -> LoadedImage:
        assert all(reference() is None for reference in alive)
        data = image(seed)
        alive.append(weakref.ref(data))
        return LoadedImage(data, np.eye(4))

    sources = [ImageSource(str(seed), "", lambda seed=seed: load(seed)) for seed in range(4)]  # type: ignore[misc]
    compare_images(sources[:2], sources[2:], Preparation(1.0, (24.0, 24.0, 24.0)), tmp_path)
    assert len(alive) == 4


def test_tables_say_what_was_measured(result: QualityResult) -> None:
    best = result.best()
    rows = headline_table(result, best).rows
    assert [row[0] for row in rows] == ["T1w", "T2w"]
    assert rows[0][2] == pytest.approx(1, abs=1e-4)
    assert (rows[0][4], rows[0][8], rows[1][4], rows[1][8]) == (0.825, 18.24, 0.811, 18.89)
    coverage = {(row[0], row[1]): row for row in coverage_table(result).rows}
    synthetic = result.images.query("kind == 'synthetic'")["mean"]
    row = coverage["mean", "T1w"]
    assert row[4] == pytest.approx(np.percentile(synthetic, 5))
    real = result.images.query("image == 'a'")["mean"].item()
    assert row[7] == (100.0 if np.percentile(synthetic, 5) <= real <= np.percentile(synthetic, 95) else 0.0)


def test_report_and_csv_files(result: QualityResult, tmp_path: Path) -> None:
    path = write_study(result, tmp_path, "Samples against <scans>", ("Mind the gap.",))
    html = Parsed(path.read_text(encoding="utf-8"))
    assert html.text("h1") == ["Samples against <scans>"]
    assert html.text("h2")[0] == "To know first"
    assert "Mind the gap." in html.text("p")
    assert "mean over all axial slices with foreground" in html.text("p")[-1]
    assert html.text("h3") == ["a", "b"]
    assert len(html.of("img")) == 4 + 2
    assert all(picture["alt"] for picture in html.of("img"))
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    pd.testing.assert_frame_equal(pairs, result.pairs)
    assert len(pd.read_csv(tmp_path / "images.csv")) == 5
    assert list(pd.read_csv(tmp_path / "best.csv")["synthetic"]) == ["like a", "like b"]
    histograms = pd.read_csv(tmp_path / "histograms.csv")
    assert histograms.iloc[:, 2:].mean(axis=1).to_numpy() == pytest.approx(np.ones(5))
    assert list(pd.read_csv(tmp_path / "failures.csv")["image"]) == ["bad.nii", "dark"]
