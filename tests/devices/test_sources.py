"""Audio sources by name, from `Client.register_source` to the far end's ear (MEDIA-408 to 415)."""

import threading
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from telnyx_core._wire.json_types import Json
from telnyx_core.events import CallUpdated, ErrorRaised
from telnyx_core.testing import Replay
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._webrtc.call_audio import AudioFault
from telnyx_drivers.asyncio import AudioFrame, CallEnded, CallHandle, MediaRecoveryError, Source, Tone, microphone
from tests.devices.fake_portaudio import FakePortAudio, FakePortAudioError
from tests.drivers import live
from tests.drivers.live import RATE, Make, hears

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media]


anyio_backend, servers, gateway, make = live.anyio_backend, live.servers, live.gateway, live.make


class BreakingTone(Tone):
    """Raises in the middle of the call, when told to."""

    def __init__(self, frequency: float) -> None:
        super().__init__(frequency)
        self.broken = threading.Event()

    def read(self, rate: int) -> Samples | None:
        if self.broken.is_set():
            raise RuntimeError("the cable is cut")
        return super().read(rate)


async def test_media_410_a_call_sends_the_source_that_it_names(make: Make) -> None:
    asked: list[Mapping[str, Json]] = []

    async def factory(constraints: Mapping[str, Json]) -> Source:
        asked.append(constraints)
        return Source(Tone(900.0), "a tone")

    async with make() as client:
        first = await client.new_call("echo", caller_number="+1555")
        await first.wait_for_state("active", timeout=10)
        client.register_source("tone", factory)  # the engine exists already
        call = await client.new_call("echo", caller_number="+1555", mic_id="tone", audio={"echoCancellation": False})
        await hears(call, 900.0)
        await call.hangup()
    assert asked == [{"echoCancellation": False}]


async def test_media_410_an_unknown_name_is_42002(make: Make) -> None:
    errors: list[int] = []
    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append(event.code))
        call = await client.new_call("echo", caller_number="+1555", mic_id="nobody's")
        with pytest.raises(CallEnded) as raised:
            await call.wait_for_state("active", timeout=10)
    assert errors == [42002]
    assert raised.value.error is not None
    assert "nobody's" in str(raised.value.error.original)


async def test_media_415_a_source_that_raises_in_mid_call_is_told_and_silent(
    make: Make, tmp_path: Path, faults: list[object]
) -> None:
    tone = BreakingTone(900.0)
    broken: list[AudioFault] = []
    errors: list[ErrorRaised] = []

    async def factory(constraints: Mapping[str, Json]) -> Source:
        return Source(tone, "a tone")

    journal = tmp_path / "call.journal"
    async with make(journal=journal) as client:
        client.register_source("tone", factory)
        call = await client.new_call("echo", caller_number="+1555", mic_id="tone")
        call.audio.on_fault = broken.append
        client.on(ErrorRaised, errors.append)
        await hears(call, 900.0)
        tone.broken.set()
        await call.play(Tone(500.0))
        await hears(call, 500.0)
        assert call.state.value == "active"
        await call.hangup()
    (fault,) = broken
    assert (fault.what, str(fault.error)) == ("source", "the cable is cut")
    (event,) = errors
    assert (event.code, event.call, event.fatal, event.recoverable) == (42003, call.id, False, False)
    assert "the cable is cut" in str(event.error.original)
    assert event.error.causes
    assert event.error.solutions
    Replay.from_file(str(journal)).check()
    assert '"AudioBroke"' in journal.read_text()


async def test_an_iterator_that_raises_in_mid_call_is_an_event(make: Make) -> None:
    errors: list[int] = []

    async def speech() -> AsyncGenerator[AudioFrame, None]:
        yield AudioFrame(b"\0" * 640, 16_000)
        raise PermissionError("no more of this")

    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append(event.code))
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        playback = await call.play(speech())
        with pytest.raises(PermissionError):
            await playback.wait()
        await call.play(Tone(500.0))
        await hears(call, 500.0)
        await call.hangup()
    assert errors == [42001]


async def test_a_call_that_begins_muted_sends_silence_until_it_is_unmuted(make: Make) -> None:
    """The seed's mutedMicOnStart, to the far end and back; the source is open all the same (MEDIA-327)."""
    opened: list[str] = []

    async def factory(constraints: Mapping[str, Json]) -> Source:
        opened.append("tone")
        return Source(Tone(900.0), "a tone")

    async with make(muted_mic_on_start=True) as client:
        client.register_source("default", factory)
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        reader = call.audio_in(sample_rate=RATE)
        loudest = [np.abs((await anext(reader)).to_numpy()).max() for _ in range(40)]
        assert opened == ["tone"]
        assert max(loudest) <= 20
        assert call.audio.counts.sent_silent > 0
        call.unmute()
        await hears(call, 900.0)
        await call.hangup()


async def test_a_microphone_is_open_as_long_as_its_call(make: Make) -> None:
    fake = FakePortAudio()
    with fake.vibrating(600.0):
        async with make() as client:
            client.register_source("default", microphone("USB", portaudio=fake))
            call = await client.new_call("echo", caller_number="+1555")
            await hears(call, 600.0)
            (stream,) = fake.streams
            await call.hangup()
            with anyio.fail_after(10):
                while not stream.closed:  # noqa: ASYNC110  it happens in a worker thread
                    await anyio.sleep(0.01)


async def test_media_312_a_refused_microphone_can_be_tried_again(make: Make) -> None:
    """The whole of mediaPermissionsRecovery with a device: refused, allowed by the user, tried again, heard."""
    fake = FakePortAudio()
    fake.trouble["Built-in"] = FakePortAudioError("Unanticipated host error", -9999, (0, -13, "Permission denied"))
    raised: list[ErrorRaised] = []
    recovered: list[bool] = []

    def resume(event: ErrorRaised) -> None:
        raised.append(event)
        fake.trouble.clear()
        assert isinstance(event, MediaRecoveryError)
        assert event.resume()

    recovery = {"enabled": True, "timeout": 10, "on_success": lambda: recovered.append(True)}
    async with make() as alice, make("bob", "hush", media_permissions_recovery=recovery) as bob:
        bob.register_source("default", microphone(portaudio=fake))
        bob.on(ErrorRaised, resume)
        call = await alice.new_call("bob", caller_number="+1555")
        ringing = await anext(bob.incoming())
        await ringing.answer()
        await ringing.wait_for_state("active", timeout=10)
        await call.wait_for_state("active", timeout=10)
        assert [event.code for event in raised] == [42001]
        assert recovered == [True]
        assert [stream.running for stream in fake.streams] == [True]


async def test_without_a_source_nothing_is_opened(make: Make) -> None:
    async with make() as client:
        call = await client.new_call("echo", caller_number="+1555")
        states = [event.call.state.value async for event in _updates(call)]
        assert "active" in states


async def _updates(call: CallHandle) -> Any:
    async for event in call.events():
        if isinstance(event, CallUpdated):
            yield event
            if event.call.state.value == "active":
                await call.hangup()
