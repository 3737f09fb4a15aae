"""How lesions look and what they are called: those that are drawn, and those that are labels of the map."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from otfsynth.config.checks import ConfigurationError
from otfsynth.config.contrast import ContrastConfig, EnginesConfig, PhysicsConfig
from otfsynth.config.lesions import LesionsConfig, StrokeConfig
from otfsynth.synthesis.lesion_parameters import LesionLabelParameters
from tests.synthesis.heads import (
    TISSUE,
    assert_agrees,
    bank_of,
    head_indices,
    plain_config,
    plain_record,
    render_one,
    synthesizer,
)
from tests.synthesis.lesion_records import only, records_of


@pytest.mark.parametrize(("contrast", "darker"), [("T1w", True), ("T2w", False), ("FLAIR", False)])
@pytest.mark.parametrize("kind", ["hyperintensities", "stroke", "mass"])
def test_lesions_look_as_on_a_scanner(contrast: str, darker: bool, kind: str) -> None:
    """In T1w darker than white matter, in T2w and FLAIR brighter (fluid in the middle of old infarcts aside)."""
    scheme = dataclasses.replace(
        TISSUE,
        class_names=("background", "skin", "CSF", "cerebral cortex", "cerebral white matter", "thalamus", "ventricles"),
    )
    maps = bank_of(head_indices(), scheme=scheme)
    lesions = LesionsConfig(1.0, kinds=only(kind), stroke=StrokeConfig(chronic_probability=0.0))
    physics = PhysicsConfig(contrasts=[contrast], field_strengths_t=[1.5, 3.0])
    config = plain_config(lesions=lesions, physics=physics, contrast=ContrastConfig(EnginesConfig(0.0, 0.0, 1.0)))
    engine = synthesizer(maps, (8, 8, 8), config)
    for index in range(60):
        record = engine.sample_parameters(index)
        assert record.lesions is not None
        white = record.mixture.means[4]
        # Cores of tumours are darker than it or brighter in FLAIR
        core = None if (kind, contrast) == ("mass", "FLAIR") else record.lesions
        for part in (core, record.oedema):
            if part is not None and not (kind == "hyperintensities" and part.mean == white):
                assert (part.mean < 1.02 * white) if darker else (part.mean > 0.98 * white), part
                assert part.std >= 0


def test_labels_of_the_map_that_are_lesions_look_and_are_called_like_them() -> None:
    names = ("background", "scalp", "CSF", "cortex", "white", "white-matter lesion", "ventricle")
    scheme = dataclasses.replace(TISSUE, class_names=names)
    maps = bank_of(head_indices(), scheme=scheme)
    record = records_of(maps, "hyperintensities", 1, target="CSF")[0]
    assert record.lesions is not None
    assert record.lesion_labels == LesionLabelParameters((7, 8), 3)
    assert record.mixture.means[5] == record.lesions.mean
    assert record.mixture.stds[5] == record.lesions.std
    whole = plain_record(maps, (46, 50, 42), lesion_labels=record.lesion_labels)
    assert_agrees(maps, whole)
    _, target = render_one(maps, whole)
    _, before = render_one(maps, dataclasses.replace(whole, lesion_labels=None))
    assert np.sum((target == 3) & (before == 1)) == np.sum(target != before) > 100
    rare = plain_config(lesions=LesionsConfig(0.001, target="CSF"))
    engine = synthesizer(maps, (8, 8, 8), rare)
    assert {engine.sample_parameters(index).lesion_labels for index in range(5)} == {record.lesion_labels}
    with pytest.raises(ConfigurationError, match=r"lesions\.labels names 'plaque'"):
        synthesizer(maps, (8, 8, 8), plain_config(lesions=LesionsConfig(0.5, labels=["plaque"])))
