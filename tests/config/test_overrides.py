"""Mistakes on the command line end with one message that names the remedy, and exit code 2, before any work."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from otfsynth.config.command import Job, run_command
from otfsynth.config.root import TrainConfig


class Task:
    """Stands for a command: remembers the jobs it was called with."""

    def __init__(self) -> None:
        self.jobs: list[tuple[TrainConfig, Job]] = []

    def __call__(self, config: TrainConfig, job: Job) -> None:
        self.jobs.append((config, job))


@pytest.fixture(autouse=True)
def _logging_is_restored():
    """Hydra sets up the root logger for its job, as a process of its own may."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command line ``train ARGUMENTS`` in an empty folder; returns the exit code and the jobs done."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # restored afterwards: the command sets it

    def _run(*arguments: str) -> tuple[int | str | None, list[tuple[TrainConfig, Job]]]:
        task = Task()
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        try:
            run_command("train", TrainConfig, task)
        except SystemExit as error:
            return error.code, task.jobs
        return 0, task.jobs

    return _run


BIAS = "synthesis.bias_field has: probability, std_max, control_spacing_mm"
MISTAKES = [
    ("synthesis.bias_field.std_mx=0.3", ["did you mean synthesis.bias_field.std_max?", BIAS]),
    ("+synthesis.bias_field.std_mx=0.3", ["did you mean synthesis.bias_field.std_max?", BIAS]),
    ("std_max=0.3", ["std_max is not a setting (did you mean synthesis.", ".std_max or synthesis."]),
    ("networ=tiny", ["did you mean network?", "there are: data, labels, synthesis, curriculum, network"]),
    ("+foo=1", ["foo is not a setting", "there are: data, labels"]),
    ("network=tinny", ["network=tinny is unknown (did you mean tiny?)", "choose one of: laptop, nnunet"]),
    ("+experiment=randomised", ["experiment=randomised is unknown (did you mean randomized?)"]),
    ("experiment=randomized", ["write +experiment=randomized"]),
    ("synthesis.bias_field.std_max=wide", ["synthesis.bias_field.std_max", "could not be converted to Float"]),
    ("synthesis.mixture.mean_range=[200,20]", ["synthesis.mixture.mean_range=[200.0, 20.0] has low > high"]),
    ("synthesis.resolution.isotropic_spacing_mm=[-1,3]", ["synthesis.resolution.isotropic_spacing_mm", "[0.1, 20]"]),
    ("synthesis.noise.probability=1.5", ["synthesis.noise.probability=1.5 is not a probability"]),
    ("synthesis.affine.rotation_max_deg=-4", ["synthesis.affine.rotation_max_deg=-4.0 leaves [0, 180]"]),
    ("synthesis.background.zero_probability=0.9", ["must sum to 1"]),
    ("data.spacing_mm=-1", ["data.spacing_mm"]),
    ("optimizer.name=adam", ["did you mean 'adamw'?"]),
    ("resume=nowhere.ckpt", ["resume=nowhere.ckpt is no file"]),
    ("data.label_maps=/data/maps(1)", ["can't be read", """'data.label_maps="/data/maps(1)"'"""]),
    ("+network=tiny", ["write network=tiny"]),
    ("labels=/data/mine.yaml", ["labels=/data/mine is unknown", "labels.file=FILE.yaml"]),
]


@pytest.mark.parametrize(("mistake", "expected"), MISTAKES, ids=[mistake for mistake, _ in MISTAKES])
def test_mistakes_are_explained(run, capsys, mistake, expected):
    code, jobs = run("+experiment=lab2im" if "experiment" not in mistake else "hardware=laptop", mistake)
    message = capsys.readouterr().err
    assert code == 2
    assert jobs == []
    assert not list(Path.cwd().iterdir()), "a mistake must leave no run folder behind"
    assert message.startswith("otfsynth train: ")
    assert len(message.strip().splitlines()) == 1
    assert "Traceback" not in message
    for part in expected:
        assert part in message


def test_a_run_gets_its_folder_and_typed_configuration(run, capsys):
    code, jobs = run("+experiment=synthseg", "hardware=laptop", "seed=5")
    assert code == 0
    [(config, job)] = jobs
    assert isinstance(config, TrainConfig)
    assert config.seed == 5
    assert job.folder.is_dir()
    assert job.folder.parent == Path.cwd() / "runs" / "synthseg"
    assert job.sweep is None


def test_hardware_auto_prints_its_choice_once(run, capsys):
    code, jobs = run("+experiment=randomized", "hydra.run.dir=here")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("hardware=auto: ")]
    assert code == 0
    assert len(lines) == 1
    assert jobs[0][0].hardware.name in lines[0]
    assert jobs[0][0].data.patch_size is not None
    assert jobs[0][1].folder == Path.cwd() / "here"


def test_sweep_runs_one_job_per_value_in_one_group(run):
    code, jobs = run("-m", "+experiment=randomized", "hardware=laptop", "synthesis.bias_field.std_max=0.3,0.5,0.7")
    assert code == 0
    assert [config.synthesis.bias_field.std_max for config, _ in jobs] == [0.3, 0.5, 0.7]
    assert len({job.folder for _, job in jobs}) == 3
    assert len({job.sweep for _, job in jobs}) == 1
    assert jobs[0][1].sweep is not None


def test_a_sweep_with_one_bad_value_does_not_start(run, capsys):
    code, jobs = run("-m", "+experiment=randomized", "hardware=laptop", "synthesis.bias_field.std_max=0.3,-0.5")
    assert code == 2
    assert jobs == []
    assert "synthesis.bias_field.std_max=-0.5" in capsys.readouterr().err


def test_the_documented_sweep(run):
    code, jobs = run("-m", "+experiment=randomized", "+sweep=ranges", "hardware=laptop", "synthesis.gamma.std=0.1")
    assert code == 0
    assert [config.synthesis.bias_field.std_max for config, _ in jobs] == [0.3, 0.5, 0.7]
    assert {config.synthesis.gamma.std for config, _ in jobs} == {0.1}


def test_other_exceptions_keep_their_traceback(run, monkeypatch, tmp_path):
    def fail(config, job):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(sys, "argv", ["train", "hardware=laptop"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError):
        run_command("train", TrainConfig, fail)


def test_exit_codes_of_the_task_pass_through(monkeypatch, tmp_path):
    def stop(config, job):
        raise SystemExit(130)

    monkeypatch.setattr(sys, "argv", ["train", "hardware=laptop"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run_command("train", TrainConfig, stop)
    assert caught.value.code == 130
