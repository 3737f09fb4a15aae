"""One setting of the generative model varied over its range, everything else as it was: ``preview sweep=gamma.std``.

Names are those below ``synthesis``. What a value means depends on the setting:

- a probability is set to it, and those that sum to 1 with it share the rest in their proportions; by default 0 and 1;
- a range becomes ``[value, value]``, so that it is what is drawn; by default from its low to its high end. In normal
  distributions it becomes ``[value, 0]``, mean and standard deviation; for ``mixture.mean_range`` the value is the
  width about the range's middle, since classes of one mean show nothing;
- anything else, such as a maximum or a standard deviation, is set to it; by default from 0 to twice the configured
  value, or as far as the setting allows. The sample draws the same number from [0, 1) in all columns, and what it gets
  grows in proportion.

The stage of the setting, and what it can't be seen without, is switched on in all columns alike.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.synthesis import SynthesisConfig

GROUP = "sweep"
VALUES = 5
"""Columns where no values are given."""
FACTORS_ABOVE, FACTORS_BELOW = (2.0, 1.5, 1.25, 1.0), (0.0, 0.25, 1.0)
"""Ends of a default span as shares of the configured value; the first that the setting allows is taken."""
NUMBERS = (float, int, list[float], list[int])
UNSEEN = ("patch.", "affine.translation_max_mm")
"""Beginnings of settings without an effect on whole heads, whose brain is put in the middle."""
SPREAD = "mixture.mean_range"
CHOICES = (
    ("contrast.engines.mixture", "contrast.engines.priors", "contrast.engines.physics"),
    ("lesions.kinds.blobs", "lesions.kinds.hyperintensities", "lesions.kinds.mass", "lesions.kinds.stroke"),
    ("background.zero_probability", "background.dark_probability", "background.textured_probability"),
    ("resolution.native_probability", "resolution.isotropic_probability", "resolution.anisotropic_probability"),
)
"""Probabilities that sum to 1."""
NO_MENU = {"menu.clinical_probability": 0.0, "menu.low_field_probability": 0.0, "menu.coarse_probability": 0.0}
NEEDS: tuple[tuple[str, dict[str, float]], ...] = (
    ("mixture.", {"contrast.engines.mixture": 1.0}),
    ("mixture.mean_range", {"mixture.tissue_contrast_probability": 0.0}),
    ("mixture.tissue_contrast_min", {"mixture.tissue_contrast_probability": 1.0}),
    ("physics.", {"contrast.engines.physics": 1.0}),
    ("background.dark_m", {"background.dark_probability": 1.0}),
    ("background.dark_std", {"background.dark_probability": 1.0}),
    ("background.", {"skull_strip.probability": 0.0}),
    ("subclasses.", {"subclasses.most_classes": 256}),
    ("shell.", {"background.dark_probability": 1.0, "skull_strip.probability": 0.0}),
    ("shell.neck_tissue.", {"shell.probability": 1.0}),
    ("lesions.most_blobs", {"lesions.kinds.blobs": 1.0}),
    ("lesions.radius_mm", {"lesions.kinds.blobs": 1.0}),
    ("lesions.contrast", {"contrast.engines.mixture": 1.0}),
    ("lesions.std_max", {"contrast.engines.mixture": 1.0}),
    ("lesions.kinds.", {"lesions.probability": 1.0}),
    ("lesions.hyperintensities.", {"lesions.probability": 1.0, "lesions.kinds.hyperintensities": 1.0}),
    ("lesions.mass.", {"lesions.probability": 1.0, "lesions.kinds.mass": 1.0}),
    ("lesions.mass.oedema_mm", {"lesions.mass.oedema_probability": 1.0}),
    ("lesions.mass.necrosis_share", {"lesions.mass.necrosis_probability": 1.0}),
    ("lesions.stroke.", {"lesions.probability": 1.0, "lesions.kinds.stroke": 1.0}),
    ("defacing.", {"skull_strip.probability": 0.0}),
    ("neck.", {"field_of_view.probability": 0.0}),
    ("skull_strip.edge", {"skull_strip.poor_probability": 0.0}),
    ("skull_strip.poor_edge", {"skull_strip.poor_probability": 1.0}),
    ("resolution.", NO_MENU),
    ("resolution.isotropic_spacing", {"resolution.isotropic_probability": 1.0}),
    ("resolution.anisotropic_spacing", {"resolution.anisotropic_probability": 1.0}),
    ("resolution.native_blur", {"resolution.native_probability": 1.0}),
    ("menu.clinical", {**NO_MENU, "menu.clinical_probability": 1.0}),
    ("menu.low_field", {**NO_MENU, "menu.low_field_probability": 1.0}),
    ("menu.coarse", {**NO_MENU, "menu.coarse_probability": 1.0}),
    ("coils.", {"noise.probability": 1.0}),
    ("noise_field.", {"noise.probability": 1.0}),
    ("channels.", {"channels.count": 2, "channels.missing_probability": 0.0}),
    ("channels.rotation", {"channels.misregistration_probability": 1.0, "channels.translation_max_mm": 0.0}),
    ("channels.translation", {"channels.misregistration_probability": 1.0, "channels.rotation_max_deg": 0.0}),
)
"""What a setting whose name begins so can't be seen without; later lines win, and the swept setting over all."""


def sweep_names() -> list[str]:
    """Every setting of numbers, e.g. ``bias_field.std_max``."""
    return [name for name in _leaves(SynthesisConfig) if not name.startswith(UNSEEN)]


def register_sweeps() -> None:
    """Make every name an option of Hydra's group ``sweep``, beside the files of ``conf/sweep``.

    A group's name is one for the whole folder ``conf``, so that ``sweep=gamma.std`` could set no plain field.
    """
    for name in sweep_names():
        ConfigStore.instance().store(group=GROUP, name=name, node={GROUP: name}, package="_global_")


def check_sweep(name: str) -> None:
    """Check that a setting can be varied.

    Raises:
        ConfigurationError: it can't; the message lists those that can.
    """
    names = sweep_names()
    if name not in names:
        close = difflib.get_close_matches(name.removeprefix("synthesis."), names, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigurationError(f"sweep={name} is no setting of numbers{hint}; choose one of: {', '.join(names)}")


def sweep(config: SynthesisConfig, name: str, values: Sequence[Any] | None = None) -> list[tuple[Any, SynthesisConfig]]:
    """The values of a strip, each with the configuration that has it.

    Args:
        config: what is varied; not changed.
        name: one of :func:`sweep_names`.
        values: numbers, or pairs for ranges; those of the module's rule where there are none.

    Raises:
        ConfigurationError: an unknown name, or a value that the setting does not take.
    """
    check_sweep(name)

    def with_value(value: Any) -> SynthesisConfig:
        return _replaced(config, {**_needed(config, name), **_setting(config, name, value)})

    chosen = list(values) if values else _default_values(name, get_setting(config, name), with_value)
    return [(value, with_value(value)) for value in chosen]


def get_setting(config: SynthesisConfig, name: str) -> Any:
    """The value of a dotted name."""
    node: Any = config
    for part in name.split("."):
        node = getattr(node, part)
    return node


def unit(name: str) -> str:
    """What the setting's numbers count, by its suffix; empty for shares and numbers of things."""
    words = name.removesuffix("_max").removesuffix("_range").split("_")
    known = {"mm": "mm", "deg": "°", "voxels": "voxels", "t": "T"}
    if name == "velocity_field.std_max_mm":
        return "mm"
    return known.get(words[-1], "")


def _leaves(schema: type[Any], prefix: str = "") -> Iterator[str]:
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from _leaves(typing.cast(type[Any], kind), f"{prefix}{field.name}.")
        elif kind in NUMBERS:
            yield prefix + field.name


def _is_probability(name: str) -> bool:
    return name.endswith("probability") or any(name in choice for choice in CHOICES)


def _default_values(name: str, value: Any, with_value: Callable[[Any], SynthesisConfig]) -> list[Any]:
    if _is_probability(name):
        return [0.0, 1.0]
    if isinstance(value, list):
        if len(value) != 2 or value[0] == value[1]:
            raise ConfigurationError(f"synthesis.{name}={value} spans nothing; give sweep_values=[...]")
        low, high = (0.0, value[1] - value[0]) if name == SPREAD else value
        return _between(low, high, all(isinstance(end, int) for end in value))
    if isinstance(value, int):
        return _between(1, _allowed(value, FACTORS_ABOVE, with_value), True)
    if value == 0:
        raise ConfigurationError(f"synthesis.{name}=0 spans nothing; give sweep_values=[...]")
    return _between(_allowed(value, FACTORS_BELOW, with_value), _allowed(value, FACTORS_ABOVE, with_value), False)


def _allowed(value: Any, factors: Iterable[float], with_value: Callable[[Any], SynthesisConfig]) -> Any:
    for factor in factors:
        end = type(value)(factor * value)
        try:
            with_value(end)
        except ConfigurationError:
            continue
        return end
    return value


def _between(low: float, high: float, whole: bool) -> list[Any]:
    steps = [low + (high - low) * step / (VALUES - 1) for step in range(VALUES)]
    return sorted({round(step) for step in steps}) if whole else [round(step, 4) for step in steps]


def _setting(config: SynthesisConfig, name: str, value: Any) -> dict[str, Any]:
    old = get_setting(config, name)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not isinstance(old, list):
            raise ConfigurationError(f"sweep_values: synthesis.{name} is one number, not {list(value)}")
        return {name: list(value)}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"sweep_values: {value} is no number; synthesis.{name} needs some")
    if isinstance(old, list):
        return {name: _as_range(config, name, old, value)}
    if isinstance(old, int) and value != int(value):
        raise ConfigurationError(f"sweep_values: synthesis.{name} is a whole number, not {value}")
    return _share(config, name, float(value)) if _is_probability(name) else {name: type(old)(value)}


def _as_range(config: SynthesisConfig, name: str, old: list[Any], value: float) -> list[Any]:
    if name.startswith("mixture.") and config.mixture.distribution == "normal":
        return [value, 0.0]
    if name == SPREAD:
        middle = (old[0] + old[1]) / 2
        return [middle - value / 2, middle + value / 2]
    return [value] if name == "physics.field_strengths_t" else [value, value]


def _share(config: SynthesisConfig, name: str, value: float) -> dict[str, float]:
    """A probability with those that sum to 1 with it, scaled to the rest."""
    others = [other for choice in CHOICES if name in choice for other in choice if other != name]
    old = [get_setting(config, other) for other in others]
    if others and sum(old) == 0:
        old = [1.0, *[0.0] * (len(others) - 1)]
    return {name: value, **{other: (1.0 - value) * share / sum(old) for other, share in zip(others, old, strict=True)}}


def _needed(config: SynthesisConfig, name: str) -> dict[str, Any]:
    stage = name.rpartition(".")[0]
    needed: dict[str, Any] = {}
    if f"{stage}.probability" in sweep_names():
        needed[f"{stage}.probability"] = 1.0
    for beginning, settings in NEEDS:
        if name.startswith(beginning):
            for setting, value in settings.items():
                needed.update(_share(config, setting, value))
    return needed


def _replaced(config: Any, settings: dict[str, Any]) -> Any:
    """The configuration with dotted settings replaced, every part of it checked again."""
    below: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        head, _, rest = name.partition(".")
        if rest:
            below.setdefault(head, {})[rest] = value
        else:
            own[head] = value
    own.update({head: _replaced(getattr(config, head), inner) for head, inner in below.items()})
    return dataclasses.replace(config, **own)
