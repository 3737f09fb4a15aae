"""Labels by the names of structures, as configurations of the generative model give them."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence

from otfsynth.config.checks import ConfigurationError
from otfsynth.labels.scheme import LabelScheme

SIDE_AND_NUMBER = re.compile(r"^(?:left |right )?(.*?)(?: \d+)?$")
"""What label tables add to the name of a row: its side, and the label where a row has several."""


def named_labels(scheme: LabelScheme, names: Sequence[str]) -> tuple[int, ...]:
    """Indices of the labels whose generation class or whose own name is one of ``names``, both sides alike."""
    return _named_labels(scheme, tuple(names))


def first_named_label(scheme: LabelScheme, names: Sequence[str]) -> int | None:
    """The first of :func:`named_labels`, ``None`` where there is none."""
    return next(iter(named_labels(scheme, names)), None)


@functools.lru_cache(maxsize=256)  # asked for with every sample
def _named_labels(scheme: LabelScheme, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(
        index
        for index, (label_name, group) in enumerate(zip(scheme.label_names, scheme.generation_classes, strict=True))
        if index > 0 and {scheme.class_names[group], label_name, structure_name(label_name)} & set(names)
    )


def structure_name(label_name: str) -> str:
    """The name of a label without its side and number: ``left cortical parcel 1003`` is a ``cortical parcel``."""
    return SIDE_AND_NUMBER.sub(r"\1", label_name)


def check_names(field: str, scheme: LabelScheme, names: Sequence[str], known: Collection[str]) -> None:
    """Check that a list names structures of the scheme, or of another shipped scheme.

    Args:
        field: of the configuration, for messages.
        scheme: the labels in use.
        names: what the field lists.
        known: names that may be absent, since other schemes have them.

    Raises:
        ConfigurationError: a name is in neither; the message lists what the scheme has.
    """
    own = dict.fromkeys([*scheme.class_names[1:], *map(structure_name, scheme.label_names[1:])])
    for name in names:
        if name not in known and not named_labels(scheme, [name]):
            raise ConfigurationError(
                f"{field} names '{name}', which label scheme '{scheme.name}' does not have; "
                f"choose from: {', '.join(own)}"
            )
