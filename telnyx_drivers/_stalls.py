"""Detection of time in which the process did not run: a blocked loop, a stopped process, a sleeping host."""

import time
from typing import Final

LATE: Final = 1.0
"""Seconds behind a deadline that are no ordinary delay."""
READING: Final = 0.5
"""Seconds for what has arrived meanwhile to be read, before anything is judged by its deadline."""
SLEPT: Final = 10.0
"""Seconds of a forward jump of the wall clock. Setting the clock looks the same, and costs one probe."""


class Stall:
    """A deadline noticed far too late proves nothing about the far end: its answer may wait in a buffer."""

    def __init__(self) -> None:
        self.until: float | None = None
        """Until then nothing is judged."""

    def reads_first(self, deadline: float, now: float) -> bool:
        """Whether a deadline that has passed is to wait a moment longer."""
        if self.until is None and now - deadline > LATE:
            self.until = now + READING
        if self.until is not None and now < self.until:
            return True
        self.until = None
        return False


class Sleep:
    """The monotonic clock may stop while the host sleeps, so no deadline passes; the wall clock continues."""

    def __init__(self) -> None:
        self._ahead = self._now()

    def noticed(self) -> bool:
        """Whether the host has slept since this was asked before."""
        before, self._ahead = self._ahead, self._now()
        return self._ahead - before > SLEPT

    def _now(self) -> float:
        return time.time() - time.monotonic()
