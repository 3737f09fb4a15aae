"""Files, folders, globs, CSV lists, and who a file belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.data import SUBJECT_PATTERN, DataConfig
from otfsynth.data.csv_tables import TableError
from otfsynth.data.sources import LabelMapError, find_sources, subjects_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/sub-02_dseg.nii.gz", "a/sub-01_dseg.nii.gz", "c.mgz", "notes.txt", ".hidden.nii.gz"):
        path = tmp_path / "maps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "maps"


def names(label_maps: str | Path) -> list[tuple[str, str]]:
    return [(source.name, source.subject) for source in find_sources(DataConfig(label_maps=str(label_maps)))]


def test_places(folder: Path) -> None:
    everything = [("sub-01_dseg.nii.gz", "sub-01"), ("sub-02_dseg.nii.gz", "sub-02"), ("c.mgz", "c")]
    assert names(folder) == everything
    assert names(folder / "*" / "*.nii.gz") == everything[:2]
    assert names(folder / "**" / "*dseg*") == everything[:2]
    assert names(folder / "c.mgz") == everything[2:]
    assert [name for name, _ in names("embedded")] == ["embedded:desikan-killiany", "embedded:mni152"]


def test_csv_list(folder: Path) -> None:
    listing = folder / "list.csv"
    listing.write_text(f"label_map,subject\na/sub-01_dseg.nii.gz,\n{folder / 'c.mgz'},anna\n\n")
    assert names(listing) == [("sub-01_dseg.nii.gz", "sub-01"), ("c.mgz", "anna")]
    listing.write_text("\ufefflabel_map\nc.mgz\n", encoding="utf-8")
    assert names(listing) == [("c.mgz", "c")]
    listing.write_text("label_map\nc.mgz\nd.mgz\ne.mgz\n")
    with pytest.raises(LabelMapError, match=r"(?s)lists 2 file\(s\) that are not there.*d.mgz.*e.mgz"):
        names(listing)
    listing.write_text("file\nc.mgz\n")
    with pytest.raises(ConfigurationError, match=r"has the columns \['file'\]"):
        names(listing)
    listing.write_text("label_map\n")
    with pytest.raises(LabelMapError, match="lists no label map"):
        names(listing)


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/*.nii.gz", "nowhere.nii.gz", "nowhere.csv", "."])
def test_nothing_there(tmp_path: Path, missing: str) -> None:
    with pytest.raises(LabelMapError, match=r"nowhere|names no label map"):
        names(tmp_path / missing)


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/data/sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz", "sub-01"),
        ("/data/sub-01/anat/dseg.nii.gz", "sub-01"),
        ("/data/OAS30001_MR_d0129/mri/aparc+aseg.mgz", "OAS30001"),
        ("/data/OAS30001_Freesurfer53_d0129/DATA/mri/aparc+aseg.mgz", "OAS30001"),
        ("/data/training_seg_01.nii.gz", "training_seg_01"),
        ("subjects/bert/mri/aparc+aseg.mgz", "bert"),
        ("mri/aparc+aseg.mgz", "aparc+aseg"),
    ],
)
def test_subjects(path: str, subject: str) -> None:
    assert subjects_of([Path(path)], SUBJECT_PATTERN) == [subject]


@pytest.mark.parametrize(
    ("paths", "subjects"),
    [
        (["a/seg.nii.gz", "b/seg.nii.gz"], ["a", "b"]),
        (["p/a/anat/seg.nii.gz", "p/b/anat/seg.nii.gz"], ["a", "b"]),
        (["p/a/seg.nii.gz", "q/a/seg.nii.gz"], ["p", "q"]),
        (["a/seg.nii.gz", "b/other.nii.gz"], ["seg", "other"]),
        (["subjects/S1/mri/aseg.mgz", "subjects/S2/mri/aseg.mgz"], ["S1", "S2"]),
        (["a/seg.nii.gz", "b/seg.nii.gz", "sub-3/seg.nii.gz"], ["a", "b", "sub-3"]),
    ],
)
def test_files_of_one_name_are_subjects_by_their_folders(paths: list[str], subjects: list[str]) -> None:
    """Else all maps of such a tree would be one subject, which trains and validates."""
    assert subjects_of([Path(path) for path in paths], SUBJECT_PATTERN) == subjects


def test_a_list_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    listing = tmp_path / "maps.csv"
    listing.write_bytes("label_map,subject\nköpfe.nii.gz,1\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"maps.csv.*UTF-8"):
        names(listing)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label_maps": ""}, "data.label_maps is empty"),
        ({"spacing_mm": -1.0}, "data.spacing_mm=-1 is out of bounds"),
        ({"spacing_mm": float("nan")}, "data.spacing_mm=nan"),
        ({"validation_fraction": 1.0}, "data.validation_fraction=1 "),
        ({"validation_samples": -1}, "data.validation_samples=-1"),
        ({"bank_memory_gb": 0.0}, "data.bank_memory_gb=0.0"),
        ({"workers": 0}, "data.workers=0"),
        ({"batch_size": 0}, "data.batch_size=0"),
        ({"patch_size": [64, 64]}, r"data.patch_size=\[64, 64\]"),
        ({"patch_size": [64, 64, 4]}, "data.patch_size=4 "),
        ({"subject_pattern": "("}, "no regular expression"),
    ],
)
def test_configuration_is_checked(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DataConfig(**fields)  # type: ignore[arg-type]
