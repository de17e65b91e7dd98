"""The embedded gateway, held to a client that this project did not write: ``@telnyx/webrtc`` on a real libwebrtc."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.gateway.events import (
    CallAttached,
    CallEnded,
    CallUpdated,
    ClientLost,
    DigitsReceived,
    FaultStruck,
    MediaConnected,
)
from telnyx_core.gateway.faults import Delay, Fault
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC, Tone
from telnyx_drivers.gateway import Gateway
from tests.interop.reference import ReferenceClient, missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.anyio,
    pytest.mark.skipif(missing() is not None, reason=missing() or "it is there"),
]

REFERENCE_TONE, OUR_TONE = 700, 500


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """40 ms away, there and back: loopback hides what takes time."""
    async with Gateway(users={"reference": "secret", "ours": "secret"}, media_delay=0.02) as gateway:
        yield gateway


@pytest.fixture
async def reference(gateway: Gateway) -> AsyncIterator[ReferenceClient]:
    async with ReferenceClient() as client:
        await client.connect(gateway.url, "reference", "secret", tone=REFERENCE_TONE)
        yield client


@pytest.fixture
async def ours(gateway: Gateway) -> AsyncIterator[TelnyxRTC]:
    async with TelnyxRTC(login="ours", password="secret", env=gateway.url, ice_servers=[]) as client:
        yield client


async def hear(call: CallHandle, seconds: float) -> float:
    """The pitch of what our end hears, once it has settled."""
    frames = []
    async for frame in call.audio_in(sample_rate=16_000):
        frames.append(frame.to_numpy().ravel())
        if len(frames) >= seconds * 50:
            break
    samples = np.concatenate(frames)
    return dominant_frequency(samples[len(samples) // 2 :], 16_000)


async def tone_at_reference(reference: ReferenceClient, call: str, folder: Path) -> float:
    samples, rate = await reference.listen(call, 1.5, folder)
    return dominant_frequency(samples[len(samples) // 2 :], rate)


async def sing(call: CallHandle) -> None:
    """A sine of ours, twenty seconds of it, queued as a bot would."""
    times = np.arange(16_000 * 20) / 16_000
    samples = (8_000 * np.sin(2 * np.pi * OUR_TONE * times)).astype(np.int16)
    for start in range(0, len(samples), 16_000):
        await call.audio_out.write(samples[start : start + 16_000], sample_rate=16_000)


each_codec = pytest.mark.parametrize("codec", ["opus", "PCMU"])


@each_codec
async def test_it_calls_the_gateways_tone(reference: ReferenceClient, tmp_path: Path, codec: str) -> None:
    call = (await reference.do("call", to="tone", codec=codec))["id"]
    await reference.call_state("active", call)
    assert await tone_at_reference(reference, call, tmp_path) == pytest.approx(1_000, abs=2)
    await reference.do("hangup", id=call)
    await reference.call_state("destroy", call)


@each_codec
async def test_it_hears_itself_through_echo(reference: ReferenceClient, tmp_path: Path, codec: str) -> None:
    call = (await reference.do("call", to="echo", codec=codec))["id"]
    await reference.call_state("active", call)
    assert await tone_at_reference(reference, call, tmp_path) == pytest.approx(REFERENCE_TONE, abs=2)


async def test_it_takes_early_media(reference: ReferenceClient) -> None:
    call = (await reference.do("call", to="early"))["id"]
    await reference.call_state("early", call)
    await reference.call_state("active", call)


async def test_it_is_told_that_a_number_is_busy(reference: ReferenceClient) -> None:
    call = (await reference.do("call", to="busy"))["id"]
    ended = await reference.wait(lambda message: message.get("state") == "hangup" and message.get("id") == call)
    assert ended["cause"] == "USER_BUSY"


async def test_it_holds_and_sends_digits(reference: ReferenceClient, gateway: Gateway) -> None:
    call = (await reference.do("call", to="tone"))["id"]
    await reference.call_state("active", call)
    await gateway.wait_for(MediaConnected)  # before that a server of this family holds nothing
    held = len(reference.messages)
    assert (await reference.do("hold", id=call))["result"] is True
    await reference.call_state("held", call, after=held)
    active = len(reference.messages)
    assert (await reference.do("unhold", id=call))["result"] is True
    await reference.call_state("active", call, after=active)
    await reference.do("dtmf", id=call, digits="42#")
    assert (await gateway.wait_for(DigitsReceived)).digits == "42#"


async def test_we_call_it_and_both_are_heard(reference: ReferenceClient, ours: TelnyxRTC, tmp_path: Path) -> None:
    call = await ours.new_call("reference")
    theirs = await reference.call_state("ringing")
    await reference.do("answer", id=theirs)
    await call.wait_for_state("active", timeout=20)
    singing = asyncio.create_task(sing(call))
    assert await hear(call, 2) == pytest.approx(REFERENCE_TONE, abs=2)
    assert await tone_at_reference(reference, theirs, tmp_path) == pytest.approx(OUR_TONE, abs=2)
    singing.cancel()
    await call.hangup()
    await reference.call_state("destroy", theirs)


async def test_it_calls_us_and_both_are_heard(reference: ReferenceClient, ours: TelnyxRTC, tmp_path: Path) -> None:
    call, theirs = await called(reference, ours)
    assert call.info.remote_caller_number == "+15550001111"
    await reference.call_state("active", theirs)
    singing = asyncio.create_task(sing(call))
    assert await hear(call, 2) == pytest.approx(REFERENCE_TONE, abs=2)
    assert await tone_at_reference(reference, theirs, tmp_path) == pytest.approx(OUR_TONE, abs=2)
    singing.cancel()
    await reference.do("hangup", id=theirs)
    await call.wait_ended()


async def test_it_loses_its_socket_and_is_attached_again(
    reference: ReferenceClient, gateway: Gateway, tmp_path: Path
) -> None:
    call = (await reference.do("call", to="tone"))["id"]
    await reference.call_state("active", call)
    await gateway.wait_for(MediaConnected)  # before that the call ends with its socket
    before = len(reference.messages)
    gateway.drop("reference")
    await reference.call_state("recovering", call, after=before)
    await reference.call_state("active", call, after=before)
    assert (await gateway.wait_for(CallAttached)).call == call
    assert await tone_at_reference(reference, call, tmp_path) == pytest.approx(1_000, abs=2)


async def test_it_restarts_ice(reference: ReferenceClient, gateway: Gateway, tmp_path: Path) -> None:
    """It plays one stream for as long as the call lasts: a new path must bring the same one."""
    call = (await reference.do("call", to="echo"))["id"]
    await reference.call_state("active", call)
    await gateway.wait_for(MediaConnected)
    before = len(gateway.history)
    assert await reference.do("restartIce", id=call) == {"started": True}
    await gateway.wait_for(CallUpdated)
    await gateway.wait_for(MediaConnected, lambda event: event in list(gateway.history)[before:])
    assert await tone_at_reference(reference, call, tmp_path) == pytest.approx(REFERENCE_TONE, abs=2)
    assert not [message for message in reference.messages if message.get("event") == "telnyx.error"]


async def test_it_waits_for_an_attach_that_comes_late(
    reference: ReferenceClient, gateway: Gateway, tmp_path: Path
) -> None:
    call = (await reference.do("call", to="tone"))["id"]
    await reference.call_state("active", call)
    await gateway.wait_for(MediaConnected)
    before = len(reference.messages)
    gateway.add_fault(Fault(on="push", method="telnyx_rtc.attach", do=Delay(4.0)))
    gateway.drop("reference")
    await gateway.wait_for(FaultStruck)
    await reference.call_state("recovering", call, after=before)
    assert (await gateway.wait_for(CallAttached)).call == call
    await reference.call_state("active", call, after=before)
    assert await tone_at_reference(reference, call, tmp_path) == pytest.approx(1_000, abs=2)


async def test_a_far_end_that_sends_nothing_hears_us_all_the_same(
    reference: ReferenceClient, ours: TelnyxRTC, gateway: Gateway, tmp_path: Path
) -> None:
    """PS-045: no RTP is normal. The gateway sends none of what the reference says on to us."""
    call, theirs = await talking(reference, ours)
    muting = asyncio.create_task(mute(gateway, call))
    samples, rate = await reference.listen(theirs, 14.0, tmp_path)
    settled = samples[rate:]
    tenths = settled[: len(settled) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    assert len(tenths) > 110
    loud = np.abs(tenths.astype(np.int32)).max(axis=1) > 2_000
    assert loud.all(), f"silent in {np.flatnonzero(~loud)} of {len(tenths)} tenths of a second"
    assert dominant_frequency(settled, rate) == pytest.approx(OUR_TONE, abs=2)
    assert sum(isinstance(event, CallUpdated) for event in gateway.history) <= 1
    assert not [event for event in gateway.history if isinstance(event, (CallEnded, ClientLost))]
    muting.cancel()
    await call.hangup()
    await reference.call_state("destroy", theirs)


async def test_a_reference_that_sends_nothing_is_not_cut_off(
    reference: ReferenceClient, ours: TelnyxRTC, gateway: Gateway, tmp_path: Path
) -> None:
    """It then takes its own path for broken, and restarts ICE once and again.

    It has placed the call, and is the controlling end. Where it is not, libwebrtc stays on the pair that was nominated
    before the restart for as long as that is answered, whatever is nominated on the new path.
    """
    call, theirs = await called(reference, ours)
    await call.play(Tone(OUR_TONE))
    assert await hear(call, 2) == pytest.approx(REFERENCE_TONE, abs=2)
    await reference.do("fallSilent", id=theirs)
    await gateway.wait_for(CallUpdated, timeout=20)
    await asyncio.sleep(2)
    assert await tone_at_reference(reference, theirs, tmp_path) == pytest.approx(OUR_TONE, abs=2)
    assert {event.call for event in gateway.history if isinstance(event, CallUpdated)} == {theirs}, (
        "ours renews nothing"
    )
    assert not [event for event in gateway.history if isinstance(event, (CallEnded, ClientLost))]
    await call.hangup()
    await reference.call_state("destroy", theirs)


async def called(reference: ReferenceClient, ours: TelnyxRTC) -> tuple[CallHandle, str]:
    """It has called us, and we have answered; its id of the call is the second."""
    theirs = (await reference.do("call", to="ours", callerNumber="+15550001111"))["id"]
    call = await anext(aiter(ours.incoming()))
    await call.answer()
    await call.wait_for_state("active", timeout=20)
    return call, theirs


async def talking(reference: ReferenceClient, ours: TelnyxRTC) -> tuple[CallHandle, str]:
    """We have called it, and it is heard; its id of the call is the second."""
    call = await ours.new_call("reference")
    theirs = await reference.call_state("ringing")
    await reference.do("answer", id=theirs)
    await call.wait_for_state("active", timeout=20)
    await call.play(Tone(OUR_TONE))
    assert await hear(call, 2) == pytest.approx(REFERENCE_TONE, abs=2)
    return call, theirs


async def mute(gateway: Gateway, call: CallHandle) -> None:
    """The gateway sends no RTP to our end any more, on a renewed path neither, and answers every check."""
    engine = gateway._engine
    assert isinstance(engine, AiortcEngine)
    while True:
        for peer, media in engine._peers.values():
            if media is engine._calls.get(call.id):
                peer._path._wire.send = lambda packet: None  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
