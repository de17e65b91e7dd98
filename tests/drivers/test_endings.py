"""However a process ends, every call is hung up first: as programs of their own, against a live gateway."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import anyio
import pytest
import trio

from telnyx_core.gateway.events import CallEnded
from telnyx_drivers import _endings as endings
from telnyx_drivers import _leaving as leaving
from telnyx_drivers._client import Client
from telnyx_drivers.gateway import Gateway
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World
from tests.drivers.servers import Servers

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]

ASYNC = """
    async def main():
        client = TelnyxRTC(login="alice", password="secret", env=sys.argv[1], ice_servers=[], enable_call_reports=False)
        await client.connect()
        call = await client.new_call("silence")
        await call.wait_for_state("active", timeout=20)
        {end}
"""
SYNC = """
    client = TelnyxRTC(login="alice", password="secret", env=sys.argv[1], ice_servers=[], enable_call_reports=False)
    client.connect()
    call = client.new_call("silence")
    call.wait_for_state("active", timeout=20)
    {end}
"""
ENDS = {
    "the end of main": "pass",
    "an exception": "raise RuntimeError('bug')",
    "sys.exit": "sys.exit(3)",
    "sys.exit in a handler": "client.on('telnyx.notification', lambda: sys.exit(4)); {await_}call.hold(); {sleep}(30)",
    "SIGINT": "os.kill(os.getpid(), signal.SIGINT); {sleep}(30)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); {sleep}(30)",
    "SIGHUP": "os.kill(os.getpid(), signal.SIGHUP); {sleep}(30)",
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


def program(loop: str, end: str) -> str:
    sleep = {"asyncio": "await asyncio.sleep", "trio": "await trio.sleep", "sync": "time.sleep"}[loop]
    body = textwrap.dedent(SYNC if loop == "sync" else ASYNC)
    run = {"asyncio": "asyncio.run(main())", "trio": "trio.run(main)", "sync": ""}[loop]
    text = body.format(end=ENDS[end].format(sleep=sleep, await_="" if loop == "sync" else "await "))
    return f"import asyncio, os, signal, sys, time, trio\nfrom telnyx_drivers.{loop} import TelnyxRTC\n{text}\n{run}\n"


# What differs: by what a loop learns of its end. Each program costs a start of the interpreter and of the media.
CASES = {
    "asyncio": ("the end of main", "an exception", "SIGINT", "SIGTERM", "sys.exit in a handler"),
    "trio": ("the end of main", "sys.exit", "SIGHUP", "sys.exit in a handler"),
    "sync": ("the end of main", "SIGINT", "SIGTERM", "sys.exit in a handler"),
}


@pytest.mark.slow
@pytest.mark.media
@pytest.mark.parametrize("loop", list(CASES))
def test_every_end_of_a_process_hangs_up(servers: Servers, loop: str, subtests: pytest.Subtests) -> None:
    """One program for each end, side by side: most of their time is spent in starting."""
    gateway: Gateway = servers.enter(Gateway(users={"alice": "secret"}))
    processes = {
        end: subprocess.Popen(
            [sys.executable, "-c", program(loop, end), gateway.url],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for end in CASES[loop]
    }
    for end, process in processes.items():
        _, errors = process.communicate(timeout=120)
        with subtests.test(end=end):
            statuses = {"SIGTERM": -signal.SIGTERM, "SIGHUP": -signal.SIGHUP, "the end of main": 0}
            statuses |= {"sys.exit": 3, "sys.exit in a handler": 4}
            if end in statuses:
                assert process.returncode == statuses[end], errors
            assert "never awaited" not in errors
            assert "destroyed" not in errors
    ended = [event for event in gateway.history if isinstance(event, CallEnded)]
    assert len(ended) == len(CASES[loop])
    servers.stop()


def test_signals_are_watched_while_a_client_is_connected_and_given_back(make_client: MakeClient) -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM)
        async with make_client():
            watched = signal.getsignal(signal.SIGTERM)
        assert (before, signal.getsignal(signal.SIGTERM)) == (signal.SIG_DFL, signal.SIG_DFL)
        assert watched is endings._on_signal

    asyncio.run(main())


def test_an_applications_own_handler_is_left_alone(make_client: MakeClient) -> None:
    async def main() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            async with make_client():
                assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    asyncio.run(main())


@pytest.fixture
def anyio_backend_name() -> str:
    return "asyncio"


def test_a_forgotten_client_says_bye_to_each_call(make_client: MakeClient, world: World) -> None:
    async def main() -> None:
        client = make_client()
        await client.connect()
        for number in ("+1555", "+1666"):
            call = await client.new_call(number)
            await call.wait_for_state("active")

    asyncio.run(main())
    assert world.server.methods().count("telnyx_rtc.bye") == 2
    assert world.server.line.over


async def hears_exit(client: Client, world: World) -> None:
    await client.connect()
    call = await client.new_call("+1555")
    await call.wait_for_state("active")
    client.on("telnyx.notification", lambda: sys.exit(7))
    await call.hold()
    await anyio.sleep(10)


async def serves_exit(client: Client, world: World) -> None:
    client.on("telnyx.ready", lambda: world.server.ring("in-1"))
    async with client:
        await client.serve(lambda call: sys.exit(7))


@pytest.mark.parametrize("main", [hears_exit, serves_exit])
@pytest.mark.parametrize("anyio_backend_name", ["asyncio", "trio"])
def test_sys_exit_in_a_handler_ends_the_program_after_the_byes(
    make_client: MakeClient, world: World, anyio_backend_name: str, main: Callable[[Client, World], Awaitable[None]]
) -> None:
    """With that status: on trio it was the status of a Ctrl-C."""

    async def program() -> None:
        await main(make_client(), world)

    with pytest.raises(SystemExit, match="7"):
        anyio.run(program, backend=anyio_backend_name)
    assert world.server.methods().count("telnyx_rtc.bye") == 1


def test_without_trios_own_way_it_is_a_ctrl_c() -> None:
    """A later version of trio may have none of what is not public."""

    class Task:
        pass

    with pytest.raises(KeyboardInterrupt):
        leaving._broken_off(cast("trio.lowlevel.Task", Task()), lambda: sys.exit(7))


def test_a_child_of_a_fork_has_no_clients() -> None:
    code = """
        import os, sys, signal
        from telnyx_drivers import _endings as endings
        from telnyx_drivers._webrtc.bridge import MediaLoop
        MediaLoop._guard.acquire()
        endings.join(type("Party", (), {})())
        child = os.fork()
        if child == 0:
            ok = not endings._parties and MediaLoop._guard.acquire(timeout=1)
            os._exit(0 if ok else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=60).returncode == 0
