"""Measures counted by hand, warnings at their limits, and the order of cases."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from otfsynth.inference.measures import Measures, border_areas
from otfsynth.inference.quality import (
    LEAST_CASES,
    MOST_ASYMMETRY,
    MOST_BORDER_MM2,
    MOST_ENTROPY,
    MOST_SEVERITY,
    MOST_STEM_MM2,
    assess,
    own_warnings,
)
from otfsynth.inference.records import CaseRecord

NAMES = ("GM", "WM", "CSF")
GOOD = Measures(1.0, (7e5, 5e5, 2e5), (7e5, 5e5, 2e5), 0.1, (0.01, -0.01, 0.02), 0.999)


def texts(**changes: object) -> list[str]:
    return [concern.text for concern in own_warnings(dataclasses.replace(GOOD, **changes), NAMES)]


def record(case: str, **changes: object) -> CaseRecord:
    measures = dataclasses.replace(GOOD, **changes)
    return CaseRecord(case, "", "", "T1w", {}, "f", (), "", {}, ("background", *NAMES), measures)


def test_a_good_case_has_no_warning() -> None:
    assert texts() == []
    (quality,) = assess([record("a")])
    assert quality.score == pytest.approx(0.1 / MOST_ENTROPY)
    assert quality.warnings == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"entropy": 0.5}, "uncertain (0.50)"),
        ({"rim_mm3": 7e4}, "5% is rim of a wide brain mask, taken as fluid"),
        ({"asymmetry": (0.09, 0.0, 0.0)}, "GM 9% more on the right"),
        ({"asymmetry": (0.0, -0.07, 0.0)}, "WM 7% more on the left"),
        ({"asymmetry": (0.0, 0.0, 0.25)}, "CSF 25% more on the right"),
        ({"largest_share": 0.95}, "5.0% in separate pieces"),
        ({"border_mm2": {"top": 1200.0}}, "brain cut at the top (12 cm²)"),
        ({"border_mm2": {"bottom": 1000.0}}, "brain cut at the bottom (10 cm²)"),
        ({"volumes_mm3": (7e5, 5e5, 0.0)}, "no CSF"),
        ({"volumes_mm3": (0.0, 0.0, 0.0)}, "nothing segmented"),
        ({"volumes_mm3": (11e5, 5e5, 2e5)}, "GM 1100 ml, adults have 400 to 1000"),
        ({"volumes_mm3": (4.1e5, 3e5, 2e5)}, "brain 710 ml, adults have 750 to 1750"),
        ({"missing_voxels": 12}, "12 voxels NaN or infinite, taken as 0"),
        ({"orientation_known": False}, "orientation not in the file"),
        ({"skull": True}, "skull not removed"),
    ],
)
def test_each_warning(changes: dict[str, object], expected: str) -> None:
    assert texts(**changes) == [expected]


def test_limits_themselves_are_no_reason_to_warn() -> None:
    assert texts(entropy=MOST_ENTROPY) == []
    assert texts(asymmetry=(MOST_ASYMMETRY, 0.1 - MOST_ASYMMETRY, 0.1)) == []
    assert texts(border_mm2={"left": MOST_BORDER_MM2, "bottom": MOST_STEM_MM2}) == []
    assert texts(asymmetry=(math.nan,) * 3, largest_share=math.nan, entropy=math.nan) == []


def test_cases_are_sorted_the_worst_first_and_equals_by_name() -> None:
    records = [
        record("b"),
        record("empty", volumes_mm3=(0.0, 0.0, 0.0), entropy=math.nan),
        record("a"),
        record("doubtful", entropy=0.2),
        record("cut", border_mm2={"left": 300.0}),
        record("cut and skew", border_mm2={"left": 300.0}, asymmetry=(0.5, 0.0, 0.0)),
    ]
    judged = assess(records)
    assert [quality.case for quality in judged] == ["cut and skew", "empty", "cut", "doubtful", "a", "b"]
    # 0.5 is 8 times the limit: capped; 300 mm2 is 1.5 times it
    assert judged[0].score == pytest.approx(MOST_SEVERITY + 1.5 + 0.1 / MOST_ENTROPY)
    assert judged[0].warnings == ("GM 50% more on the right", "brain cut at the left (3 cm²)")


def test_volumes_are_compared_with_the_batch_once_it_is_large_enough() -> None:
    volumes = [6.9e5, 7.0e5, 7.0e5, 7.1e5, 7.2e5, 6.8e5, 7.0e5, 9.0e5]
    records = [record(f"case {index}", volumes_mm3=(gm, 5e5, 2e5)) for index, gm in enumerate(volumes)]
    assert len(records) == LEAST_CASES
    worst = assess(records)[0]
    assert worst.case == "case 7"
    # median 700 ml, absolute deviations 10 0 0 10 20 20 0 200: their median is 10 ml
    assert worst.volume_z[0] == pytest.approx(0.6745 * 200 / 10)
    assert worst.warnings == ("GM larger than in the other scans (z +13.5)",)
    assert np.isnan(worst.volume_z[1])  # no spread
    assert all(np.isnan(quality.volume_z[0]) for quality in assess(records[1:]))


def test_brain_on_the_border_is_measured_on_the_patients_sides() -> None:
    mask = np.zeros((6, 5, 4), bool)
    mask[0, 1:3, 1] = True  # axis 0 runs from front to back in this affine
    mask[2:4, 2, 3] = True
    affine = np.array([[0, 0, 2.0, 0], [-3.0, 0, 0, 0], [0, 5.0, 0, 0], [0, 0, 0, 1]])
    # x to the back with 3 mm, y to the top with 5 mm, z to the right with 2 mm
    assert border_areas(mask, affine) == {"front": pytest.approx(2 * 10), "right": pytest.approx(2 * 15)}


def test_no_cases_at_all() -> None:
    assert assess([]) == []


def test_measures_survive_plain_data() -> None:
    measures = dataclasses.replace(GOOD, asymmetry=(0.1, math.nan, 0.0), entropy=math.nan, border_mm2={"top": 3.5})
    plain = measures.to_dict()
    assert plain["asymmetry"] == [0.1, None, 0.0]
    again = Measures.from_dict(plain)
    assert again.border_mm2 == {"top": 3.5}
    assert math.isnan(again.entropy)
    assert again.asymmetry[0] == 0.1
    assert math.isnan(again.asymmetry[1])
