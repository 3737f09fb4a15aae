"""Plots of reports: what is drawn is what was given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from otfsynth.evaluation import figures
from otfsynth.evaluation.report_metrics import ordered_contrasts, style_of


def test_contrasts_keep_their_order() -> None:
    assert ordered_contrasts(["PD", "all", "", "FLAIR", "T1w", "CT", float("nan"), "T1w"]) == [
        "T1w",
        "FLAIR",
        "CT",
        "PD",
        "unknown",
        "all",
    ]
    assert style_of("new_metric").title == "new_metric"


def test_limits_of_agreement_by_hand() -> None:
    figure, axes = figures.new_figure(1, 1, 300, 200)
    differences = np.array([1.0, 2.0, 3.0, np.nan])
    low, middle, high = figures.draw_agreement(axes[0, 0], np.ones(4), differences) or (0, 0, 0)
    assert (low, middle, high) == pytest.approx((2 - 1.96, 2, 2 + 1.96))
    drawn = sorted(float(np.asarray(line.get_ydata())[0]) for line in axes[0, 0].lines)
    assert drawn == pytest.approx([0, 0.04, 2, 3.96])
    assert figures.draw_agreement(axes[0, 0], np.ones(2), np.ones(2)) is None
    assert figures.to_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(("count", "boxes", "violins"), [(1, 0, 0), (5, 1, 0), (12, 1, 1)])
def test_groups_show_what_their_size_allows(count: int, boxes: int, violins: int) -> None:
    _, axes = figures.new_figure(1, 1, 300, 200)
    values = np.linspace(0, 1, count)
    figures.draw_groups(axes[0, 0], [("a", np.append(values, [np.nan, np.inf]), 0)])
    points = axes[0, 0].collections[-1].get_offsets()
    assert sorted(np.asarray(points)[:, 1]) == pytest.approx(sorted(values))
    assert len(axes[0, 0].collections) == violins + 1
    assert len(axes[0, 0].lines) == 6 * boxes + 1  # two whiskers, two caps, box and median; the cross
    assert [text.get_text() for text in axes[0, 0].texts] == ["∞ in 1"]
    assert axes[0, 0].get_xticklabels()[0].get_text() == f"a\nn = {count + 1}"


def test_equal_values_and_empty_groups_are_drawn() -> None:
    figure, axes = figures.new_figure(1, 2, 300, 200)
    figures.draw_groups(
        axes[0, 0], [("same", np.ones(20), 0), ("none", np.array([]), 1), ("nan", np.full(3, np.nan), 2)]
    )
    width = Image.open(io.BytesIO(figures.to_png(figure))).width
    assert width == 1200
    assert not axes[0, 1].get_visible()


def test_a_matrix_writes_every_field() -> None:
    _, axes = figures.new_figure(1, 1, 300, 300)
    shares = np.array([[0.9, 0.1], [np.nan, np.nan]])
    figures.draw_matrix(axes[0, 0], shares, ["a", "b"], ["a", "b"], [["90", "10"], ["-", "-"]])
    texts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes[0, 0].texts}
    assert texts[0, 0] == ("90", "white")
    assert texts[1, 0] == ("10", figures.INK)
    assert texts[1, 1] == ("-", figures.INK)
