"""deepbet with its own weights, on the embedded template inside a made-up skull."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from otfsynth.inference.skullstrip import SkullStripError, Stripper, StrippingConfig, choose_stripper, find_brain
from otfsynth.volumes import Volume, read_volume


@pytest.fixture(scope="module")
def stripper() -> Stripper:
    return choose_stripper("deepbet", StrippingConfig(device="cpu"))


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, brain and affine: MNI152 at 2 mm in 6 mm of dark bone and 8 mm of bright scalp, with noise everywhere."""
    from nilearn.datasets import load_mni152_template

    template = load_mni152_template(resolution=2)
    data = np.pad(np.asarray(template.dataobj, np.float32), 10)
    data *= 100 / data.max()
    affine = template.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, 10)
    brain = ndimage.binary_closing(data > 5, iterations=3)
    away_mm = 2 * ndimage.distance_transform_edt(~brain)
    image = np.where((away_mm > 6) & (away_mm <= 14), 90, np.where(brain, data, 8))
    return (image + np.random.default_rng(0).normal(0, 1, image.shape)).astype(np.float32), brain, affine


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def test_the_brain_is_found_whatever_the_orientation(stripper: Stripper, head, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    image, brain, affine = head
    found = find_brain(Volume(image, affine, "head"), "auto", stripper)
    assert found.method == "deepbet"
    assert "no background of one value" in found.reason
    assert found.mask.dtype == bool
    assert dice(found.mask, brain) > 0.95

    turn = np.array([[2, -1], [0, 1], [1, -1]])
    turned = nib.orientations.apply_orientation(image, turn)
    there = affine @ nib.orientations.inv_ornt_aff(turn, image.shape)
    mask = stripper.mask(Volume(turned, there, "head"), None)
    assert np.array_equal(mask, nib.orientations.apply_orientation(found.mask, turn))
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_thick_slices_and_voxels_that_are_not_finite_do_no_harm(stripper: Stripper, head) -> None:
    image, brain, affine = head
    thick = image[:, :, ::3].copy()
    thick[0, 0, :] = np.nan
    found = stripper.mask(Volume(thick, affine @ np.diag([1, 1, 3, 1]), "thick"), None)
    assert dice(found, brain[:, :, ::3]) > 0.93


def test_where_there_is_no_brain_the_scan_is_named(stripper: Stripper) -> None:
    slice_of_noise = np.random.default_rng(0).normal(size=(20, 20, 1))
    for data, message in ((slice_of_noise, "no brain in"), (np.full((4, 5, 3), 4), "empty or constant")):
        with pytest.raises(SkullStripError, match=message) as caught:
            stripper.mask(Volume(data, np.eye(4), "tiny.nii.gz"), None)
        assert "'tiny.nii.gz'" in str(caught.value)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(("name", "low_ml", "high_ml"), [("ch2", 1800, 2050), ("chris_PD", 1450, 1650)])
def test_real_heads(stripper: Stripper, shared_data: Path, name: str, low_ml: float, high_ml: float) -> None:
    """Volumes that an outline checked by eye has; see docs/skullstrip.md."""
    volume = read_volume(shared_data / "real" / "unlabelled" / f"{name}.nii.gz")
    mask = stripper.mask(volume, None)
    assert ndimage.label(mask)[1] == 1
    assert low_ml < mask.sum() * abs(np.linalg.det(volume.affine)) / 1000 < high_ml
