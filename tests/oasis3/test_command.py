"""``python -m otfsynth.oasis3``: bare words, tables, lists that the other commands' readers take, honest exit codes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.data import DataConfig
from otfsynth.config.oasis3 import Oasis3Config
from otfsynth.config.overrides import EXPLAINED, explain
from otfsynth.data.bank import LabelBank
from otfsynth.data.oasis3 import Oasis3Error
from otfsynth.data.scans import find_scans
from otfsynth.data.sources import find_sources
from otfsynth.data.validation import ValidationCases
from otfsynth.labels import LabelScheme
from otfsynth.oasis3 import bare_words, oasis3
from tests.oasis3.tree import make_tree


def run(*arguments: str) -> None:
    overrides = bare_words([*arguments, "progress=false"])
    oasis3(compose(overrides, name="oasis3", schema=Oasis3Config), Job(Path()))


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_bare_words() -> None:
    assert bare_words(["root=list", "list"]) == ["root=list", "action=list"]
    assert bare_words(["split", "output=split"]) == ["action=split", "output=split"]
    assert bare_words(["lst", "--cfg", "job", "-m"]) == ["action=lst", "--cfg", "job", "-m"]


def test_table(name_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(f"root={name_tree}", f"output={tmp_path / 'sessions.csv'}")
    assert "\nOAS30001_MR_d0129   FLAIR, T1w x2, T2w x2 " in capsys.readouterr().out
    table = rows(tmp_path / "sessions.csv")
    assert len(table) == 15
    assert table[5] == {
        **{"session": "OAS30005_MR_d0277", "subject": "OAS30005", "day": "d0277", "T1w": "1", "T2w": "0", "FLAIR": "1"},
        **{"other": "0", "segmentation": "", "missing": "T2w segmentation", "problems": ""},
    }


def test_lists_are_taken_by_train_predict_and_evaluate(
    image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(image_tree.parent)  # paths in the lists are absolute though root is not
    places = (f"root={image_tree.name}/scans", f"freesurfer={image_tree.name}/freesurfer")
    run(*places, "split", "training=2", "testing=3", f"output={tmp_path}", "seed=5", "check=true")
    monkeypatch.chdir(tmp_path)
    sources = find_sources(DataConfig(label_maps="training.csv"))
    testing = rows(tmp_path / "testing.csv")
    assert len({source.subject for source in sources}) == 2
    assert not {source.subject for source in sources} & {row["subject"] for row in testing}
    assert sorted(row["contrast"] for row in testing) == ["FLAIR", "T1w", "T2w"]

    scans = find_scans("testing.csv")
    assert scans.layout == "list"
    assert [scan.case for scan in scans.scans] == [row["case"] for row in testing]
    assert [(scan.subject, scan.session) for scan in scans.scans] == [
        (row["subject"], row["session"]) for row in testing
    ]

    scheme = LabelScheme.load("freesurfer")
    bank = LabelBank.from_config(
        DataConfig(label_maps="training.csv", spacing_mm=3.0, cache_dir=str(tmp_path / "cache")),
        scheme,
        show_progress=False,
    )
    assert len(bank) == 2
    cases = ValidationCases.from_path("testing.csv", scheme)
    for case, row in zip(cases, testing, strict=True):
        assert case.scan.contrast == row["contrast"]
        assert case.reference.shape == case.image.shape
        inside = case.reference > 0
        assert np.mean(case.image[inside] > 5) > 0.95  # the reference lies on its scan, whatever both orientations
        if row["contrast"] == "T1w":
            assert case.image[case.reference == 2].mean() > 1.1 * case.image[case.reference == 1].mean()
        if row["contrast"] == "T2w":
            assert case.image[case.reference == 2].mean() < 0.9 * case.image[case.reference == 1].mean()

    record = json.loads((tmp_path / "split.json").read_text())
    assert (record["seed"], record["training_label_maps"], record["testing_scans"]) == (5, 2, 3)
    assert record["testing_contrasts"] == {"FLAIR": 1, "T1w": 1, "T2w": 1}
    assert record["root"] == str(image_tree / "scans")


def test_a_split_is_not_overwritten_by_another(name_tree: Path, tmp_path: Path) -> None:
    split = (f"root={name_tree}", "split", "training=3", "testing=6", f"output={tmp_path / 'split'}")
    run(*split)
    before = (tmp_path / "split" / "testing.csv").read_bytes()
    run(*split)
    with pytest.raises(Oasis3Error, match=r"training.csv' is of another split"):
        run(*split, "seed=1")
    assert (tmp_path / "split" / "testing.csv").read_bytes() == before


def test_the_place_of_the_tree_has_no_influence(name_tree: Path, tmp_path: Path) -> None:
    shutil.copytree(name_tree, tmp_path / "copy")
    for root in (name_tree, tmp_path / "copy"):
        run(f"root={root}", "split", "training=3", "testing=6", f"output={tmp_path / root.name}_split")
    first, second = (rows(tmp_path / f"{name}_split" / "testing.csv") for name in (name_tree.name, "copy"))
    assert [row["case"] for row in first] == [row["case"] for row in second]


def test_damaged_files_end_with_exit_code_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_tree(tmp_path / "tree", 1)
    (scan,) = (tmp_path / "tree").rglob("*FLAIR.nii.gz")
    scan.write_bytes(b"torn")
    run(f"root={tmp_path / 'tree'}")  # nothing is opened
    with pytest.raises(SystemExit) as ended:
        run(f"root={tmp_path / 'tree'}", "check=true", f"output={tmp_path / 'table.csv'}")
    assert ended.value.code == 1
    assert f"damaged: '{scan}' can't be opened" in caplog.text
    assert str(scan) in rows(tmp_path / "table.csv")[0]["problems"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "root is empty"),
        (["root=nowhere"], "root=nowhere is no folder"),
        (["root=.", "freesurfer=nowhere"], "freesurfer=nowhere is no folder"),
        (["root=.", "lst"], r"action=lst is unknown \(did you mean 'list'"),
        (["root=.", "output=table.txt"], "must be the name of a .csv file"),
        (["root=.", "split"], "output is empty; split writes into a folder"),
        (["root=.", "split", "output=a.csv"], "a.csv is a file"),
        (["root=.", "training=0"], "training=0 is too small"),
        (["root=.", "testing=0"], "testing=0 is too small"),
        (["root=.", "seed=-1"], "seed=-1"),
        (["root=.", "contrasts=[]"], "contrasts is empty"),
        (["root=.", "contrasts=[T1]"], "contrasts=T1 is unknown .did you mean 'T1w'"),
        (["root=.", "contrasts=[T1w,T1w]"], "names one twice"),
        (["root=.", "per_subject=4"], "per_subject=4"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    with pytest.raises(EXPLAINED) as error:
        compose(bare_words(arguments), name="oasis3", schema=Oasis3Config)
    assert re.search(message, explain(error.value, Oasis3Config))
