"""Background threads for blocking work: two per process for disks, and one for each job that waits for other hosts."""

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from queue import SimpleQueue
from typing import TypeVar

import anyio

from telnyx_drivers import _endings as endings
from telnyx_drivers._audio.wakeup import here

T = TypeVar("T")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="telnyx-audio-file")


def _finish() -> None:
    """Files are whole before a signal ends the process."""
    if _pool.cache_info().currsize:
        _pool().shutdown()


endings.finish_with(_finish)
# The threads of a pool are not in the child of a fork, which makes itself another.
os.register_at_fork(after_in_child=_pool.cache_clear)


def in_background(job: Callable[[], None]) -> "Future[None]":
    """Run a short job soon. Jobs may run side by side: who needs an order must hand in one job at a time."""
    return _pool().submit(job)


def in_own_thread(job: Callable[[], None]) -> None:
    """Run a job that may wait for long. It does not keep the process from ending."""
    threading.Thread(target=job, name="telnyx-audio-stream", daemon=True).start()


class OwnThread:
    """A thread for an application's functions, one after the other, until `close`. They may block without end.

    Then they hold up neither other work, as they would in a pool of threads that it shares, nor the end of the process.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.close = weakref.finalize(self, self._jobs.put, None)
        """Idempotent; at the latest when this object is dropped."""
        in_own_thread(partial(_work_off, self._jobs))

    async def run(self, function: Callable[[], T]) -> T:
        """What it returns or raises, on whichever loop is running. Cancelled, it leaves the function to its end."""
        outcome: Future[T] = Future()
        done, call_soon, context = anyio.Event(), here(), copy_context()
        with suppress(ModuleNotFoundError):  # an anyio that does without
            from sniffio import current_async_library_cvar

            context.run(current_async_library_cvar.set, None)  # no loop runs in that thread

        def job() -> None:
            try:
                outcome.set_result(context.run(function))
            except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
                outcome.set_exception(error)
            call_soon(done.set)

        self._jobs.put(job)
        await done.wait()
        return outcome.result()


def _work_off(jobs: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (job := jobs.get()) is not None:
        job()
