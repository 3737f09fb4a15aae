"""A split of OASIS-3 by subject: label maps to train on, scans of other subjects to test on.

Every choice is the order of SHA-256 digests of the seed and a name. So the same seed gives the same split whatever the
order of the files or the folder they are in, and a subject added later changes as little as it can.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otfsynth.data.oasis3 import Oasis3, Oasis3Error, Session
from otfsynth.data.scan import Scan


@dataclass(frozen=True)
class TrainingMap:
    """A label map to synthesise from."""

    label_map: Path
    subject: str


@dataclass(frozen=True)
class TestingScan:
    """A scan to segment, and the reference of its session."""

    __test__ = False  # no test, in spite of its name

    scan: Scan
    label: Path


@dataclass(frozen=True)
class Oasis3Split:
    """Both sides, each sorted by subject; no subject is on both."""

    training: tuple[TrainingMap, ...]
    testing: tuple[TestingScan, ...]

    def contrasts(self) -> dict[str, int]:
        """Testing scans of each contrast."""
        return dict(sorted(Counter(test.scan.contrast for test in self.testing).items()))


def split_oasis3(
    data: Oasis3,
    seed: int,
    training: int,
    testing: int,
    contrasts: Sequence[str],
    per_subject: int = 1,
    allow_fewer: bool = False,
) -> Oasis3Split:
    """Draw the subjects of both sides.

    One session of a subject is used: of those with a segmentation, one with most of the wanted contrasts. Testing scans
    are drawn first, since fewer sessions can serve there; contrasts are as even as the sessions allow. Of several scans
    of one contrast (runs, 3-D and TSE) one is drawn, thick slices or not.

    Args:
        data: sessions; those without a segmentation are not used.
        seed: of all choices.
        training: label maps wanted.
        testing: scans wanted.
        contrasts: BIDS suffixes of the testing scans.
        per_subject: most scans tested of one subject, each of another contrast.
        allow_fewer: divide what is there, in the proportion of the two numbers, where it is not enough.

    Raises:
        Oasis3Error: there are too few; the message says how many.
    """
    sessions = _one_session_each(data.sessions, contrasts, seed)
    order = sorted(sessions, key=lambda subject: _draw(seed, "subject", subject))
    available = {subject: [c for c in contrasts if sessions[subject].of_contrast(c)] for subject in order}
    chosen = balanced(available, testing, per_subject)
    others = [subject for subject in order if subject not in chosen]
    count = sum(len(found) for found in chosen.values())
    if not allow_fewer and (count < testing or len(others) < training):
        raise Oasis3Error(_too_few(data, available, count, len(others), testing, training))
    if len(others) < training:
        share = round(len(order) * training / (training + testing / per_subject))
        pool = order[: len(order) - min(max(share, 1), training)]
        chosen = balanced({subject: available[subject] for subject in pool}, testing, per_subject)
        others = [subject for subject in order if subject not in chosen]
    if not chosen or not others:
        raise Oasis3Error(f"root={data.root} has {len(order)} subject(s) with a segmentation; that is too few to split")
    maps = [TrainingMap(_segmentation(sessions[subject]), subject) for subject in sorted(others[:training])]
    tests = [
        TestingScan(_one_scan(sessions[subject], contrast, seed), _segmentation(sessions[subject]))
        for subject in sorted(chosen)
        for contrast in contrasts
        if contrast in chosen[subject]
    ]
    return Oasis3Split(tuple(maps), tuple(tests))


def balanced(available: Mapping[str, Sequence[str]], count: int, per_subject: int = 1) -> dict[str, list[str]]:
    """Give subjects contrasts so that the contrasts are as even as they can be.

    Each round serves the contrast with the fewest scans so far that can still have one. A subject that already has
    another contrast hands it to someone else where that is needed (an augmenting path of a bipartite matching): so no
    choice made early costs a scan later, and the counts are the most even ones there are.

    Args:
        available: contrasts that each subject could have; subjects that come first are preferred.
        count: scans wanted; fewer are given where there are not enough.
        per_subject: most contrasts of a subject; subjects that have one are filled first.

    Returns:
        Contrasts of every subject that has any.
    """
    held: dict[str, list[str]] = {subject: [] for subject in available}
    counts = dict.fromkeys(sorted({contrast for found in available.values() for contrast in found}), 0)
    open_contrasts = list(counts)
    while open_contrasts and sum(counts.values()) < count:
        contrast = min(open_contrasts, key=lambda contrast: counts[contrast])
        if _place(contrast, available, held, per_subject):
            counts[contrast] += 1
        else:
            open_contrasts.remove(contrast)
    return {subject: found for subject, found in held.items() if found}


def _place(contrast: str, available: Mapping[str, Sequence[str]], held: dict[str, list[str]], per_subject: int) -> bool:
    """One more scan of a contrast, along the shortest chain of subjects that hand theirs on; False if there is none."""
    handed: dict[str, tuple[str, str]] = {}  # contrast: subject that gives it up, and what the subject gets for it
    waiting = [contrast]
    for current in waiting:
        fitting = [s for s, found in available.items() if current in found and current not in held[s]]
        free = [subject for subject in fitting if len(held[subject]) < per_subject]
        if free:
            held[max(free, key=lambda subject: len(held[subject]))].append(current)
            while current != contrast:
                subject, instead = handed[current]
                held[subject][held[subject].index(current)] = instead
                current = instead
            return True
        for subject in fitting:
            for other in held[subject]:
                if other not in handed and other != contrast:
                    handed[other] = (subject, current)
                    waiting.append(other)
    return False


def _one_session_each(sessions: Sequence[Session], contrasts: Sequence[str], seed: int) -> dict[str, Session]:
    usable: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        if session.segmentation is not None:
            usable[session.subject].append(session)

    def rank(session: Session) -> tuple[int, str]:
        return -sum(bool(session.of_contrast(contrast)) for contrast in contrasts), _draw(seed, "session", session.name)

    return {subject: min(found, key=rank) for subject, found in usable.items()}


def _one_scan(session: Session, contrast: str, seed: int) -> Scan:
    return min(session.of_contrast(contrast), key=lambda scan: _draw(seed, "scan", scan.case))


def _segmentation(session: Session) -> Path:
    assert session.segmentation is not None
    return session.segmentation


def _too_few(
    data: Oasis3, available: Mapping[str, Sequence[str]], scans: int, maps: int, testing: int, training: int
) -> str:
    usable = Counter(contrast for found in available.values() for contrast in found)
    contrasts = ", ".join(f"{number} with {contrast}" for contrast, number in sorted(usable.items()))
    return (
        f"root={data.root} has {len(available)} subject(s) with a segmentation ({contrasts or 'no scan beside it'}): "
        f"enough for {scans} testing scan(s) and then {maps} training label map(s), not for {testing} and {training}; "
        "ask for fewer, raise per_subject, or set allow_fewer=true"
    )


def _draw(seed: int, *names: str) -> str:
    return hashlib.sha256("|".join([str(seed), *names]).encode()).hexdigest()
