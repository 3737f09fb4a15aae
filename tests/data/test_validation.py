"""Real validation scans: lists, folders, mapping of labels, errors that name every bad file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.data.validation import ValidationCases, ValidationListError
from tests.learning.fakes import toy_scheme

SHAPE = (6, 7, 8)


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def labelled(*values: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int16)
    for row, value in enumerate(values):
        labels[row] = value
    return labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scans in nnU-Net's layout."""
    for name in ("sub-1_T1w", "sub-2_FLAIR"):
        save(tmp_path / "imagesTs" / f"{name}_0000.nii.gz", np.random.default_rng(0).normal(size=SHAPE))
        save(tmp_path / "labelsTs" / f"{name}.nii.gz", labelled(0, 3, 41, 24))
    return tmp_path


def test_folder_and_scheme(folder: Path) -> None:
    cases = ValidationCases.from_path(folder, toy_scheme())
    assert [(scan.name, scan.contrast) for scan in cases.scans] == [
        ("sub-1_T1w_0000", "T1w"),
        ("sub-2_FLAIR_0000", "FLAIR"),
    ]
    case = cases[0]
    assert case.image.dtype == np.float32
    assert [int(case.reference[row, 0, 0]) for row in range(4)] == [0, 1, 2, 3]
    assert len(cases.of_rank(1, 2)) == 1


def test_list_with_relative_paths_contrast_and_own_labels(tmp_path: Path) -> None:
    save(tmp_path / "a" / "scan.nii.gz", np.ones(SHAPE))
    save(tmp_path / "a" / "truth.nii.gz", labelled(0, 1, 2, 9))
    (tmp_path / "list.csv").write_text("image,label,contrast\na/scan.nii.gz,a/truth.nii.gz,PD\n")
    cases = ValidationCases.from_path(tmp_path / "list.csv", toy_scheme(), {1: 3, 2: 1, 9: 255})
    assert cases.scans[0].contrast == "PD"
    assert [int(cases[0].reference[row, 0, 0]) for row in range(4)] == [0, 3, 1, 255]


def test_channels_of_a_list_lie_on_the_first_ones_grid(tmp_path: Path) -> None:
    first, second = (np.random.default_rng(seed).uniform(1, 2, SHAPE) for seed in (0, 1))
    save(tmp_path / "t1.nii.gz", first)
    moved = np.eye(4)
    moved[0, 3] = 1.0
    save(tmp_path / "t2.nii.gz", second, moved)
    save(tmp_path / "truth.nii.gz", labelled(0, 3, 41, 24))
    (tmp_path / "list.csv").write_text("image,label\nt1.nii.gz;t2.nii.gz;,truth.nii.gz\n")
    case = ValidationCases.from_path(tmp_path / "list.csv", toy_scheme(), channels=3)[0]
    assert case.image.shape == (3, *SHAPE)
    np.testing.assert_allclose(case.first_image, first, rtol=1e-6)
    np.testing.assert_allclose(case.image[1, 1:], second[:-1], rtol=1e-6)
    assert not case.image[2].any()
    with pytest.raises(ValidationListError, match=r"'t1' has 3 image\(s\), the network takes .*count=1"):
        ValidationCases.from_path(tmp_path / "list.csv", toy_scheme())


def test_channels_of_nnunets_folders(folder: Path) -> None:
    save(folder / "imagesTs" / "sub-1_T1w_0002.nii.gz", np.ones(SHAPE))
    (folder / "imagesTs" / "sub-2_FLAIR_0000.nii.gz").unlink()
    cases = ValidationCases.from_path(folder, toy_scheme(), channels=3)
    assert [scan.name for scan in cases.scans] == ["sub-1_T1w_0000"]
    assert not cases[0].image[1].any()
    assert (cases[0].image[2] == 1).all()


def test_reference_on_another_grid_is_brought_to_the_scans(tmp_path: Path) -> None:
    shifted = np.eye(4)
    shifted[:3, 3] = [1, 0, 0]
    save(tmp_path / "images" / "a.nii.gz", np.ones(SHAPE))
    save(tmp_path / "labels" / "a.nii.gz", labelled(3, 2), shifted)
    case = ValidationCases.from_path(tmp_path, toy_scheme())[0]
    assert [int(case.reference[row, 0, 0]) for row in range(3)] == [0, 1, 2]


def test_all_bad_files_in_one_message(folder: Path) -> None:
    save(folder / "labelsTs" / "sub-1_T1w.nii.gz", labelled(0, 3, 77))
    (folder / "imagesTs" / "sub-2_FLAIR_0000.nii.gz").write_bytes(b"torn")
    with pytest.raises(ValidationListError, match=r"(?s)2 of 2.*holds labels \[77\].*255.*sub-2_FLAIR_0000"):
        ValidationCases.from_path(folder, toy_scheme())


def test_missing_partners_columns_and_places(folder: Path, tmp_path: Path) -> None:
    (folder / "labelsTs" / "sub-1_T1w.nii.gz").unlink()
    with pytest.raises(ValidationListError, match=r"sub-1_T1w_0000.* has no file of its name"):
        ValidationCases.from_path(folder, toy_scheme())
    (tmp_path / "list.csv").write_text("scan,truth\n")
    with pytest.raises(ValidationListError, match="its first line must be image,label"):
        ValidationCases.from_path(tmp_path / "list.csv", toy_scheme())
    with pytest.raises(ValidationListError, match=r"neither a \.csv list nor a folder"):
        ValidationCases.from_path(tmp_path / "nowhere", toy_scheme())


def test_targets_out_of_range(folder: Path) -> None:
    with pytest.raises(ValidationListError, match=r"targets \[7\]; give 0 to 3, or 255"):
        ValidationCases.from_path(folder, toy_scheme(), {3: 7})
