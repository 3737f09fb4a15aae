"""The frame around every Hydra command: check everything first, run, and end with an honest exit code."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from otfsynth.config.compose import choose_hardware, compose_raw, register, to_typed, with_hardware
from otfsynth.config.launchers import REMOTE, check_launcher, check_ray, check_shared_folder
from otfsynth.config.machine import Machine
from otfsynth.config.overrides import EXPLAINED, check_names, explain
from otfsynth.resources import conf_folder

Config = TypeVar("Config")
USAGE_ERROR = 2
SAME_NAME = r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema with the same name"
"""Intended: conf/hydra/launcher has the names, and the types, of the launchers' own plugins."""


@dataclass(frozen=True)
class Job:
    """One run of a command.

    Args:
        folder: where its results go; exists.
        sweep: name shared by the jobs of one ``--multirun``, ``None`` for a single run.
        launcher: option of ``hydra/launcher`` that has started it.
    """

    folder: Path
    sweep: str | None = None
    launcher: str = "basic"


def run_command(name: str, schema: type[Config], task: Callable[[Config, Job], None]) -> None:
    """Run ``task`` as ``python -m otfsynth.NAME`` does, under Hydra.

    Every job of the command line is composed and checked before the first one starts, so that a sweep does not fail at
    its last value. Mistakes of the user end with one message and exit code 2, other exceptions with their
    traceback and 1.

    Args:
        name: the command; its defaults are in ``conf/NAME.yaml``, which begins with ``NAME_schema``.
        schema: dataclass of the whole configuration.
        task: called once for each job, with its checked configuration.
    """
    register(name, schema)
    arguments = get_args_parser().parse_args()
    # Hydra would print its own errors and exit with 1: let them through to be explained here.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    warnings.filterwarnings("ignore", SAME_NAME)
    try:
        if not (arguments.help or arguments.hydra_help or arguments.info or arguments.shell_completion):
            overrides, choice = _check_all_jobs(arguments, name, schema)
            if choice and not arguments.cfg:
                print(choice, flush=True)
            # In place, because Lightning starts the other ranks of a run with the same arguments.
            flags = [argument for argument in sys.argv[1:] if argument not in arguments.overrides]
            sys.argv = [sys.argv[0], *flags, *overrides]

        def start(config: DictConfig) -> None:
            settings = HydraConfig.get()
            try:
                task(to_typed(config, schema), _job(settings))
            except EXPLAINED as error:
                if settings.mode == RunMode.MULTIRUN:
                    raise  # launchers hand exceptions of their jobs back, but no exit
                _give_up(name, error, schema)  # here, or Hydra would print a line of its own before

        hydra.main(config_path=str(conf_folder()), config_name=name, version_base="1.3")(start)()
    except EXPLAINED as error:
        _give_up(name, error, schema)


def _give_up(name: str, error: Exception, schema: type[object]) -> NoReturn:
    print(f"otfsynth {name}: {explain(error, schema)}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def _job(config: HydraConf) -> Job:
    launcher = str(config.runtime.choices["hydra/launcher"])
    sweep = Path(config.sweep.dir) if config.mode == RunMode.MULTIRUN else None
    setting = "hydra.run.dir" if sweep is None else "hydra.sweep.dir"
    if launcher != REMOTE:  # whose processes have got the folder's name from the one that started them
        check_shared_folder(any(override.startswith(f"{setting}=") for override in config.overrides.hydra), setting)
    return Job(Path(config.runtime.output_dir), f"{sweep.parent.name}/{sweep.name}" if sweep else None, launcher)


def _check_all_jobs(arguments: Namespace, name: str, schema: type[object]) -> tuple[list[str], str | None]:
    """Compose and check every job.

    Returns:
        The overrides with the hardware chosen, and the line that says so.
    """
    folders = [conf_folder(), *([Path(arguments.config_dir)] if arguments.config_dir else [])]
    groups = sorted({file.parent.name for folder in folders for file in folder.glob("*/*.yaml")})
    parsed = OverridesParser.create().parse_overrides(arguments.overrides)
    check_names(parsed, schema, groups)
    searched = [f"hydra.searchpath=[file://{Path(arguments.config_dir).resolve()}]"] if arguments.config_dir else []
    fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    preset, choice = None, None
    if not any(override.is_sweep_override() and override.key_or_group == "hardware" for override in parsed):
        preset, choice = choose_hardware([*searched, *fixed], name, schema)
    overrides = with_hardware(arguments.overrides, preset)
    jobs = [overrides]
    if arguments.multirun:
        launcher = _chosen_launcher(fixed)
        check_launcher(launcher, preset is not None)
        base = compose_raw([*searched, *with_hardware(fixed, preset)], name, schema)
        if launcher == "ray":
            settings = base.hydra.launcher.ray
            check_ray(settings.init.get("address"), settings.remote, Machine.detect())
        jobs = _swept(overrides, base)
    for job in jobs:
        to_typed(compose_raw([*searched, *job], name, schema), schema)
    return overrides, choice


def _chosen_launcher(overrides: list[str]) -> str:
    """Option of ``hydra/launcher``, read before Hydra looks for its plugin and complains in its own way."""
    chosen = [override.partition("=")[2] for override in overrides if override.startswith("hydra/launcher=")]
    return chosen[-1] if chosen else "basic"


def _swept(overrides: list[str], base: DictConfig) -> list[list[str]]:
    """The overrides of every job that Hydra's own sweeper would start; none for other sweepers, which choose later."""
    sweeper = base.hydra.sweeper
    if not sweeper._target_.endswith("BasicSweeper"):
        return []
    written = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    parsed = OverridesParser.create().parse_overrides([*written, *overrides])
    return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
