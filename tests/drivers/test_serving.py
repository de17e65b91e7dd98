"""``serve``: one task for each call, isolated, bounded, and drained by a signal."""

import os
import signal

import anyio
import pytest

from telnyx_core.states import CallState
from telnyx_drivers.asyncio import CallHandle
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World

pytestmark = pytest.mark.anyio


def causes(world: World) -> dict[str, str]:
    return {
        frame["params"]["dialogParams"]["callID"]: frame["params"]["cause"]
        for frame in world.server.received
        if frame.get("method") == "telnyx_rtc.bye"
    }


async def test_a_handler_that_raises_costs_its_call_alone(
    make_client: MakeClient, world: World, faults: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    served: list[str] = []

    async def handler(call: CallHandle) -> None:
        await call.answer()
        await call.wait_for_state("active")
        if call.id == "bad":
            raise ZeroDivisionError("a bug in the bot")
        served.append(call.id)
        await call.wait_ended()

    async with make_client() as client, anyio.create_task_group() as group:
        group.start_soon(client.serve, handler)
        await anyio.sleep(0.1)
        for call in ("good", "bad", "other"):
            world.server.ring(call)
        await anyio.sleep(1)
        assert sorted(served) == ["good", "other"]
        assert set(causes(world)) == {"bad"}
        assert {call.state for call in client.calls.values()} == {CallState.ACTIVE}
        assert "a bug in the bot" in caplog.text
        await client.disconnect()


@pytest.mark.parametrize("when", ["before the answer", "in mid-conversation"])
async def test_a_caller_who_gives_up_is_no_error(
    make_client: MakeClient, world: World, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[str] = []

    async def handler(call: CallHandle) -> None:
        try:
            if when == "before the answer":
                await anyio.sleep(1)
                await call.answer()
            else:
                await call.answer()
                await call.wait_for_state("active")
                await anyio.sleep(1)
                await call.hold()
        finally:
            ends.append(call.id)

    async with make_client() as client, anyio.create_task_group() as group:
        group.start_soon(client.serve, handler)
        await anyio.sleep(0.1)
        world.server.ring("in-1")
        await anyio.sleep(0.5)
        world.server.bye("in-1")
        await anyio.sleep(1)
        assert ends == ["in-1"]
        await client.disconnect()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_at_the_limit_the_next_is_declined_with_the_cause_of_ones_choice(
    make_client: MakeClient, world: World
) -> None:
    async def handler(call: CallHandle) -> None:
        await call.answer()
        await call.wait_ended()

    async with make_client() as client, anyio.create_task_group() as group:

        async def serve() -> None:
            await client.serve(handler, limit=2, decline="CALL_REJECTED")

        group.start_soon(serve)
        await anyio.sleep(0.1)
        for call in ("1", "2", "3"):
            world.server.ring(call)
        await anyio.sleep(1)
        assert causes(world) == {"3": "CALL_REJECTED"}
        world.server.bye("1")
        await anyio.sleep(1)
        world.server.ring("4")
        await anyio.sleep(1)
        assert set(client.calls) == {"2", "4"}
        await client.disconnect()


@pytest.mark.parametrize("patient", [True, False])
async def test_a_signal_drains_and_then_hangs_up(make_client: MakeClient, world: World, patient: bool) -> None:
    said: list[str] = []

    async def handler(call: CallHandle) -> None:
        await call.answer()
        await anyio.sleep(3)
        said.append("good-bye")

    async with make_client() as client, anyio.create_task_group() as group:
        served = anyio.Event()

        async def serve() -> None:
            await client.serve(handler, drain=5 if patient else 1)
            served.set()

        group.start_soon(serve)
        await anyio.sleep(0.1)
        world.server.ring("in-1")
        await anyio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep(0.2)
        world.server.ring("too late")
        await anyio.sleep(0.2)
        assert set(causes(world)) == {"too late"}
        await served.wait()
        assert said == (["good-bye"] if patient else [])
        assert set(causes(world)) == {"too late", "in-1"}
        assert client.connected
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_it_ends_with_the_client(make_client: MakeClient, world: World) -> None:
    async with make_client() as client, anyio.create_task_group() as group:
        group.start_soon(client.serve, lambda call: None)
        await anyio.sleep(0.1)
        await client.disconnect()
