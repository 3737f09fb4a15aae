"""Calls of a batch merge into few launches and keep every sample's order."""

from __future__ import annotations

import pytest

from otfsynth.synthesis.rendering.recording import Call
from otfsynth.synthesis.rendering.schedule import merge


def sample(text: str) -> list[Call]:
    return [Call(name) for name in text.split()]


def names(groups: list[list[Call]]) -> list[str]:
    return [f"{len(group)}{group[0].name}" for group in groups]


def test_like_samples_share_every_launch() -> None:
    assert names(merge([sample("A B A C")] * 3)) == ["3A", "3B", "3A", "3C"]


def test_stages_that_some_lack_are_skipped() -> None:
    groups = merge([sample("A Fold B Fold C"), sample("A B Fold C"), sample("A B C")])
    assert names(groups) == ["3A", "1Fold", "3B", "2Fold", "3C"]


def test_lattices_come_first_as_one() -> None:
    groups = merge([sample("LatticeNoise A LatticeNoise B"), sample("A LatticeNoise B")])
    assert names(groups) == ["3LatticeNoise", "2A", "2B"]


@pytest.mark.parametrize("texts", [["A B", "B A"], ["A B C", "C A B", "B C A"], ["A A B", "B A A", ""]])
def test_unlike_orders_end_and_keep_their_own(texts: list[str]) -> None:
    calls = [sample(text) for text in texts]
    order = [call for group in merge(calls) for call in group]
    assert len(order) == sum(map(len, calls))
    for own in calls:
        ids = [id(call) for call in own]
        assert [id(call) for call in order if id(call) in ids] == ids
