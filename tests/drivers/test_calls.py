"""A call as an application holds it."""

import anyio
import anyio.lowlevel
import pytest

from telnyx_core.errors import InvalidCallParameters, InvalidCallState
from telnyx_core.events import CallInfo, CallUpdated, Event
from telnyx_core.options import CallOptions
from telnyx_core.states import CallState
from telnyx_drivers._client import Client
from telnyx_drivers.asyncio import CallEnded, CallFailed, CallHandle, CallNotification, DriverFailed
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import SDP, World
from tests.drivers.inside import driver_of

pytestmark = pytest.mark.anyio


async def active(client: Client, number: str = "+1555") -> CallHandle:
    call = await client.new_call(number)
    await call.wait_for_state("active", timeout=10)
    return call


async def test_outbound_from_new_to_the_end(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555", caller_number="+1666", custom_headers=[{"name": "X-A", "value": "1"}])
        assert call.state is CallState.NEW
        assert call.direction == "outbound"
        assert client.calls == {call.id: call}
        assert await call.wait_for_state("active", timeout=10) is CallState.ACTIVE
        dialog = world.server.params("telnyx_rtc.invite")["dialogParams"]
        assert (dialog["destination_number"], dialog["caller_id_number"]) == ("+1555", "+1666")
        assert dialog["custom_headers"] == [{"name": "X-A", "value": "1"}]
        cause = await call.hangup()
        assert (cause.cause, cause.cause_code) == ("NORMAL_CLEARING", 16)
        assert call.state is CallState.DESTROY
        assert call.ended == cause
        assert client.calls == {}
        assert client.call(call.id) is None
        assert world.engines[0].released == [call.id]


@pytest.mark.parametrize("form", ["keywords", "options", "mapping"])
async def test_the_three_ways_to_say_the_options(make_client: MakeClient, world: World, form: str) -> None:
    async with make_client() as client:
        if form == "keywords":
            await client.new_call("+1555", caller_name="Me")
        elif form == "options":
            await client.new_call(CallOptions(destination_number="+1555", caller_name="Me"))
        else:
            await client.new_call({"destinationNumber": "+1555", "callerName": "Me"})
        await anyio.sleep(1)
        dialog = world.server.params("telnyx_rtc.invite")["dialogParams"]
        assert (dialog["destination_number"], dialog["caller_id_name"]) == ("+1555", "Me")
        with pytest.raises(TypeError, match="not both"):
            await client.new_call({"destinationNumber": "+1555"}, caller_name="Me")


async def test_waiting_for_a_state_that_is_passed_through_within_one_step(
    make_client: MakeClient, world: World
) -> None:
    """Ringing and answer arrive in the same turn: a waiter that looked only when it runs would miss the first."""
    async with make_client() as client:
        call = await client.new_call("+1555")
        assert await call.wait_for_state({"ringing", "held"}, timeout=10) is CallState.RINGING
        assert call.state is CallState.ACTIVE


async def test_waiting_raises_when_the_call_ends_first_or_time_runs_out(make_client: MakeClient, world: World) -> None:
    world.server.auto_answer = False
    async with make_client() as client:
        call = await client.new_call("+1555")
        with pytest.raises(TimeoutError, match=r"the call is ringing and was not active, held within 5 s"):
            await call.wait_for_state({"active", "held"}, timeout=5)
        with pytest.raises(TimeoutError):
            await call.wait_ended(timeout=5)
        with pytest.raises(ValueError, match=r"purple.*the states are new, .*active"):
            await call.wait_for_state("purple")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                with pytest.raises(CallEnded, match="before it was active, held: USER_BUSY") as caught:
                    await call.wait_for_state(["active", CallState.HELD])
                assert caught.value.cause.cause_code == 17

            group.start_soon(wait)
            await anyio.sleep(1)
            world.server.bye(call.id, "USER_BUSY", 17)
        assert await call.wait_for_state("destroy") is CallState.DESTROY
        assert (await call.wait_ended()).cause == "USER_BUSY"
        with pytest.raises(CallEnded):
            await call.wait_for_state("active")


async def test_a_refused_call_says_why(make_client: MakeClient, world: World) -> None:
    world.server.refuse["telnyx_rtc.invite"] = (-32002, "CALL ERROR")
    async with make_client() as client:
        call = await client.new_call("+1555")
        with pytest.raises(CallEnded) as caught:
            await call.wait_for_state("active", timeout=10)
        assert caught.value.error is not None
        assert caught.value.error.code == 40005
        assert call.error == caught.value.error
        assert "before it was active: 40005" in str(caught.value)
        assert "CALL ERROR" in str(caught.value), "the server's own words"


async def test_inbound_is_handed_out_once_and_answered(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        world.server.ring("in-1")  # before anybody asks
        await anyio.sleep(1)
        incoming = client.incoming()
        call = await anext(incoming)
        assert (call.id, call.direction, call.state) == ("in-1", "inbound", CallState.RINGING)
        await call.answer(custom_headers=[{"name": "X-B", "value": "2"}])
        await call.wait_for_state("active", timeout=10)
        answer = world.server.params("telnyx_rtc.answer")
        assert answer["dialogParams"]["custom_headers"] == [{"name": "X-B", "value": "2"}]
        world.server.ring("in-2")
        second = await anext(client.incoming())
        assert second.id == "in-2"
        with anyio.move_on_after(60) as scope:
            await anext(incoming)
        assert scope.cancelled_caught
        assert (await second.hangup()).cause == "USER_BUSY"


async def test_a_call_that_is_offered_anew_after_a_loss_is_not_handed_out_again(
    make_client: MakeClient, world: World
) -> None:
    """CALL-538: it rings again, and whoever has it has it."""
    async with make_client() as client:
        world.server.ring("in-1")
        call = await anext(client.incoming())
        world.server.reattached = ["in-1"]
        world.server.drop()
        await anyio.sleep(3)
        world.server.request("telnyx_rtc.attach", callID="in-1", sdp=SDP)
        await anyio.sleep(1)
        world.server.ring("in-1", telnyx_leg_id="leg")
        await anyio.sleep(1)
        assert call.info.telnyx_leg_id == "leg"
        assert call.state is CallState.RINGING
        with anyio.move_on_after(5) as scope:
            await anext(client.incoming())
        assert scope.cancelled_caught


async def test_a_call_that_stopped_ringing_is_not_handed_out(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        world.server.ring("in-1")
        world.server.ring("in-2")
        world.server.bye("in-1", "ORIGINATOR_CANCEL", 487)
        await anyio.sleep(1)
        assert (await anext(client.incoming())).id == "in-2"


async def test_waiting_for_calls_ends_with_the_client_and_fails_with_the_session(
    make_client: MakeClient, world: World
) -> None:
    from telnyx_drivers.asyncio import ConnectionFailed

    client = make_client(max_reconnect_attempts=1)

    async def listen() -> None:
        assert [call async for call in client.incoming()] == []

    async with anyio.create_task_group() as group, client:
        group.start_soon(listen)
        await anyio.sleep(1)
    async with client:
        world.server.accepting = False
        world.server.drop()
        with pytest.raises(ConnectionFailed) as caught:
            async for _ in client.incoming():
                pass
        assert caught.value.error is not None
        assert caught.value.error.code == 45003


async def test_hold_says_whether_it_was_done(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await active(client)
        assert await call.hold() is True
        assert call.state is CallState.HELD
        assert await call.unhold() is True
        assert call.state is CallState.ACTIVE
        assert await call.toggleHold() is True
        codes: list[int] = []
        call.on("telnyx.error", lambda event: codes.append(event.code))
        world.server.refuse["telnyx_rtc.modify"] = (-32002, "no")
        assert await call.hold() is False
        await anyio.lowlevel.checkpoint()
        assert codes == [44001]


async def test_a_hold_that_is_not_possible_raises(make_client: MakeClient) -> None:
    """CALL-121, CALL-363: as with digits and the like; False is what the server made of it."""
    async with make_client() as client:
        call = await client.new_call("ring")
        for command in (call.hold, call.unhold, call.toggle_hold):
            with pytest.raises(InvalidCallState):
                await command()


async def test_digits_and_messages_return_the_reply_or_raise(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await active(client)
        assert (await call.dtmf("12#"))["message"] == "SENT"
        assert world.server.params("telnyx_rtc.info")["dtmf"] == "12#"
        await call.message("bob", "hi")
        assert world.server.params("telnyx_rtc.info")["msg"]["body"] == "hi"
        with pytest.raises(ValueError, match="not DTMF"):
            await call.dtmf("x")
        world.server.refuse["telnyx_rtc.info"] = (-32002, "nope")
        with pytest.raises(CallFailed, match="nope") as caught:
            await call.dtmf("1")
        assert caught.value.failure is not None
        assert caught.value.failure.code == -32002


async def test_mute_and_deaf_are_seen_at_once(make_client: MakeClient) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555", muted_mic_on_start=True)
        assert call.info.muted
        assert call.toggle_mute() is False
        call.mute()
        call.deaf()
        assert (call.info.muted, call.info.deaf) == (True, True)
        call.unmute()
        assert call.toggle_deaf() is False
        call.deaf()
        call.undeaf()
        assert (call.info.muted, call.info.deaf) == (False, False)


async def test_an_ended_call_refuses_every_command_but_hangup(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await active(client)
        audio = call.audio
        world.server.bye(call.id)
        ended = await call.wait_ended()
        sent = len(world.server.received)
        for command in (call.answer, call.hold, call.unhold, call.toggle_hold):
            with pytest.raises(InvalidCallState):
                await command()
        for command in (call.mute, call.unmute, call.deaf, call.undeaf, call.toggle_mute, call.toggle_deaf):
            with pytest.raises(InvalidCallState):
                command()
        with pytest.raises(InvalidCallState):
            await call.dtmf("1")
        with pytest.raises(InvalidCallState):
            await call.message("a", "b")
        assert call.resume_media() is False
        assert call.reject_media() is False
        assert await call.hangup() == ended
        assert call.audio is audio, "what was taken can be read to its end"
        assert isinstance(call.info, CallInfo)
        assert len(world.server.received) == sent
        another = await active(client)
        world.server.bye(another.id)
        await another.wait_ended()
        with pytest.raises(InvalidCallState):
            _ = another.audio


async def test_hanging_up_twice_is_one_bye(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await active(client)
        async with anyio.create_task_group() as group:
            group.start_soon(call.hangup)
            group.start_soon(call.hangup)
        assert world.server.methods().count("telnyx_rtc.bye") == 1


@pytest.mark.parametrize(("drain", "least"), [(False, 0.0), (True, 0.1)])
async def test_a_draining_hang_up_lets_the_last_packet_arrive(
    make_client: MakeClient, world: World, drain: bool, least: float
) -> None:
    """On the virtual clock: one network delay and the far end's jitter buffer pass, and no longer than that."""
    async with make_client() as client:
        call = await active(client)
        start = anyio.current_time()
        await call.hangup(drain=drain)
        assert least <= anyio.current_time() - start < least + 0.1
        assert world.server.methods().count("telnyx_rtc.bye") == 1


async def test_a_bye_without_reply_takes_five_seconds(make_client: MakeClient, world: World) -> None:
    world.server.mute.add("telnyx_rtc.bye")
    async with make_client() as client:
        call = await active(client)
        before = anyio.current_time()
        await call.hangup("NO_ANSWER", custom_headers=[{"name": "X-C", "value": "3"}])
        assert anyio.current_time() - before == pytest.approx(5)
        params = world.server.params("telnyx_rtc.bye")
        assert (params["cause"], params["causeCode"]) == ("NO_ANSWER", 19)


async def test_leaving_a_call_block_hangs_up_also_when_cancelled(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        with anyio.move_on_after(3) as scope:
            async with await active(client) as call:
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert call.state is CallState.DESTROY
        assert world.server.methods().count("telnyx_rtc.bye") == 1


async def test_leaving_the_client_ends_its_calls(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        calls = [await active(client, number) for number in ("a", "b", "c")]
    assert [call.state for call in calls] == [CallState.DESTROY] * 3
    assert world.server.methods().count("telnyx_rtc.bye") == 3


async def test_the_calls_own_events_end_with_it(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        first, second = await active(client), await active(client)
        stream = first.events()
        heard: list[str] = []
        first.on(CallUpdated, lambda event: heard.append(event.call.state.value))
        world.server.bye(second.id)
        world.server.bye(first.id)
        events = [event async for event in stream]
        assert [event.call.state.value for event in events if isinstance(event, CallUpdated)] == ["hangup", "destroy"]
        assert heard == ["hangup", "destroy"]
        assert [event async for event in first.events()] == []


async def test_a_calls_own_notification_handler_hears_instead_of_the_clients(make_client: MakeClient) -> None:
    """CALL-551, SIG-420. What is no notification still goes to everybody."""
    general: list[Event] = []
    own: list[Event] = []
    async with make_client() as client:
        client.on("telnyx.notification", general.append)
        call = await client.new_call("+1555", on_notification=own.append)
        await call.hangup()
        assert {type(event) for event in own} == {CallNotification}
        assert general == []
        await (await client.new_call("+1555")).hangup()
        assert general


async def test_waiting_for_ready_before_a_call(make_client: MakeClient, world: World) -> None:
    client = make_client()
    world.server.accepting = False
    async with anyio.create_task_group() as group:
        group.start_soon(client.connect)
        await anyio.sleep(1)
        group.start_soon(open_line, world)
        call = await client.new_call("+1555", wait_for_ready=True)
        await call.wait_for_state("active", timeout=10)
    await client.disconnect()


async def open_line(world: World) -> None:
    from telnyx_core.facts import SocketOpened

    await anyio.sleep(3)
    world.server.line._driver.tell(SocketOpened(world.server.line.socket, 1.0))


async def test_a_second_call_of_one_id_is_refused_and_the_first_lives(make_client: MakeClient) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555", id="mine")
        with pytest.raises(InvalidCallParameters, match="mine"):
            await client.new_call("+1666", id="mine")
        assert client.call("mine") is call
        assert call.live


async def test_a_handle_survives_the_reattach_of_its_call(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await active(client)
        audio = call.audio
        world.server.reattached = [call.id]
        world.server.drop()
        await call.wait_for_state("recovering", timeout=10)
        assert call.live
        await anyio.sleep(3)
        assert len(world.server.lines) == 2
        world.server.request("telnyx_rtc.attach", callID=call.id, sdp=SDP)
        await call.wait_for_state("active", timeout=30)
        assert client.call(call.id) is call
        assert call.audio is audio
        assert call.info.recovered_call_id == call.id


async def test_states_may_be_given_as_an_iterator(make_client: MakeClient) -> None:
    """The check of the argument used it up, and the wait had no end."""
    async with make_client() as client:
        call = await active(client)
        assert await call.wait_for_state(state for state in ("held", "active")) is CallState.ACTIVE
        with pytest.raises(ValueError, match="at least one state"):
            await call.wait_for_state(iter(()))
        with pytest.raises(TypeError, match="attachments must be a list of strings"):
            await call.send_conversation_message("x", iter(["https://x.example/a.png"]))  # type: ignore[arg-type]


async def test_a_filter_of_events_that_is_async_is_refused(make_client: MakeClient) -> None:
    """Every coroutine is true: the first event would do."""

    async def where(event: object) -> bool:
        return False

    async with make_client() as client:
        with pytest.raises(TypeError, match="where must be"):
            await client.wait_for("telnyx.notification", where=where)


async def test_a_draining_hang_up_of_a_client_that_fails_raises_that_failure(make_client: MakeClient) -> None:
    """It was wrapped into an exception group."""
    client = make_client()
    await client.connect()
    call = await active(client)
    call.audio_out.write_nowait(bytes(32_000), 16_000)
    async with anyio.create_task_group() as group:

        async def hang_up() -> None:
            with pytest.raises(DriverFailed):
                await call.hangup(drain=True)

        group.start_soon(hang_up)
        await anyio.sleep(0.1)
        driver_of(client)._fail(ZeroDivisionError())
        driver_of(client)._audience.stopped(driver_of(client).failure)
    await driver_of(client).aclose()
