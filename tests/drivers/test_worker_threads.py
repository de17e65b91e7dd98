"""What blocks runs in threads of this package: an application that uses up the usual ones costs no client."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from telnyx_drivers._reach.happy_eyeballs import connect_tcp
from telnyx_drivers._worker_threads import in_thread

LONG = 30


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_applications_threads_are_not_waited_for(loop: str) -> None:
    async def main() -> int:
        over, limiter = threading.Event(), anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, over.wait)
            while not limiter.borrowed_tokens:
                await anyio.lowlevel.checkpoint()
            try:
                with anyio.fail_after(LONG):
                    return await in_thread(partial(int, "7"), abandon_on_cancel=True)
            finally:
                over.set()

    assert anyio.run(main, backend=loop) == 7


@pytest.mark.net
def test_a_name_is_looked_up_although_the_loops_own_threads_are_busy() -> None:
    async def connect() -> str:
        over, loop = threading.Event(), asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, over.wait)
        try:
            with socket.create_server(("127.0.0.1", 0)) as server, anyio.fail_after(LONG):
                made = await connect_tcp("localhost", server.getsockname()[1])
                with made:
                    return str(made.getpeername()[0])
        finally:
            over.set()
            await busy

    assert asyncio.run(connect()) == "127.0.0.1"
