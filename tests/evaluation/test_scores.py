"""All numbers of a case, by hand; voxels that do not count; the rules for references without sulcal CSF."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otfsynth.evaluation.result import METRICS
from otfsynth.evaluation.scores import score_labels
from otfsynth.evaluation.sulcal_csf import only_near, with_sulcal_csf_as_gm, without_unlabelled_csf

GM, WM, CSF = 1, 2, 3


def line(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1)


def test_counts_volumes_and_their_ratios_by_hand() -> None:
    reference = line(0, 1, 1, 1, 1, 2)
    prediction = line(1, 1, 1, 1, 0, 0)
    scores = score_labels(prediction, reference, (2.0, 1.0, 1.5), 4)
    gm = scores.metrics[1]
    assert tuple(gm) == METRICS
    assert (gm["dice"], gm["iou"]) == pytest.approx((6 / 8, 3 / 5))
    assert (gm["precision"], gm["recall"]) == pytest.approx((3 / 4, 3 / 4))
    assert (gm["volume_mm3"], gm["reference_volume_mm3"], gm["relative_volume_error"]) == pytest.approx((12, 12, 0))
    assert scores.confusion.tolist() == [[0, 1, 0, 0], [1, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_a_missed_structure_an_invented_one_and_one_that_neither_has() -> None:
    metrics = score_labels(line(0, 2, 2), line(1, 1, 0), (1, 1, 1), 4).metrics
    for label, error in ((1, -1.0), (2, math.inf)):
        values = metrics[label]
        assert [values[name] for name in ("dice", "iou", "precision", "recall", "surface_dice_1mm")] == [0.0] * 5
        assert (values["hd95_mm"], values["assd_mm"]) == (math.inf, math.inf)
        assert values["relative_volume_error"] == error
    neither = metrics[3]
    assert all(math.isnan(neither[name]) for name in METRICS if name not in ("volume_mm3", "reference_volume_mm3"))
    assert (neither["volume_mm3"], neither["reference_volume_mm3"]) == (0.0, 0.0)


def test_voxels_left_out_change_nothing_whatever_is_predicted_there() -> None:
    reference = line(1, 1, 255, 255, 0)
    scores = [score_labels(line(1, 1, a, b, 0), reference, (1, 1, 1), 2) for a, b in ((0, 0), (1, 1), (1, 0))]
    assert scores[0].metrics == scores[1].metrics == scores[2].metrics
    assert scores[0].metrics[1]["dice"] == 1.0
    assert scores[0].metrics[1]["hd95_mm"] == 0.0
    assert scores[0].confusion.sum() == 3


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="label 7"):
        score_labels(line(7), line(1), (1, 1, 1), 4)


def test_predicted_csf_in_grey_matter_counts_as_grey_matter_and_nowhere_else() -> None:
    prediction, reference = line(CSF, CSF, CSF, WM), line(GM, WM, CSF, GM)
    assert with_sulcal_csf_as_gm(prediction, reference, GM, CSF).ravel().tolist() == [GM, CSF, CSF, WM]


def test_predicted_csf_in_unlabelled_brain_is_left_out() -> None:
    prediction, reference = line(CSF, GM, CSF, CSF), line(0, 0, CSF, GM)
    assert without_unlabelled_csf(prediction, reference, CSF).ravel().tolist() == [255, 0, CSF, GM]
    outside = line(0, 1, 1, 1).astype(bool)
    assert without_unlabelled_csf(prediction, reference, CSF, outside).ravel().tolist() == [0, 0, CSF, GM]


def test_what_is_near_the_ventricles_is_measured_in_millimetres() -> None:
    reference = np.zeros((11, 11, 11), np.uint8)
    reference[5, 5, 5] = CSF
    near = only_near(reference, CSF, (1.0, 2.5, 4.0)) != 255
    places = np.argwhere(near) - 5
    assert near[0, 5, 5]  # 5 mm
    assert np.abs(places).max(0).tolist() == [5, 2, 1]
    inside = np.array(
        [np.linalg.norm((np.array(place) - 5) * (1.0, 2.5, 4.0)) <= 5 for place in np.ndindex(11, 11, 11)]
    )
    assert np.array_equal(near.ravel(), inside)
    assert (only_near(np.zeros((2, 2, 2), np.uint8), CSF, (1, 1, 1)) == 255).all()


def test_the_three_rules_together_do_not_punish_sulcal_csf() -> None:
    reference = np.zeros((30, 9, 9), np.uint8)
    reference[2:12], reference[12:14], reference[14:16] = GM, WM, CSF
    prediction = reference.copy()
    prediction[2:6], prediction[0:2] = CSF, CSF  # sulci, and fluid around the brain
    plain = score_labels(prediction, reference, (1, 1, 1), 4).metrics
    assert plain[GM]["dice"] < 0.8
    assert plain[CSF]["dice"] < 0.5
    changed = with_sulcal_csf_as_gm(prediction, reference, GM, CSF)
    fair = without_unlabelled_csf(changed, reference, CSF)
    assert score_labels(changed, fair, (1, 1, 1), 4).metrics[GM]["dice"] == 1.0
    near = only_near(fair, CSF, (1, 1, 1))
    assert score_labels(changed, near, (1, 1, 1), 4).metrics[CSF]["dice"] == 1.0
