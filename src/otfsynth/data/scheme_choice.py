"""``labels=auto``: the label scheme is told by the labels that the maps hold."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.data import DataConfig
from otfsynth.config.labels import LabelsConfig, load_labels_config
from otfsynth.data.embedded import EMBEDDED
from otfsynth.data.prepare import MAX_LABEL
from otfsynth.data.sources import LabelMapError, LabelMapSource, find_sources
from otfsynth.labels import LabelScheme
from otfsynth.volumes import VolumeError

AUTO = "auto"
SHIPPED = ("tissue", "freesurfer", "synthseg")
"""Candidates, from the fewest kinds of tissue to the most: the first that lists every label of the maps is taken."""
KEPT = ("unlisted", "one_class_per_target", "generation_labels", "generation_classes")
"""Options of ``labels`` that change what a table says, whichever it is, where they are given."""
EXAMINED = 3
"""Maps that are read to choose; the label bank then checks them all."""

logger = logging.getLogger(__name__)


def resolve_labels(labels: LabelsConfig, data: DataConfig) -> LabelsConfig:
    """Replace ``labels=auto`` by the table that ``labels.file`` names, or by the shipped one that fits the maps of
    ``data``, and say so.

    Options of ``labels`` that do not belong to a table (:data:`KEPT`) are kept.

    Raises:
        LabelMapError: no shipped scheme lists the labels; the message says which labels each of them lacks.
        ConfigurationError: targets are named beside a table that names its own, or the file is no table.
    """
    if labels.rows or (labels.name != AUTO and labels.file is None):
        return labels
    if labels.target_names != LabelsConfig().target_names:
        raise ConfigurationError(
            f"labels.target_names={list(labels.target_names)} are names of a table's own targets; write them into a "
            "table with these targets and give it as labels.file"
        )
    name = labels.file or _shipped_scheme(labels, data)
    logger.info("labels=auto: %s", name)
    usual = LabelsConfig()
    given = {option: getattr(labels, option) for option in KEPT if getattr(labels, option) != getattr(usual, option)}
    return dataclasses.replace(load_labels_config(name), **given)


def _shipped_scheme(labels: LabelsConfig, data: DataConfig) -> str:
    return "freesurfer" if data.label_maps == EMBEDDED else _best_scheme(data, labels.unlisted == "background")


def suggestion(scheme: LabelScheme, data: DataConfig) -> str:
    """A line naming the shipped scheme that fits maps which ``scheme`` does not fit; empty where there is none."""
    counts = _label_counts(find_sources(data))
    fitting = [name for name in SHIPPED if name != scheme.name and counts and not _missing(name, counts)]
    return f"\nlabels={fitting[0]} lists every label of these maps" if fitting else ""


def _best_scheme(data: DataConfig, may_drop_labels: bool) -> str:
    counts = _label_counts(find_sources(data))
    missing = {name: _missing(name, counts) for name in SHIPPED}
    for name in SHIPPED:
        if not missing[name]:
            return name
    if may_drop_labels:
        return min(SHIPPED, key=lambda name: sum(counts[label] for label in missing[name]))
    listing = "\n".join(f"  {name} lacks {_spelled(labels)}" for name, labels in missing.items())
    raise LabelMapError(
        f"labels=auto: no shipped label scheme lists every label of data.label_maps={data.label_maps}:\n{listing}\n"
        "write a table for them (copy a file of conf/labels) and give it as labels.file, or set "
        "labels.unlisted=background"
    )


def _label_counts(sources: Sequence[LabelMapSource]) -> Counter[int]:
    """Voxels of each label in up to three maps; unreadable ones are left to the label bank, which names them all."""
    counts: Counter[int] = Counter()
    step = -(-len(sources) // EXAMINED)
    for source in sources[::step]:
        try:
            values = np.asarray(source.load().data)
        except (VolumeError, OSError):
            continue
        whole = np.clip(np.nan_to_num(values), 0, MAX_LABEL).astype(np.int64).ravel()
        found = np.bincount(whole)
        counts.update({int(label): int(found[label]) for label in np.flatnonzero(found)})
    return counts


def _missing(name: str, counts: Counter[int]) -> list[int]:
    listed = set(LabelScheme.load(name).generation_labels)
    return sorted(label for label in counts if label not in listed)


def _spelled(labels: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(str(label) for label in labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"
