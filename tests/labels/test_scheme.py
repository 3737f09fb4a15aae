"""The label tables and their checks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.labels import LabelRow, LabelsConfig, load_labels_config
from otfsynth.labels import LabelScheme

THESIS_GM = [8, 10, 11, 12, 13, 17, 18, 26, 28, 31, 47, 49, 50, 51, 52, 53, 54, 58, 60, 63, 80, 3, 42]
THESIS_GM += [*range(1000, 1036), *range(2000, 2036)]
THESIS_WM = [2, 7, 16, 41, 46, 77, 85, 251, 252, 253, 254, 255]
THESIS_CSF = [4, 5, 14, 15, 24, 43, 44, 72]


def scheme_of(*rows: LabelRow, **fields: object) -> LabelScheme:
    return LabelScheme.from_config(LabelsConfig(name="test", rows=list(rows), **fields))  # type: ignore[arg-type]


ROWS = (
    LabelRow("grey", left=3, right=42, target="GM"),
    LabelRow("white", left=2, right=41, target="WM"),
    LabelRow("fluid", labels=[24, "14-15"], target="CSF"),
)


def target_of(scheme: LabelScheme, label: int) -> str:
    return scheme.target_names[scheme.target_labels[scheme.generation_labels.index(label)]]


def class_of(scheme: LabelScheme, label: int) -> str:
    return scheme.class_names[scheme.generation_classes[scheme.generation_labels.index(label)]]


@pytest.mark.parametrize("name", ["freesurfer", "synthseg", "tissue"])
def test_shipped_schemes_are_whole(name: str) -> None:
    scheme = LabelScheme.load(name)
    assert scheme.target_names == ("background", "GM", "WM", "CSF")
    assert scheme.generation_labels[0] == scheme.generation_classes[0] == scheme.target_labels[0] == 0
    assert len(scheme.generation_labels) <= 256
    assert scheme.class_table.dtype == scheme.target_table.dtype == scheme.swap_indices.dtype == np.uint8
    np.testing.assert_array_equal(scheme.swap_indices[scheme.swap_indices], np.arange(len(scheme.generation_labels)))
    assert not scheme.brain_indices[0]
    # a structure looks and counts the same on both sides
    np.testing.assert_array_equal(scheme.class_table[scheme.swap_indices], scheme.class_table)
    np.testing.assert_array_equal(scheme.target_table[scheme.swap_indices], scheme.target_table)


def test_freesurfer_targets_are_those_of_the_thesis() -> None:
    scheme = LabelScheme.load("freesurfer")
    for target, labels in (("GM", THESIS_GM), ("WM", THESIS_WM), ("CSF", THESIS_CSF)):
        assert {target_of(scheme, label) for label in labels} == {target}
    assert class_of(scheme, 3) == class_of(scheme, 2035) == "cerebral cortex"
    classes = {class_of(scheme, label) for label in (3, 8, 10, 11, 12, 13, 17, 26, 4, 24, 16, 2, 7, 77)}
    assert len(classes) == 14
    assert (1001, 2001) in scheme.sided_pairs
    assert (4, 43) in scheme.sided_pairs


def test_synthseg_scheme_knows_the_head() -> None:
    scheme = LabelScheme.load("synthseg")
    assert len(scheme.generation_labels) == 54
    assert scheme.extracerebral_labels == (502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530)
    head_classes = [class_of(scheme, label) for label in (*scheme.extracerebral_labels, 24)]
    assert len(set(head_classes)) == 12
    assert {target_of(scheme, label) for label in scheme.extracerebral_labels} == {"background"}
    expected = {25: "WM", 57: "WM", 30: "background", 62: "background", 85: "WM", 136: "CSF", 164: "CSF", 24: "CSF"}
    assert {label: target_of(scheme, label) for label in expected} == expected
    assert {(25, 57), (30, 62), (136, 163), (137, 164)} <= set(scheme.sided_pairs)
    assert scheme.brain_indices[scheme.generation_labels.index(24)]
    assert not scheme.brain_indices[scheme.generation_labels.index(515)]


def test_rows_expand_in_order() -> None:
    scheme = scheme_of(*ROWS)
    assert scheme.generation_labels == (0, 3, 42, 2, 41, 24, 14, 15)
    assert scheme.generation_classes == (0, 1, 1, 2, 2, 3, 3, 3)
    assert scheme.target_labels == (0, 1, 1, 2, 2, 3, 3, 3)
    assert scheme.sided_pairs == ((3, 42), (2, 41))
    assert scheme.label_names[1:3] == ("left grey", "right grey")
    assert scheme.label_names[5:] == ("fluid 24", "fluid 14", "fluid 15")
    assert scheme.swap_indices.tolist() == [0, 2, 1, 4, 3, 5, 6, 7]


def test_plain_data_and_back() -> None:
    scheme = LabelScheme.load("synthseg")
    assert LabelScheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme
    with pytest.raises(ValueError, match="not a label scheme"):
        LabelScheme.from_dict({"name": "x"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "no rows"),
        ((*ROWS, LabelRow("again", labels=15, target="GM")), "label 15 2 times, as 'fluid 15', 'again'"),
        ((*ROWS, LabelRow("zero", labels=0)), "label 0 2 times"),
        ((*ROWS, LabelRow("odd", labels="x")), "'odd' holds 'x'; give a whole number"),
        ((*ROWS, LabelRow("odd", labels="9-7")), "low > high"),
        ((*ROWS, LabelRow("odd", labels=1.5)), "holds 1.5"),
        ((*ROWS, LabelRow("odd", labels=9, target="gm")), "unknown target 'gm'"),
        ((*ROWS, LabelRow("odd", labels=9, target="backgrond")), r"did you mean 'background'\?"),
        ((*ROWS, LabelRow("odd", left=[8, 9], right=10)), "2 left labels and 1 right"),
        ((*ROWS, LabelRow("many", labels="1000-1300", target="GM")), "309 labels, and maps hold at most 256"),
        ((*ROWS, LabelRow("odd", labels=9, generation_class="background")), "class background"),
        ((*ROWS, LabelRow("fluid 15", labels=9)), "calls 2 labels 'fluid 15'"),
        (ROWS[:2], "target_labels 3 \\('CSF'\\)"),
    ],
)
def test_a_bad_table_is_refused(rows: tuple[LabelRow, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        scheme_of(*rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": 1}, "no name"),
        ({"name": "x"}, "needs either labels, or left and right"),
        ({"name": "x", "left": 2}, "only one of left=2, right=None"),
        ({"name": "x", "labels": 1, "left": 2, "right": 3}, "needs either"),
    ],
)
def test_a_bad_row_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LabelRow(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sided_pairs": ((3, 99),)}, "label 99 in sided_pairs but not in generation_labels"),
        ({"sided_pairs": ((3, 3),)}, "label 3 in its sided_pairs in a way that makes no pair"),
        ({"extracerebral_labels": (7,)}, "label 7 in extracerebral_labels"),
        ({"extracerebral_labels": (3,)}, "only one of the pair 3, 42 extra-cerebral"),
        ({"target_labels": (0, 1, 0, 2, 2, 3, 3, 3)}, "only one of the pair 3, 42 a target"),
        ({"generation_classes": (0, 1, 0, 2, 2, 3, 3, 3)}, "label 42 class 0"),
        ({"generation_classes": (0, 1, 1, 2, 2, 3, 3, 4)}, "label 15 generation_classes 4"),
        ({"generation_classes": (0, 1)}, "8 generation_labels but 2 generation_classes"),
        ({"generation_labels": (3, 0, 42, 2, 41, 24, 14, 15)}, "must begin with background"),
    ],
)
def test_contradicting_fields_are_refused(changes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dataclasses.replace(scheme_of(*ROWS), **changes)  # type: ignore[arg-type]


def test_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'freesurfer'.*synthseg, tissue"):
        load_labels_config("freesurfr")


def test_own_yaml_changes_a_target(tmp_path) -> None:  # type: ignore[no-untyped-def]
    table = tmp_path / "mine.yaml"
    table.write_text(
        "name: mine\ntarget_names: [background, hippocampus]\nrows:\n"
        "  - {left: 17, right: 53, name: hippocampus, target: hippocampus}\n"
        "  - {left: 3, right: 42, name: cortex}\n"
    )
    scheme = LabelScheme.load(table)
    assert scheme.target_labels == (0, 1, 1, 0, 0)
    table.write_text("name: mine\nrows:\n  - {label: 17, name: hippocampus}\n")
    with pytest.raises(ConfigurationError, match=r"(?s)mine.yaml.*'label' not in 'LabelRow'"):
        LabelScheme.load(table)


def test_lab2im_files_give_order_and_classes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    labels, classes = tmp_path / "generation_labels.npy", tmp_path / "generation_classes.npy"
    np.save(labels, np.array([0, 24, 2, 3, 41, 42]))
    np.save(classes, np.array([0, 1, 2, 3, 4, 3]))
    scheme = scheme_of(*ROWS, generation_labels=str(labels), generation_classes=str(classes))
    assert scheme.generation_labels == (0, 24, 2, 3, 41, 42)
    assert scheme.generation_classes == (0, 1, 2, 3, 4, 3)
    assert scheme.target_labels == (0, 3, 2, 1, 2, 1)
    assert scheme.sided_pairs == ((3, 42), (2, 41))
    assert scheme.class_names[3] == "left grey + right grey"
    kept = scheme_of(*ROWS, generation_labels=str(labels))
    assert kept.generation_classes == (0, 1, 2, 3, 2, 3)
    assert kept.class_names == ("background", "fluid", "white", "grey")
    np.save(labels, np.array([0, 24, 2, 3, 41, 777]))
    with pytest.raises(ConfigurationError, match="holds label 777, which scheme 'test' does not list"):
        scheme_of(*ROWS, generation_labels=str(labels))
    np.save(labels, np.array([0, 24, 2, 3, 41]))
    with pytest.raises(ConfigurationError, match=r"has 6 entries and .* 5"):
        scheme_of(*ROWS, generation_labels=str(labels), generation_classes=str(classes))
    labels.write_text("no array")
    with pytest.raises(ConfigurationError, match=r"generation_labels.npy' can't be read"):
        scheme_of(*ROWS, generation_labels=str(labels))
