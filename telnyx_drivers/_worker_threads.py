"""Blocking calls in threads, on any loop.

anyio lets forty of them run at once, and the application's own count among them: where it uses them up, and each waits
for something, a client could neither load its engine nor be closed. Those of this package are few, and are not counted.
"""

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")

at_once: ContextVar[bool] = ContextVar("blocking calls are made where they stand", default=False)
"""On a virtual clock, where a thread would have taken all the time in the world, or none."""


async def in_thread(function: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
    """What it returns or raises. A cancelled caller waits for it nevertheless, unless it may be abandoned."""
    if at_once.get():
        await anyio.lowlevel.checkpoint()
        return function()
    limiter = anyio.CapacityLimiter(math.inf)
    return await anyio.to_thread.run_sync(function, abandon_on_cancel=abandon_on_cancel, limiter=limiter)
