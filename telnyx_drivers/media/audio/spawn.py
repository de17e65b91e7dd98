"""Starting a task beside the caller on whichever loop is running."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeAlias

Job: TypeAlias = Callable[[], Coroutine[object, object, None]]
Spawn: TypeAlias = Callable[[Job], None]
"""Starts a job that never raises, and looks after it."""

_tasks: set[asyncio.Task[None]] = set()


def spawn(job: Job) -> None:
    """The `Spawn` of an application that has no task group for it. The job must not raise."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        trio.lowlevel.spawn_system_task(job)
    else:
        task = loop.create_task(job())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
