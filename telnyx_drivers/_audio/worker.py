"""Background threads for blocking work: two per process for disks, and one for each job that waits for other hosts."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from telnyx_drivers import _endings as endings


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
