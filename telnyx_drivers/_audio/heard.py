"""How much of what was sent the far end has played by now."""

from collections import deque
from collections.abc import Callable
from typing import Final, Self, TypeAlias

from attrs import frozen

Mark: TypeAlias = str | int
"""What an application calls a piece that it writes: a name, or an offset in its text."""

_MOST_RUNS: Final = 64
"""Far more than fit into the longest delay between two ends: each is at least 40 ms."""
_INSTANT: Final = 1e-6
"""Seconds; less is rounding."""
_MOST_MARKS: Final = 1_024
"""A minute of audio may wait, in marked words of 60 ms; older ones are over."""


@frozen
class Heard:
    """What the far end has played of what was written. Muted audio counts, for its time has passed."""

    duration: float
    """Seconds of what was written since the start of the call, without what was dropped."""
    mark: Mark | None
    """The latest mark of which anything was played; ``None`` before that."""
    part: float
    """How much of that marked piece was played, 0 to 1."""


class Cleared(float):
    """Seconds that `AudioOut.clear` dropped. ``heard`` is what the far end had played by then."""

    heard: Heard

    def __new__(cls, dropped: float, heard: Heard) -> Self:
        made = super().__new__(cls, dropped)
        made.heard = heard
        return made


class Departures:
    """When which part of a stream left. It costs something only where the stream begins after a gap."""

    def __init__(self, clock: Callable[[], float], delay: Callable[[], float]) -> None:
        """``delay``: seconds from here to the far end's ear. ``clock`` is in seconds."""
        self._clock = clock
        self._delay = delay
        self._runs: deque[tuple[float, float]] = deque(maxlen=_MOST_RUNS)
        self.going = False
        """False: what leaves next begins a new run."""

    def begin(self, position: float) -> None:
        """What is at ``position`` leaves now, and everything after it at its pace."""
        self._runs.append((self._clock(), position))
        self.going = True

    def played(self, left: float) -> float:
        """Seconds of the stream that the far end has played, when ``left`` seconds of it have left."""
        time, most = self._clock() - self._delay(), left
        for began, position in reversed(self._runs):
            if began <= time:
                return min(position + time - began, most)
            most = position
        return most if self._runs else 0.0


class Marks:
    """Where in a stream the marked pieces are. Any thread."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[Mark, float, float]] = deque(maxlen=_MOST_MARKS)

    def add(self, mark: Mark, start: float, length: float) -> None:
        """A piece of ``length`` seconds begins at ``start``."""
        self._pieces.append((mark, start, length))

    def drop_from(self, position: float) -> None:
        """What is at ``position`` and after it will never leave."""
        while self._pieces and self._pieces[-1][1] > position - _INSTANT:
            self._pieces.pop()

    def at(self, position: float) -> Heard:
        """What is known once ``position`` seconds have been played."""
        for mark, start, length in reversed(tuple(self._pieces)):
            if start < position - _INSTANT:
                return Heard(position, mark, min((position - start) / length, 1.0) if length else 1.0)
        return Heard(position, None, 0.0)
