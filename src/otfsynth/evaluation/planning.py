"""Everything that can be checked before a voxel is compared: files, pairs, label schemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otfsynth.config.evaluate import EvaluateConfig
from otfsynth.data.scans import find_scans
from otfsynth.evaluation.comparison import read_other
from otfsynth.evaluation.label_files import find_label_files
from otfsynth.evaluation.label_names import DERIVED_ENTITIES, LabelFile
from otfsynth.evaluation.pairing import SHOWN, Pair, Pairing, PairingError, candidates_of, pair
from otfsynth.evaluation.scoring import ScoringRules
from otfsynth.evaluation.targets import TargetError, choose_scheme, prediction_targets, reference_targets
from otfsynth.labels import LabelScheme


@dataclass(frozen=True)
class EvaluationPlan:
    """What an evaluation is going to do.

    Args:
        predictions: all of them.
        pairing: those with a reference, and what was left over; empty without references.
        images: scan of each case, where it is known.
        rules: how a pair is scored.
        problems: cases that should be scored and have no partner, one sentence each.
        notes: what a reader of the results must know.
    """

    predictions: tuple[LabelFile, ...]
    pairing: Pairing
    images: dict[str, Path]
    rules: ScoringRules
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def plan_evaluation(config: EvaluateConfig) -> EvaluationPlan:
    """Find and pair the files of an evaluation.

    Raises:
        InputError: nothing is found, nothing can be paired, pairs are ambiguous or labels have no target; the message
            says what to do.
    """
    predictions = find_label_files(config.predictions, "predictions")
    folder = Path(config.predictions).expanduser()
    folder = folder if folder.is_dir() else predictions[0].path.parent
    notes: list[str] = []
    if config.references is None:
        scheme, pairing = LabelScheme.load("tissue" if config.scheme == "auto" else config.scheme), Pairing((), (), ())
    else:
        references = find_label_files(config.references, "references")
        pairing = pair(predictions, references)
        if not pairing.pairs:
            raise PairingError(_nothing_paired(predictions, references))
        # Labels that the user explains need no scheme but for the names of the targets, the thesis's
        name = "tissue" if config.scheme == "auto" and config.reference_labels else config.scheme
        scheme, choice = choose_scheme(name, [one.reference for one in pairing.pairs])
        notes += [choice] if choice else []
    if config.compare is not None:
        read_other(Path(config.compare).expanduser(), scheme.target_names)  # a wrong file is told now, not at the end
    rules = ScoringRules(
        scheme.target_names,
        reference_targets(scheme, config.reference_labels, config.ignore_background),
        prediction_targets(scheme, config.prediction_labels, folder),
        config.resample,
        config.ignore_outside,
        _ventricle_labels(scheme) if config.ventricles_only else None,
    )
    notes += _notes_on_rules(config)
    masked = sum(one.reference.ignored is not None for one in pairing.pairs)
    notes += [f"What the masks of the list mark was left out of {masked} case(s)."] if masked else []
    problems, more_notes = _lonely(pairing)
    images = _images(config, pairing.pairs)
    return EvaluationPlan(tuple(predictions), pairing, images, rules, tuple(problems), (*notes, *more_notes))


def _lonely(pairing: Pairing) -> tuple[list[str], list[str]]:
    """Sentences on what has no partner: problems, then notes.

    A list says which cases are to be scored, so each of its lines needs a prediction, and others are no matter;
    elsewhere the predictions say it.
    """
    listed = any(one.reference.listed for one in pairing.pairs)
    if listed:
        problems = [f"case '{one.case}' of the list has no prediction" for one in pairing.lonely_references]
        left, what = pairing.lonely_predictions, "prediction(s) are not on the list"
    else:
        problems = [f"'{one.path}' has no reference" for one in pairing.lonely_predictions]
        left, what = pairing.lonely_references, "reference(s) have no prediction"
    return problems, [f"{len(left)} {what}: {_listing([one.case for one in left])}."] if left else []


def _images(config: EvaluateConfig, pairs: Sequence[Pair]) -> dict[str, Path]:
    """Scans by case: the list's, those in the records that ``predict`` left, or those that ``images`` names."""
    found = {}
    for one in pairs:
        image = one.reference.image or one.prediction.image
        if image is not None and image.is_file():
            found[one.case] = image
    if config.images is None:
        return found
    scans = [
        LabelFile(
            scan.path,
            scan.case,
            scan.subject,
            scan.session,
            scan.contrast,
            tuple((key, value) for key, value in scan.entities if key not in {"sub", "ses", *DERIVED_ENTITIES}),
            listed=True,
        )
        for scan in find_scans(config.images).scans
    ]
    for one in pairs:
        candidates = candidates_of(one.prediction, scans)
        if len(candidates) == 1:
            found.setdefault(one.case, candidates[0].path)
    return found


def _ventricle_labels(scheme: LabelScheme) -> tuple[int, int]:
    if not {"GM", "CSF"} <= set(scheme.target_names):
        raise TargetError(
            f"ventricles_only needs targets GM and CSF; scheme '{scheme.name}' has {', '.join(scheme.target_names)}"
        )
    return scheme.target_names.index("GM"), scheme.target_names.index("CSF")


def _notes_on_rules(config: EvaluateConfig) -> list[str]:
    notes = []
    if config.ignore_background:
        notes.append("Voxels that the references do not label were left out.")
    if config.ignore_outside:
        notes.append("What lies beyond a prediction's field of view was left out.")
    if config.ventricles_only:
        notes.append(
            "References with ventricles only: predicted CSF inside their grey matter counts as grey matter, in what "
            "they leave unlabelled it was left out, and CSF is scored within 5 mm of the ventricles."
        )
    return notes


def _nothing_paired(predictions: Sequence[LabelFile], references: Sequence[LabelFile]) -> str:
    return (
        f"none of {len(predictions)} prediction(s) has a reference among {len(references)}: predictions are of "
        f"{_listing([_identity(one) for one in predictions])}; references of "
        f"{_listing([_identity(one) for one in references])}. Names must agree in subject and session, or but for "
        "endings such as _dseg; else give a .csv list with columns image,label"
    )


def _identity(file: LabelFile) -> str:
    return f"'{file.case}'" + (f" (subject {file.subject}, session {file.session or '?'})" if file.subject else "")


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
