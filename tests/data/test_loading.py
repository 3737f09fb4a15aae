"""The three lines that the README shows."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader

from otfsynth.config.compose import compose
from otfsynth.data import SyntheticDataset, load_synthesizer


def test_three_lines_give_batches_of_the_embedded_maps() -> None:
    dataset = SyntheticDataset(load_synthesizer(size=(32, 40, 24), seed=0), batch_size=2, count=4)
    batches = list(DataLoader(dataset, batch_size=None))
    assert [batch.parameters[0].key.index for batch in batches] == [0, 2]
    for batch in batches:
        assert batch.image.shape == batch.target.shape == (2, 1, 32, 40, 24)
        assert batch.image.dtype == torch.float32
        assert batch.target.dtype == torch.uint8
        assert set(batch.target.unique().tolist()) <= {0, 1, 2, 3}


def test_priors_of_a_composed_model_are_found() -> None:
    synthesis = compose(["+experiment=t1w", "hardware=laptop"]).synthesis
    record = load_synthesizer(size=(8, 8, 8), synthesis=synthesis).sample_parameters(0)
    assert record.mixture.source == "prior"


def test_scheme_can_be_named() -> None:
    assert load_synthesizer(scheme="freesurfer", size=(8, 8, 8)).bank.scheme.name == "freesurfer"
