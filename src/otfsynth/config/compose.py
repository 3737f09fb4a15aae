"""From ``conf/*.yaml`` and command-line overrides to typed dataclasses, by Hydra: ``DictConfig`` ends here."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from otfsynth.config.machine import Machine
from otfsynth.config.root import TrainConfig
from otfsynth.resources import conf_folder

Config = TypeVar("Config")


def compose(overrides: Sequence[str] = (), name: str = "train", schema: type[Config] = TrainConfig) -> Config:  # type: ignore[assignment]
    """Compose and check the configuration of a command, as its command line would.

    Args:
        overrides: as on the command line, e.g. ``["+experiment=randomized", "network=tiny"]``.
        name: the command's file in ``conf/``, without suffix.
        schema: the command's dataclass; its YAML begins with ``NAME_schema``.

    Raises:
        ConfigurationError: a value that can't work.
        hydra.errors.HydraException, omegaconf.errors.OmegaConfBaseException: an override that fits nothing;
            :func:`otfsynth.config.overrides.explain` turns it into a message.
    """
    preset, _ = choose_hardware(overrides, name, schema)
    return to_typed(compose_raw(with_hardware(overrides, preset), name, schema), schema)


def register(name: str, schema: type[object]) -> None:
    """Let ``conf/NAME.yaml`` begin with ``NAME_schema``."""
    ConfigStore.instance().store(name=f"{name}_schema", node=schema)


def compose_raw(overrides: Sequence[str], name: str, schema: type[object]) -> DictConfig:
    """As :func:`compose`, but Hydra's own tree, with the section ``hydra`` and unresolved."""
    register(name, schema)
    with initialize_config_dir(str(conf_folder()), job_name=name, version_base="1.3"):
        return hydra_compose(name, list(overrides), return_hydra_config=True)


def to_typed(config: DictConfig, schema: type[Config]) -> Config:
    """Plain dataclasses of a composed tree; each checks its ranges as it is built."""
    config = copy.deepcopy(config)
    with read_write(config), open_dict(config):
        config.pop("hydra", None)
    typed = OmegaConf.to_object(config)
    assert isinstance(typed, schema)
    return typed


def choose_hardware(overrides: Sequence[str], name: str, schema: type[object]) -> tuple[str | None, str | None]:
    """What ``hardware=auto`` stands for on this machine.

    Returns:
        The preset, and one line saying what was chosen and why; both ``None`` where the user, or an experiment, chose.
    """
    if compose_raw(overrides, name, schema).hydra.runtime.choices.get("hardware") != "auto":
        return None, None
    machine = Machine.detect()
    preset = machine.preset()
    return preset, f"hardware=auto: {preset} for {machine.describe()}"


def with_hardware(overrides: Sequence[str], preset: str | None) -> list[str]:
    """Put ``preset`` in the place of ``hardware=auto``.

    It enters as an override of the **group**, so that every value which the user, or an experiment, gives by its own
    name still wins over it.
    """
    if preset is None:
        return list(overrides)
    return [*(override for override in overrides if override.split("=")[0] != "hardware"), f"hardware={preset}"]
