"""The embedded gateway as an application meets it: our own client, real sockets, real media, loopback only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from telnyx_core.events import StatsFrame
from telnyx_core.gateway import Assistant, CallPlan
from telnyx_core.gateway.events import (
    CallAttached,
    CallEnded,
    DigitsReceived,
    MediaConnected,
    MessageReceived,
)
from telnyx_core.ids import CallId
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers._webrtc.srtp import SrtpWire
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC, Tone
from telnyx_drivers.gateway import Gateway
from tests.media.rig import run

pytestmark = [pytest.mark.net, pytest.mark.media]

USERS = {"alice": "secret", "bob": "hush"}
RATE = 8_000
QUIET = 200
"""Peak of what counts as silence; a tone is thirty times as loud."""


@asynccontextmanager
async def client(gateway: Gateway, user: str = "alice", **options: Any) -> AsyncIterator[TelnyxRTC]:
    async with TelnyxRTC(login=user, password=USERS[user], env=gateway.url, ice_servers=[], **options) as it:
        yield it


async def hears(where: CallHandle | CallAudio, *frequencies: float) -> None:
    """Wait until nothing but one of these frequencies is heard for a quarter of a second; none means silence."""
    reader = where.audio_in(sample_rate=RATE)
    window: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    try:
        async for frame in reader:
            window.append(frame.to_numpy())
            samples = np.concatenate(window[-12:])
            if len(window) >= 12 and _is(samples, frequencies):
                return
    finally:
        reader.close()
    raise AssertionError(f"the call ended before {frequencies} was heard")


def _is(samples: np.ndarray[Any, np.dtype[np.int16]], frequencies: tuple[float, ...]) -> bool:
    loud = int(np.abs(samples).max()) > QUIET
    if not frequencies:
        return not loud
    return loud and any(abs(dominant_frequency(samples, RATE) - wanted) < 5 for wanted in frequencies)


async def active(caller: TelnyxRTC, number: str, **options: Any) -> CallHandle:
    call = await caller.new_call(number, caller_number="+15550001111", **options)
    await call.wait_for_state("active", timeout=10)
    return call


def test_an_echo_repeats_what_is_said() -> None:
    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway) as alice:
            call = await active(alice, "echo")
            await call.play(Tone(700.0))
            await hears(call, 700.0)
            await call.hangup()
            ended = await gateway.wait_for(CallEnded)
            assert (ended.by, ended.cause.cause) == ("client", "NORMAL_CLEARING")

    run(main())


def test_a_tone_sounds_until_it_is_held_and_again_afterwards() -> None:
    """SRV-028: a held call hears nothing."""

    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway) as alice:
            call = await active(alice, "tone")
            await hears(call, 1000.0)
            assert await call.hold()
            await hears(call)
            assert await call.unhold()
            await hears(call, 1000.0)
            await call.hangup()

    run(main())


def test_with_rtcp_switched_off_the_round_trip_comes_from_ice(monkeypatch: pytest.MonkeyPatch) -> None:
    """PS-044: "RTCP may be switched off: round trip then comes from ICE; absence is no warning"."""
    monkeypatch.setattr(SrtpWire, "send_rtcp", lambda wire, packet: None)

    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway, debug=True, call_report_interval=1) as alice:
            call = await active(alice, "tone")
            await hears(call, 1000.0)
            async for event in call.events():
                if isinstance(event, StatsFrame) and event.rtt is not None:
                    assert event.reading.remote_round_trip_count is None
                    assert event.reading.remote_jitter is None
                    assert event.reading.round_trip_time_source == "candidate-pair.currentRoundTripTime"
                    break

    run(main())


def test_ringback_is_heard_before_the_answer() -> None:
    """SRV-025: the SDP comes with `media`."""

    async def main() -> None:
        async with Gateway(users=USERS, plan=CallPlan(answer_delay=1.0)) as gateway, client(gateway) as alice:
            call = await alice.new_call("early", caller_number="+1")
            await call.wait_for_state("early", timeout=10)
            await hears(call, 440.0, 480.0)
            await call.wait_for_state("active", timeout=10)
            await call.play(Tone(700.0))
            await hears(call, 700.0)
            await call.hangup()

    run(main())


@pytest.mark.parametrize(
    ("number", "cause"), [("busy", "USER_BUSY"), ("reject", "CALL_REJECTED"), ("+15559999999", "UNALLOCATED_NUMBER")]
)
def test_calls_that_fail_say_why(number: str, cause: str) -> None:
    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway) as alice:
            call = await alice.new_call(number, caller_number="+1")
            assert (await call.wait_ended(timeout=10)).cause == cause

    run(main())


def test_two_users_speak_to_each_other() -> None:
    """Both directions, headers, digits, text, hold with music, and the end."""

    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway) as alice, client(gateway, "bob") as bob:
            near = await alice.new_call("bob", caller_number="+1555", custom_headers=[{"name": "X-Ref", "value": "42"}])
            far = await anext(bob.incoming())
            assert [(header.name, header.value) for header in far.info.custom_headers] == [("X-Ref", "42")]
            assert far.info.remote_caller_number == "+1555"
            await near.wait_for_state("ringing", timeout=10)
            await far.answer()
            await near.wait_for_state("active", timeout=10)
            await near.play(Tone(600.0))
            await far.play(Tone(900.0))
            await asyncio.gather(hears(near, 900.0), hears(far, 600.0))
            await near.dtmf("12#")
            await near.message("bob", "hello")
            assert (await gateway.wait_for(DigitsReceived)).digits == "12#"
            assert (await gateway.wait_for(MessageReceived)).body == "hello"
            assert await near.hold()
            await asyncio.gather(hears(near), hears(far, 392.0, 523.25))
            assert await near.unhold()
            await asyncio.gather(hears(near, 900.0), hears(far, 600.0))
            await far.hangup()
            assert (await near.wait_ended(timeout=10)).cause == "NORMAL_CLEARING"

    run(main())


@pytest.mark.parametrize("keep", [False, True])
def test_a_call_survives_its_socket(keep: bool) -> None:
    """SRV-020, CALL-510: what is said goes on being heard, also after the client has come back."""

    async def main() -> None:
        keeping = {"keep_connection_alive_on_socket_close": keep}
        async with Gateway(users=USERS) as gateway, client(gateway, **keeping) as alice:
            call = await active(alice, "echo")
            await call.play(Tone(700.0))
            await hears(call, 700.0)
            gateway.drop("alice")
            await call.wait_for_state("recovering", timeout=10)
            await hears(call, 700.0)
            await call.wait_for_state("active", timeout=15)
            await gateway.wait_for(CallAttached)
            await hears(call, 700.0)
            assert gateway.core.calls[call.id].phase.name == "ANSWERED"
            await call.hangup()

    run(main())


def test_the_gateway_calls_and_its_audio_can_be_used() -> None:
    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway, "bob") as bob:
            ringing = gateway.call_user("bob", behaviour="silence", from_number="+1777")
            call = await anext(bob.incoming())
            assert (call.id, call.info.remote_caller_number) == (ringing, "+1777")
            await call.answer()
            await call.wait_for_state("active", timeout=10)
            audio = gateway.audio(ringing)
            await audio.play(Tone(800.0))
            await call.play(Tone(500.0))
            await asyncio.gather(hears(call, 800.0), hears(audio, 500.0))
            gateway.hangup(ringing, cause="ALLOTTED_TIMEOUT")
            ended = await call.wait_ended(timeout=10)
            assert (ended.cause, ended.cause_code) == ("ALLOTTED_TIMEOUT", 802)

    run(main())


def test_an_anonymous_client_reaches_the_assistant() -> None:
    async def main() -> None:
        assistants = {"assistant-1": Assistant(greeting="Hello")}
        target = {"target_type": "ai_assistant", "target_id": "assistant-1"}
        async with (
            Gateway(assistants=assistants) as gateway,
            TelnyxRTC(anonymous_login=target, env=gateway.url, ice_servers=[]) as anyone,
        ):
            call = await anyone.new_call()
            await call.wait_for_state("active", timeout=10)
            await call.play(Tone(700.0))
            await hears(call, 700.0)
            assert (await call.send_conversation_message("hi"))["message"] == "SENT"
            await call.hangup()

    run(main())


def test_a_renegotiation_of_the_server_does_not_end_the_call() -> None:
    """SRV-009."""

    async def main() -> None:
        async with Gateway(users=USERS) as gateway, client(gateway) as alice:
            call = await active(alice, "echo")
            await gateway.wait_for(MediaConnected)
            await call.play(Tone(700.0))
            gateway.renegotiate(CallId(call.id))
            await gateway.wait_for(CallAttached)
            await hears(call, 700.0)
            await call.hangup()

    run(main())
