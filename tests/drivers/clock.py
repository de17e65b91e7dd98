"""An asyncio loop whose clock jumps: an hour of waiting takes no time, and a deadlock is an error instead of a hang."""

import asyncio
import selectors


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer whenever every task is waiting. Not for real sockets: it does not wait for them."""

    def __init__(self) -> None:
        self.virtual_now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.virtual_now


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # a platform's own class
    def __init__(self, loop: VirtualClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: every task waits and no timer is set")
        if not ready and timeout is not None:
            self._loop.virtual_now += timeout
        return list(ready)
