"""Labels to targets: the scheme's, given ones, those that names tell; what has none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from otfsynth.evaluation.label_names import describe_labels
from otfsynth.evaluation.targets import (
    TargetError,
    TargetMap,
    choose_scheme,
    prediction_targets,
    reference_targets,
    whole_numbers,
)
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume
from tests.evaluation.volumes import write

TISSUE = LabelScheme.load("tissue")


def volume(*values: float, dtype: type = np.int32) -> Volume:
    return Volume(np.array(values, dtype).reshape(-1, 1, 1), np.eye(4), "seg.nii.gz")


def mapped(targets: TargetMap, *values: float) -> list[int]:
    return targets.apply(volume(*values)).ravel().tolist()


def test_freesurfer_labels_become_the_targets_of_the_scheme() -> None:
    targets = reference_targets(LabelScheme.load("freesurfer"), None)
    assert mapped(targets, 0, 2, 42, 1035, 2000, 4, 24, 251, 30) == [0, 2, 1, 1, 1, 3, 3, 2, 0]
    with pytest.raises(TargetError, match=r"'seg.nii.gz' holds labels 999, 5000 without a target.*reference_labels"):
        mapped(targets, 0, 999, 5000)


def test_given_targets_replace_the_scheme() -> None:
    targets = reference_targets(TISSUE, {1: 3, 2: 1, 3: 2, 9: 255})
    assert mapped(targets, 0, 1, 2, 3, 9) == [0, 3, 1, 2, 255]
    with pytest.raises(TargetError, match="labels 4"):
        mapped(targets, 4)
    with pytest.raises(TargetError, match=r"targets \[7\]; there are 0 background, 1 GM, 2 WM, 3 CSF"):
        reference_targets(TISSUE, {1: 7})


def test_the_table_that_a_message_spells_works_when_given(tmp_path: Path) -> None:
    given = reference_targets(TISSUE, {1: 3, 2: 1, 3: 2})
    freesurfer = reference_targets(LabelScheme.load("freesurfer"), None)
    own = prediction_targets(TISSUE, None, tmp_path)
    for targets, values, expected in (
        (given, (0, 1, 2, 9), [0, 3, 1, 255]),
        (freesurfer, (0, 2, 42, 999), [0, 2, 1, 255]),
        (own, (0, 1, 3, 7), [0, 1, 3, 255]),
    ):
        with pytest.raises(TargetError, match="must hold all labels that occur") as caught:
            mapped(targets, *values)
        setting, table = re.search(r'"(\w+)=(\{.*?\})"', str(caught.value)).groups()  # type: ignore[union-attr]
        assert setting == targets.setting
        entries = {int(pair.split(":")[0]): int(pair.split(":")[1]) for pair in table[1:-1].split(",")}
        again = (reference_targets if setting == "reference_labels" else prediction_targets)(
            TISSUE, entries, *([tmp_path] if setting == "prediction_labels" else [])
        )
        assert mapped(again, *values) == expected
    with pytest.raises(TargetError, match="3: 2"):  # other files may need the other entries
        mapped(given, 9)
    with pytest.raises(TargetError, match=r"copy a file of conf/labels\) and give scheme=FILE\.yaml"):
        mapped(own, *range(100))


def test_targets_of_ones_own_need_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "dseg.tsv").write_text("index\tname\n1\tlesion\n")
    with pytest.raises(TargetError, match=r"names lesion, .*scheme=FILE\.yaml"):
        prediction_targets(TISSUE, None, tmp_path)
    with pytest.raises(TargetError, match=r"names targets \[4\].*scheme=FILE\.yaml"):
        prediction_targets(TISSUE, {1: 4}, tmp_path)


def test_what_references_do_not_label_can_be_left_out() -> None:
    assert mapped(reference_targets(TISSUE, None, ignore_background=True), 0, 1) == [255, 1]
    assert mapped(reference_targets(TISSUE, {5: 1}, ignore_background=True), 0, 5) == [255, 1]


def test_labels_that_a_scheme_drops_become_background() -> None:
    assert mapped(TargetMap({0: 0, 1: 1}, "x", unlisted="background"), 0, 1, 7) == [0, 1, 0]


def test_predictions_say_by_name_what_their_numbers_mean(tmp_path: Path) -> None:
    assert mapped(prediction_targets(TISSUE, None, tmp_path), 0, 1, 2, 3) == [0, 1, 2, 3]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "CSF": 1, "gm": 2, "WM": 3}}))
    assert mapped(prediction_targets(TISSUE, None, tmp_path), 0, 1, 2, 3) == [0, 3, 1, 2]
    (tmp_path / "dseg.tsv").write_text("index\tname\n0\tbackground\n1\tWM\n2\tGM\n")
    assert mapped(prediction_targets(TISSUE, None, tmp_path), 0, 1, 2) == [0, 2, 1]
    assert mapped(prediction_targets(TISSUE, {9: 1}, tmp_path), 0, 9) == [0, 1]
    (tmp_path / "dseg.tsv").write_text("index\tname\n1\tlesion\n")
    with pytest.raises(TargetError, match=r"dseg\.tsv' names lesion, which scheme 'tissue' does not"):
        prediction_targets(TISSUE, None, tmp_path)
    for text in ("a,b\n", "index\tname\nx\tGM\n"):
        (tmp_path / "dseg.tsv").write_text(text)
        with pytest.raises(TargetError, match="no table of labels"):
            prediction_targets(TISSUE, None, tmp_path)
    (tmp_path / "dseg.tsv").unlink()
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "GM": [1, 2]}}))
    with pytest.raises(TargetError, match=r"dataset\.json"):
        prediction_targets(TISSUE, None, tmp_path)


@pytest.mark.parametrize("values", [(0.5, 1.0), (-1.0, 2.0), (0.0, np.nan), (1e9, 0.0)])
def test_images_are_no_label_maps(values: tuple[float, float]) -> None:
    with pytest.raises(TargetError, match="is no label map"):
        whole_numbers(volume(*values, dtype=np.float64))


def test_labels_stored_as_floats_are_labels() -> None:
    assert whole_numbers(volume(0.0, 2035.0, dtype=np.float32)).ravel().tolist() == [0, 2035]


def test_the_scheme_is_told_by_the_labels_of_the_references(tmp_path: Path) -> None:
    cube = np.zeros((3, 3, 3), np.int16)
    cube[0, 0] = 1, 2, 3
    tissue = describe_labels(write(tmp_path / "a.nii.gz", cube))
    cube[0, 0] = 2, 42, 1035
    freesurfer = describe_labels(write(tmp_path / "b.nii.gz", cube))
    cube[0, 0] = 7000
    neither = describe_labels(write(tmp_path / "c.nii.gz", cube))
    assert choose_scheme("auto", [tissue])[0].name == "tissue"
    assert "1 GM, 2 WM, 3 CSF" in choose_scheme("auto", [tissue])[1]
    assert choose_scheme("auto", [freesurfer])[0].name == "freesurfer"
    assert choose_scheme("synthseg", [tissue])[1] == ""
    with pytest.raises(TargetError, match="tissue lacks 7000"):
        choose_scheme("auto", [neither])
