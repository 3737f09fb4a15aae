"""Configuration of a label scheme: a table of labels, written by hand in ``conf/labels/*.yaml``.

One row names one structure. Its labels are numbers or spans such as ``"1000-1035"``, given as ``labels`` or, for a
structure with a left and a right half, as ``left`` and ``right``, paired in the order in which they are written.
Rows with the same ``generation_class`` share the Gaussian of the mixture; ``target`` is what a network learns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otfsynth.config import checks
from otfsynth.resources import conf_folder


@dataclass
class LabelRow:
    """One structure of the label table."""

    name: str = ""
    labels: Any = None
    """A number, a span ``"first-last"`` or a list of these; for structures without sides."""
    left: Any = None
    right: Any = None
    """Partners of ``left``, in the same order: they swap when a head is mirrored."""
    generation_class: str = ""
    """Mixture class; the row's own name where it is empty."""
    target: str = "background"
    extracerebral: bool = False
    """Skull, scalp, eyes and whatever else skull-stripping removes."""

    def __post_init__(self) -> None:
        if not self.name:
            raise checks.ConfigurationError(f"labels.rows: the row of labels {self.spelling} has no name; give it one")
        if (self.left is None) != (self.right is None):
            raise checks.ConfigurationError(
                f"labels.rows: '{self.name}' has only one of left={self.left}, right={self.right}; give both, or labels"
            )
        if (self.labels is None) == (self.left is None):
            raise checks.ConfigurationError(
                f"labels.rows: '{self.name}' needs either labels, or left and right; it has {self.spelling}"
            )

    @property
    def spelling(self) -> str:
        """The labels as the user wrote them, for messages."""
        return f"labels={self.labels}" if self.left is None else f"left={self.left}, right={self.right}"


@dataclass
class LabelsConfig:
    """A label scheme: which labels the maps hold, how they are painted and what is learnt from them."""

    name: str = "unnamed"
    target_names: list[str] = field(default_factory=lambda: ["background", "GM", "WM", "CSF"])
    """Output classes in the order of their values; the first is background, value 0."""
    file: str | None = None
    """Path of a table of your own, a YAML file like those in ``conf/labels``; with ``labels=auto``."""
    rows: list[LabelRow] = field(default_factory=list)
    """The table; background (label 0) is understood and needs no row."""
    generation_labels: str | None = None
    """``generation_labels.npy`` of lab2im or SynthSeg: keeps only these labels, in this order."""
    generation_classes: str | None = None
    """``generation_classes.npy`` beside it: replaces the rows' classes, for priors that were estimated with it."""
    one_class_per_target: bool = False
    """Paint all structures of one target with one Gaussian, as maps of bare tissues are."""
    unlisted: str = "error"
    """Labels of a map that no row lists: ``error`` reports them, ``background`` paints them as background."""

    def __post_init__(self) -> None:
        checks.check_choice("labels.unlisted", self.unlisted, ("error", "background"))
        if len(self.target_names) < 2 or self.target_names[0] != "background":
            raise checks.ConfigurationError(
                f"labels.target_names={list(self.target_names)} must begin with 'background' and name a target or more"
            )
        if len(set(self.target_names)) != len(self.target_names):
            raise checks.ConfigurationError(f"labels.target_names={list(self.target_names)} holds a name twice")
        if self.file is not None and self.rows:
            raise checks.ConfigurationError(
                f"labels.file={self.file} is a table of its own, and labels={self.name} another; leave labels=auto"
            )
        if self.generation_classes is not None and self.generation_labels is None:
            raise checks.ConfigurationError(
                "labels.generation_classes needs labels.generation_labels, the labels its entries belong to; give both"
            )


def load_labels_config(name: str | Path) -> LabelsConfig:
    """Read a label table outside Hydra.

    Args:
        name: ``freesurfer``, ``synthseg``, ``tissue``, or the path of a YAML file like those in ``conf/labels``.

    Raises:
        ConfigurationError: there is no such table, or it is malformed; the message names it.
    """
    from omegaconf import OmegaConf  # late: label schemes themselves do without it
    from omegaconf.errors import OmegaConfBaseException

    folder = conf_folder() / "labels"
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        checks.check_choice("label scheme", str(name), known)
        path = folder / f"{name}.yaml"
    try:
        merged = OmegaConf.merge(OmegaConf.structured(LabelsConfig), OmegaConf.load(path))
        config = OmegaConf.to_object(merged)
    except (OSError, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, checks.ConfigurationError):
            raise
        raise checks.ConfigurationError(f"label table '{path}' can't be read: {error}") from error
    assert isinstance(config, LabelsConfig)
    return config
