"""Real label maps of the developers' data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otfsynth.config.data import DataConfig
from otfsynth.config.labels import load_labels_config
from otfsynth.data.bank import LabelBank
from otfsynth.data.sources import LabelMapError
from otfsynth.labels import LabelScheme

pytestmark = pytest.mark.shared


def load(path: Path, scheme: LabelScheme, cache: Path) -> LabelBank:
    return LabelBank.from_config(DataConfig(label_maps=str(path), cache_dir=str(cache)), scheme, show_progress=False)


def test_synthseg_map(shared_data: Path, tmp_path: Path) -> None:
    scheme = LabelScheme.load("synthseg")
    volume = load(shared_data / "synthseg_label_maps" / "training_seg_01.nii.gz", scheme, tmp_path)[0]
    labels = np.array(scheme.generation_labels)[volume.indices.numpy()]
    assert volume.subject == "training_seg_01"
    left, right = (np.argwhere(labels == label)[:, 0].mean() for label in (3, 42))
    assert left < right  # stored LIA, held RAS
    eyes, cerebellum = (np.argwhere(np.isin(labels, group)).mean(axis=0) for group in ((506,), (8, 47)))
    assert eyes[1] > cerebellum[1] + 50
    top, neck = labels[:, :, -40:], labels[:, :, :40]
    assert (top == 3).any()
    assert (neck == 507).any()
    # the spinal canal holds label 24, but skull-strippers do not keep it
    assert (neck == 24).any()
    assert (volume.brain_distance.numpy()[:, :, :40] > 128).all()
    assert all(len(voxels) == 4096 for voxels in volume.foreground)


def test_aparc_aseg_needs_its_scheme(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "freesurfer_like" / "neuroguessr_aparc+aseg.nii.gz"
    scheme = LabelScheme.load("freesurfer")
    volume = load(path, scheme, tmp_path)[0]
    millilitres = np.bincount(scheme.target_table[volume.indices.numpy()].ravel()) / 1000
    np.testing.assert_allclose(millilitres[1:], [728, 678, 17], atol=1)  # published with the data
    with pytest.raises(LabelMapError, match=r"holds label 31 \(2706 voxels\).*scheme 'synthseg'"):
        load(path, LabelScheme.load("synthseg"), tmp_path)


def test_fsaverage_mgz(shared_data: Path, tmp_path: Path) -> None:
    scheme = LabelScheme.load("freesurfer")
    volume = load(shared_data / "freesurfer_like" / "fsaverage_aseg.mgz", scheme, tmp_path)[0]
    labels = np.array(scheme.generation_labels)[volume.indices.numpy()]
    assert np.argwhere(labels == 2)[:, 0].mean() < np.argwhere(labels == 41)[:, 0].mean()
    assert np.argwhere(labels == 16)[:, 2].mean() < np.argwhere(labels == 11)[:, 2].mean()


def test_synthseg_class_files(shared_data: Path) -> None:
    folder = shared_data / "synthseg_label_maps"
    config = load_labels_config("synthseg")
    config.generation_labels = str(folder / "generation_labels.npy")
    config.generation_classes = str(folder / "generation_classes.npy")
    scheme = LabelScheme.from_config(config)
    assert list(scheme.generation_labels) == np.load(config.generation_labels).tolist()
    assert list(scheme.generation_classes) == np.load(config.generation_classes).tolist()
    assert scheme.class_count == 48
    labels, left_start = scheme.generation_labels, 18
    neutral_then_sides = list(zip(labels[left_start:36], labels[36:], strict=True))
    assert set(neutral_then_sides) == set(scheme.sided_pairs)
