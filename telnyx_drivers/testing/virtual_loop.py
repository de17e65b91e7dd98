"""An asyncio loop on a virtual clock: whenever every task waits, the time jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar, TypeVarTuple, Unpack

from telnyx_core.testing.clock import Happening, VirtualClock

T = TypeVar("T")
Args = TypeVarTuple("Args")


class JumpingLoop(asyncio.SelectorEventLoop):
    """Waits for nothing outside this process, so for no real socket; a deadlock is an error instead of a hang."""

    def __init__(self) -> None:
        self.virtual_now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.virtual_now


class VirtualLoop(JumpingLoop):
    """Blocking functions run at once, on this thread, as well."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Args]], T], *args: *Args
    ) -> "asyncio.Future[T]":
        return asyncio.wrap_future(at_once(lambda: func(*args)), loop=self)


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("a deadlock on the virtual clock: every task waits, and for nothing that has a time")
        if not ready and timeout is not None:
            self._loop.virtual_now += timeout
        return list(ready)


def at_once(job: Callable[[], T]) -> "Future[T]":
    """Run it here and now: a thread has no place on a clock that jumps."""
    outcome: Future[T] = Future()
    try:
        outcome.set_result(job())
    except Exception as error:  # noqa: BLE001  # it is raised where it is waited for
        outcome.set_exception(error)
    return outcome


class LoopClock(VirtualClock):
    """The clock of a simulation, which goes with a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def catch_up(self) -> None:
        """Before anything is done that looks at the time."""
        self.now = self._loop.time()

    def at(self, when: float, happening: Happening) -> None:
        super().at(when, happening)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        first = self.next()
        self._timer = None if first is None else self._loop.call_at(first, self._ring)

    def _ring(self) -> None:
        self.catch_up()
        while (first := self.next()) is not None and first <= self.now:
            self.let_one_happen()
        self._arm()
