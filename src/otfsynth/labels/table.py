"""From the rows of a YAML label table to a :class:`LabelScheme`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.labels import LabelRow, LabelsConfig
from otfsynth.labels.lab2im import with_generation_files
from otfsynth.labels.scheme import LabelScheme


def scheme_from_config(config: LabelsConfig) -> LabelScheme:
    """Expand the table of ``config`` and check it.

    Returns:
        The scheme: background first, then the labels in the order of the rows (a row's left labels before its right
        ones); classes numbered in the order in which rows first name them.

    Raises:
        ConfigurationError: the table contradicts itself; the message names row or label and the remedy.
    """
    if not config.rows:
        raise ConfigurationError(f"label scheme '{config.name}' has no rows; list its labels under labels.rows")
    labels, names, classes, targets = [0], ["background"], [0], [0]
    class_names = ["background"]
    for row in config.rows:
        group = _class_name(row, config.one_class_per_target)
        if group == "background":
            raise ConfigurationError(f"labels.rows: '{row.name}' has class background, which is for label 0 alone")
        if group not in class_names:
            class_names.append(group)
        target = _target_value(row, config.target_names)
        for label, name in _named_labels(row):
            labels.append(label)
            names.append(name)
            classes.append(class_names.index(group))
            targets.append(target)
    pairs = [pair for row in config.rows for pair in _pairs(row)]
    extracerebral = [label for row in config.rows if row.extracerebral for label, _ in _named_labels(row)]
    scheme = LabelScheme(
        name=config.name,
        generation_labels=tuple(labels),
        generation_classes=tuple(classes),
        target_labels=tuple(targets),
        sided_pairs=tuple(pairs),
        label_names=tuple(names),
        class_names=tuple(class_names),
        target_names=tuple(config.target_names),
        extracerebral_labels=tuple(extracerebral),
        unlisted=config.unlisted,
    )
    if config.generation_labels is None:
        return scheme
    return with_generation_files(scheme, config.generation_labels, config.generation_classes)


def expand(labels: Any, row: str) -> list[int]:
    """Numbers and spans to numbers: ``[2, "1000-1002"]`` gives ``[2, 1000, 1001, 1002]``.

    Raises:
        ConfigurationError: an entry is neither; the message names ``row``.
    """
    entries = list(labels) if isinstance(labels, (list, tuple)) else [labels]
    return [label for entry in entries for label in _expand_entry(entry, row)]


def _expand_entry(entry: Any, row: str) -> range:
    first, dash, last = str(entry).partition("-")
    if isinstance(entry, bool) or not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise ConfigurationError(
            f"labels.rows: '{row}' holds {entry!r}; give a whole number such as 17 or a span such as \"1000-1035\""
        )
    low, high = int(first), int(last) if dash else int(first)
    if low > high:
        raise ConfigurationError(f"labels.rows: '{row}' holds the span {entry!r}, low > high; swap the two")
    return range(low, high + 1)


def _named_labels(row: LabelRow) -> Iterator[tuple[int, str]]:
    if row.left is None:
        groups = [(row.name, expand(row.labels, row.name))]
    else:
        groups = [
            (f"left {row.name}", expand(row.left, row.name)),
            (f"right {row.name}", expand(row.right, row.name)),
        ]
    for name, labels in groups:
        for label in labels:
            yield label, name if len(labels) == 1 else f"{name} {label}"


def _pairs(row: LabelRow) -> Iterator[tuple[int, int]]:
    if row.left is None:
        return
    left, right = expand(row.left, row.name), expand(row.right, row.name)
    if len(left) != len(right):
        raise ConfigurationError(
            f"labels.rows: '{row.name}' has {len(left)} left labels and {len(right)} right ones; give each its partner"
        )
    yield from zip(left, right, strict=True)


def _class_name(row: LabelRow, one_class_per_target: bool) -> str:
    if one_class_per_target:
        return row.target if row.target != "background" else "other"
    return row.generation_class or row.name


def _target_value(row: LabelRow, target_names: list[str]) -> int:
    if row.target in target_names:
        return target_names.index(row.target)
    close = difflib.get_close_matches(row.target, target_names, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    raise ConfigurationError(
        f"labels.rows: '{row.name}' ({row.spelling}) has the unknown target '{row.target}'{hint}; "
        f"choose one of: {', '.join(target_names)}, or add it to labels.target_names"
    )
