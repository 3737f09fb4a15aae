"""Whether a scan shows more than a brain: made-up heads and brains, the embedded template, the developers' scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.inference.skullstrip import has_skull
from otfsynth.inference.skullstrip.decision import stripped_mask
from otfsynth.volumes import read_volume

SHAPE = (100, 120, 100)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
BRAIN_MM, HEAD_MM = 68.0, 92.0
"""Radii: 1.3 and 3.3 litres."""


def ball(radius_mm: float, spacing_mm: tuple[float, float, float] = (2, 2, 2), shape: tuple[int, int, int] = SHAPE):
    places = np.indices(shape).T * spacing_mm - (np.array(shape) - 1) * spacing_mm / 2
    return (np.linalg.norm(places, axis=-1) <= radius_mm).T


def tissue(inside: np.ndarray) -> np.ndarray:
    """Intensities around 100, nowhere 0."""
    return np.where(inside, np.random.default_rng(0).normal(100, 15, inside.shape).clip(10), 0).astype(np.float32)


def test_a_brain_in_zeros_is_stripped_and_the_reason_has_its_size() -> None:
    decision = has_skull(tissue(ball(BRAIN_MM)), AFFINE)
    assert not decision.needed
    assert decision.reason == "the background is 0 around one object of 1.3 l: taken as skull-stripped"


def test_a_head_in_zeros_is_not() -> None:
    decision = has_skull(tissue(ball(HEAD_MM)), AFFINE)
    assert decision.needed
    assert decision.reason.startswith("the background is 0 around one object of 3.3 l, which is more than a brain")


def test_a_head_of_bright_scalp_around_dark_bone_counts_as_a_whole() -> None:
    head = tissue(ball(BRAIN_MM)) + tissue(ball(HEAD_MM) & ~ball(HEAD_MM - 8))
    assert has_skull(head, AFFINE).needed
    head[:, :, :14] = 0  # no neck
    assert has_skull(head, AFFINE).needed
    assert has_skull(head[:, :, 16:], AFFINE).needed  # open at the edge of the field of view


def test_noise_around_a_head_or_a_brain_is_no_constant_background() -> None:
    for radius in (BRAIN_MM, HEAD_MM):
        noise = np.abs(np.random.default_rng(1).normal(0, 3, SHAPE))
        for image in (tissue(ball(radius)) + noise, np.rint(tissue(ball(radius)) + 4 * noise).astype(np.uint8)):
            assert has_skull(image, AFFINE).needed


def test_a_head_that_fills_the_field_of_view_has_no_background() -> None:
    decision = has_skull(tissue(np.ones((40, 40, 40), bool)), AFFINE)
    assert decision.needed
    assert "no background" in decision.reason


def test_a_head_cut_at_brain_size_is_not_taken_for_a_brain() -> None:
    top = tissue(ball(HEAD_MM))[:, :, 62:]  # 1.1 l of a head, open below
    decision = has_skull(top, AFFINE)
    assert decision.needed
    assert "field of view cuts" in decision.reason


@pytest.mark.parametrize("background", [-1024.0, 7.0, np.nan])
def test_any_constant_background_will_do(background: float) -> None:
    brain = ball(BRAIN_MM)
    image = np.where(brain, tissue(brain), background)
    assert not has_skull(image, AFFINE).needed
    assert np.array_equal(stripped_mask(image), brain)


def test_ringing_of_a_resampled_brain_is_background() -> None:
    brain = tissue(ball(BRAIN_MM))
    resampled = ndimage.shift(brain, (0.4, 0.3, 0.2), order=3)
    assert (np.abs(resampled[:5]) > 0).any() or (resampled < 0).any()
    assert not has_skull(resampled, AFFINE).needed


def test_voxel_size_and_thick_slices_are_counted_in_litres() -> None:
    spacing, shape = (1.0, 1.0, 6.0), (180, 180, 34)
    affine = np.diag([*spacing, 1.0])
    assert not has_skull(tissue(ball(BRAIN_MM, spacing, shape)), affine).needed
    assert has_skull(tissue(ball(86.0, spacing, shape)), affine).needed


def test_an_empty_scan_needs_nothing() -> None:
    assert has_skull(np.zeros((9, 9, 9)), AFFINE).reason == "every voxel is 0: there is nothing to strip"


def test_negative_intensities_and_holes_belong_to_a_stripped_brain() -> None:
    brain = ball(BRAIN_MM)
    image = tissue(brain) - 90.0 * brain  # about a quarter of the voxels below 0
    image[50, 60, 50] = 0  # a ventricle that is exactly 0
    assert not has_skull(image, AFFINE).needed
    mask = stripped_mask(image)
    assert mask[50, 60, 50]
    assert (mask != brain).sum() < 0.001 * brain.sum()  # a few voxels of the rim that are 0 themselves


def test_the_embedded_template_is_stripped() -> None:
    from nilearn.datasets import load_mni152_template

    template = load_mni152_template(resolution=2)
    assert not has_skull(template.get_fdata(), template.affine).needed


@pytest.mark.shared
@pytest.mark.parametrize(
    ("pattern", "count", "needed"),
    [
        ("ibsr18/IBSR_??.nii.gz", 4, False),
        ("open_ms_p07/*_brain_N4_regtoMNI.nii.gz", 4, False),
        ("unlabelled/*.nii.gz", 3, True),
        ("spm_avg152/*.nii", 3, True),
    ],
)
def test_real_scans(shared_data: Path, pattern: str, count: int, needed: bool) -> None:
    files = sorted((shared_data / "real").glob(pattern))
    assert len(files) == count
    for file in files:
        volume = read_volume(file)
        decision = has_skull(volume.data, volume.affine)
        assert decision.needed == needed, f"{file.name}: {decision.reason}"


@pytest.mark.shared
def test_a_real_brain_with_dura_left_and_a_real_head_without_its_face(shared_data: Path) -> None:
    brain = np.load(shared_data / "real" / "voxelmorph_test_vol" / "test_vol.npz")["vol_data"]
    assert not has_skull(brain, np.eye(4)).needed
    head = read_volume(shared_data / "real" / "unlabelled" / "ch2.nii.gz")
    defaced = head.data.copy()
    defaced[:, 130:, :60] = 0
    assert has_skull(defaced, head.affine).needed
    trimmed = head.data.copy()
    trimmed[:, :, :50] = 0  # no neck, no jaw
    assert has_skull(trimmed, head.affine).needed
