"""Trainings that scripts compare: each composes, and differs from the others in what its name says alone."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from otfsynth.config.compose import compose
from tests.packaging.test_scripts import ROOT

RECORDER = """\
#!/usr/bin/env python3
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""
"""Stands in for the Python that trains, predicts and scores: writes down what it was called with."""

DIFFERENCES = {
    "reference": (),
    "reference_seed1": ("seed",),
    "no_curriculum": ("curriculum",),
    "easier_only": ("curriculum.share",),
    "random_contrasts": ("synthesis.contrast.engines", "curriculum.easy.contrast.engines"),
    "physics_contrasts": ("synthesis.contrast.engines",),
    "no_contrast_floor": ("synthesis.mixture.tissue_contrast_probability",),
    "no_skull_strip": ("synthesis.skull_strip.probability",),
    "no_fluid": ("synthesis.skull_strip.fluid_probability",),
    "black_background": ("synthesis.background", "curriculum.easy.background"),
    "subclasses": ("synthesis.subclasses.most_classes", "curriculum.easy.subclasses.probability"),
    "no_partial_volume": ("synthesis.partial_volume.probability", "curriculum.easy.partial_volume.probability"),
    "open_sulci": ("synthesis.shape_variety",),
    "no_shape_variety": ("synthesis.shape_variety.probability",),
    "no_deep_supervision": ("network.deep_supervision",),
    "no_average": ("optimizer.ema_decay",),
    "cosine": ("optimizer.schedule", "optimizer.warmup_steps"),
    "small_patches": ("data.patch_size", "data.batch_size"),
    "wider_network": ("network",),
}


def calls(
    folder: Path, runs: str, *overrides: str, script: str = "compare_recipes.sh"
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """Run the script with the recorder; the trainings' options."""
    python, log = folder / "python", folder / "calls"
    python.write_text(RECORDER)
    python.chmod(0o755)
    log.touch()
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / script), "maps", str(folder), str(folder / "out"), *overrides],
        env=os.environ | {"OTFSYNTH_PYTHON": str(python), "CALLS": str(log), "RUNS": runs},
        capture_output=True,
        text=True,
        check=False,
    )
    recorded = [json.loads(line) for line in log.read_text().splitlines()]
    return done, [call[2:] for call in recorded if call[:2] == ["-m", "otfsynth.train"]]


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Values by dotted name."""
    if not isinstance(value, dict) or not value:
        return {name: value}
    entries: dict[str, Any] = {}
    for key, entry in value.items():
        entries |= flat(entry, f"{name}.{key}" if name else key)
    return entries


def composed(options: list[str]) -> dict[str, Any]:
    return flat(dataclasses.asdict(compose([option for option in options if not option.startswith("hydra.")])))


def test_every_recipe_differs_in_what_its_name_says(tmp_path: Path) -> None:
    done, trainings = calls(tmp_path, " ".join(DIFFERENCES))
    assert done.returncode == 0, done.stderr
    configs = dict(zip(DIFFERENCES, map(composed, trainings), strict=True))
    reference = configs["reference"]
    for name, allowed in DIFFERENCES.items():
        config = configs[name]
        changed = {key for key in reference | config if reference.get(key) != config.get(key)}
        assert all(any(key == place or key.startswith(f"{place}.") for place in allowed) for key in changed), name
        assert bool(changed) == bool(allowed), name


def test_all_recipes_are_run_by_default(tmp_path: Path) -> None:
    script = (ROOT / "scripts" / "compare_recipes.sh").read_text()
    listed = script.split("${RUNS:-")[1].split("}")[0].split()
    assert set(listed) == {*DIFFERENCES, "reference_seed2"}


def test_frozen_volumes_are_read_as_they_are_on_the_same_budget(tmp_path: Path) -> None:
    """``compare_frozen.sh``, which shares its trainings with the recipes."""
    done, trainings = calls(tmp_path, "frozen_20 lab2im", script="compare_frozen.sh")
    assert done.returncode == 0, done.stderr
    frozen, drawn = map(composed, trainings)
    assert frozen["data.real_training"] == str(tmp_path / "out" / "frozen_20")
    assert frozen["data.real_training_probability"] == 1
    assert (frozen["synthesis.normalization"], frozen["synthesis.noise.probability"]) == ("minmax", 0)
    assert (drawn["data.real_training"], drawn["synthesis.bias_field.probability"]) == (None, 0.95)
    for shared in ("seed", "trainer.max_steps", "data.patch_size", "synthesis.patch.foreground_probability"):
        assert frozen[shared] == drawn[shared]


def test_overrides_come_last(tmp_path: Path) -> None:
    _, trainings = calls(tmp_path, "reference no_fluid", "trainer.max_steps=5")
    assert [composed(options)["trainer.max_steps"] for options in trainings] == [5, 5]


@pytest.mark.parametrize("runs", ["reference no_such", "no_such"])
def test_an_unknown_recipe_is_refused_before_the_first_training(tmp_path: Path, runs: str) -> None:
    done, trainings = calls(tmp_path, runs)
    assert done.returncode == 2
    assert "no recipe is called 'no_such'" in done.stderr
    assert not trainings
