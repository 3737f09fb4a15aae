"""The split: no subject on both sides, even contrasts, the same by seed whatever the order of files or the place."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from otfsynth.data.oasis3 import Oasis3, Oasis3Error, Session, read_oasis3
from otfsynth.data.oasis3_split import Oasis3Split, balanced, split_oasis3
from otfsynth.data.scan import Scan
from tests.oasis3.tree import make_tree

ALL = ("T1w", "T2w", "FLAIR")


def data_set(*sessions: tuple[str, str, str, bool], root: str = "/data") -> Oasis3:
    """Sessions of (subject, day, contrasts, segmented)."""
    return Oasis3(
        Path(root),
        tuple(
            Session(
                subject,
                day,
                tuple(
                    Scan(
                        Path(root, f"{subject}_{day}_{c}.nii.gz"),
                        f"{subject}_{day}_{c}",
                        subject,
                        day,
                        c.split("_")[-1],
                    )
                    for c in contrasts.split()
                ),
                Path(root, f"{subject}_{day}.mgz") if segmented else None,
            )
            for subject, day, contrasts, segmented in sessions
        ),
    )


def names(split: Oasis3Split) -> tuple[list[str], list[str]]:
    return [item.subject for item in split.training], [item.scan.case for item in split.testing]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Oasis3:
    root = tmp_path_factory.mktemp("large")
    make_tree(root, 200, images=False)
    return read_oasis3(root)


def test_the_protocol_of_the_thesis(large: Oasis3) -> None:
    split = split_oasis3(large, 0, 50, 100, ALL)
    training = [item.subject for item in split.training]
    testing = [item.scan.subject for item in split.testing]
    assert len(training) == len(set(training)) == 50
    assert len(testing) == len(set(testing)) == 100
    assert not set(training) & set(testing)
    assert sorted(split.contrasts().values()) == [33, 33, 34]
    for item in split.testing:  # the reference is of the same day
        assert f"{item.scan.subject}_MR_{item.scan.session}" in str(item.label)
    assert any("TSE" in item.scan.case for item in split.testing)
    assert any("TSE" not in item.scan.case for item in split.testing if item.scan.contrast == "T2w")


def test_seed_order_and_place(large: Oasis3) -> None:
    split = split_oasis3(large, 0, 50, 100, ALL)
    shuffled = list(large.sessions)
    random.Random(1).shuffle(shuffled)
    shuffled = [replace(session, scans=tuple(reversed(session.scans))) for session in shuffled]
    assert split_oasis3(replace(large, sessions=tuple(shuffled)), 0, 50, 100, ALL) == split
    other = split_oasis3(large, 1, 50, 100, ALL)
    assert names(other)[0] != names(split)[0]
    assert names(other)[1] != names(split)[1]
    assert len(set(names(other)[0]) & set(names(split)[0])) < 30  # 50 * 50 / 166 = 15 by chance


def test_a_new_subject_changes_little(large: Oasis3) -> None:
    more = data_set(("OAS39999", "d0000", "T1w T2w FLAIR", True))
    before, after = (
        split_oasis3(replace(large, sessions=sessions), 0, 50, 100, ALL)
        for sessions in (large.sessions, (*large.sessions, *more.sessions))
    )
    assert len(set(names(before)[0]) & set(names(after)[0])) >= 45


def test_one_session_of_each_subject_and_the_fullest_one() -> None:
    data = data_set(
        ("A", "d1", "T1w", True),
        ("A", "d2", "T1w T2w", True),
        ("A", "d3", "T1w T2w FLAIR", False),
        ("B", "d1", "", True),
    )
    split = split_oasis3(data, 3, 1, 2, ALL, per_subject=3)
    assert names(split) == (["B"], ["A_d2_T1w", "A_d2_T2w"])


def test_runs_are_drawn() -> None:
    data = data_set(("A", "d1", "run-1_T1w run-2_T1w acq-TSE_T1w", True), ("B", "d1", "", True))
    drawn = {names(split_oasis3(data, seed, 1, 1, ALL))[1][0] for seed in range(20)}
    assert drawn == {"A_d1_run-1_T1w", "A_d1_run-2_T1w", "A_d1_acq-TSE_T1w"}


def test_too_few() -> None:
    sessions = [(f"S{n}", "d1", "T1w FLAIR" if n < 3 else "T1w", True) for n in range(12)]
    data = data_set(*sessions, ("none", "d1", "T1w T2w FLAIR", False))
    with pytest.raises(
        Oasis3Error, match=r"12 subject\(s\) with a segmentation \(3 with FLAIR, 12 with T1w\): enough for"
    ) as e:
        split_oasis3(data, 0, 5, 8, ALL)
    assert "8 testing scan(s) and then 4 training label map(s), not for 8 and 5" in str(e.value)
    split = split_oasis3(data, 0, 50, 100, ALL, allow_fewer=True)
    assert (len(split.training), len(split.testing)) == (4, 8)
    split = split_oasis3(data, 0, 2, 9, ("FLAIR",), allow_fewer=True)
    assert (len(split.training), len(split.testing)) == (2, 3)
    with pytest.raises(Oasis3Error, match="too few to split"):
        split_oasis3(data_set(sessions[0]), 0, 5, 8, ALL, allow_fewer=True)


def test_balance_needs_a_subject_to_hand_its_contrast_on() -> None:
    chosen = balanced({"a": ["T1w", "T2w"], "b": ["T1w"], "c": ["T2w", "FLAIR"]}, 3)
    assert chosen == {"a": ["T2w"], "b": ["T1w"], "c": ["FLAIR"]}
    scarce = {f"s{n}": list(ALL) if n < 4 else ["T1w"] for n in range(20)}
    assert Counter(c for found in balanced(scarce, 10).values() for c in found) == {"T1w": 6, "T2w": 2, "FLAIR": 2}


def test_subjects_are_filled_before_new_ones_are_taken() -> None:
    chosen = balanced({name: list(ALL) for name in "abcd"}, 5, per_subject=3)
    assert sorted(len(found) for found in chosen.values()) == [2, 3]
    assert all(len(set(found)) == len(found) for found in chosen.values())


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("per_subject", [1, 2])
def test_balance_against_all_possible_choices(seed: int, per_subject: int) -> None:
    """The counts are the most even ones of the most scans: compared with every assignment there is."""
    draw = random.Random(seed)
    available = {f"s{n}": draw.sample(ALL, draw.randint(0, 3)) for n in range(5)}
    options = []
    for found in available.values():
        subsets = [
            [c for c, taken in zip(found, mask, strict=True) if taken] for mask in product((0, 1), repeat=len(found))
        ]
        options.append([subset for subset in subsets if len(subset) <= per_subject])
    best: dict[int, tuple[int, ...]] = {}
    for choice in product(*options):
        counts = tuple(sorted(sum(c in subset for subset in choice) for c in ALL))
        best[sum(counts)] = max(best.get(sum(counts), ()), counts)
    for count in range(1, max(best) + 1):
        chosen = balanced(available, count, per_subject)
        assert all(set(found) <= set(available[name]) and len(found) <= per_subject for name, found in chosen.items())
        assert tuple(sorted(sum(c in found for found in chosen.values()) for c in ALL)) == best[count]
