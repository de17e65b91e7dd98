"""The embedded gateway, held to a client that this project did not write: ``@telnyx/webrtc`` on a real libwebrtc."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.gateway.events import CallAttached, DigitsReceived, MediaConnected
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.calls import CallHandle
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.media.measure import dominant_frequency
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
    theirs = (await reference.do("call", to="ours", callerNumber="+15550001111"))["id"]
    call = await anext(aiter(ours.incoming()))
    assert call.info.remote_caller_number == "+15550001111"
    await call.answer()
    await call.wait_for_state("active", timeout=20)
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
