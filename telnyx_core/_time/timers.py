"""Deadlines: a table of reasons, the earliest first.

Rules, each with a test: waking early or twice is a no-op; waking late fires everything due once, in deadline order; a
handler may stop another timer that is due in the same wake-up; what belongs to an ended owner is gone.
"""

import heapq
from collections.abc import Collection, Hashable, Iterator
from enum import IntEnum, auto
from typing import TypeAlias

from attrs import frozen


class Timer(IntEnum):
    """Why the core wants to be woken; the order decides ties. Values of signaling.md 8, calls.md 14, media.md 9."""

    CLOSE_SAFETY = auto()
    CONNECT_TIMEOUT = auto()
    REQUEST = auto()
    DISCONNECT_BYE = auto()
    HEALTH_CHECK = auto()
    KEEPALIVE = auto()
    REGISTRATION_WATCH = auto()
    REG_POLL = auto()
    GATEWAY_RETRY = auto()
    RECONNECT = auto()
    TOKEN_EXPIRY = auto()
    TOKEN_ASK = auto()
    LOGIN_AGAIN = auto()
    SPEED_TEST = auto()
    BYE_GUARD = auto()
    SETUP = auto()
    AWAIT_REMOTE = auto()
    GATHER_WINDOW = auto()
    GATHER_SAFETY = auto()
    MEDIA_RECOVERY = auto()
    ATTACH_WAIT = auto()
    ORPHAN = auto()
    HOLD_AGAIN = auto()
    DISCONNECTED_GRACE = auto()
    CONNECT_LIMIT = auto()
    RENEW_LIMIT = auto()
    RENEW_VERIFY = auto()
    RENEW_BACKOFF = auto()
    EPISODE_RESET = auto()
    STATS = auto()
    LAST_READING = auto()
    DIGITS = auto()
    RECORDING = auto()
    UPLOAD_LIMIT = auto()
    UPLOAD_AGAIN = auto()
    UPLOADS_END = auto()

    # The enumeration's own is written in Python, and deadlines are looked up with every frame.
    __hash__ = int.__hash__


Owner: TypeAlias = Hashable


@frozen
class TimerKey:
    timer: Timer
    owner: Owner = None
    """A call id, a request id, or ``None`` for the session itself."""


class TimerTable:
    """Deadlines by key: O(log n) to set, O(1) to stop; stale heap entries never outnumber the live ones for long."""

    __slots__ = ("_serial", "armed", "heap", "owned")

    def __init__(self) -> None:
        self.armed: dict[tuple[Timer, Owner], tuple[float, int]] = {}
        self.heap: list[tuple[float, Timer, int, Owner]] = []
        self.owned: dict[Owner, set[Timer]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self.armed)

    def set(self, timer: Timer, at: float, owner: Owner = None) -> None:
        self._serial += 1
        self.armed[timer, owner] = (at, self._serial)
        if owner is not None:
            self.owned.setdefault(owner, set()).add(timer)
        heapq.heappush(self.heap, (at, timer, self._serial, owner))
        if len(self.heap) > 64 and len(self.heap) > 2 * len(self.armed):
            self.heap = [(at, timer, serial, owner) for (timer, owner), (at, serial) in self.armed.items()]
            heapq.heapify(self.heap)

    def stop(self, timer: Timer, owner: Owner = None) -> None:
        if self.armed.pop((timer, owner), None) is not None and owner is not None:
            self._disown(timer, owner)

    def stop_all(self, owner: Owner) -> None:
        """Stop everything that belongs to one owner."""
        for timer in self.owned.pop(owner, ()):
            self.armed.pop((timer, owner), None)

    def clear(self) -> None:
        self.armed.clear()
        self.heap.clear()
        self.owned.clear()

    def is_set(self, timer: Timer, owner: Owner = None) -> bool:
        return (timer, owner) in self.armed

    def next(self) -> tuple[float, TimerKey] | None:
        at = self.next_at()
        if at is None:
            return None
        _, timer, _, owner = self.heap[0]
        return at, TimerKey(timer, owner)

    def next_at(self) -> float | None:
        """The time of `next`, without its reason: drivers ask for it after each fact."""
        heap = self.heap
        while heap:
            at, timer, serial, owner = heap[0]
            if self.armed.get((timer, owner)) == (at, serial):
                return at
            heapq.heappop(heap)
        return None

    def expired(self, now: float) -> Iterator[TimerKey]:
        """Pop what is due, one at a time, looking again after each: a handler may have stopped the next one."""
        while (first := self.next()) is not None and first[0] <= now:
            key = first[1]
            self.stop(key.timer, key.owner)
            yield key

    def defer(self, timers: Collection[Timer], now: float, to: float) -> None:
        """Let those of these kinds that are due be due later."""
        for (timer, owner), (at, _) in list(self.armed.items()):
            if at <= now and timer in timers:
                self.set(timer, to, owner)

    def _disown(self, timer: Timer, owner: Owner) -> None:
        timers = self.owned.get(owner)
        if timers is not None:
            timers.discard(timer)
            if not timers:
                del self.owned[owner]
