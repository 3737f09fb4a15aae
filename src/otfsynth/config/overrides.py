"""Mistakes on the command line, explained: the valid names, and the one that was probably meant."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Iterator, Sequence

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from otfsynth.config.checks import ConfigurationError, InputError

ADDED_GROUPS = ("experiment", "sweep")
"""Groups that ``conf/*.yaml`` does not list, so that an override adds them with ``+``."""
EXPLAINED = (InputError, HydraException, OmegaConfBaseException)
"""Exceptions that :func:`explain` understands."""


def check_names(overrides: Iterable[Override], schema: type[object], groups: Sequence[str]) -> None:
    """Check that every override names a field of ``schema`` or a group of ``conf/``.

    Raises:
        ConfigurationError: one does not; the message lists what is there and the closest name.
    """
    for override in overrides:
        key = override.key_or_group
        if override.is_hydra_override() or "/" in key:
            continue
        if key in ADDED_GROUPS and key not in _fields(schema):  # preview has a setting sweep
            if not override.is_add():
                raise ConfigurationError(f"{key} is added, not replaced; write +{key}={override.value()}")
        elif key in groups:
            if override.is_add():
                raise ConfigurationError(f"{key} is replaced, not added; write {key}={override.value()}")
        else:
            _check_name(key, schema, groups)


def explain(error: BaseException, schema: type[object]) -> str:
    """One message for an exception of :data:`EXPLAINED`, without its traceback."""
    for cause in _chain(error):
        if isinstance(cause, InputError):
            return str(cause)
    for cause in _chain(error):
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            try:
                _check_name(_without_indices(cause.full_key), schema, ())
            except ConfigurationError as unknown:
                return str(unknown)
            return f"{cause.full_key}: {str(cause.msg or cause).splitlines()[0]}"
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        return f"{error.override} can't be read; quote the value, for the shell and for Hydra: '{key}=\"{value}\"'"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        return _unknown_option(str(error.missing_cfg_file), error.options)
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def setting_names(schema: type[object], prefix: str = "") -> Iterator[str]:
    """Every dotted name that an override may use, e.g. ``synthesis.bias_field.std_max``."""
    for name, kind in _fields(schema).items():
        yield prefix + name
        if dataclasses.is_dataclass(kind):
            yield from setting_names(kind, f"{prefix}{name}.")  # type: ignore[arg-type]


def _check_name(key: str, schema: type[object], groups: Sequence[str]) -> None:
    node: type[object] = schema
    parts = key.split(".")
    for depth, part in enumerate(parts):
        fields = _fields(node)
        if part not in fields:
            parent = ".".join(parts[:depth])
            choices = list(fields) if depth else [*fields, *(group for group in groups if group not in fields)]
            raise ConfigurationError(
                f"{key} is not a setting{_closest(key, schema, groups)}; "
                f"{f'{parent} has' if parent else 'there are'}: {', '.join(choices)}"
            )
        kind = fields[part]
        if not dataclasses.is_dataclass(kind):
            return
        node = kind  # type: ignore[assignment]


def _closest(key: str, schema: type[object], groups: Sequence[str]) -> str:
    names = [*setting_names(schema), *groups, *ADDED_GROUPS]
    siblings = [name for name in names if name.rpartition(".")[0] == key.rpartition(".")[0]]
    close = difflib.get_close_matches(key, siblings, n=1) or difflib.get_close_matches(key, names, n=1)
    if not close:  # a name on its own, whose group was forgotten: std_max for synthesis.bias_field.std_max
        close = [name for name in names if name.split(".")[-1] == key.split(".")[-1]][:3]
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _unknown_option(file: str, options: Sequence[str]) -> str:
    group, _, option = file.removesuffix(".yaml").partition("/")
    names = sorted(name.rpartition("/")[2].removesuffix(".yaml") for name in options)
    close = difflib.get_close_matches(option, names, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    if not group:
        return f"there is no configuration '{option}'{hint}"
    own = "; a table of your own is labels.file=FILE.yaml" if group.split("/")[0] == "labels" else ""
    return f"{group}={option} is unknown{hint}; choose one of: {', '.join(names)}{own}"


def _fields(schema: type[object]) -> dict[str, object]:
    hints = typing.get_type_hints(schema)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}  # type: ignore[arg-type]


def _without_indices(key: str) -> str:
    return key.split("[")[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
