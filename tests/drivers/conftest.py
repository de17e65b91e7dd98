"""Every driver test on both loops, on a virtual clock, against a world in memory."""

import asyncio
import gc
import os
import random
import ssl as tls
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias

import pytest
import sniffio
import trio
import trio.testing

from telnyx_core.ids import SocketId
from telnyx_core.session import Session
from telnyx_drivers._asyncio import AsyncioDriver
from telnyx_drivers._client import Client
from telnyx_drivers._driver import Driver, Line
from telnyx_drivers._trio import TrioDriver
from telnyx_drivers._webrtc.ports import AnyLoop, EngineFactory
from telnyx_drivers.testing.virtual_loop import JumpingLoop
from tests.drivers.fakes import World

MakeClient: TypeAlias = Callable[..., Client]


def tasks_now() -> set[object]:
    """Every task of the running loop."""
    if sniffio.current_async_library() == "asyncio":
        return set(asyncio.all_tasks())
    tasks: set[object] = set()
    waiting = [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        if task is not None:
            tasks.add(task)
            waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return tasks


def held_now() -> tuple[int, list[str], int]:
    """What this process holds: files and sockets, threads, tasks of the running loop."""
    gc.collect()
    # Threads of pools stay for the next job, and end by themselves when there is none for some seconds.
    pools = ("Trio thread", "AnyIO worker", "telnyx-audio-file")
    threads = sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith(pools))
    return len(os.listdir("/proc/self/fd")), threads, len(tasks_now())


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture
async def faults(anyio_backend_name: str) -> AsyncIterator[list[object]]:
    """For tests in which an application's code raises: what asyncio's exception handler was told of it.

    The handler of anyio's test runner fails the test, as it should do to an application's own tests.
    """
    told: list[object] = []
    if anyio_backend_name == "trio":
        yield told
        return
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: told.append(context.get("exception")))
    yield told
    loop.set_exception_handler(before)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_client(anyio_backend_name: str, world: World) -> Iterator[MakeClient]:
    """Makes clients of the loop under test whose sockets lead to the world's server."""

    class MemoryAsyncioDriver(AsyncioDriver):
        def _dial(self, socket: SocketId, url: str) -> Line:
            return world.dialler(self)(socket, url)

    class MemoryTrioDriver(TrioDriver):
        def _dial(self, socket: SocketId, url: str) -> Line:
            return world.dialler(self)(socket, url)

    class MemoryClient(Client):
        def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver:
            if anyio_backend_name == "trio":
                return MemoryTrioDriver(session, engine, self, ssl=ssl)
            return MemoryAsyncioDriver(session, engine, self, ssl=ssl)

    def make(**options: Any) -> Client:
        options.setdefault("login_token", "t0ken")
        options.setdefault("rng", random.Random(7))
        options["engine"] = AnyLoop(options.get("engine", world.engine))
        return MemoryClient(**options)

    yield make
    for engine in world.engines:
        assert not engine.open, "a peer was left open"
        assert engine.closed, "an engine was left open"
    for line in world.server.lines:
        assert line.over, "a socket was left open"
