"""The configuration of ``python -m otfsynth.evaluate``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otfsynth.config import checks
from otfsynth.config.logger import LoggerConfig

RESAMPLE = ("auto", "none", "prediction", "probabilities")


@dataclass
class EvaluateConfig:
    """What is compared with what, and how."""

    predictions: str = ""
    """Folder of label maps (as ``predict`` or nnU-Net write them, or BIDS derivatives), a glob, or one file."""
    references: str | None = None
    """Folder, glob, file, BIDS derivatives, a FreeSurfer tree, or a ``.csv`` list with a column ``label`` (and
    ``image,contrast,case,subject,session,ignored``); ``null`` compares the contrasts of each session with each other
    only."""
    output: str = ""
    """Folder of the results."""
    images: str | None = None
    """The scans, in any layout that ``predict`` reads, for the overlays of the report; a list of references may name
    them instead."""
    scheme: str = "auto"
    """Label scheme of the references: ``freesurfer``, ``synthseg``, ``tissue``, a ``.yaml`` file, or ``auto``."""
    reference_labels: Any = None
    """Target of each label of the references instead of the scheme's, e.g. ``{1: 3, 2: 1, 3: 2, 9: 255}``; 255 leaves
    voxels out. (A mapping; declared as one, Hydra would refuse its keys as unknown.)"""
    prediction_labels: Any = None
    """Target of each label of the predictions; by default the names in their ``dseg.tsv`` or ``dataset.json`` tell,
    else they are the targets."""
    ignore_background: bool = False
    """Leave out what the references do not label, where they leave parts of the brain unlabelled."""
    ignore_outside: bool = False
    """Leave out what lies beyond a prediction's field of view, instead of counting it as missed."""
    ventricles_only: bool = False
    """The references call only the ventricles CSF: predicted CSF in their grey matter counts as grey matter, in what
    they leave unlabelled it is left out, and CSF is scored within 5 mm of the ventricles."""
    resample: str = "auto"
    """A prediction on another grid than its reference: ``none`` refuses it; ``prediction`` takes the nearest label;
    ``probabilities`` resamples ``_probseg`` files linearly; ``auto`` does so where they are there."""
    agreement: bool = True
    """Compare the predictions of several contrasts of a session with each other."""
    compare: str | None = None
    """``summary.json`` of another evaluation of the same cases, ours or nnU-Net's: paired differences and tests."""
    thesis: bool = False
    """Lay the published numbers of nnU-Net on frozen lab2im volumes beside."""
    title: str = "Evaluation"
    """Heads the report."""
    bootstrap_samples: int = 5000
    seed: int = 0
    """Of the bootstrap."""
    workers: int | None = None
    """Processes; by default one per core, at most 8."""
    progress: bool = True
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    """Weights & Biases is used where ``logger.run_name`` names a run."""

    def __post_init__(self) -> None:
        for name in ("predictions", "output"):
            if not getattr(self, name):
                raise checks.ConfigurationError(f"{name} is not given; write {name}=FOLDER")
        checks.check_choice("resample", self.resample, RESAMPLE)
        checks.check_between("bootstrap_samples", self.bootstrap_samples, 100, 1_000_000)
        checks.check_between("seed", self.seed, 0, 2**31 - 1)
        if self.workers is not None:
            checks.check_between("workers", self.workers, 1, 512)
        if self.references is None and not self.agreement:
            raise checks.ConfigurationError("references is null and agreement=false: nothing is left to compute")
        for name in ("reference_labels", "prediction_labels"):
            _check_label_table(name, getattr(self, name))
        self._check_compare()

    def _check_compare(self) -> None:
        if self.compare is None:
            return
        path = Path(self.compare).expanduser()
        if self.references is None:
            raise checks.ConfigurationError("compare needs references, so that there are scores to compare")
        if not path.is_file():
            raise checks.ConfigurationError(
                f"compare={self.compare} is no file; give the summary.json of an evaluation"
            )
        if path.resolve().parent == Path(self.output).expanduser().resolve():
            raise checks.ConfigurationError(f"compare={self.compare} is in output, where it would be overwritten")


def _check_label_table(name: str, value: Any) -> None:
    numbers = [*value, *value.values()] if isinstance(value, dict) else []
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers)
    if value is not None and not (numbers and whole):
        raise checks.ConfigurationError(
            f"{name}={value} is no table of labels; give each label its target, e.g. {name}={{1: 3, 2: 1}}"
        )
