"""Notification between the threads that move audio and the event loop that waits for it.

Audio moves on the media loop, in plain calls that never wait; files are read and written by workers. Applications wait
on asyncio or trio, perhaps in another thread than either. What crosses is a lock-guarded queue and one of these.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import anyio

CallSoon: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function on the application's loop, soon and from any thread; it must never raise, even after that loop."""


def here() -> CallSoon:
    """The `CallSoon` of the running loop: a direct call on that loop's thread, through the loop from any other one."""
    home = threading.get_ident()
    schedule = _scheduler()

    def call_soon(function: Callable[[], None]) -> None:
        if threading.get_ident() == home:
            function()
        else:
            schedule(function)

    return call_soon


def _scheduler() -> CallSoon:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _trio_scheduler()

    def schedule(function: Callable[[], None]) -> None:
        # After the loop is closed no task waits on it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(function)

    return schedule


def _trio_scheduler() -> CallSoon:
    import trio

    token = trio.lowlevel.current_trio_token()

    def schedule(function: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(function)

    return schedule


class Wakeup:
    """Lets tasks wait until a condition holds, and lets any thread signal that it may hold now.

    Without a ``call_soon``, the loop of the waiting task is woken.
    """

    def __init__(self, call_soon: CallSoon | None) -> None:
        self._call_soon = call_soon
        self._event: anyio.Event | None = None

    def fire(self) -> None:
        """Make every waiting task check again. Any thread; almost free when no task waits."""
        if self._event is not None:
            assert self._call_soon is not None, "whoever waits has a loop"
            self._call_soon(self._release)

    def _release(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return once ``holds()`` is true; at once when it is already."""
        while not holds():
            if self._call_soon is None:
                self._call_soon = here()
            if self._event is None:
                self._event = anyio.Event()
            event = self._event
            # It may have become true before there was an event to set.
            if holds():
                return
            await event.wait()
