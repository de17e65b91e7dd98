"""Leaving the calls to a later process: ``hangup_on_before_unload=False`` and ``leave`` (CALL-860)."""

import anyio
import pytest

from telnyx_core.events import CloseReason, SessionClosed
from telnyx_core.states import CallState, SessionState
from telnyx_drivers._client import Client
from telnyx_drivers.asyncio import MemoryStore
from tests.drivers.conftest import MakeClient, tasks_now
from tests.drivers.fakes import World, next_of

pytestmark = pytest.mark.anyio


async def call_up(client: Client) -> str:
    call = await client.new_call("+1555")
    await call.wait_for_state("active")
    return call.id


@pytest.mark.parametrize("how", ["end of the block", "exception", "cancellation"])
async def test_leaving_the_block_hangs_nobody_up(make_client: MakeClient, world: World, how: str) -> None:
    """SIG-231, SIG-316: no BYE, and the store knows the call."""
    before, store = tasks_now(), MemoryStore()
    client = make_client(hangup_on_before_unload=False, store=store)
    call = None
    with anyio.CancelScope() as scope:
        try:
            async with client:
                call = client.call(await call_up(client))
                closed = client.events()
                incoming = client.incoming()
                if how == "exception":
                    raise ZeroDivisionError
                if how == "cancellation":
                    scope.cancel()
                    await anyio.sleep(1)
        except ZeroDivisionError:
            assert how == "exception"
    assert "telnyx_rtc.bye" not in world.server.methods()
    assert client.state is SessionState.IDLE
    assert call is not None
    assert call.state is CallState.DESTROY
    values = store.load()
    assert values is not None
    assert (values["session_id"], values["calls"]) == ("s-1", [{"id": call.id, "held": False}])
    assert (await next_of(closed, SessionClosed)).reason is CloseReason.LEFT
    with pytest.raises(StopAsyncIteration):
        await anext(incoming)
    assert tasks_now() == before


async def test_the_default_and_the_applications_own_disconnect_hang_up(make_client: MakeClient, world: World) -> None:
    store = MemoryStore()
    async with make_client(store=store) as client:
        await call_up(client)
    assert world.server.methods().count("telnyx_rtc.bye") == 1
    async with make_client(store=store, hangup_on_before_unload=False) as client:
        await call_up(client)
        await client.disconnect()
    assert world.server.methods().count("telnyx_rtc.bye") == 2
    values = store.load()
    assert values is not None
    assert not {"session_id", "calls"} & values.keys(), "SIG-235"


async def test_the_next_process_has_its_calls_among_the_incoming(make_client: MakeClient, world: World) -> None:
    """CALL-533: answered already; those that ring come beside them."""
    store = MemoryStore()
    async with make_client(hangup_on_before_unload=False, store=store) as client:
        call_id = await call_up(client)
    world.server.reattached = [call_id]
    async with make_client(hangup_on_before_unload=False, store=store) as client:
        assert world.server.params("login")["sessid"] == "s-1"
        incoming = client.incoming(recovered=True)
        call = await anext(incoming)
        assert call.id == call_id
        assert call.info.recovered_call_id == call_id
        assert await call.wait_for_state("active", timeout=10) is CallState.ACTIVE
        world.server.ring("in-1")
        assert (await anext(incoming)).state is CallState.RINGING
        await call.hangup()
        assert call_id not in client.calls


async def test_who_does_not_ask_for_them_sees_only_those_that_ring(make_client: MakeClient, world: World) -> None:
    store = MemoryStore()
    async with make_client(hangup_on_before_unload=False, store=store) as client:
        call_id = await call_up(client)
    world.server.reattached = [call_id]
    async with make_client(store=store) as client:
        incoming = client.incoming()
        world.server.ring("in-1")
        assert (await anext(incoming)).id == "in-1"
        assert list(client.calls) == [call_id, "in-1"]
        await client.calls[call_id].hangup()
        with anyio.move_on_after(1) as scope:
            await anext(client.incoming(recovered=True))
        assert scope.cancelled_caught, "one that has ended is no arrival any more"


async def test_by_hand_the_same_client_comes_back(make_client: MakeClient, world: World) -> None:
    client = make_client()
    await client.connect()
    call_id = await call_up(client)
    await client.leave()
    await client.leave()
    assert client.calls == {}
    world.server.reattached = [call_id]
    await client.connect()
    call = await anext(client.incoming(recovered=True))
    assert (call.id, await call.wait_for_state("active")) == (call_id, CallState.ACTIVE)
    await client.disconnect()
    assert world.server.methods().count("telnyx_rtc.bye") == 1


async def test_a_recovery_is_no_arrival(make_client: MakeClient, world: World) -> None:
    """A call of this process that loses its socket stays the call that the application has."""
    async with make_client() as client:
        call_id = await call_up(client)
        world.server.reattached = [call_id]
        world.server.drop()
        await client.calls[call_id].wait_for_state("recovering")
        await client.calls[call_id].wait_for_state("active")
        with anyio.move_on_after(1) as scope:
            await anext(client.incoming(recovered=True))
        assert scope.cancelled_caught


async def test_leaving_before_ever_connecting(make_client: MakeClient) -> None:
    await make_client().leave()
