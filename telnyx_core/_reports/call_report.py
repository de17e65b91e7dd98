"""What is collected for a call's report, and when a part of it is sent (STATS-220 to STATS-226)."""

from collections import deque
from math import floor
from typing import Final

from attrs import define, field

from telnyx_core._reports.entries import StatsInterval
from telnyx_core._reports.log_book import LogBook, LogEntry

MAX_TAKEN: Final = 360
"""Six minutes without a place to send them to (STATS-220)."""
_MANY_TAKEN: Final = 300
_MANY_LOGS: Final = 800


@define
class CallReport:
    """The data of one call's report. It is formatted only when a segment is sent, so collecting it stays cheap."""

    flushed_at: float
    """When a part was sent last, or the collecting began."""
    interval: float
    """Seconds between two parts (``callReportFlushInterval``); 0: as long as nothing is full, one at the end."""
    logs: LogBook = field(factory=LogBook)
    _taken: deque[StatsInterval] = field(factory=lambda: deque[StatsInterval](maxlen=MAX_TAKEN))
    _overflowed: bool = False

    def add(self, taken: StatsInterval) -> None:
        if len(self._taken) == MAX_TAKEN and not self._overflowed:
            self._overflowed = True
            self.logs.note(taken.ended, "warn", f"more than {MAX_TAKEN} entries wait; the oldest are dropped")
        self._taken.append(taken)

    def due(self, now: float) -> bool:
        """Whether a part has to be sent: the buffers are nearly full, or the flush interval is over (STATS-221)."""
        full = len(self._taken) >= _MANY_TAKEN or len(self.logs) >= _MANY_LOGS
        return full or 0 < self.interval <= now - self.flushed_at + 1e-9

    def _beat(self, now: float) -> float:
        """When the next interval starts: when the part was due, not when it was sent. Readings arrive a little late,
        and the delays would otherwise add up to a whole reading.
        """
        beats = floor((now - self.flushed_at) / self.interval + 1e-9) if self.interval else 0
        return self.flushed_at + beats * self.interval if beats else now

    @property
    def empty(self) -> bool:
        return not self._taken and not len(self.logs)

    def look(self) -> tuple[tuple[StatsInterval, ...], tuple[LogEntry, ...]]:
        """All collected data; it is kept."""
        return tuple(self._taken), self.logs.entries()

    def take(self, now: float) -> tuple[tuple[StatsInterval, ...], tuple[LogEntry, ...]]:
        """All collected data; it is removed (STATS-225)."""
        taken = tuple(self._taken)
        self._taken.clear()
        self._overflowed = False
        self.flushed_at = self._beat(now)
        return taken, self.logs.drain()
