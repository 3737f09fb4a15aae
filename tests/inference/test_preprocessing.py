"""Image preparation: places in the world never move, and each step does what its name says."""

from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.preprocess import PreparationConfig, PreprocessConfig
from otfsynth.inference import ImageError
from otfsynth.inference.grid_steps import crop_or_pad, reorient
from otfsynth.inference.intensity_steps import clip_to_percentiles, correct_bias, denoise, match_histogram
from otfsynth.inference.preprocessing import PreprocessingError, prepare_scan, preprocess, reference_intensities
from otfsynth.preprocess import preprocess as command
from otfsynth.volumes import Volume, read_volume, spacing_of, write_volume

OBLIQUE = np.array([[1.9, 0.2, 0, -30], [-0.2, 1.4, 0.3, 12], [0.1, -0.2, 2.9, 5], [0, 0, 0, 1.0]])
UNTOUCHED = {"orientation": None, "spacing_mm": None, "normalization": "none"}


def blob(centre: tuple[float, float, float], shape: tuple[int, int, int] = (30, 36, 22)) -> np.ndarray:
    """A smooth bump on 10, bright at one voxel."""
    squares = sum((axis - middle) ** 2 for axis, middle in zip(np.indices(shape), centre, strict=True))
    return (10 + 90 * np.exp(-squares / 18)).astype(np.float32)


def brightest_mm(volume: Volume) -> np.ndarray:
    """World position of the centre of gravity of what is bright."""
    weights = np.clip(volume.data - 40, 0, None)
    centre = ndimage.center_of_mass(weights)
    return (volume.affine @ np.array([*centre, 1]))[:3]


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SLA"])
@pytest.mark.parametrize("shape", [None, [20, 44, 25]])
@pytest.mark.parametrize("spacing_mm", [None, [1.0, 1.0, 1.0], [2.5, 1.2, 4.0]])
def test_the_place_of_a_landmark_in_the_world_stays(code: str, shape: list[int] | None, spacing_mm) -> None:
    scan = Volume(blob((12, 20, 9)), OBLIQUE, "scan")
    there = (OBLIQUE @ np.array([12, 20, 9, 1]))[:3]
    config = PreparationConfig(orientation=code, spacing_mm=spacing_mm, shape=shape, normalization="none")
    mask = np.zeros(scan.data.shape, bool)
    mask[5:20, 12:29, 3:16] = True
    prepared = preprocess(scan, config, mask)
    assert np.linalg.norm(brightest_mm(prepared) - there) < 0.1
    assert "".join(nib.aff2axcodes(prepared.affine)) == code
    if spacing_mm is not None:
        assert np.allclose(spacing_of(prepared.affine), spacing_mm)
    if shape is not None:
        assert list(prepared.data.shape) == shape


def test_reorientation_moves_no_voxel_in_the_world() -> None:
    data = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    for letters in itertools.product("RL", "AP", "SI"):
        turned, affine = reorient(data, OBLIQUE, "".join(letters))
        for voxel in ((0, 0, 0), (1, 2, 3), (3, 4, 5)):
            world = OBLIQUE @ np.array([*voxel, 1])
            i, j, k = np.rint(np.linalg.inv(affine) @ world)[:3].astype(int)
            assert turned[i, j, k] == data[voxel]


@pytest.mark.parametrize("shape", [(6, 6, 6), (20, 3, 9), (5, 31, 8)])
def test_cropping_and_padding_keep_every_voxel_at_its_place(shape: tuple[int, int, int]) -> None:
    data = np.random.default_rng(0).uniform(1, 2, (11, 13, 9)).astype(np.float32)
    mask = np.zeros(data.shape, bool)
    mask[3:9, 2:11, 4:6] = True
    image, inside, affine, lost = crop_or_pad(data, mask, OBLIQUE, shape)
    assert image.shape == inside.shape == shape
    back = np.linalg.inv(OBLIQUE) @ affine
    assert np.allclose(back[:3, :3], np.eye(3))
    places = np.rint(np.indices(shape).reshape(3, -1) + back[:3, 3:]).astype(int)
    known = ((places >= 0) & (data.shape > places.T).T).all(0)
    assert np.array_equal(image.ravel()[known], data[tuple(places[:, known])])
    assert np.array_equal(inside.ravel()[known], mask[tuple(places[:, known])])
    assert not image.ravel()[~known].any()
    assert lost == mask.sum() - inside.sum()
    assert (lost == 0) == all(size >= extent for size, extent in zip(shape, (6, 9, 2), strict=True))


def test_a_shape_that_cuts_the_brain_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        preprocess(Volume(blob((12, 20, 9)), np.eye(4), "scan"), PreparationConfig(shape=[8, 8, 8]))
    assert "scan: steps.shape=[8, 8, 8] cuts off 23248 voxels of its mask" in caplog.text
    assert 30 * 36 * 22 - 512 == 23248


def test_normalisation_is_over_the_mask_and_0_outside() -> None:
    scan = Volume(blob((12, 20, 9)) + np.random.default_rng(0).normal(0, 1, (30, 36, 22)), np.eye(4), "scan")
    mask = ndimage.binary_dilation(scan.data > 50, iterations=3)
    for name in ("zscore", "minmax", "none"):
        prepared = prepare_scan(scan, PreparationConfig(normalization=name), mask)
        values = prepared.volume.data[mask]
        assert prepared.volume.data.dtype == np.float32
        assert np.array_equal(prepared.mask, mask)
        assert not prepared.volume.data[~mask].any()
        if name == "zscore":
            assert values.mean() == pytest.approx(0, abs=1e-4)
            assert values.std() == pytest.approx(1, abs=1e-4)
        elif name == "minmax":
            assert (values.min(), values.max()) == (0, 1)
        else:
            assert np.allclose(values, scan.data[mask], rtol=1e-6)


def test_resampling_takes_nothing_from_outside_the_mask() -> None:
    data = np.full((40, 40, 40), 1000.0, np.float32)
    data[5:35, 5:35, 5:35] = 100
    mask = data == 100
    config = PreparationConfig(spacing_mm=[1.7, 0.8, 2.3], normalization="none")
    prepared = prepare_scan(Volume(data, np.eye(4), "scan"), config, mask)
    assert np.allclose(prepared.volume.data[prepared.mask], 100, rtol=1e-5)
    extents = [np.ptp(places) + 1 for places in np.nonzero(prepared.mask)]
    assert all(abs(extent - 30 / size) < 1 for extent, size in zip(extents, (1.7, 0.8, 2.3), strict=True))


def test_clipping_is_at_the_percentiles_of_the_mask() -> None:
    data = np.arange(1001, dtype=np.float32).reshape(7, 11, 13)
    data[0, 0, 0] = 1e6
    mask = (data > 0) & (data < 1e6)
    clipped = clip_to_percentiles(data, mask, (1, 99))
    assert (clipped.min(), clipped.max()) == (pytest.approx(10.99), pytest.approx(990.01))
    assert np.array_equal(clipped[(data > 11) & (data < 990)], data[(data > 11) & (data < 990)])


def test_histogram_matching_gives_the_references_percentiles_inside_the_mask() -> None:
    rng = np.random.default_rng(0)
    data, reference = rng.normal(0, 1, (20, 20, 20)).astype(np.float32), rng.gamma(2, 50, 5000)
    mask = rng.random(data.shape) < 0.5
    matched = match_histogram(data, mask, reference)
    assert np.array_equal(matched[~mask], data[~mask])
    points = [5, 25, 50, 75, 95]
    assert np.percentile(matched[mask], points) == pytest.approx(np.percentile(reference, points), rel=0.02)
    order = np.argsort(data[mask])
    assert (np.diff(matched[mask][order]) >= 0).all()


def test_bias_correction_flattens_tissue_and_keeps_its_level() -> None:
    shape = (40, 48, 36)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij"))
    radius = np.linalg.norm(places, axis=0)
    mask = radius < 0.9
    tissue = np.where(radius < 0.5, 200, 100) + np.random.default_rng(0).normal(0, 2, shape)
    field = np.exp(0.4 * places[0] - 0.2 * places[1] ** 2)
    biased = (tissue * field * mask).astype(np.float32)
    corrected = correct_bias(biased, mask, (2, 2, 2), shrink=2)
    for part in (radius < 0.45, (radius > 0.55) & (radius < 0.85)):
        assert biased[part].std() / biased[part].mean() > 0.07
        assert corrected[part].std() / corrected[part].mean() < 0.03
        assert corrected[part].mean() == pytest.approx(biased[part].mean(), rel=0.05)
    assert np.log(biased[mask] / corrected[mask]).mean() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (1, 1, 4), (0.4, 0.4, 0.4)])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_denoising_smooths_and_keeps_borders_at_any_voxel_size_and_scale(spacing_mm, scale: float) -> None:
    clean = np.zeros((24, 24, 24), np.float32)
    clean[8:16, 8:16, 8:16] = 100
    noisy = scale * (clean + np.random.default_rng(0).normal(0, 5, clean.shape).astype(np.float32))
    smooth = denoise(noisy, spacing_mm) / scale
    assert np.std(smooth[:6]) < 0.65 * 5
    assert smooth[10:14, 10:14, 10:14].mean() == pytest.approx(100, abs=2)
    assert (smooth[8, 10:14, 10:14] - smooth[7, 10:14, 10:14]).mean() > 85


def test_nothing_to_do_returns_the_scan() -> None:
    scan = Volume(blob((12, 20, 9)), OBLIQUE, "scan")
    prepared = preprocess(scan, PreparationConfig(**UNTOUCHED))
    assert np.array_equal(prepared.data, scan.data)
    assert np.array_equal(prepared.affine, OBLIQUE)


def test_all_steps_together_work_on_one_scan(tmp_path: Path) -> None:
    reference = write_volume(tmp_path / "reference.nii.gz", 3 * blob((15, 15, 11)), np.eye(4))
    config = PreparationConfig(
        bias_correction=True,
        denoising=True,
        orientation="LPS",
        spacing_mm=[2.0, 2.0, 2.0],
        shape=[32, 32, 32],
        clip_percentiles=[1.0, 99.0],
        histogram_reference=str(reference),
        normalization="minmax",
    )
    prepared = preprocess(Volume(blob((12, 20, 9)), OBLIQUE, "scan"), config)
    assert prepared.data.shape == (32, 32, 32)
    assert (prepared.data.min(), prepared.data.max()) == (0, 1)
    assert np.isfinite(prepared.data).all()


def test_the_reference_of_histograms_may_lie_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_volume(tmp_path / "reference.nii.gz", 3 * blob((15, 15, 11)), np.eye(4))
    config = PreparationConfig(**UNTOUCHED | {"histogram_reference": "~/reference.nii.gz"})
    assert len(reference_intensities(config)) > 100


def test_scans_without_content_are_refused() -> None:
    with pytest.raises(ImageError, match="empty or constant"):
        preprocess(Volume(np.zeros((5, 5, 5)), np.eye(4), "scan"), PreparationConfig())
    with pytest.raises(PreprocessingError, match="mask of 'scan' is empty"):
        prepare_scan(Volume(blob((1, 1, 1)), np.eye(4), "scan"), PreparationConfig(), np.zeros((30, 36, 22), bool))
    one = np.zeros((30, 36, 22), bool)
    one[3, 3, 3] = True
    with pytest.raises(PreprocessingError, match="smaller than a voxel"):
        prepare_scan(Volume(blob((1, 1, 1)), np.eye(4), "scan"), PreparationConfig(spacing_mm=[8, 8, 8]), one)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps.orientation=RAX", "RAX is no orientation"),
        ("steps.orientation=RLS", "RLS is no orientation"),
        ("steps.spacing_mm=[1,1]", "must have three numbers"),
        ("steps.spacing_mm=[1,1,0]", r"leaves \[0.1, 20\]"),
        ("steps.shape=[0,5,5]", r"leaves \[1, 2048\]"),
        ("steps.clip_percentiles=[99,1]", "low > high"),
        ("steps.clip_percentiles=[5,5]", "leaves one intensity"),
        ("steps.histogram_reference=missing.nii.gz", "is no file"),
        ("steps.normalization=zscores", "did you mean 'zscore'"),
        ("method=deepbed", "did you mean 'deepbet'"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose([f"input={tmp_path}", "output=out", override], "preprocess", PreprocessConfig)


def run(folder: Path, *overrides: str) -> Path:
    output = folder / "prepared"
    given = [f"input={folder / 'scans'}", f"output={output}", "method=none", "pictures=false"]
    command(compose([*given, *overrides], "preprocess", PreprocessConfig), Job(folder))
    return output


def test_the_command_prepares_all_scans_and_names_bad_ones(tmp_path: Path) -> None:
    for case in ("a", "b"):
        write_volume(tmp_path / "scans" / f"{case}.nii.gz", blob((12, 20, 9)), OBLIQUE)
    write_volume(tmp_path / "scans" / "flat.nii.gz", np.full((9, 9, 9), 3, np.uint8), np.eye(4))
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, "steps.shape=[64,64,64]", "pictures=true")
    assert stop.value.code == 1
    output = tmp_path / "prepared"
    assert "flat,the image is empty or constant" in (output / "failures.csv").read_text()
    image, mask = (read_volume(output / f"a_desc-preproc{ending}.nii.gz") for ending in ("", "_mask"))
    assert image.data.shape == mask.data.shape == (64, 64, 64)
    assert np.allclose(spacing_of(image.affine), 1)
    assert np.array_equal(image.data != 0, mask.data > 0)
    assert (output / "qc" / "a.png").stat().st_size > 1000
    table = (output / "preprocess.csv").read_text().splitlines()
    assert table[0] == "case,method,reason,shape,spacing_mm,mask_volume_ml,seconds"
    assert [line.split(",")[:5] for line in table[1:]] == [
        [case, "none", "whole head", "64 x 64 x 64", "1 x 1 x 1"] for case in ("a", "b")
    ]
    assert json.loads((output / "preprocess.json").read_text())["steps"]["shape"] == [64, 64, 64]


def test_resume_goes_on_with_the_same_settings_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for case in ("a", "b"):
        write_volume(tmp_path / "scans" / f"{case}.nii.gz", blob((12, 20, 9)), np.eye(4))
    output = run(tmp_path)
    made = (output / "a_desc-preproc.nii.gz").stat().st_mtime_ns
    (output / "b_desc-preproc.nii.gz").write_bytes(b"")
    with caplog.at_level(logging.INFO):
        run(tmp_path, "resume=true")
    assert "a: kept" in caplog.text
    assert "b: kept" not in caplog.text
    assert (output / "a_desc-preproc.nii.gz").stat().st_mtime_ns == made
    assert read_volume(output / "b_desc-preproc.nii.gz").data.shape == (30, 36, 22)
    with pytest.raises(ConfigurationError, match="holds results of other settings"):
        run(tmp_path, "resume=true", "steps.normalization=minmax")


def test_stripping_and_preparation_go_together(tmp_path: Path) -> None:
    mask = np.zeros((30, 36, 22), bool)
    mask[5:20, 12:29, 3:16] = True
    write_volume(tmp_path / "scans" / "a.nii.gz", blob((12, 20, 9)), np.eye(4))
    write_volume(tmp_path / "masks" / "a_mask.nii.gz", mask, np.eye(4))
    output = run(tmp_path, "method=mask", f"stripping.mask_folder={tmp_path / 'masks'}")
    assert np.array_equal(read_volume(output / "a_desc-preproc_mask.nii.gz").data > 0, mask)
    assert np.array_equal(read_volume(output / "a_desc-preproc.nii.gz").data != 0, mask)


def test_resuming_prepares_changed_scans_again_and_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    for case in ("a", "b"):
        write_volume(tmp_path / "scans" / f"{case}.nii.gz", blob((12, 20, 9)), OBLIQUE)
    output = run(tmp_path)
    times = {case: (output / f"{case}_desc-preproc.nii.gz").stat().st_mtime_ns for case in "ab"}
    write_volume(tmp_path / "scans" / "a.nii.gz", 2 * blob((12, 20, 9)), OBLIQUE)
    run(tmp_path, "resume=true")
    again = {
        case for case, time in times.items() if (output / f"{case}_desc-preproc.nii.gz").stat().st_mtime_ns != time
    }
    assert again == {"a"}
    (tmp_path / "scans" / "b.nii.gz").write_bytes(b"no scan any more")
    with pytest.raises(SystemExit):
        run(tmp_path, "resume=true")
    assert sorted(path.name for path in output.glob("*.nii.gz")) == [
        "a_desc-preproc.nii.gz",
        "a_desc-preproc_mask.nii.gz",
    ]
    assert [line.split(",")[0] for line in (output / "preprocess.csv").read_text().splitlines()] == ["case", "a"]
