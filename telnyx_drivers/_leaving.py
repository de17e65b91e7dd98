"""``sys.exit()`` in an application's code that this package calls: the program ends with that exit status.

The exit comes while the client is at work, and often in a task or a thread whose end does not end the program.
So it is raised again where the application's main function waits; leaving the blocks there hangs up.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from telnyx_drivers import _logs as logs

if TYPE_CHECKING:
    import trio

Way: TypeAlias = Callable[[BaseException], None]

_RETRY: Final = 0.01
"""Seconds between attempts, while what trio's main task waits for cannot be broken off."""


class _Here(threading.local):
    way: Way | None = None


_here: Final = _Here()


def leave_by(way: Way) -> None:
    """Set how a thread of this package leaves, in which the application's main function does not run."""
    _here.way = way


def stay(error: BaseException) -> None:
    """The leave function of a thread that others depend on too: the exit was reported, and the thread continues."""


def leave(error: BaseException) -> None:
    """End the program by ``error``, a ``SystemExit`` or a ``KeyboardInterrupt``, once the caller has returned."""

    def end() -> None:
        raise error

    if _here.way is not None:
        _here.way(error)
        return
    try:
        asyncio.get_running_loop().call_soon(end)
    except RuntimeError:
        if "trio" in sys.modules:
            _leave_trio(error)


def _leave_trio(error: BaseException) -> None:
    import trio

    if not trio.lowlevel.in_trio_run():
        return
    root = trio.lowlevel.current_root_task()
    assert root is not None, "a run has one"
    begun = _begun()
    if begun.get(False):
        return  # a handler may get the hang-up's event too, and must not interrupt it
    begun.set(True)

    def raise_error() -> NoReturn:
        raise error

    async def interrupt() -> None:
        nurseries, system = root.child_nurseries, trio.lowlevel.current_task().parent_nursery
        assert system is not None, "every task but the root is in one"
        # Trio opens one for system tasks, and within it one for the main task alone; its end ends this one as well.
        for main in [task for nursery in nurseries[nurseries.index(system) + 1 :] for task in nursery.child_tasks]:
            while not _broken_off(main, raise_error):  # noqa: ASYNC110  # trio does not report what a task waits for
                await trio.sleep(_RETRY)

    trio.lowlevel.spawn_system_task(interrupt)


@cache
def _begun() -> "trio.lowlevel.RunVar[bool]":
    import trio

    return trio.lowlevel.RunVar("the main task of this run has been told to end")


def _broken_off(task: "trio.lowlevel.Task", raise_error: Callable[[], NoReturn]) -> bool:
    """Interrupt a waiting task as trio does for Ctrl-C, by a private function; no public one can."""
    attempt = getattr(task, "_attempt_abort", None)
    if attempt is None:
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)  # ends the program too, but with the status of a Ctrl-C
        else:
            logs.client.error("the program cannot be ended from a handler with this version of trio")
        return True
    if getattr(task, "_abort_func", None) is None:
        return False  # it is about to run
    attempt(raise_error)
    return True
