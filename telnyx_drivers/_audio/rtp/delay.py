"""How late packets arrive, and so how long they must be held back for playout without gaps."""

from collections import deque
from typing import Final

_WINDOW: Final = 50
"""Packets that the estimate rests on: one second at the usual 20 ms, after which a burst is forgotten."""
_COVERED: Final = 0.97
"""The share of packets that must arrive in time; the rest is concealed, which costs less than more delay."""
_MARGIN: Final = 0.005
"""Seconds for the jitter of our own clock."""
_REFRESH: Final = 8
"""Packets between two looks at the whole window."""
_WINDOW_SECONDS: Final = 1.0
"""The same for longer packets; at least `_FEWEST` are kept."""
_FEWEST: Final = 10
_BASE_BUCKETS: Final = 20
_BASE_BUCKET_SECONDS: Final = 0.5
"""The fastest packet counts for ten seconds: long enough to see one, short enough to follow a drifting clock."""
_OTHER_ROUTE: Final = 0.05
"""Seconds. When not one packet of a bucket came within so much of the fastest, the network has another delay now."""


class DelayEstimator:
    """Fed with each packet's transit: arrival minus media time, both in seconds and each from its own epoch."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self._maximum = minimum, maximum
        self._transits: deque[float] = deque(maxlen=_WINDOW)
        self._arrivals: deque[float] = deque(maxlen=_WINDOW)
        self._minima: deque[float] = deque(maxlen=_BASE_BUCKETS)
        self._bucket_end = 0.0
        self._bucket_size = 0
        self._until_refresh = 0
        self.base = 0.0
        """Transit of the fastest packet lately: the zero from which delays are counted."""
        self.target = minimum
        """Seconds behind the fastest packet at which audio should be played."""

    @property
    def empty(self) -> bool:
        return not self._transits

    def reset(self) -> None:
        """Another clock from here on; the jitter measured so far still describes the network."""
        self._transits.clear()
        self._arrivals.clear()
        self._minima.clear()
        self._until_refresh = 0

    def require(self, minimum: float) -> None:
        """The target is at least this many seconds from now on."""
        if minimum != self.minimum:
            self.minimum = minimum
            self._refresh()

    def add(self, transit: float, now: float) -> None:
        if not self._minima or now >= self._bucket_end:
            self._begin_bucket(transit, now)
        else:
            self._bucket_size += 1
            if transit < self._minima[-1]:
                self._minima[-1] = transit
                self.base = min(self.base, transit)
        transits, arrivals = self._transits, self._arrivals
        transits.append(transit)
        arrivals.append(now)
        while len(arrivals) > _FEWEST and arrivals[0] < now - _WINDOW_SECONDS:
            transits.popleft()
            arrivals.popleft()
        self._until_refresh -= 1
        if self._until_refresh <= 0 or transit - self.base > self.target:
            self._refresh()

    def _begin_bucket(self, transit: float, now: float) -> None:
        minima = self._minima
        if self._bucket_size >= _FEWEST // 2 and minima and minima[-1] > self.base + _OTHER_ROUTE:
            fastest = minima[-1]
            minima.clear()
            minima.append(fastest)
            self._until_refresh = 0
        minima.append(transit)
        self.base = min(minima)
        self._bucket_end, self._bucket_size = now + _BASE_BUCKET_SECONDS, 1

    def _refresh(self) -> None:
        self._until_refresh = _REFRESH
        ordered = sorted(self._transits)
        late = ordered[min(int(_COVERED * len(ordered)), len(ordered) - 1)] - self.base
        self.target = min(max(late + _MARGIN, self.minimum), self._maximum)
