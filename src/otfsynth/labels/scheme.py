"""The label scheme: what every label of a map is called, how it is painted, and what a network learns from it.

Inside the package a label map holds **indices**: positions in ``generation_labels``, 0 being background, one byte each.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.labels import LabelsConfig, load_labels_config

MAX_LABELS = 256


@dataclass(frozen=True)
class LabelScheme:
    """Labels of a map with their classes, targets, sides and names; every tuple runs over the label indices.

    Args:
        name: how messages call the scheme.
        generation_labels: label values, at most 256; index 0 is background, label 0.
        generation_classes: mixture class of each label, consecutive from 0; class 0 is background's alone.
        target_labels: target value of each label, from 0 (background) to ``len(target_names) - 1``, each present.
        sided_pairs: (left label, right label) of the structures that swap when a head is mirrored.
        label_names: one unique name per label.
        class_names: one name per class.
        target_names: one name per target value.
        extracerebral_labels: labels outside the brain and its CSF; background is not among them.
        unlisted: ``error`` or ``background``, what happens to labels that the scheme does not list.

    Raises:
        ConfigurationError: the tuples contradict each other; the message names scheme, label and remedy.
    """

    name: str
    generation_labels: tuple[int, ...]
    generation_classes: tuple[int, ...]
    target_labels: tuple[int, ...]
    sided_pairs: tuple[tuple[int, int], ...]
    label_names: tuple[str, ...]
    class_names: tuple[str, ...]
    target_names: tuple[str, ...]
    extracerebral_labels: tuple[int, ...] = ()
    unlisted: str = "error"

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_consecutive("generation_classes", self.generation_classes, self.class_names)
        self._check_consecutive("target_labels", self.target_labels, self.target_names)
        self._check_background()
        self._check_pairs()
        self._check_listed("extracerebral_labels", self.extracerebral_labels)

    @property
    def class_count(self) -> int:
        """Number of mixture classes, background's included."""
        return len(self.class_names)

    @property
    def target_count(self) -> int:
        """Number of target values, background included."""
        return len(self.target_names)

    @cached_property
    def swap_indices(self) -> np.ndarray:
        """uint8 (labels,): index of the same structure on the other side; itself for structures without sides."""
        swap = np.arange(len(self.generation_labels), dtype=np.uint8)
        for left, right in self.sided_pairs:
            first, second = self.generation_labels.index(left), self.generation_labels.index(right)
            swap[first], swap[second] = second, first
        return swap

    @cached_property
    def class_table(self) -> np.ndarray:
        """uint8 (labels,): mixture class by label index."""
        return np.array(self.generation_classes, dtype=np.uint8)

    @cached_property
    def target_table(self) -> np.ndarray:
        """uint8 (labels,): target value by label index."""
        return np.array(self.target_labels, dtype=np.uint8)

    @cached_property
    def brain_indices(self) -> np.ndarray:
        """Whether each label index belongs to the brain, its CSF included; bool (labels,)."""
        outside = {0, *self.extracerebral_labels}
        return np.array([label not in outside for label in self.generation_labels])

    @classmethod
    def from_config(cls, config: LabelsConfig) -> LabelScheme:
        """Expand the label table of a configuration; see :func:`otfsynth.labels.table.scheme_from_config`."""
        from otfsynth.labels.table import scheme_from_config  # late: the table is built on this class

        return scheme_from_config(config)

    @classmethod
    def load(cls, name: str | Path) -> LabelScheme:
        """Read a scheme by its name (``freesurfer``, ``synthseg``, ``tissue``) or from a YAML file."""
        return cls.from_config(load_labels_config(name))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, for checkpoints."""
        plain = dataclasses.asdict(self)
        plain["sided_pairs"] = [list(pair) for pair in self.sided_pairs]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> LabelScheme:
        """Rebuild what :meth:`to_dict` wrote.

        Raises:
            ValueError: fields are missing or unknown.
        """
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        values["sided_pairs"] = tuple((left, right) for left, right in fields.get("sided_pairs", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a label scheme of otfsynth: {error}; write schemes with to_dict()") from error

    def _check_labels(self) -> None:
        labels = self.generation_labels
        for label, count in Counter(labels).items():
            if count > 1:
                rows = ", ".join(
                    f"'{name}'" for name, other in zip(self.label_names, labels, strict=False) if other == label
                )
                raise self._error(f"lists label {label} {count} times, as {rows}; keep one of them")
        if not labels or labels[0] != 0:
            raise self._error(f"must begin with background, label 0, not with {labels[:1]}")
        if len(labels) > MAX_LABELS:
            raise self._error(f"lists {len(labels)} labels, and maps hold at most {MAX_LABELS}; leave some out")
        if min(labels) < 0:
            raise self._error(f"lists label {min(labels)}; labels are 0 or more")
        for field in ("generation_classes", "target_labels", "label_names"):
            if len(getattr(self, field)) != len(labels):
                raise self._error(f"has {len(labels)} generation_labels but {len(getattr(self, field))} {field}")
        for name, count in Counter(self.label_names).items():
            if count > 1:
                raise self._error(f"calls {count} labels '{name}'; give each its own name")

    def _check_consecutive(self, field: str, values: Sequence[int], names: Sequence[str]) -> None:
        for value in range(len(names)):
            if value not in values:
                raise self._error(
                    f"has no label with {field} {value} ('{names[value]}'); give it one or remove the name"
                )
        for label, value in zip(self.generation_labels, values, strict=True):
            if not 0 <= value < len(names):
                raise self._error(
                    f"gives label {label} {field} {value}, outside 0 to {len(names) - 1}, those with names"
                )

    def _check_background(self) -> None:
        for label, group in zip(self.generation_labels, self.generation_classes, strict=True):
            if (label == 0) != (group == 0):
                raise self._error(
                    f"gives label {label} class {group}; class 0 is for background (label 0) and for it alone"
                )
        if self.target_labels[0] != 0:
            raise self._error(f"gives background (label 0) target {self.target_labels[0]}; its target is 0")

    def _check_pairs(self) -> None:
        members = [label for pair in self.sided_pairs for label in pair]
        self._check_listed("sided_pairs", members)
        for label, count in Counter(members).items():
            if label == 0 or count > 1:
                raise self._error(f"has label {label} in its sided_pairs in a way that makes no pair; list each once")
        targets = dict(zip(self.generation_labels, self.target_labels, strict=True))
        for left, right in self.sided_pairs:
            if (left in self.extracerebral_labels) != (right in self.extracerebral_labels):
                raise self._error(f"calls only one of the pair {left}, {right} extra-cerebral; mark both or neither")
            if (targets[left] == 0) != (targets[right] == 0):
                raise self._error(f"gives only one of the pair {left}, {right} a target; give both one or neither")

    def _check_listed(self, field: str, members: Sequence[int]) -> None:
        for label in members:
            if label not in self.generation_labels:
                raise self._error(f"has label {label} in {field} but not in generation_labels; add a row for it")

    def _error(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"label scheme '{self.name}' {message}")
