"""Which reference belongs to which prediction: by subject and session, else by name, never by order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from otfsynth.config.checks import InputError
from otfsynth.evaluation.label_names import LabelFile

SHOWN = 5
"""Names in a message, before it says how many more there are."""


class PairingError(InputError):
    """Predictions for which several references qualify; the message names them all."""


@dataclass(frozen=True)
class Pair:
    """A prediction and the reference it is compared with."""

    prediction: LabelFile
    reference: LabelFile

    @property
    def case(self) -> str:
        """Name of the case: a list's, where one gives it."""
        return self.reference.case if self.reference.listed else self.prediction.case

    @property
    def contrast(self) -> str:
        """Contrast of the scan that was segmented: a list's, where one gives it."""
        return (self.reference.contrast if self.reference.listed else "") or self.prediction.contrast

    @property
    def subject(self) -> str:
        """Subject, or the case without its contrast where no name tells one."""
        return self.prediction.subject or self.reference.subject or self.prediction.stems[-1]

    @property
    def session(self) -> str:
        """Session; empty where nothing says it."""
        return self.prediction.session or self.reference.session


@dataclass(frozen=True)
class Pairing:
    """What belongs together, and what was left over.

    Args:
        pairs: in the order of the predictions.
        lonely_predictions: without a reference.
        lonely_references: without a prediction.
    """

    pairs: tuple[Pair, ...]
    lonely_predictions: tuple[LabelFile, ...]
    lonely_references: tuple[LabelFile, ...]


def pair(predictions: Sequence[LabelFile], references: Sequence[LabelFile]) -> Pairing:
    """Find the reference of every prediction.

    Where both tell a subject: same subject and session; then a reference of the same contrast, run and acquisition goes
    before one of unknown contrast, and that before one of another contrast, so that one reference may serve all
    scans of a session. A line of a list serves its own contrast alone. Elsewhere the names must be equal, without their
    endings (``_dseg``, ``_seg``, ``_0000`` ...), or, that failing, without their contrasts.

    Raises:
        PairingError: several references qualify for a prediction, or several predictions for a line of a list.
    """
    pairs, lonely, problems = [], [], []
    for prediction in predictions:
        candidates = candidates_of(prediction, references)
        if len(candidates) == 1:
            pairs.append(Pair(prediction, candidates[0]))
        elif candidates:
            problems.append(_too_many(f"'{prediction.path}' may belong to", candidates))
        else:
            lonely.append(prediction)
    for reference in references:
        users = [one.prediction for one in pairs if one.reference is reference]
        if reference.listed and len(users) > 1:
            problems.append(_too_many(f"the line of case '{reference.case}' may belong to", users))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems[:SHOWN])
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise PairingError(f"predictions and references can't be paired:\n{lines}{more}\ngive globs or a .csv list")
    used = {id(one.reference) for one in pairs}
    return Pairing(tuple(pairs), tuple(lonely), tuple(one for one in references if id(one) not in used))


def candidates_of(prediction: LabelFile, references: Sequence[LabelFile]) -> list[LabelFile]:
    """References that qualify for a prediction, the best ones only; exactly one where all is clear."""
    same_case = [one for one in references if one.listed and one.case == prediction.case]
    if same_case:
        return same_case
    candidates = [one for one in references if _same_session(prediction, one)]
    if not candidates:
        return _by_name(prediction, references)
    candidates = _preferred(candidates, lambda one: one.session == prediction.session)
    alike = [one for one in candidates if prediction.contrast and one.contrast == prediction.contrast]
    unknown = [one for one in candidates if not one.contrast or not prediction.contrast]
    others = [one for one in candidates if not one.listed]
    candidates = [one for one in alike or unknown or others if not _other_run(prediction, one)]
    for entity in ("run", "acq", "rec"):
        same = [one for one in candidates if _value(one, entity) == _value(prediction, entity)]
        candidates = same or candidates
    return _preferred(candidates, lambda one: one.case == prediction.case)


def _same_session(prediction: LabelFile, reference: LabelFile) -> bool:
    if not prediction.subject or prediction.subject.lower() != reference.subject.lower():
        return False
    return not prediction.session or not reference.session or prediction.session == reference.session


def _other_run(prediction: LabelFile, reference: LabelFile) -> bool:
    """Whether the names say that they are different scans: runs are counted for each contrast of a session."""
    if prediction.contrast and reference.contrast and prediction.contrast != reference.contrast:
        return False
    runs = _value(prediction, "run"), _value(reference, "run")
    return all(runs) and runs[0].lstrip("0") != runs[1].lstrip("0")


def _by_name(prediction: LabelFile, references: Sequence[LabelFile]) -> list[LabelFile]:
    free = [one for one in references if not (one.subject and prediction.subject)]
    for stem in prediction.stems:
        exact = [one for one in free if one.case == stem]
        loose = [one for one in free if not one.listed and one.stems[-1] == stem]
        if exact or loose:
            return exact or loose
    return []


def _preferred(candidates: list[LabelFile], wanted: Callable[[LabelFile], bool]) -> list[LabelFile]:
    return [one for one in candidates if wanted(one)] or candidates


def _value(file: LabelFile, entity: str) -> str:
    return dict(file.entities).get(entity, "")


def _too_many(begin: str, files: Sequence[LabelFile]) -> str:
    return f"{begin} {', '.join(str(file.path) for file in files[:SHOWN])}{' ...' if len(files) > SHOWN else ''}"
