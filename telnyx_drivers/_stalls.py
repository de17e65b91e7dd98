"""What a process misses while it does not run: its loop is blocked, it is stopped, or its host sleeps."""

import time
from typing import Final

LATE: Final = 1.0
"""Seconds behind a deadline that are no ordinary delay."""
READING: Final = 0.5
"""Seconds for what has arrived meanwhile to be read, before anything is judged by its deadline."""
SLEPT: Final = 10.0
"""Seconds by which the wall clock is suddenly ahead: a clock that is set does it too, and costs one probe."""


class Stall:
    """A deadline that is met far too late says nothing of the far end, whose answer may lie in a buffer."""

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
    """The monotonic clock stands still while a host sleeps, so no deadline tells of it; the wall clock goes on."""

    def __init__(self) -> None:
        self._ahead = self._now()

    def noticed(self) -> bool:
        """Whether the host has slept since this was asked before."""
        before, self._ahead = self._ahead, self._now()
        return self._ahead - before > SLEPT

    def _now(self) -> float:
        return time.time() - time.monotonic()
