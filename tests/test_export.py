"""The command: a folder that works, a card that tells how it was made, and none of the machine's folders."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError, InputError
from otfsynth.config.command import Job
from otfsynth.config.compose import compose
from otfsynth.config.export import ExportConfig
from otfsynth.export import export
from otfsynth.inference import SlidingWindowPredictor
from otfsynth.labels import LabelScheme
from otfsynth.models.card import NO_LESIONS, limits, trained_on
from otfsynth.models.history import read_run
from otfsynth.models.plain_paths import without_folders
from tests.inference.heads import brain, brain_affine, write_checkpoint

METRICS = "step,seconds,metric,value\n10,1800,train/loss,1\n20,3600,train/loss,1\n30,1800,train/loss,1\n90,9000,x,1\n"
"""An hour, resumed for another half one until step 30, and two more later."""
SUMMARY = """\
contrast,label,metric,n,failures,undefined,mean,median,low,high
T1w,GM,dice,4,0,0,0.91,0.91,0.9,0.92
T1w,WM,dice,4,0,0,0.89,0.89,0.88,0.9
T1w,GM,hd95_mm,4,0,0,2,2,1,3
FLAIR,GM,dice,1,0,0,0.8,0.8,nan,nan
FLAIR,WM,dice,0,0,1,nan,nan,nan,nan
"""


def run(*overrides: str, folder: Path) -> None:
    export(compose(list(overrides), "export", ExportConfig), Job(folder))


@pytest.fixture
def training_run(tmp_path: Path) -> Path:
    """A run's folder, with its checkpoint of step 0."""
    run_folder = tmp_path / "runs" / "first"
    synthesis = {"normalization": "minmax", "gamma": {"probability": 1.0, "std": [0.2, 0.5]}}
    write_checkpoint(
        run_folder / "checkpoints" / "best.ckpt", data={"label_maps": "/home/someone/maps"}, synthesis=synthesis
    )
    (run_folder / "metrics.csv").write_text(METRICS)
    (run_folder / ".hydra").mkdir()
    overrides = "- +experiment=randomized\n- data.label_maps=/home/someone/maps\n- 'a={x: 1, y: 2}'\n"
    (run_folder / ".hydra" / "overrides.yaml").write_text(overrides)
    return run_folder


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "scores" / "first"
    folder.mkdir(parents=True)
    (folder / "summary.csv").write_text(SUMMARY)
    (folder / "config.yaml").write_text("title: Four scans\n")
    pairs = "subject,session,contrast_a,contrast_b,label,dice\na,,T1w,FLAIR,GM,0.8\na,,T1w,FLAIR,WM,0.9\n"
    (folder / "agreement.csv").write_text(pairs)
    return folder


def test_the_folder_segments_as_the_checkpoint_does(training_run: Path, tmp_path: Path) -> None:
    checkpoint = training_run / "checkpoints" / "best.ckpt"
    run(f"checkpoint={checkpoint}", "output=toy", folder=tmp_path)
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == [
        "MODEL_CARD.md",
        "model.json",
        "model.safetensors",
    ]
    first, second = (SlidingWindowPredictor.from_checkpoint(path) for path in (checkpoint, tmp_path / "toy"))
    assert (first.normalization, second.normalization) == ("minmax", "minmax")
    labels = [one.predict(brain(), brain_affine()).labels for one in (first, second)]
    assert np.mean(labels[0] == labels[1]) > 0.99
    assert len(np.unique(labels[0])) > 1


def test_the_card_tells_how_the_model_was_made_and_how_good_it_is(
    training_run: Path, report: Path, tmp_path: Path
) -> None:
    options = [f"reports=[{report.parent}]", "machine='two | cores'", "version=2.1", "limits=[Only toys.]"]
    run(f"checkpoint={training_run}/checkpoints/best.ckpt", "output=toy", *options, folder=tmp_path)
    card = (tmp_path / "toy" / "MODEL_CARD.md").read_text()
    assert card.startswith("# toy 2.1\n")
    for line in (
        "python -m otfsynth.train +experiment=randomized data.label_maps=maps 'a={x: 1, y: 2}'    # 0 steps",
        "| anatomies | maps |",
        "| machine | two \\| cores |",
        "| gamma | probability 1, std 0.2 to 0.5 |",
        "Four scans:",
        "| contrast | scans | GM | WM | mean |",
        "| T1w | 4 | 0.910 | 0.890 | 0.900 |",
        "| FLAIR | 1 | 0.800 | - | 0.800 |",
        "Dice between the contrasts of one head, mean over pairs and structures: 0.850.",
        "- Only toys.",
    ):
        assert f"\n{line}" in card, line
    description = json.loads((tmp_path / "toy" / "model.json").read_text())
    assert (description["name"], description["version"]) == ("toy", "2.1")
    assert description["config"]["data"]["label_maps"] == "maps"
    assert description["results"][0]["agreement"] == pytest.approx(0.85)
    assert "someone" not in card + json.dumps(description)


def test_hours_are_summed_over_resumed_stretches_until_the_checkpoint(training_run: Path) -> None:
    assert read_run(training_run, 30).hours == pytest.approx(1.5)
    assert read_run(training_run).hours == pytest.approx(3.5)
    assert read_run(training_run).steps == 90


def test_several_runs_add_up(training_run: Path, tmp_path: Path) -> None:
    second = tmp_path / "runs" / "second"
    second.mkdir()
    (second / "metrics.csv").write_text("step,seconds,metric,value\n0,360,train/loss,1\n50,720,train/loss,1\n")
    checkpoint = f"checkpoint={training_run}/checkpoints/best.ckpt"
    run(checkpoint, "output=toy", f"runs=[{training_run},{second}]", folder=tmp_path)
    card = (tmp_path / "toy" / "MODEL_CARD.md").read_text()
    assert "| hours | 3.6 |" in card  # the whole first run, and the second one until the checkpoint's step, 0
    assert "# the command of second is not recorded" in card


def test_a_checkpoint_outside_a_run_says_so(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt")
    run(f"checkpoint={checkpoint}", "output=toy", folder=tmp_path)
    card = (tmp_path / "toy" / "MODEL_CARD.md").read_text()
    assert "| hours | not recorded |" in card
    assert "\n# not recorded\n" in card
    assert "None were given when this card was written." in card


def test_a_model_is_replaced_only_where_asked_for_and_keeps_what_it_told(
    training_run: Path, report: Path, tmp_path: Path
) -> None:
    checkpoint = f"checkpoint={training_run}/checkpoints/best.ckpt"
    run(checkpoint, "output=toy", "machine=abacus", folder=tmp_path)
    with pytest.raises(ConfigurationError, match="holds a model already"):
        run(checkpoint, "output=toy", folder=tmp_path)
    first = json.loads((tmp_path / "toy" / "model.json").read_text())
    # an exported model is exported again, as when its card gets its results
    again = [f"checkpoint={tmp_path / 'toy'}", "output=toy", "overwrite=true", "version=3"]
    run(*again, f"reports=[{report}]", folder=tmp_path)
    second = json.loads((tmp_path / "toy" / "model.json").read_text())
    assert (tmp_path / "toy" / "MODEL_CARD.md").read_text().startswith("# toy 3\n")
    assert (second["weights"], second["training"]) == (first["weights"], first["training"])
    assert second["training"]["machine"] == "abacus"
    assert len(second["training"]["runs"]) == 1
    run(*again, folder=tmp_path)
    assert json.loads((tmp_path / "toy" / "model.json").read_text())["results"] == second["results"] != []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["output=x"], "checkpoint is not given"),
        (["checkpoint=x"], "output is not given"),
        (["checkpoint=x", "output=y", "name=a/b"], "name=a/b may hold"),
        (["checkpoint=x", "output=y", "version='1 2'"], "version=1 2 may hold"),
        (["checkpoint=nowhere.ckpt", "output=y"], "does not exist"),
        (["checkpoint=nowhere.ckpt", "output=y", "reports=[nowhere]"], "reports=nowhere holds no summary"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(*overrides, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "runs", "said"),
    [
        ({}, 1, "synthetic images alone"),
        (
            {"data": {"real_training": "pairs.csv", "real_training_probability": 0.2}},
            1,
            "real scans with their labels, 20%",
        ),
        ({"data": {"real_training": "pairs.csv", "real_training_probability": 0.0}}, 1, "synthetic images alone"),
        ({"initial_weights": "model"}, 1, "began with the weights of `model`"),
        ({"initial_weights": "last.ckpt"}, 3, "was trained on."),
    ],
)
def test_the_card_says_what_was_trained_on(settings: dict[str, Any], runs: int, said: str) -> None:
    assert said in trained_on(settings, runs)
    assert ("synthetic images alone" in trained_on(settings, runs)) == ("20%" not in said)


def test_limits_are_those_of_the_model() -> None:
    scheme = LabelScheme.load("freesurfer")
    assert limits({}, scheme)[-2:] == [NO_LESIONS, "Sides are not told apart."]
    assert NO_LESIONS not in limits({"synthesis": {"lesions": {"target": "lesion"}}}, scheme)
    sided = dataclasses.replace(
        scheme,
        target_labels=tuple(
            4 if label == 41 else value
            for label, value in zip(scheme.generation_labels, scheme.target_labels, strict=True)
        ),
        target_names=(*scheme.target_names, "right WM"),
    )
    assert "Sides are not told apart." not in limits({}, sided)


def test_paths_lose_their_folders_and_nothing_else() -> None:
    given = {
        "a": "/data/maps/list.csv",
        "b": ["data.label_maps=/home/me/maps/", "x=[/a/b,/c/d]", "~/e/f.ckpt"],
        "c": "physics/tissues.csv",
        "d": r"(sub-[A-Za-z0-9]+|OAS\d{5})",
        "e": 3,
    }
    assert without_folders(given) == {
        "a": "list.csv",
        "b": ["data.label_maps=maps", "x=[b,d]", "f.ckpt"],
        "c": "physics/tissues.csv",
        "d": r"(sub-[A-Za-z0-9]+|OAS\d{5})",
        "e": 3,
    }
