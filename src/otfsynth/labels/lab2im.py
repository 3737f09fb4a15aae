"""Label and class lists of lab2im and SynthSeg (``generation_labels.npy``, ``generation_classes.npy``).

They fix the order of labels and the numbering of mixture classes that a file of intensity priors was estimated with
(Billot et al. 2020, 2023). Names, targets and sides, which those files do not hold, come from the scheme's own table.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from otfsynth.config.checks import ConfigurationError
from otfsynth.labels.scheme import LabelScheme


def with_generation_files(scheme: LabelScheme, labels_file: str, classes_file: str | None = None) -> LabelScheme:
    """Give ``scheme`` the labels, their order and, if a second file is given, the classes of lab2im files.

    Args:
        scheme: must list every label of the file; those that the file does not hold are dropped.
        labels_file: ``.npy`` of integers (n,), holding 0.
        classes_file: ``.npy`` of integers (n,), consecutive from 0.

    Raises:
        ConfigurationError: a file can't be read or disagrees with the scheme; names file, label and remedy.
    """
    labels = _read_integers(labels_file)
    if 0 not in labels:
        raise ConfigurationError(f"'{labels_file}' holds no label 0, the background; add it")
    for label in labels:
        if label not in scheme.generation_labels:
            raise ConfigurationError(
                f"'{labels_file}' holds label {label}, which scheme '{scheme.name}' does not list; add a row for it"
            )
    order = sorted(range(len(labels)), key=lambda position: labels[position] != 0)  # stable: background to the front
    indices = [scheme.generation_labels.index(labels[position]) for position in order]
    if classes_file is None:
        classes, class_names = _renumber([scheme.class_names[scheme.generation_classes[index]] for index in indices])
    else:
        listed = _read_integers(classes_file)
        if len(listed) != len(labels):
            raise ConfigurationError(
                f"'{classes_file}' has {len(listed)} entries and '{labels_file}' {len(labels)}; they must go together"
            )
        classes = [listed[position] for position in order]
        class_names = [_class_name(scheme, indices, classes, group) for group in range(max(classes) + 1)]
    kept = {scheme.generation_labels[index] for index in indices}
    return dataclasses.replace(
        scheme,
        generation_labels=tuple(scheme.generation_labels[index] for index in indices),
        generation_classes=tuple(classes),
        target_labels=tuple(scheme.target_labels[index] for index in indices),
        label_names=tuple(scheme.label_names[index] for index in indices),
        class_names=tuple(class_names),
        sided_pairs=tuple(pair for pair in scheme.sided_pairs if kept.issuperset(pair)),
        extracerebral_labels=tuple(label for label in scheme.extracerebral_labels if label in kept),
    )


def _read_integers(path: str) -> list[int]:
    try:
        values = np.load(Path(path).expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigurationError(f"'{path}' can't be read as a .npy file: {error}") from error
    if values.ndim != 1 or values.size == 0 or not np.array_equal(values, np.rint(values)):
        raise ConfigurationError(
            f"'{path}' has shape {values.shape} and type {values.dtype}; it must be a row of integers"
        )
    return [int(value) for value in values]


def _renumber(groups: list[str]) -> tuple[list[int], list[str]]:
    names = list(dict.fromkeys(groups))
    return [names.index(group) for group in groups], names


def _class_name(scheme: LabelScheme, indices: list[int], classes: list[int], group: int) -> str:
    members = [index for index, member in zip(indices, classes, strict=True) if member == group]
    return " + ".join(scheme.label_names[index] for index in members) or f"class {group}"
