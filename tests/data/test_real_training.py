"""Real scans in the mix: preparation, agreement with SciPy's interpolation, shares, errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.compose import compose
from otfsynth.config.data import DataConfig
from otfsynth.data.bank import LabelBank, without_subjects
from otfsynth.data.datamodule import SyntheticDataModule
from otfsynth.data.whole_heads import draw_record
from otfsynth.synthesis import SynthesisParameters
from otfsynth.synthesis.parameters import BiasFieldParameters, DeformationParameters
from tests.references.geometry import source_coordinates
from tests.synthesis.heads import TISSUE, assert_agrees, head_indices, plain_config, render_one, synthesizer

SIZE = (40, 44, 37)
OPTION = "data.real_training"


def scan_of(indices: np.ndarray, seed: int = 0, masked: bool = False) -> np.ndarray:
    """Smooth intensities with a little noise, brighter where the label is."""
    noise = np.random.default_rng(seed).normal(0, 3, indices.shape)
    smooth = ndimage.gaussian_filter(40.0 + 12.0 * indices + noise, 0.7).astype(np.float32)
    return np.where(indices > 0, smooth, 0).astype(np.float32) if masked else np.maximum(smooth, 1.0)


def write_pair(folder: Path, name: str, masked: bool = False, affine: np.ndarray | None = None) -> tuple[Path, Path]:
    indices = head_indices()
    labels = np.array(TISSUE.generation_labels, np.int16)[indices]
    grid = np.eye(4) if affine is None else affine
    image, label = folder / f"{name}_T1w.nii.gz", folder / f"{name}_dseg.nii.gz"
    nib.save(nib.Nifti1Image(scan_of(indices, masked=masked), grid), image)
    nib.save(nib.Nifti1Image(labels, grid), label)
    return image, label


def write_list(folder: Path, *pairs: tuple[Path, Path]) -> Path:
    path = folder / "pairs.csv"
    path.write_text("image,label\n" + "".join(f"{image},{label}\n" for image, label in pairs))
    return path


def real_bank(folder: Path, probability: float = 1.0, **options) -> LabelBank:
    """A bank of one label map and of the real pairs listed in a folder."""
    maps = folder / "maps"
    maps.mkdir(exist_ok=True)
    labels = np.array(TISSUE.generation_labels, np.int16)[head_indices((42, 60, 52))]
    nib.save(nib.Nifti1Image(labels, np.eye(4)), maps / "sub-9_dseg.nii.gz")
    config = DataConfig(
        label_maps=str(maps), real_training=str(folder / "pairs.csv"), real_training_probability=probability,
        cache_dir=str(folder / "cache"), **options,
    )  # fmt: skip
    return LabelBank.from_config(config, TISSUE, show_progress=False)


@pytest.fixture
def bank(tmp_path: Path) -> LabelBank:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"))
    return real_bank(tmp_path)


def record_of(bank: LabelBank, **changes) -> SynthesisParameters:
    """A centred patch without any stage but the scan."""
    assert bank.real is not None
    record = synthesizer(bank, SIZE, plain_config()).sample_parameters(0)
    centre = tuple((np.array(bank.real.maps[0].indices.shape) - 1) // 2 + np.array([0.5, 0.5, 0.0]))
    deformation = dataclasses.replace(record.deformation, centre_voxels=centre)
    return dataclasses.replace(record, deformation=deformation, **changes)


def test_the_scan_is_scaled_and_padded_beside_its_labels(bank: LabelBank) -> None:
    assert bank.real is not None
    pair, indices = bank.real.maps[0], head_indices()
    np.testing.assert_array_equal(pair.indices.numpy(), np.pad(indices, 1))
    scan = scan_of(indices)
    expected = np.pad(250.0 * scan / np.percentile(scan, 99.5), 1)
    assert pair.image is not None
    np.testing.assert_allclose(pair.image.numpy() / 128.0, expected, atol=0.004)
    np.testing.assert_allclose(pair.affine[:3, 3], -1.0)
    assert (pair.contrast, pair.masked) == ("T1w", False)


def test_identity_gives_back_the_scan(bank: LabelBank) -> None:
    record = record_of(bank)
    image, target = render_one(bank, record)
    assert bank.real is not None
    pair = bank.real.maps[0]
    first = np.rint(np.array(record.deformation.centre_voxels) - (np.array(SIZE) - 1) / 2).astype(int)
    box = tuple(slice(start, start + length) for start, length in zip(first, SIZE, strict=True))
    np.testing.assert_allclose(image, np.minimum(pair.image.numpy()[box] / 128.0, 300.0), atol=1e-3)
    np.testing.assert_array_equal(target, TISSUE.target_table[pair.indices.numpy()[box]])


@pytest.mark.parametrize("flip", [False, True])
def test_a_deformed_scan_is_scipys(bank: LabelBank, flip: bool) -> None:
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    record = record_of(bank)
    record = dataclasses.replace(record, deformation=DeformationParameters(flip, matrix, (25.3, 28.9, 23.6), 2.0, 20.0))
    image, _ = render_one(bank, record)
    source = source_coordinates(record.key, record.deformation, SIZE)
    assert bank.real is not None
    assert bank.real.maps[0].image is not None
    scan = bank.real.maps[0].image.numpy() / 128.0
    expected = ndimage.map_coordinates(scan, source, order=1, mode="nearest")
    assert np.abs(image - np.minimum(expected, 300.0)).max() < 0.05
    assert_agrees(bank, record)


@pytest.mark.parametrize("masked", [False, True])
def test_every_stage_on_a_scan_agrees_with_the_oracle(tmp_path: Path, masked: bool) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1", masked))
    bank = real_bank(tmp_path)
    engine = synthesizer(bank, SIZE, compose([]).synthesis)
    for index in range(5):
        record = engine.sample_parameters(index)
        assert record.real is not None
        assert record.real.masked == masked
        record = dataclasses.replace(
            record, motion=None, ghosting=None, spikes=None, bias_field=BiasFieldParameters(0.3, 40)
        )
        assert_agrees(bank, record, 1e-3)


def test_a_masked_scan_stays_zero_outside(tmp_path: Path) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1", masked=True))
    bank = real_bank(tmp_path)
    noisy = dataclasses.replace(record_of(bank).acquisition, noise_std=10.0)
    image, target = render_one(bank, record_of(bank, acquisition=noisy))
    outside = image == 0
    assert 0.1 < outside.mean() < 0.7
    assert not target[outside].any()
    assert image[~outside].min() > 0


def test_shares_records_and_replay(tmp_path: Path) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"), write_pair(tmp_path, "sub-2"))
    bank = real_bank(tmp_path, 0.3)
    engine = synthesizer(bank, SIZE, compose([]).synthesis, threads=1)
    records = [engine.sample_parameters(index) for index in range(300)]
    real = [record for record in records if record.real is not None]
    assert stats.binomtest(len(real), 300, 0.3).pvalue > 0.002
    assert {record.real.image for record in real if record.real} == {"sub-1_T1w.nii.gz", "sub-2_T1w.nii.gz"}
    assert {(record.mixture.source, record.background, record.lesions) for record in real} == {("real", "real", None)}
    chosen = [real[0], records[0], real[1]]
    batch = engine.render(chosen)
    replayed = engine.render([SynthesisParameters.from_json(record.to_json()) for record in chosen])
    assert torch.equal(batch.image, replayed.image)
    assert torch.equal(engine([real[0].key.index]).image[0], batch.image[0])


def test_whole_heads_show_the_scans_brain(tmp_path: Path) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"), write_pair(tmp_path, "sub-2"))
    engine = synthesizer(real_bank(tmp_path), SIZE, plain_config())
    for index in range(8):  # of two scans, while the bank has one label map
        centre = draw_record(engine, index, None).deformation.centre_voxels
        assert np.abs(np.array(centre) - (np.array([52, 58, 48]) - 1) / 2).max() < 3


def test_other_samples_are_as_without_real_scans(tmp_path: Path) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"))
    bank = real_bank(tmp_path, 0.3)
    mixed = synthesizer(bank, SIZE, compose([]).synthesis)
    off = real_bank(tmp_path, 0.0)
    assert off.real is None
    plain = synthesizer(off, SIZE, compose([]).synthesis)
    same = [mixed.sample_parameters(index) == plain.sample_parameters(index) for index in range(60)]
    real = [mixed.sample_parameters(index).real is None for index in range(60)]
    assert same == real


def test_further_channels_of_a_scan_are_missing(tmp_path: Path) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"))
    config = compose(["synthesis.channels.count=2", "synthesis.channels.missing_probability=0.9"]).synthesis
    batch = synthesizer(real_bank(tmp_path), SIZE, config, threads=1)(range(4))
    assert not batch.image[:, 1].any()
    assert all(image.any() for image in batch.image[:, 0])


def test_scans_of_other_size_and_orientation_keep_their_labels(tmp_path: Path) -> None:
    affine = np.array([[0.0, 1.2, 0.0, -3.0], [-1.0, 0.0, 0.0, 5.0], [0.0, 0.0, 0.8, 2.0], [0, 0, 0, 1]])
    write_list(tmp_path, write_pair(tmp_path, "sub-1", affine=affine))
    pair = real_bank(tmp_path).real.maps[0]  # type: ignore[union-attr]
    image, indices = pair.image.numpy() / 128.0, pair.indices.numpy()
    assert image.shape == indices.shape == (70, 52, 39)
    core = ndimage.binary_erosion(np.isin(indices, (5, 6)), iterations=3)  # white matter, away from its border
    near = ndimage.binary_erosion(indices == 1, iterations=1)
    assert core.sum() > 500
    scale = 250.0 / np.percentile(scan_of(head_indices()), 99.5)
    assert image[core].mean() == pytest.approx(scale * (40 + 12 * 5.5), rel=0.03)
    assert image[near].mean() < 0.75 * image[core].mean()


def test_labels_of_their_own_get_targets(tmp_path: Path) -> None:
    image, label = write_pair(tmp_path, "sub-1")
    targets = TISSUE.target_table[head_indices()].astype(np.int16)
    nib.save(nib.Nifti1Image(np.array([0, 7, 8, 9], np.int16)[targets], np.eye(4)), label)
    write_list(tmp_path, (image, label))
    pair = real_bank(tmp_path, real_training_labels={7: 1, 8: 2, 9: 3}).real.maps[0]  # type: ignore[union-attr]
    np.testing.assert_array_equal(TISSUE.target_table[pair.indices.numpy()], np.pad(targets, 1))
    with pytest.raises(InputError, match=r"holds labels \[9\] without a target; .*real_training_labels"):
        real_bank(tmp_path, real_training_labels={7: 1, 8: 2})
    with pytest.raises(InputError, match=r"label 9 the target 5; scheme 'small-head' has the targets 0 to 3"):
        real_bank(tmp_path, real_training_labels={7: 1, 8: 2, 9: 5})


def test_scans_of_validation_subjects_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_list(tmp_path, write_pair(tmp_path, "sub-1"), write_pair(tmp_path, "sub-9"))
    bank = real_bank(tmp_path)
    assert bank.real is not None
    kept = without_subjects(bank.real, {"sub-9"})
    assert kept is not None
    assert [kept.maps[index].name for index in range(len(kept.maps))] == ["sub-1_T1w.nii.gz"]
    assert "1 real scan(s)" in caplog.text
    assert without_subjects(bank.real, {"sub-1", "sub-9"}) is None
    data = SyntheticDataModule(bank, compose([]).synthesis, SIZE, 1, 0)
    assert data._training_bank().real is not None
    assert data._validation_bank().real is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("shape", r"sub-1_T1w.nii.gz' has .*50, 56, 46.* label map .*50, 56, 45.*; resample the label map"),
        ("place", r"differ by up to 2\); resample the label map"),
        ("label", r"sub-1_dseg.nii.gz' holds label 77 \(\d+ voxels\), which scheme 'small-head' does not list"),
        ("constant", r"scan 'sub-1_T1w.nii.gz' is empty or constant"),
        ("missing", r"real_training=.* names files that are not there:\n.*sub-1_dseg.nii.gz' does not exist"),
    ],
)
def test_pairs_that_can_not_be_used_are_told(tmp_path: Path, damage: str, message: str) -> None:
    image, label = write_pair(tmp_path, "sub-1")
    labels = np.asarray(nib.load(label).dataobj)
    if damage == "shape":
        nib.save(nib.Nifti1Image(labels[:, :, :45], np.eye(4)), label)
    elif damage == "place":
        moved = np.eye(4)
        moved[1, 3] = 2.0
        nib.save(nib.Nifti1Image(labels, moved), label)
    elif damage == "label":
        nib.save(nib.Nifti1Image(np.where(labels == 24, 77, labels), np.eye(4)), label)
    elif damage == "constant":
        nib.save(nib.Nifti1Image(np.ones(labels.shape, np.float32), np.eye(4)), image)
    else:
        label.unlink()
    write_list(tmp_path, (image, label))
    with pytest.raises(InputError, match=message):
        real_bank(tmp_path)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigurationError, match=r"real_training_probability=1\.5"):
        DataConfig(real_training_probability=1.5)
    with pytest.raises(InputError, match=r"data\.real_training=.*none\.csv does not exist"):
        LabelBank.from_config(DataConfig(real_training="none.csv"), compose_scheme(), show_progress=False)


def compose_scheme():
    from otfsynth.labels import LabelScheme

    return LabelScheme.load("freesurfer")
