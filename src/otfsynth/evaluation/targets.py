"""What the numbers in a label map mean: a target value for each, 255 for those that do not count."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otfsynth.config.checks import InputError
from otfsynth.data.prepare import MAX_LABEL
from otfsynth.data.scheme_choice import AUTO, SHIPPED
from otfsynth.evaluation.label_names import LabelFile
from otfsynth.evaluation.overlap import IGNORED
from otfsynth.labels import LabelScheme
from otfsynth.volumes import Volume, VolumeError, read_volume

EXAMINED = 3
"""References that are read to choose a scheme."""
MOST_SPELLED = 48
"""Entries of the longest table that a message spells."""
UNKNOWN = 254
"""Entry of a look-up table for labels without a target."""


class TargetError(InputError):
    """Labels without a target, or targets that do not exist; the message names file, labels and remedy."""


@dataclass(frozen=True)
class TargetMap:
    """Target value of every label.

    Args:
        targets: label to target value, 255 for voxels that do not count.
        setting: name of the setting that gives a label its target, for messages.
        unlisted: ``error`` or ``background``, for labels that are not in ``targets``.
    """

    targets: dict[int, int]
    setting: str
    unlisted: str = "error"

    def apply(self, volume: Volume) -> np.ndarray:
        """Translate a label map.

        Returns:
            uint8 target values of the same shape.

        Raises:
            TargetError: the volume holds labels without a target, or numbers that are no labels.
        """
        labels = whole_numbers(volume)
        table = np.full(int(labels.max(initial=0)) + 1, UNKNOWN if self.unlisted == "error" else 0, np.uint8)
        for label, target in self.targets.items():
            if label < len(table):
                table[label] = target
        mapped = table[labels]
        if self.unlisted == "error" and (table == UNKNOWN).any() and (mapped == UNKNOWN).any():
            unknown = np.unique(labels[mapped == UNKNOWN]).tolist()
            raise TargetError(
                f"'{volume.name}' holds labels {_spelled(unknown)} without a target; {self._remedy(labels, unknown)}"
            )
        return mapped

    def _remedy(self, labels: np.ndarray, unknown: Sequence[int]) -> str:
        """What to give instead: all of the table, since one that is given replaces what was there."""
        known = self.targets
        if len(known) + len(unknown) > MOST_SPELLED:  # a scheme's: those that are here must do
            known = {label: known[label] for label in np.unique(labels).tolist() if label in known}
        table = dict(sorted({**known, **dict.fromkeys(unknown, IGNORED)}.items()))
        if len(table) > MOST_SPELLED:
            return "list them in a scheme of your own (copy a file of conf/labels) and give scheme=FILE.yaml"
        entries = ", ".join(f"{label}: {target}" for label, target in table.items())
        return (
            f"give each a target, or {IGNORED} to leave it out. {self.setting} must hold all labels that occur, as it "
            f'replaces any other table: "{self.setting}={{{entries}}}"; or choose another scheme'
        )


def whole_numbers(volume: Volume) -> np.ndarray:
    """Voxels as int32.

    Raises:
        TargetError: they are fractions, negative or absurdly large, so that the volume is no label map.
    """
    data = np.asarray(volume.data)
    low, high = float(data.min(initial=0)), float(data.max(initial=0))
    whole = bool(np.isfinite([low, high]).all()) and (data.dtype.kind in "uib" or bool((data == np.rint(data)).all()))
    if not whole or low < 0 or high > MAX_LABEL:
        raise TargetError(
            f"'{volume.name}' is no label map: it holds "
            + ("fractions or NaN" if not whole else f"values from {low:g} to {high:g}")
            + "; give a segmentation with one whole number per structure"
        )
    return data.astype(np.int32)


def choose_scheme(name: str, references: Sequence[LabelFile]) -> tuple[LabelScheme, str]:
    """Load a scheme, or for ``auto`` the first shipped one that lists every label of the first references.

    Returns:
        The scheme, and a line that says what was chosen; empty where the user chose.

    Raises:
        TargetError: no shipped scheme fits; the message says what each lacks.
        ConfigurationError: there is no such scheme.
    """
    if name != AUTO:
        return LabelScheme.load(name), ""
    labels: set[int] = set()
    for file in list(references)[:: -(-len(references) // EXAMINED) or 1]:
        try:
            labels.update(np.unique(whole_numbers(read_volume(file.path))).tolist())
        except (VolumeError, TargetError):
            continue  # reported when its case is scored
    missing = {}
    for candidate in SHIPPED:
        scheme = LabelScheme.load(candidate)
        missing[candidate] = sorted(labels - set(scheme.generation_labels))
        if not missing[candidate]:
            values = ", ".join(f"{value} {name}" for value, name in enumerate(scheme.target_names))
            meaning = f" ({values})" if candidate == SHIPPED[0] else ""
            return scheme, f"scheme=auto: {candidate}{meaning}, by the labels in the references"
    listing = "\n".join(f"  {candidate} lacks {_spelled(lacking)}" for candidate, lacking in missing.items())
    raise TargetError(
        f"scheme=auto: no shipped label scheme lists every label of the references:\n{listing}\n"
        "give scheme=FILE.yaml (copy a file of conf/labels), or reference_labels={LABEL: TARGET, ...}"
    )


def reference_targets(
    scheme: LabelScheme, given: Mapping[int, int] | None, ignore_background: bool = False
) -> TargetMap:
    """Targets of the references: those given, else the scheme's.

    Args:
        scheme: names the targets, and maps the labels where nothing is given.
        given: target of each label; 0 is background unless it says otherwise.
        ignore_background: leave out what the references do not label.

    Raises:
        TargetError: a target does not exist.
    """
    if given:
        targets, unlisted = {0: 0, **_checked("reference_labels", given, scheme)}, "error"
    else:
        targets = dict(zip(scheme.generation_labels, scheme.target_labels, strict=True))
        unlisted = scheme.unlisted
    if ignore_background:
        targets = {label: IGNORED if label == 0 else target for label, target in targets.items()}
    return TargetMap(targets, "reference_labels", unlisted)


def prediction_targets(scheme: LabelScheme, given: Mapping[int, int] | None, folder: Path) -> TargetMap:
    """Targets of the predictions: those given, else by the names in their ``dseg.tsv`` or ``dataset.json``.

    Without any of these, the numbers are the target values themselves.

    Raises:
        TargetError: a target does not exist, or a name is none of the scheme's.
    """
    if given:
        return TargetMap({0: 0, **_checked("prediction_labels", given, scheme)}, "prediction_labels")
    for table, read in ((folder / "dseg.tsv", _names_of_tsv), (folder / "dataset.json", _names_of_json)):
        if table.is_file():
            return TargetMap(_by_name(table, read(table), scheme), "prediction_labels")
    return TargetMap({value: value for value in range(scheme.target_count)}, "prediction_labels")


def _checked(setting: str, given: Mapping[int, int], scheme: LabelScheme) -> dict[int, int]:
    wrong = sorted({target for target in given.values() if target != IGNORED and not 0 <= target < scheme.target_count})
    if wrong:
        values = ", ".join(f"{value} {name}" for value, name in enumerate(scheme.target_names))
        raise TargetError(
            f"{setting} names targets {wrong}; there are {values}, and {IGNORED} for what does not count. "
            "Other targets need a scheme that has them: scheme=FILE.yaml"
        )
    return {int(label): int(target) for label, target in given.items()}


def _by_name(table: Path, names: Mapping[int, str], scheme: LabelScheme) -> dict[int, int]:
    known = {name.lower(): value for value, name in enumerate(scheme.target_names)}
    unknown = [name for value, name in names.items() if value != 0 and name.lower() not in known]
    if unknown:
        raise TargetError(
            f"'{table}' names {', '.join(unknown)}, which scheme '{scheme.name}' does not; it has "
            f"{', '.join(scheme.target_names)}. Give scheme=FILE.yaml, a scheme with these targets (copy a file of "
            "conf/labels), or prediction_labels={LABEL: TARGET, ...}"
        )
    return {0: 0, **{value: known[name.lower()] for value, name in names.items() if value != 0}}


def _names_of_tsv(path: Path) -> dict[int, str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if not {"index", "name"} <= set(rows.fieldnames or []):
                raise ValueError(f"columns {rows.fieldnames}")
            return {int(row["index"]): row["name"] for row in rows}
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise TargetError(f"'{path}' is no table of labels ({error!r}); it needs the columns index and name") from error


def _names_of_json(path: Path) -> dict[int, str]:
    try:
        labels = json.loads(path.read_text())["labels"]
        return {int(value): name for name, value in labels.items() if name != "ignore"}
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise TargetError(
            f"'{path}' is no dataset.json with labels such as {{\"GM\": 1}} ({error!r}); give prediction_labels"
        ) from error


def _spelled(labels: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(str(label) for label in labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"
