"""Every file of ``conf/`` composes, every experiment is the difference it says, explicit values win."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from omegaconf import OmegaConf

from otfsynth.config.compose import compose, compose_raw
from otfsynth.config.labels import LabelsConfig
from otfsynth.config.machine import PRESETS
from otfsynth.config.priors import resolve_priors
from otfsynth.config.root import TrainConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.labels import LabelScheme
from otfsynth.resources import conf_folder
from otfsynth.synthesis.priors import load_priors

GROUPS = sorted({file.parent.name for file in conf_folder().glob("*/*.yaml")})
OPTIONS = [(file.parent.name, file.stem) for file in sorted(conf_folder().glob("*/*.yaml"))]
FIXED = "hardware=laptop"
"""Composing with a fixed preset needs no look at the machine."""


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes(group, option):
    added = "+" if group in ("experiment", "sweep") else ""
    overrides = [f"{added}{group}={option}", *([FIXED] if group != "hardware" else [])]
    assert isinstance(compose(overrides), TrainConfig)


def test_groups_are_those_of_the_design():
    assert set(GROUPS) == {
        *(
            "data",
            "labels",
            "synthesis",
            "curriculum",
            "network",
            "optimizer",
            "trainer",
            "logger",
            "paths",
            "hardware",
        ),
        *("experiment", "sweep"),
    }


@pytest.mark.parametrize("name", sorted(file.stem for file in (conf_folder() / "experiment").glob("*.yaml")))
def test_every_experiment_names_itself(name):
    assert compose([f"+experiment={name}", FIXED]).experiment_name == name


def test_randomized_is_the_default_written_out():
    assert compose(["+experiment=randomized", FIXED]).synthesis == SynthesisConfig()
    written = OmegaConf.to_container(OmegaConf.load(conf_folder() / "synthesis" / "randomized.yaml"))
    assert written == dataclasses.asdict(SynthesisConfig())


def test_lab2im_is_the_setting_of_the_thesis():
    config = compose(["+experiment=lab2im", FIXED])
    model = config.synthesis
    assert config.labels.one_class_per_target
    assert config.labels.unlisted == "background"
    assert (model.mixture.mean_range, model.mixture.std_range) == ([25.0, 225.0], [5.0, 25.0])
    assert (model.affine.scale_max, model.affine.rotation_max_deg, model.affine.shear_max) == (0.15, 10.0, 0.02)
    assert (model.velocity_field.std_max_mm, model.velocity_field.control_spacing_mm) == (4.0, [16.0, 16.0])
    assert (model.bias_field.std_max, model.gamma.std) == (0.3, 0.2)
    off = (model.flip, model.skull_strip, model.noise)
    assert [stage.probability for stage in off] == [0.0, 0.0, 0.0]
    assert model.background.textured_probability == model.resolution.native_probability == 1.0


def test_synthseg_has_its_published_ranges():
    model = compose(["+experiment=synthseg", FIXED]).synthesis
    assert (model.mixture.mean_range, model.mixture.std_range) == ([0.0, 250.0], [0.0, 30.0])
    assert (model.affine.scale_max, model.affine.rotation_max_deg, model.affine.shear_max) == (0.2, 15.0, 0.012)
    background = model.background
    assert (background.zero_probability, background.dark_probability) == (0.05, 0.25)
    assert model.resolution.anisotropic_spacing_mm == [1.0, 8.0]
    assert (model.bias_field.std_max, model.gamma.std, model.flip.probability) == (0.7, 0.5, 0.5)


@pytest.mark.parametrize("scheme_name", ["freesurfer", "synthseg", "tissue"])
def test_t1w_priors_fit_every_scheme_and_look_like_t1w(scheme_name):
    scheme = LabelScheme.load(scheme_name)
    mixture = resolve_priors(compose(["+experiment=t1w", FIXED]).synthesis, scheme.name).mixture
    priors = load_priors(mixture, scheme.class_count)
    assert priors is not None
    means = dict(zip(scheme.class_names, priors.means[0, 0], strict=True))
    csf, grey, white = (
        ("CSF", "grey matter", "white matter")
        if scheme_name == "tissue"
        else ("sulcal CSF", "cerebral cortex", "cerebral white matter")
    )
    assert means["background"] < means[csf] < means[grey] < means[white]
    assert (priors.stds[0, 0] > 0).all()


def test_a_users_own_prior_file_is_left_alone(tmp_path):
    np.save(tmp_path / "means.npy", np.zeros((2, 4)))
    own = str(tmp_path / "means.npy")
    config = compose([FIXED, f"synthesis.mixture.prior_means={own}", f"synthesis.mixture.prior_stds={own}"])
    assert resolve_priors(config.synthesis, "tissue").mixture.prior_means == own


@pytest.mark.parametrize("preset", PRESETS)
def test_explicit_values_win_over_the_hardware_preset(preset):
    overrides = [f"hardware={preset}", "data.batch_size=7", "data.patch_size=[32,64,96]", "network=tiny"]
    config = compose(["+experiment=randomized", *overrides])
    assert config.hardware.name == preset
    assert (config.data.batch_size, config.data.patch_size) == (7, [32, 64, 96])
    assert config.network.base_features == compose(["network=tiny", FIXED]).network.base_features


def test_one_class_per_target_merges_classes():
    labels = LabelsConfig(**{**dataclasses.asdict(compose([FIXED, "labels=freesurfer"]).labels)})
    labels.rows = compose([FIXED, "labels=freesurfer"]).labels.rows
    labels.one_class_per_target = True
    assert set(LabelScheme.from_config(labels).class_names) <= {"background", "GM", "WM", "CSF", "other"}


def test_run_folders_carry_the_experiment_and_the_time():
    raw = compose_raw(["+experiment=synthseg", FIXED, "paths.runs=/results"], "train", TrainConfig)
    assert raw.hydra.run.dir.startswith("/results/synthseg/20")
    assert raw.hydra.sweep.dir.startswith("multirun/synthseg/20")
