"""The model that the package ships: small, whole, described, and good on a brain that everyone has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from otfsynth.inference import SlidingWindowPredictor
from otfsynth.models import NoShippedModelError, shipped, shipped_model
from otfsynth.networks import load_checkpoint
from otfsynth.networks.model_folder import CARD, DESCRIPTION, WEIGHTS, read_description


@pytest.fixture
def model() -> Path:
    return shipped_model()


def test_without_a_model_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__pycache__").mkdir()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(NoShippedModelError, match=r"has no model of its own .*give checkpoint="):
        shipped_model()


def test_there_is_one_and_it_is_small_and_whole(model: Path) -> None:
    assert [path.parent for path in shipped.FOLDER.glob(f"*/{DESCRIPTION}")] == [model]
    assert (model / WEIGHTS).stat().st_size <= shipped.MOST_MEGABYTES * 1e6
    checkpoint = load_checkpoint(model)
    assert checkpoint.scheme.target_names == ("background", "GM", "WM", "CSF")
    assert checkpoint.plan.input_channels == 1
    assert checkpoint.normalization in ("zscore", "minmax")


def test_it_is_described_for_readers(model: Path) -> None:
    description = read_description(model)
    assert description["weights"]["averaged"]
    assert description["training"]["hours"] > 0
    assert description["training"]["runs"]
    assert description["results"], "export it with reports=... so that the card says how good it is"
    card = (model / CARD).read_text()
    assert card.startswith(f"# {description['name']} {description['version']}\n")
    assert description["weights"]["sha256"] in card
    assert "not recorded" not in card
    for text in (card, json.dumps(description)):
        assert str(Path.home()) + "/" not in text


def test_it_segments_the_average_brain(model: Path) -> None:
    from nilearn.datasets import load_mni152_gm_mask, load_mni152_template, load_mni152_wm_mask

    image = load_mni152_template(resolution=1)
    predictor = SlidingWindowPredictor.from_checkpoint(model, overlap=0.25)
    labels = predictor.predict(np.asarray(image.dataobj, np.float32), image.affine).labels
    for target, least, mask in ((1, 0.7, load_mni152_gm_mask(1)), (2, 0.75, load_mni152_wm_mask(1))):
        reference = np.asarray(mask.dataobj) > 0
        found = labels == target
        assert 2 * (found & reference).sum() / (found.sum() + reference.sum()) > least
