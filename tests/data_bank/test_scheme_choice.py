"""``labels=auto``: the labels of the maps choose the scheme."""

from __future__ import annotations

import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.data import DataConfig
from otfsynth.config.labels import LabelsConfig
from otfsynth.data.scheme_choice import resolve_labels, suggestion
from otfsynth.data.sources import LabelMapError
from otfsynth.labels import LabelScheme


def write_maps(folder: Path, *label_lists: list[int], dtype: type = np.int32) -> DataConfig:
    for number, labels in enumerate(label_lists):
        data = np.zeros((8, 8, 8), dtype)
        data.flat[100 : 100 + len(labels)] = labels
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"map_{number}.nii.gz")
    return DataConfig(label_maps=str(folder))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2, 3], "tissue"),
        ([2, 3, 41, 42, 10, 49, 77], "freesurfer"),
        ([2, 41, 1001, 2035, 24], "freesurfer"),
        ([2, 3, 41, 42, 24, 502, 530], "synthseg"),
    ],
)
def test_the_labels_choose(tmp_path, caplog, labels, expected):
    data = write_maps(tmp_path, labels)
    with caplog.at_level(logging.INFO):
        chosen = resolve_labels(LabelsConfig(name="auto"), data)
    assert chosen.name == expected
    assert f"labels=auto: {expected}" in caplog.text


def test_labels_stored_as_floats_are_read(tmp_path):
    data = write_maps(tmp_path, [2, 3, 515], dtype=np.float32)
    assert resolve_labels(LabelsConfig(name="auto"), data).name == "synthseg"


def test_several_maps_are_read_together(tmp_path):
    data = write_maps(tmp_path, [2, 3], [2, 3, 41, 42], [2, 3, 515])
    assert resolve_labels(LabelsConfig(name="auto"), data).name == "synthseg"


def test_the_embedded_maps_need_no_reading():
    assert resolve_labels(LabelsConfig(name="auto"), DataConfig()).name == "freesurfer"


def test_a_scheme_that_was_named_is_kept(tmp_path):
    labels = LabelsConfig(name="tissue")
    assert resolve_labels(labels, DataConfig(label_maps=str(tmp_path))) is labels


def test_no_scheme_fits_names_what_each_lacks(tmp_path):
    data = write_maps(tmp_path, [1, 2, 3, 9999])
    with pytest.raises(LabelMapError, match="tissue lacks 9999"):
        resolve_labels(LabelsConfig(name="auto"), data)


def test_labels_may_be_dropped_where_the_user_says_so(tmp_path):
    data = write_maps(tmp_path, [1, 1, 2, 2, 3, 3, 9999])
    chosen = resolve_labels(LabelsConfig(name="auto", unlisted="background"), data)
    assert (chosen.name, chosen.unlisted) == ("tissue", "background")


def test_options_outside_the_table_are_kept(tmp_path):
    chosen = resolve_labels(LabelsConfig(name="auto", one_class_per_target=True), DataConfig())
    assert LabelScheme.from_config(chosen).class_names[:2] == ("background", "WM")
    assert LabelScheme.from_config(chosen).class_count == 5


def test_files_of_lab2im_are_kept(tmp_path):
    np.save(tmp_path / "labels.npy", [0, 1, 2, 3])
    np.save(tmp_path / "classes.npy", [0, 1, 1, 2])
    given = LabelsConfig(
        name="auto",
        generation_labels=str(tmp_path / "labels.npy"),
        generation_classes=str(tmp_path / "classes.npy"),
        unlisted="background",
    )
    scheme = LabelScheme.from_config(resolve_labels(given, write_maps(tmp_path, [1, 2, 3])))
    assert (scheme.generation_labels, scheme.generation_classes) == ((0, 1, 2, 3), (0, 1, 1, 2))


def test_a_table_of_ones_own(tmp_path):
    table = tmp_path / "mine.yaml"
    table.write_text("name: mine\ntarget_names: [background, tumour]\nrows: [{labels: 7, name: t, target: tumour}]\n")
    chosen = resolve_labels(LabelsConfig(name="auto", file=str(table), unlisted="background"), DataConfig())
    assert (chosen.name, chosen.target_names, chosen.unlisted) == ("mine", ["background", "tumour"], "background")
    table.write_text(table.read_text() + "unlisted: background\n")
    assert resolve_labels(LabelsConfig(name="auto", file=str(table)), DataConfig()).unlisted == "background"
    with pytest.raises(ConfigurationError, match=r"none.yaml"):
        resolve_labels(LabelsConfig(name="auto", file=str(tmp_path / "none.yaml")), DataConfig())


def test_targets_without_a_table_are_refused():
    with pytest.raises(ConfigurationError, match=r"target_names.*labels.file"):
        resolve_labels(LabelsConfig(name="auto", target_names=["background", "brain"]), DataConfig())


def test_a_misfit_suggests_the_scheme_that_fits(tmp_path):
    data = write_maps(tmp_path, [2, 3, 502])
    assert suggestion(LabelScheme.load("freesurfer"), data) == "\nlabels=synthseg lists every label of these maps"
    assert suggestion(LabelScheme.load("synthseg"), write_maps(tmp_path, [9999])) == ""


@pytest.mark.shared
@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ("synthseg_label_maps/training_seg_0[12].nii.gz", "synthseg"),
        ("freesurfer_like/neuroguessr_aparc+aseg.nii.gz", "freesurfer"),
        ("freesurfer_like/fsaverage_aseg.mgz", "freesurfer"),
    ],
)
def test_real_maps(shared_data, maps, expected):
    data = DataConfig(label_maps=str(shared_data / maps))
    assert resolve_labels(LabelsConfig(name="auto"), data).name == expected
