"""Starting a task beside the caller on whichever loop is running."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeAlias

from telnyx_drivers._guard import isolated

Job: TypeAlias = Callable[[], Coroutine[object, object, None]]
Spawn: TypeAlias = Callable[[Job], None]
"""Starts a job that never raises, and looks after it."""

_tasks: set[asyncio.Task[None]] = set()


def spawn(job: Job) -> None:
    """The `Spawn` of an application that has no task group for it. What the job raises is told, and ends it alone."""

    async def run() -> None:
        with isolated("a task of a call's audio"):
            await job()

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        trio.lowlevel.spawn_system_task(run)
    else:
        task = loop.create_task(run())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
