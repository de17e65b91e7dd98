"""How late packets come, and so how long they must be held back to play without gaps."""

from collections import deque
from typing import Final

_WINDOW: Final = 50
"""Packets that the estimate rests on: one second at the usual 20 ms, after which a burst is forgotten."""
_COVERED: Final = 0.97
"""The share of packets that must come in time; the rest is left to concealment, which costs less than delay."""
_MARGIN: Final = 0.005
"""Seconds for the jitter of our own clock."""
_REFRESH: Final = 8
"""Packets between two looks at the whole window."""
_BASE_BUCKETS: Final = 10
_BASE_BUCKET_SECONDS: Final = 1.0
"""The fastest packet counts for ten seconds: long enough to see one, short enough to follow a drifting clock."""


class DelayEstimator:
    """Fed with each packet's transit: arrival minus media time, both in seconds and each from its own epoch."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self._maximum = minimum, maximum
        self._transits: deque[float] = deque(maxlen=_WINDOW)
        self._minima: deque[float] = deque(maxlen=_BASE_BUCKETS)
        self._bucket_end = 0.0
        self._until_refresh = 0
        self.base = 0.0
        """Transit of the fastest packet lately: the zero from which delays are counted."""
        self.target = minimum
        """Seconds behind the fastest packet at which audio should be played."""

    @property
    def empty(self) -> bool:
        return not self._transits

    def reset(self) -> None:
        """Another clock from here on; the jitter so far still tells what the network is like."""
        self._transits.clear()
        self._minima.clear()
        self._until_refresh = 0

    def add(self, transit: float, now: float) -> None:
        minima = self._minima
        if not minima or now >= self._bucket_end:
            minima.append(transit)
            self._bucket_end = now + _BASE_BUCKET_SECONDS
            self.base = min(minima)
        elif transit < minima[-1]:
            minima[-1] = transit
            if transit < self.base:
                self.base = transit
        self._transits.append(transit)
        self._until_refresh -= 1
        if self._until_refresh <= 0 or transit - self.base > self.target:
            self._refresh()

    def _refresh(self) -> None:
        self._until_refresh = _REFRESH
        ordered = sorted(self._transits)
        late = ordered[min(int(_COVERED * len(ordered)), len(ordered) - 1)] - self.base
        self.target = min(max(late + _MARGIN, self.minimum), self._maximum)
