"""Cancelled at each await there is, a client still leaves nothing behind."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest

from telnyx_core.states import CallState, SessionState
from telnyx_drivers import _asyncio, _trio
from telnyx_drivers._client import Client
from tests.drivers.conftest import MakeClient, tasks_now
from tests.drivers.fakes import World

pytestmark = pytest.mark.anyio

How = Literal["scope", "task"]


class Interrupted:
    """Awaits a coroutine and calls ``interrupt`` when it suspends for the n-th time."""

    def __init__(self, coroutine: Any, n: int, interrupt: Callable[[], object]) -> None:
        self._coroutine, self.left, self._interrupt = coroutine, n, interrupt

    def __await__(self) -> Generator[Any, Any, Any]:
        step, value = self._coroutine.send, None
        while True:
            try:
                yielded = step(value)
            except StopIteration as end:
                return end.value
            self.left -= 1
            if self.left == 0:
                self._interrupt()
            try:
                value = yield yielded
                step = self._coroutine.send
            except BaseException as error:  # noqa: BLE001
                value, step = error, self._coroutine.throw


async def run_interrupted(scenario: Callable[[], Any], n: int, how: How) -> bool:
    """Run a scenario, cancelled at its n-th suspension. False: it has not so many."""
    if how == "scope":
        with anyio.CancelScope() as scope:
            run = Interrupted(scenario(), n, scope.cancel)
            await run
    else:
        task = asyncio.ensure_future(_awaited(run := Interrupted(scenario(), n, lambda: task.cancel())))
        with suppress(asyncio.CancelledError):
            await task
    return run.left <= 0


async def _awaited(awaitable: Awaitable[object]) -> None:
    await awaitable


async def use(client: Client, world: World) -> None:
    async with client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active", timeout=10)
        await call.hold()
        await call.dtmf("1")
        await client.login(login_token="fresh")
        world.server.ring("in-1")
        async for other in client.incoming():
            async with other:
                await other.answer()
                await other.wait_for_state("active")
            break
        world.server.drop()
        await call.wait_for_state("recovering")
        with anyio.move_on_after(30):
            async for _ in client.events():
                pass
        await call.hangup()


@pytest.mark.parametrize("how", ["scope", "task"])
async def test_cancelled_at_each_await(
    make_client: MakeClient, world: World, anyio_backend_name: str, how: How
) -> None:
    if how == "task" and anyio_backend_name == "trio":
        pytest.skip("trio cancels by scopes only")
    before = tasks_now()
    n = 0
    while True:
        n += 1
        client = make_client()
        interrupted = await run_interrupted(lambda client=client: use(client, world), n, how)  # type: ignore[misc]
        assert client.state is SessionState.IDLE, n
        assert tasks_now() == before, n
        assert all(line.over for line in world.server.lines), n
        assert all(engine.closed and not engine.open for engine in world.engines), n
        if not interrupted:
            break
    assert n > 15, "the scenario suspends often enough to mean something"


async def renew_and_leave(client: Client, world: World) -> None:
    """By hand: a provider is asked before connecting, again after a refusal, and calls are left and found again."""
    world.server.tokens = {"good"}
    try:
        await client.connect()
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await client.leave()
        world.server.reattached = [call.id]
        await client.connect()
        async for again in client.incoming(recovered=True):
            await again.wait_for_state("active")
            break
        world.server.refuse_once["telnyx_rtc.gatewayState"] = (-32000, "not logged in")
        await client.is_registered()
        await anyio.sleep(1)
    finally:
        with anyio.CancelScope(shield=True):
            await client.__aexit__(None, None, None)


async def test_cancelled_at_each_await_with_a_token_provider(make_client: MakeClient, world: World) -> None:
    before = tasks_now()
    n, interrupted = 0, True
    while interrupted:
        n += 1
        tokens = iter(["stale", *["good"] * 9])

        async def provider(tokens: Iterator[str] = tokens) -> str:
            await anyio.sleep(0.1)
            return next(tokens)

        client = make_client(login_token=None, token_provider=provider, hangup_on_before_unload=False)
        interrupted = await run_interrupted(lambda client=client: renew_and_leave(client, world), n, "scope")  # type: ignore[misc]
        assert client.state is SessionState.IDLE, n
        assert tasks_now() == before, n
        assert all(line.over for line in world.server.lines), n
        assert all(engine.closed and not engine.open for engine in world.engines), n
    assert n > 12, "the scenario suspends often enough to mean something"


async def test_a_second_cancellation_does_not_hurry_the_good_bye(make_client: MakeClient, world: World) -> None:
    """The server does not answer the bye: leaving takes its five seconds, whoever cancels meanwhile."""
    world.server.mute.add("telnyx_rtc.bye")
    client = make_client()
    with anyio.move_on_after(8):
        async with client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active")
            with anyio.move_on_after(1):
                async with call:
                    await anyio.sleep_forever()
            assert call.state is CallState.DESTROY
            call = await client.new_call("+1666")
            await call.wait_for_state("active")
            await anyio.sleep_forever()
    assert call.state is CallState.DESTROY
    assert client.state is SessionState.IDLE
    assert world.server.methods().count("telnyx_rtc.bye") == 2


async def test_a_cancelled_command_does_not_disturb_its_outcome(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        world.server.mute.add("telnyx_rtc.info")
        with anyio.move_on_after(1) as scope:
            await call.dtmf("1")
        assert scope.cancelled_caught
        world.server.mute.clear()
        frame = world.server.received[-1]
        world.server.line.deliver({"jsonrpc": "2.0", "id": frame["id"], "result": {"message": "SENT"}})
        assert (await call.dtmf("2"))["message"] == "SENT"
        await call.hangup()


async def test_what_begins_while_a_client_closes_ends_with_it(anyio_backend_name: str) -> None:
    """A connection that came about in that moment began to watch the network, and `trio.run` never ended."""
    make = _trio.TrioDriver if anyio_backend_name == "trio" else _asyncio.AsyncioDriver
    driver: Any = make(None, None, None)
    begun, ended = anyio.Event(), anyio.Event()

    async def late() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    driver.spawn(anyio.sleep_forever, lambda: driver.spawn(late))
    await anyio.lowlevel.checkpoint()
    await driver.cancel_tasks()
    assert begun.is_set()
    assert ended.is_set()
    assert not driver._tasks
