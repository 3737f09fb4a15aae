"""One setting varied: only it differs between the columns, its stage is on, and mistakes name what is there."""

from __future__ import annotations

import dataclasses

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.compose import compose
from otfsynth.config.overrides import explain
from otfsynth.config.preview import PreviewConfig
from otfsynth.config.sweeps import CHOICES, get_setting, sweep, sweep_names, unit
from otfsynth.config.synthesis import SynthesisConfig

NOT_ALONE = ("physics.field_strengths_t", "contrast.engines.priors")
"""A list that is no range has no span; priors need files."""


def _flat(values: dict, prefix: str = "") -> dict:
    flat = {}
    for name, value in values.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return flat


@pytest.mark.parametrize("name", [name for name in sweep_names() if name not in NOT_ALONE])
def test_only_the_named_setting_differs_and_its_stage_is_on(name: str) -> None:
    config = SynthesisConfig()
    columns = sweep(config, name)
    assert len(columns) >= 2
    assert config == SynthesisConfig()
    flat = [_flat(dataclasses.asdict(synthesis)) for _, synthesis in columns]
    differing = {key for key in flat[0] if any(other[key] != flat[0][key] for other in flat)}
    together = {key for choice in CHOICES if name in choice for key in choice}
    assert name in differing
    assert differing <= {name, *together}
    on = f"{name.rpartition('.')[0]}.probability"
    if on != name and on in flat[0]:
        assert {other[on] for other in flat} == {1.0}


@pytest.mark.parametrize(
    ("name", "values", "settings"),
    [
        ("gamma.std", [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("texture.smooth_share_max", [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("coils.count", [2, 3, 4, 5], [[2, 2], [3, 3], [4, 4], [5, 5]]),
        ("shell.skull_mm", [2.0, 3.0, 4.0, 5.0, 6.0], [[v, v] for v in (2.0, 3.0, 4.0, 5.0, 6.0)]),
        ("ghosting.probability", [0.0, 1.0], [0.0, 1.0]),
        ("spikes.most_spikes", [1, 2, 3, 4], [1, 2, 3, 4]),
    ],
)
def test_default_values_span_the_setting(name: str, values: list, settings: list) -> None:
    columns = sweep(SynthesisConfig(), name)
    assert [value for value, _ in columns] == values
    assert [get_setting(synthesis, name) for _, synthesis in columns] == settings


def test_a_share_of_a_choice_leaves_the_rest_to_the_others() -> None:
    (_, none), (_, half) = sweep(SynthesisConfig(), "background.zero_probability", [0.0, 0.5])
    assert none.background.dark_probability == pytest.approx(0.5 / 0.7)
    assert half.background.dark_probability == pytest.approx(0.5 * 0.5 / 0.7)
    assert half.background.textured_probability == pytest.approx(0.5 * 0.2 / 0.7)


def test_what_a_setting_can_not_be_seen_without_is_switched_on() -> None:
    ((_, thick),) = sweep(SynthesisConfig(), "resolution.anisotropic_spacing_mm", [5])
    assert (thick.resolution.anisotropic_probability, thick.resolution.native_probability) == (1.0, 0.0)
    assert thick.menu.clinical_probability == 0.0
    assert thick.resolution.anisotropic_spacing_mm == [5, 5]
    ((_, head),) = sweep(SynthesisConfig(), "shell.csf_mm", [2])
    assert (head.background.zero_probability, head.skull_strip.probability) == (0.0, 0.0)


def test_pairs_and_normal_distributions() -> None:
    ((_, pair),) = sweep(SynthesisConfig(), "mixture.std_range", [[5, 10]])
    assert pair.mixture.std_range == [5, 10]
    normal = SynthesisConfig()
    normal.mixture.distribution = "normal"
    ((_, mean),) = sweep(normal, "mixture.std_range", [12])
    assert mean.mixture.std_range == [12, 0.0]
    ((_, width),) = sweep(SynthesisConfig(), "mixture.mean_range", [100])
    assert width.mixture.mean_range == [75.0, 175.0]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("gama.std", None, r"sweep=gama\.std .*did you mean gamma\.std\?.*bias_field\.std_max"),
        ("synthesis.gamma.std", None, r"did you mean gamma\.std"),
        ("normalization", None, "no setting of numbers"),
        ("physics.field_strengths_t", None, "give sweep_values"),
        ("noise.std_max", [0.1, -1.0], r"synthesis\.noise\.std_max=-1\.0"),
        ("noise.std_max", ["much"], "much is no number"),
        ("noise.std_max", [[0, 1]], "one number"),
        ("lesions.most_blobs", [1.5], "whole number"),
    ],
)
def test_what_can_not_be_varied_is_refused(name: str, values: list | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        sweep(SynthesisConfig(), name, values)


def test_units_are_those_of_the_name() -> None:
    names = ("velocity_field.std_max_mm", "affine.rotation_max_deg", "partial_volume.width_voxels", "gamma.std")
    assert [unit(name) for name in names] == ["mm", "°", "voxels", ""]


def test_the_command_line_names_a_setting_although_a_group_is_called_sweep() -> None:
    config = compose(["sweep=gamma.std", "sweep_values=[0,0.5]"], "preview", PreviewConfig)
    assert (config.sweep, config.sweep_values) == ("gamma.std", [0, 0.5])
    assert compose([], "preview", PreviewConfig).sweep is None
    assert (
        compose(["+sweep=ranges", "hardware=laptop"]).trainer == compose(["trainer=quick", "hardware=laptop"]).trainer
    )


def test_a_misspelt_setting_on_the_command_line_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(Exception, match="gama") as caught:
        compose(["sweep=gama.std"], "preview", PreviewConfig)
    message = explain(caught.value, PreviewConfig)
    assert message.startswith("sweep=gama.std is unknown (did you mean gamma.std?); choose one of: affine.")
    assert "bias_field.std_max" in message


@pytest.mark.parametrize(
    "override", ["sweep_planes=[oblique]", "sweep_planes=[]", "sweep_width=5", "sweep_values=[1]", "sweep_values=[]"]
)
def test_settings_of_the_strip_that_can_not_work_are_refused(override: str) -> None:
    with pytest.raises(ConfigurationError, match="sweep_"):
        compose([override], "preview", PreviewConfig)


def test_the_clean_ground_has_every_random_stage_off() -> None:
    flat = _flat(dataclasses.asdict(compose(["synthesis=clean", "hardware=laptop"]).synthesis))
    on = {name for name, value in flat.items() if name.endswith(".probability") and value > 0}
    assert on == set()
