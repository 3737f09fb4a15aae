"""Label maps that the engine's tests share."""

from __future__ import annotations

import pytest

from otfsynth.data.bank import LabelBank
from tests.synthesis.heads import TISSUE, bank_of, head_indices


@pytest.fixture(scope="session")
def bank() -> LabelBank:
    """Two heads of different shape; the target of a voxel is its label index."""
    return bank_of(head_indices(), head_indices((42, 60, 52)))


@pytest.fixture(scope="session")
def tissue_bank() -> LabelBank:
    """The same heads with grey matter, white matter and CSF as targets."""
    return bank_of(head_indices(), head_indices((42, 60, 52)), scheme=TISSUE)
