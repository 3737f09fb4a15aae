"""Merging the calls of a batch: one launch for each stage, whatever stages each of its samples has.

Samples do not touch each other's memory, so any order that keeps each sample's own is right; which one is chosen only
decides how many launches there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from otfsynth.synthesis.rendering.recording import Call

UNORDERED = ("LatticeNoise",)
"""Operators that read nothing and write memory of their own: those of all fields of all samples come first, as one."""

Label = tuple[str, int]


def merge(samples: Sequence[Sequence[Call]]) -> list[list[Call]]:
    """Groups of calls of one name, to be launched one after the other."""
    groups = [[call for calls in samples for call in calls if call.name == name] for name in UNORDERED]
    queues = [_labelled([call for call in calls if call.name not in UNORDERED]) for calls in samples]
    left = Counter(label for queue in queues for label, _ in queue)
    while any(queues):
        heads: dict[Label, list[int]] = defaultdict(list)
        for number, queue in enumerate(queues):
            if queue:
                heads[queue[-1][0]].append(number)
        # Complete: no sample will come to this stage later. A tie of unlike orders is broken by the largest group.
        complete = [label for label, numbers in heads.items() if len(numbers) == left[label]]
        label = complete[0] if complete else max(heads, key=lambda candidate: len(heads[candidate]))
        groups.append([queues[number].pop()[1] for number in heads[label]])
        left[label] -= len(heads[label])
    return [group for group in groups if group]


def _labelled(calls: Sequence[Call]) -> list[tuple[Label, Call]]:
    """Calls from last to first, each with how many of its name come from it on: stages that end alike are aligned."""
    seen: Counter[str] = Counter()
    labelled = []
    for call in reversed(calls):
        seen[call.name] += 1
        labelled.append(((call.name, seen[call.name]), call))
    return labelled
