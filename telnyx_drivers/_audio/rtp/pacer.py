"""One clock for all legs of a loop: every leg is called each 20 ms, without a task or a timer of its own."""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Final, TypeAlias

from telnyx_drivers import _logs as logs

_log = logs.of_module(__name__)

BEAT: Final = 0.02
Leg: TypeAlias = Callable[[float, int], None]
"""Called with the time at which this beat was due and the beats that were skipped just before it.

Seconds of the loop's monotonic clock. A beat that comes late is still the beat of its time: to a leg the clock is even,
and a busy loop makes no leg stretch its audio, which would keep the loop busier still.
"""

_PHASES: Final = 20
"""Legs are spread over the beat, so that the last of many is not late and arriving packets are read in between. With
400 legs, each heard and spoken for, one phase is 2 ms of work."""
_FILL: Final = 8
"""Legs in one phase before another one is used: a wake-up costs as much as a quiet leg."""
_MOST_BEHIND: Final = 8
"""Beats that are made up for, at once. A loop which comes round fifteen times a second runs a timer every other time,
six or seven beats late, and is heard all the same. More have been lost, and a burst would only be late."""


_pacers: "dict[asyncio.AbstractEventLoop, list[_Phase]]" = {}
"""Pacers of the loops that have legs, and only for that long: a clock must not keep its loop alive."""


def join(leg: Leg, after: float | None = None) -> Callable[[], None]:
    """Call ``leg`` at every beat of the running loop from now on; returns a function that ends it.

    ``after`` is a time of the loop within the next beat: of all beats, those are taken that come soonest after it.
    """
    loop = asyncio.get_running_loop()
    phases = _pacers.get(loop)
    if phases is None:
        phases = _pacers[loop] = [_Phase(loop, index * BEAT / _PHASES) for index in range(_PHASES)]
    if after is None:
        phase = next((each for each in phases if each.size < _FILL), None) or min(phases, key=lambda each: each.size)
    else:
        phase = min(phases, key=lambda each: each.first_from(after))
    remove = phase.add(leg)

    def leave() -> None:
        remove()
        if not any(each.size for each in phases) and _pacers.get(loop) is phases:
            del _pacers[loop]

    return leave


class _Phase:
    def __init__(self, loop: asyncio.AbstractEventLoop, offset: float) -> None:
        self._loop = loop
        self._offset = offset
        self._legs: dict[object, Leg] = {}
        self._broken: set[object] = set()
        self._beat = 0
        """Number of the next beat; beats are counted from the loop's zero, so that phases keep their distance."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        return len(self._legs)

    def add(self, leg: Leg) -> Callable[[], None]:
        key = object()
        self._legs[key] = leg
        if self._timer is None:
            self._beat = self._due_by(self._loop.time()) + 1
            self._sleep()

        def remove() -> None:
            self._legs.pop(key, None)
            self._broken.discard(key)
            if not self._legs and self._timer is not None:
                self._timer.cancel()
                self._timer = None

        return remove

    def first_from(self, time: float) -> float:
        """The time of the first beat that is not before ``time``."""
        return self._time(ceil((time - self._offset) / BEAT - 1e-6))

    def _due_by(self, now: float) -> int:
        return int((now - self._offset) / BEAT)

    def _time(self, beat: int) -> float:
        return beat * BEAT + self._offset

    def _sleep(self) -> None:
        self._timer = self._loop.call_at(self._time(self._beat), self._tick)

    def _tick(self) -> None:
        behind = max(0, self._due_by(self._loop.time()) - self._beat)  # a loop's timer may be a bit early
        skipped = behind if behind > _MOST_BEHIND else 0
        beats = range(self._beat + skipped, self._beat + behind + 1)
        self._beat += behind + 1
        # First: a leg that breaks must not stop the clock of all others, nor must one that leaves.
        self._sleep()
        for beat in beats:
            self._call(self._time(beat), skipped)

    def _call(self, due: float, skipped: int) -> None:
        for key, leg in tuple(self._legs.items()):
            try:
                leg(due, skipped)
            except Exception:  # noqa: BLE001
                if key not in self._broken:
                    self._broken.add(key)
                    _log.exception("a leg broke in its beat; further breaks of it are not logged")
