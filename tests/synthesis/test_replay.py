"""Records are replayed on what they were drawn from, or not at all."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from otfsynth.data.bank import LabelBank
from otfsynth.synthesis import SynthesisParameters, Synthesizer
from tests.synthesis.heads import SHAPES, TISSUE, bank_of, head_indices, plain_config, synthesizer

SIZE = (8, 8, 8)


def named_like(bank: LabelBank, indices: np.ndarray) -> LabelBank:
    """A bank of one other map under the name of the first."""
    return LabelBank(bank.scheme, 1.0, [dataclasses.replace(bank_of(indices, scheme=TISSUE)[0], name=bank[0].name)])


def test_another_spacing_is_told(tissue_bank: LabelBank) -> None:
    record = synthesizer(tissue_bank, SIZE).sample_parameters(0)
    coarse = LabelBank(TISSUE, 2.0, [tissue_bank[index] for index in range(2)])
    with pytest.raises(ValueError, match=r"working spacing in mm of 1\.0; here it is 2\.0"):
        synthesizer(coarse, SIZE).render([record])


def test_another_scheme_is_told(tissue_bank: LabelBank) -> None:
    record = synthesizer(tissue_bank, SIZE).sample_parameters(0)
    finer = dataclasses.replace(
        TISSUE, generation_classes=tuple(range(11)), class_names=tuple(f"class {number}" for number in range(11))
    )
    volumes = [tissue_bank[index] for index in range(2)]
    with pytest.raises(ValueError, match="number of generation classes of 7; here it is 11"):
        synthesizer(LabelBank(finer, 1.0, volumes), SIZE).render([record])


def test_a_map_of_another_shape_is_told(tissue_bank: LabelBank) -> None:
    first = LabelBank(TISSUE, 1.0, [tissue_bank[0]])
    record = synthesizer(first, SIZE).sample_parameters(0)
    wider = synthesizer(named_like(first, np.pad(head_indices(), 3)), SIZE)
    with pytest.raises(ValueError, match=r"shape of its label map of \(50, 56, 46\); here it is \(56, 62, 52\)"):
        wider.render([record])
    wider.render([dataclasses.replace(record, map_shape=None)])  # of before shapes were told


def moved(bank: LabelBank, **lists: list[str]) -> tuple[Synthesizer, SynthesisParameters]:
    engine = synthesizer(bank, SIZE, plain_config(shape_variety=dataclasses.replace(SHAPES, **lists)))
    return engine, engine.sample_parameters(0)


def test_boundaries_of_other_structures_are_told(tissue_bank: LabelBank) -> None:
    engine, record = moved(tissue_bank)
    other, drawn = moved(tissue_bank, deep=["thalamus"])
    assert record.shape is not None
    assert drawn.shape is not None
    assert dataclasses.replace(drawn.shape, structures=record.shape.structures) == record.shape
    engine.render([record])
    with pytest.raises(ValueError, match=r"moves boundaries of other structures than label map 'head-\d'"):
        other.render([record])


def test_records_of_before_this_was_told_still_replay(tissue_bank: LabelBank) -> None:
    engine, record = moved(tissue_bank)
    fields = json.loads(record.to_json())
    del fields["map_shape"], fields["shape"]["structures"]
    old = SynthesisParameters.from_json(json.dumps(fields))
    assert SynthesisParameters.from_json(record.to_json()) == record
    np.testing.assert_array_equal(engine.render([old]).target, engine.render([record]).target)
