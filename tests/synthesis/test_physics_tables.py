"""Tables of tissues, classes and protocols: what they accept, and what their errors say."""

from __future__ import annotations

from pathlib import Path

import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import ContrastConfig, EnginesConfig, PhysicsConfig
from otfsynth.config.synthesis import SynthesisConfig
from otfsynth.labels import LabelScheme
from otfsynth.resources import conf_folder
from otfsynth.synthesis.physics import load_physics
from otfsynth.synthesis.physics.tissues import read_tissues, tissues_of_classes
from tests.synthesis.heads import TISSUE

FOLDER = conf_folder() / "physics"


def load(scheme: LabelScheme = TISSUE, **settings: object) -> None:
    engines = ContrastConfig(EnginesConfig(mixture=0.5, physics=0.5))
    load_physics(SynthesisConfig(contrast=engines, physics=PhysicsConfig(**settings)), scheme)  # type: ignore[arg-type]


def changed(folder: Path, name: str, old: str, new: str) -> str:
    text = (FOLDER / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    return str(folder / name)


@pytest.mark.parametrize("scheme", ["freesurfer", "synthseg", "tissue"])
def test_every_class_of_the_shipped_schemes_has_a_tissue(scheme: str) -> None:
    text = (FOLDER / "classes.csv").read_text()
    named = {line.split(",")[0] for line in text.splitlines() if not line.startswith("#")}
    assert set(LabelScheme.load(scheme).class_names) <= named


def test_unknown_classes_take_their_targets_tissue_or_anything() -> None:
    config = PhysicsConfig()
    tissues = read_tissues(config)
    chosen = tissues_of_classes(config, tissues, TISSUE)
    for class_name, tissue in (("cortex", "grey matter"), ("white", "white matter"), ("scalp", "anything")):
        assert chosen.t1_ms[TISSUE.class_names.index(class_name)] == tissues[tissue].t1_ms[0]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("tissues.csv", "white matter,0.70", "white matter,7.0", r"row 'white matter': pd='7\.0' leaves \[0, 1\]"),
        ("tissues.csv", "white matter,0.70", "white matter,seven", r"pd='seven' holds no number"),
        ("tissues.csv", ",t1_ms,", ",t1,", r"tissues\.csv needs rows and the columns t1_ms"),
        ("tissues.csv", "white matter,0.70", "white matter", r"row 'white matter' has \d+ cells, the header \d+"),
        ("tissues.csv", "white matter,0.70,890,0.382,74,1.2", "white matter,0.70,890,0.382,74,9.0", "no positive R2"),
        ("classes.csv", ",muscle", ",mussel", r"row 'rectus muscles': tissue='mussel' is no row of .* fat"),
        ("protocols.csv", ",spgr,", ",spoiled,", r"sequence='spoiled' is unknown; choose one of: spgr, mprage"),
        ("protocols.csv", "7..10", "", r"row 'mprage': flip_angle_deg='' is empty, but sequence mprage needs it"),
        ("protocols.csv", "1900..2530", "2530..1900", r"repetition_time_ms='2530\.\.1900' is no range"),
        ("protocols.csv", "1900..2530", "1500..2530", r"has no room for 1876 ms of delays and readout; raise it"),
        ("protocols.csv", "850..1100", "500..1100", r"inversion_time_ms='500\.\.1100' is shorter than half"),
        ("protocols.csv", "1.5|3", "1.5|30", r"field_strengths_t='1\.5\|30' holds a number outside"),
    ],
)
def test_errors_name_row_value_and_remedy(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    field = name.removesuffix(".csv")
    with pytest.raises(ConfigurationError, match=message):
        load(**{field: changed(tmp_path, name, old, new)})


def test_missing_files_and_empty_choices_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"synthesis\.physics\.tissues=nowhere\.csv can't be read"):
        load(tissues="nowhere.csv")
    with pytest.raises(ConfigurationError, match=r"leave no protocol .* choose among FLAIR, PDw, T1w, T2\*w, T2w"):
        load(contrasts=["T1"])
    with pytest.raises(ConfigurationError, match=r"physics\.peak_range"):
        PhysicsConfig(peak_range=[250.0, 180.0])
    with pytest.raises(ConfigurationError, match="sum to 1"):
        EnginesConfig(mixture=0.9, physics=0.2)
    with pytest.raises(ConfigurationError, match=r"engines\.priors=1\.0 needs synthesis\.mixture\.prior_means"):
        SynthesisConfig(contrast=ContrastConfig(EnginesConfig(0.0, 1.0, 0.0)))


def test_nothing_is_read_without_physics() -> None:
    off = ContrastConfig(EnginesConfig(1.0, 0.0, 0.0))
    assert load_physics(SynthesisConfig(contrast=off, physics=PhysicsConfig(tissues="nowhere.csv")), TISSUE) is None
