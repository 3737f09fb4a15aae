"""A cluster's warning is a request to stop; whoever listened before gets it once the checkpoint is written."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from otfsynth.learning.signals import StopRequest, TrainingInterrupted


@pytest.fixture
def handed() -> Iterator[list[int]]:
    """Signals that a launcher's handler of SIGUSR2 has got."""
    got: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: got.append(number))
    yield got
    signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2"])
def test_warnings_stop_a_run_and_may_be_followed_by_sigterm(name: str, handed: list[int]) -> None:
    number = getattr(signal, name)
    stop = StopRequest()
    stop.listen()
    try:
        for sent in (number, number, signal.SIGTERM):  # the second SIGTERM would end this process
            os.kill(os.getpid(), sent)
        assert stop.received == number
    finally:
        stop.restore()
    assert handed == []


def test_a_launcher_gets_its_warning_after_the_run(handed: list[int]) -> None:
    interruption = TrainingInterrupted(signal.SIGUSR2, "last.ckpt")
    interruption.hand_on()
    assert handed == [signal.SIGUSR2]
    assert interruption.code == 128 + signal.SIGUSR2
    TrainingInterrupted(signal.SIGTERM, "last.ckpt").hand_on()
    TrainingInterrupted(signal.SIGUSR1, "last.ckpt").hand_on()  # nobody listens: the exit code is all
    assert handed == [signal.SIGUSR2]
