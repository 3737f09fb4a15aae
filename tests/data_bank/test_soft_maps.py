"""Probability maps: which labels a voxel keeps, how it is painted, which files are found, errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage

from otfsynth.config.checks import InputError
from otfsynth.config.compose import compose
from otfsynth.config.data import DataConfig
from otfsynth.config.labels import LabelsConfig
from otfsynth.data.bank import LabelBank
from otfsynth.data.scheme_choice import resolve_labels
from otfsynth.data.soft_maps import ProbabilityMaps, prepare_probabilities, two_most_probable
from otfsynth.data.sources import find_sources
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.parameters import DeformationParameters, MixtureParameters
from otfsynth.synthesis.tissue import PartialVolumeParameters, SubclassParameters
from otfsynth.volumes import bounding_box
from tests.synthesis.heads import assert_agrees, plain_record, render_one, synthesizer

TISSUES = LabelScheme.load("tissue")
MIXTURE = MixtureParameters((5.0, 60.0, 140.0, 220.0), (0.0, 6.0, 12.0, 20.0), "random")


def probabilities(shape: tuple[int, int, int] = (30, 34, 28)) -> np.ndarray:
    """Smooth shares of background, GM, WM and CSF of nested ellipsoids: float32 (4, x, y, z)."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij"))
    radius = np.sqrt((grid**2).sum(axis=0))
    labels = np.digitize(radius, [0.45, 0.65, 0.85])  # WM, GM, CSF, background
    order = np.array([2, 1, 3, 0])[labels]
    hard = (order == np.arange(4).reshape(4, 1, 1, 1)).astype(np.float32)
    soft = np.stack([ndimage.gaussian_filter(volume, 1.5) for volume in hard])
    return (soft / soft.sum(axis=0)).astype(np.float32)


def bank_of(data: np.ndarray, name: str = "soft") -> LabelBank:
    prepared = prepare_probabilities(ProbabilityMaps(data, np.eye(4), name, None), TISSUES, 1.0)
    volume = LabelBank.from_volumes(TISSUES, [np.ones((3, 3, 3), np.uint8)])[0]
    soft = {name: torch.from_numpy(np.ascontiguousarray(getattr(prepared, name))) for name in FIELDS}
    foreground = tuple(torch.from_numpy(voxels) for voxels in prepared.foreground)
    volume = dataclasses.replace(volume, **soft, foreground=foreground, affine=prepared.affine)
    return LabelBank(TISSUES, 1.0, [volume])


FIELDS = ("indices", "brain_distance", "second", "share")


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)


def load(folder: Path, scheme: LabelScheme = TISSUES, **options) -> LabelBank:
    config = DataConfig(label_maps=str(folder), cache_dir=str(folder.parent / "cache"), **options)
    return LabelBank.from_config(config, scheme, show_progress=False)


def test_a_plane_of_known_fractions_mixes_means_and_variances() -> None:
    """One voxel thick slabs with shares of 1, 0.8, 0.6, 0.4, 0.2, 0 of GM against WM."""
    data = np.zeros((4, 24, 60, 60), np.float32)
    shares = np.repeat([1.0, 0.8, 0.6, 0.4, 0.2, 0.0], 4)
    data[1], data[2] = shares.reshape(-1, 1, 1), 1.0 - shares.reshape(-1, 1, 1)
    bank = bank_of(data)
    record = plain_record(bank, (24, 60, 60), mixture=MIXTURE)
    image, target = render_one(bank, record)
    for row, share in enumerate(shares):
        values = image[row]
        mean, std = share * 60 + (1 - share) * 140, np.sqrt(share * 36 + (1 - share) * 144)
        assert values.mean() == pytest.approx(mean, abs=4 * std / 60 + 0.2)  # 0.2: shares are stored in steps of 1/255
        assert values.std() == pytest.approx(std, rel=0.05)
        np.testing.assert_array_equal(target[row], 1 if share >= 0.5 else 2)


def test_hard_probabilities_are_painted_as_hard_labels() -> None:
    labels = probabilities().argmax(axis=0).astype(np.uint8)
    one_hot = (labels == np.arange(4).reshape(4, 1, 1, 1)).astype(np.float32)
    soft, hard = bank_of(one_hot), LabelBank.from_volumes(TISSUES, [labels], names=["map-0"])
    assert hard[0].second is None
    np.testing.assert_array_equal(soft[0].indices.numpy(), hard[0].indices.numpy())
    np.testing.assert_array_equal(soft[0].brain_distance.numpy(), hard[0].brain_distance.numpy())
    image, target = render_one(soft, plain_record(soft, (30, 30, 24), mixture=MIXTURE))
    expected, expected_target = render_one(hard, plain_record(hard, (30, 30, 24), mixture=MIXTURE))
    np.testing.assert_allclose(image, expected, atol=1e-4)
    np.testing.assert_array_equal(target, expected_target)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("width", [None, 1.4])
@pytest.mark.parametrize("pieces", [False, True])
def test_soft_maps_agree_with_the_oracle(flip: bool, width: float | None, pieces: bool) -> None:
    bank = bank_of(probabilities())
    matrix = ((-0.9 if flip else 0.9, 0.3, -0.1), (-0.25, 1.1, 0.2), (0.15, -0.2, 0.95))
    record = plain_record(
        bank,
        (26, 30, 29),
        deformation=DeformationParameters(flip, matrix, (15.3, 17.9, 14.6), 2.0, 20.0),
        mixture=MIXTURE,
        partial_volume=None if width is None else PartialVolumeParameters(width),
        subclasses=SubclassParameters(16, ((0.0, 10.0, -20.0, 5.0), (0.0, -30.0, 9.0, 1.0))) if pieces else None,
    )
    assert_agrees(bank, record)


def test_whole_samples_agree_with_the_oracle() -> None:
    bank = bank_of(probabilities())
    engine = synthesizer(bank, (34, 38, 37), compose([]).synthesis)
    for index in range(4):
        record = dataclasses.replace(engine.sample_parameters(index), motion=None, ghosting=None, spikes=None)
        assert_agrees(bank, record, 1e-3)


def test_the_two_most_probable_labels_and_their_shares() -> None:
    data = np.array([[0.1, 0.0, 0.5], [0.3, 0.0, 0.5], [0.6, 1.0, 0.0]], np.float32).reshape(3, 3, 1, 1)
    first, second, share = two_most_probable(data, np.array([0, 7, 9], np.uint8))
    np.testing.assert_array_equal(first.ravel(), [9, 9, 0])  # of equal ones the earlier
    np.testing.assert_array_equal(second.ravel()[[0, 2]], [7, 7])
    np.testing.assert_array_equal(share.ravel(), [170, 255, 128])


def test_background_is_the_remainder_and_maps_are_cropped_to_their_content() -> None:
    whole = probabilities()
    with_it, without = (
        prepare_probabilities(ProbabilityMaps(data, np.eye(4), "a", None), TISSUES, 1.0)
        for data in (np.pad(whole, ((0, 0), (3, 2), (0, 0), (1, 1)), constant_values=0.0), whole[1:])
    )
    np.testing.assert_array_equal(with_it.indices, without.indices)
    assert np.abs(with_it.share.astype(int) - without.share).max() <= 1
    np.testing.assert_allclose(with_it.affine[:3, 3] - without.affine[:3, 3], (3, 0, 1))
    labels = whole.argmax(axis=0)
    places = np.argwhere(labels)
    inside = places - np.rint(without.affine[:3, 3]).astype(int)
    np.testing.assert_array_equal(without.indices[tuple(inside.T)], labels[tuple(places.T)])
    assert (without.indices != 0).sum() == len(places)
    for axis in range(3):
        assert (without.share.take((0, -1), axis) == 255).all()
        assert (without.brain_distance.take((0, -1), axis) == 255).all()
        assert (without.brain_distance.take((1, -2), axis) < 255).any(), "a voxel more than what is near the brain"


def test_files_of_four_dimensions_sets_and_hard_maps_are_found_together(tmp_path: Path) -> None:
    data, folder = probabilities(), tmp_path / "maps"
    save(folder / "sub-1_probabilities.nii.gz", np.moveaxis(data, 0, 3))
    for number, name in ((1, "GM"), (2, "WM"), (3, "CSF")):
        save(folder / f"sub-2_space-MNI_label-{name}_probseg.nii.gz", data[number])
    save(folder / "sub-3_dseg.nii.gz", data.argmax(axis=0).astype(np.uint8))
    sources = {source.name: source.subject for source in find_sources(DataConfig(label_maps=str(folder)))}
    names = ["sub-1_probabilities.nii.gz", "sub-2_space-MNI_probseg", "sub-3_dseg.nii.gz"]
    assert list(sources.items()) == list(zip(names, ["sub-1", "sub-2", "sub-3"], strict=True))
    for bank in (load(folder), load(folder)):  # prepared, then from the cache
        by_name = {bank[index].name: bank[index] for index in range(3)}
        four, set_, hard = (by_name[name] for name in names)
        assert hard.share is None
        assert four.share is not None
        assert set_.share is not None
        assert torch.equal(four.indices, set_.indices)
        assert (four.share.int() - set_.share.int()).abs().max() <= 1
        assert four.memory_bytes == 4 * four.indices.numel()
        assert hard.memory_bytes == 2 * hard.indices.numel()
    assert resolve_labels(LabelsConfig(name="auto"), DataConfig(label_maps=str(folder))).name == "tissue"


def test_probabilities_are_brought_to_the_working_grid(tmp_path: Path) -> None:
    data = probabilities((60, 34, 28))
    affine = np.diag([-0.5, 1.0, 1.0, 1.0])
    save(tmp_path / "maps" / "a.nii.gz", np.moveaxis(data, 0, 3), affine)
    volume = load(tmp_path / "maps")[0]
    pairs = 0.5 * (data[:, ::-1][:, 0::2] + data[:, ::-1][:, 1::2])
    expected = pairs.argmax(axis=0)
    found = volume.indices.numpy()[bounding_box(volume.indices.numpy() != 0)]
    expected = expected[bounding_box(expected != 0)]
    assert found.shape == expected.shape
    assert np.mean(found == expected) > 0.99


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda data: data * 100,
            r"'a.nii.gz' has 4 dimensions.* holds values from 0 to [\d.]+; probabilities lie in \[0, 1\]",
        ),
        (lambda data: data * 0.9 + 0.09, r"sum to 1\.\d+ in some voxel"),
        (lambda data: data[:2], r"probabilities of 2 labels; scheme 'tissue' has 4 with background .*give 4, or 3"),
        (lambda data: data * np.nan, "not finite"),
        (lambda data: data * 0.2, r"no probability of 'a.nii.gz' reaches 0\.5"),
    ],
)
def test_maps_that_are_no_probabilities_are_told(tmp_path: Path, damage, message: str) -> None:
    save(tmp_path / "maps" / "a.nii.gz", np.moveaxis(damage(probabilities()), 0, 3).astype(np.float32))
    with pytest.raises(InputError, match=message):
        load(tmp_path / "maps")


def test_sets_of_unknown_labels_or_several_grids_are_told(tmp_path: Path) -> None:
    data = probabilities()
    save(tmp_path / "maps" / "sub-1_label-GM_probseg.nii.gz", data[1])
    save(tmp_path / "maps" / "sub-1_label-WM_probseg.nii.gz", data[2][:-1])
    with pytest.raises(InputError, match=r"sub-1_label-WM_probseg.nii.gz' has another grid"):
        load(tmp_path / "maps")
    save(tmp_path / "maps" / "sub-1_label-WM_probseg.nii.gz", data[2])
    save(tmp_path / "maps" / "sub-1_label-BS_probseg.nii.gz", 0 * data[2])
    with pytest.raises(InputError, match=r"label-BS is no label of scheme 'tissue'"):
        load(tmp_path / "maps")
    (tmp_path / "maps" / "sub-1_label-BS_probseg.nii.gz").unlink()
    with pytest.raises(
        InputError, match=r"label-GM names a target of \d+ labels of scheme 'freesurfer'.*labels=tissue"
    ):
        load(tmp_path / "maps", LabelScheme.load("freesurfer"))
