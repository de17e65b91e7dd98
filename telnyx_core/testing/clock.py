"""A clock that stands still until it is moved, and the callbacks that are scheduled on it."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

Happening: TypeAlias = Callable[[], None]


class VirtualClock:
    """Seconds from zero. Callbacks for one instant run in the order in which they were scheduled."""

    __slots__ = ("_arranged", "_serial", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._arranged: list[tuple[float, int, Happening]] = []
        self._serial = count()

    def __len__(self) -> int:
        return len(self._arranged)

    def at(self, when: float, happening: Happening) -> None:
        heapq.heappush(self._arranged, (max(when, self.now), next(self._serial), happening))

    def after(self, seconds: float, happening: Happening) -> None:
        self.at(self.now + seconds, happening)

    def next(self) -> float | None:
        """The time of the first scheduled callback."""
        return self._arranged[0][0] if self._arranged else None

    def let_one_happen(self) -> None:
        """Move to the first scheduled callback and run it."""
        when, _, happening = heapq.heappop(self._arranged)
        self.now = max(self.now, when)
        happening()
