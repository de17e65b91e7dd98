"""Two threads for the whole process that do what may block: reading and decoding files, writing recordings."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="telnyx-audio-file")


def in_background(job: Callable[[], None]) -> "Future[None]":
    """Run a short job soon. Jobs may run side by side: who needs an order must hand in one job at a time."""
    return _pool().submit(job)
