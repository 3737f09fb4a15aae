"""Ctrl-C and SIGTERM as a request to stop at the end of the step."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(SystemExit):
    """Raised once the checkpoint is written; the process exits with 128 + signal number (130 SIGINT, 143 SIGTERM).

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


class StopRequest:
    """Remembers the first signal; the second acts as if nobody listened, and stops the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def listen(self) -> None:
        """Take over SIGINT and SIGTERM; of no effect outside the main thread, where Python forbids it.

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
        if self.received is not None:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.received = number
        name = signal.Signals(number).name
        message = f"\n{name}: finishing this step and writing a checkpoint (again to stop at once)\n"
        os.write(2, message.encode())  # print() may not be re-entered from a signal handler
