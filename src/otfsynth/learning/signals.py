"""Ctrl-C, SIGTERM and a cluster's warnings as a request to stop at the end of the step.

SLURM warns a job before its time is over with the signal that ``sbatch --signal`` names; submitit asks for SIGUSR2 and
puts the job back into the queue when it comes. So the warning is taken first, to write a checkpoint, and then handed on.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

WARNINGS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
"""What clusters send some minutes before they end a job; Windows has neither."""
STOPPING = (signal.SIGINT, signal.SIGTERM, *WARNINGS)


class TrainingInterrupted(SystemExit):
    """Raised once the checkpoint is written; the process exits with 128 + signal number.

    130 is SIGINT, 143 SIGTERM; on Linux 138 is SIGUSR1 and 140 SIGUSR2.

    Args:
        signal_number: what came.
        checkpoint: the file that continues the run.
        rank: only rank 0 exits so, the others with 0: Lightning kills rank 0 when it sees another one fail, which would
            cut off loggers that are still writing.
    """

    def __init__(self, signal_number: int, checkpoint: str, rank: int = 0) -> None:
        super().__init__(128 + signal_number if rank == 0 else 0)
        self.signal_number = signal_number
        self.checkpoint = checkpoint

    def hand_on(self) -> None:
        """Give a cluster's warning to whoever listened before the run did; submitit requeues the job and exits."""
        handler = signal.getsignal(self.signal_number) if self.signal_number in WARNINGS else None
        if callable(handler):
            handler(self.signal_number, None)


class StopRequest:
    """Remembers the first signal; a second one acts as if nobody listened, and stops the process at once.

    That second one is Ctrl-C or SIGTERM: warnings may come more than once, and SIGTERM follows them.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._told_to_stop = False
        self._previous: dict[int, Any] = {}

    def listen(self) -> None:
        """Take over :data:`STOPPING`; of no effect outside the main thread, where Python forbids it.

        May be called again to take them back from whoever has installed handlers since.
        """
        if threading.current_thread() is threading.main_thread():
            found: dict[int, Any] = {number: signal.signal(number, self._remember) for number in STOPPING}
            self._previous = self._previous or found

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._previous = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._told_to_stop and number not in WARNINGS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._told_to_stop |= number not in WARNINGS
        self.received = self.received or number  # the first decides: a warning is handed on, whatever follows it
        name = signal.Signals(number).name
        message = f"\n{name}: finishing this step and writing a checkpoint (again to stop at once)\n"
        os.write(2, message.encode())  # print() may not be re-entered from a signal handler
