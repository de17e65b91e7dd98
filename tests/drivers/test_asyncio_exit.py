"""The end of `asyncio.run`: every task is cancelled at once, and the program must still end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from telnyx_core.states import SessionState
from telnyx_drivers._client import Client
from telnyx_drivers.testing.virtual_loop import JumpingLoop
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World


@pytest.fixture
def anyio_backend_name() -> str:
    return "asyncio"


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main)


def test_leaving_without_disconnecting(make_client: MakeClient, world: World) -> None:
    async def main() -> None:
        await make_client().connect()

    run(main())
    assert world.server.line.over


def test_a_worker_left_behind_closes_its_client(make_client: MakeClient, world: World) -> None:
    clients: list[Client] = []
    workers: set[asyncio.Task[None]] = set()

    async def work(client: Client) -> None:
        async with client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active")
            await asyncio.sleep(3600)

    async def main() -> None:
        for _ in range(3):
            clients.append(make_client())
            workers.add(asyncio.ensure_future(work(clients[-1])))
        await asyncio.sleep(60)

    run(main())
    assert all(worker.done() for worker in workers)


@pytest.mark.parametrize("steps", range(12))
def test_the_loop_ends_while_the_client_connects(make_client: MakeClient, world: World, steps: int) -> None:
    workers: set[asyncio.Task[None]] = set()

    async def work() -> None:
        async with make_client():
            await asyncio.sleep(3600)

    async def main() -> None:
        workers.add(asyncio.ensure_future(work()))
        for _ in range(steps):
            await asyncio.sleep(0)

    run(main())
    assert all(worker.done() for worker in workers)


def test_cancelling_the_main_task_says_good_bye_first(make_client: MakeClient, world: World) -> None:
    """What Ctrl-C does in `asyncio.run`: only the main task is cancelled."""
    client = make_client()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(5, task.cancel)
        async with client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active")
            await asyncio.sleep(3600)

    with pytest.raises(asyncio.CancelledError):
        run(main())
    assert world.server.methods().count("telnyx_rtc.bye") == 1
    assert client.state is SessionState.IDLE
