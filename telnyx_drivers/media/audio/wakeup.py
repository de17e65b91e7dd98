"""The seam between the thread that moves audio and the run loop that waits for it.

Audio moves on the media loop, in plain calls that never wait. Applications wait on asyncio or trio, perhaps in another
thread. What crosses is a lock-guarded queue and one of these.
"""

from collections.abc import Callable
from typing import TypeAlias

import anyio

CallSoon: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function on the application's loop, soon and from any thread; it must never raise, even after that loop."""


def directly(function: Callable[[], None]) -> None:
    """The `CallSoon` of an application that runs on the media loop itself."""
    function()


class Wakeup:
    """Lets tasks wait until something holds, and lets the media thread say that it may hold now."""

    def __init__(self, call_soon: CallSoon) -> None:
        self._call_soon = call_soon
        self._event: anyio.Event | None = None

    def fire(self) -> None:
        """Have every waiting task look again. Any thread; costs next to nothing when nobody waits."""
        if self._event is not None:
            self._call_soon(self._release)

    def _release(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return once ``holds()``; at once when it does already."""
        while not holds():
            if self._event is None:
                self._event = anyio.Event()
            event = self._event
            # It may have come true before there was an event to set.
            if holds():
                return
            await event.wait()
