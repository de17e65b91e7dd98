"""Audio sinks by name, and both lists of devices, on every loop (MEDIA-400 to MEDIA-403, MEDIA-410 to MEDIA-412)."""

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import numpy as np
import pytest

from telnyx_core._wire.json_types import Json
from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_drivers._audio import devices
from telnyx_drivers._services import sinks
from telnyx_drivers._webrtc import call_media
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import AudioDevice, AudioFrame, MediaUnavailable, Source, Tone, loudspeaker
from tests.devices.fake_portaudio import FakePortAudio
from tests.drivers import live
from tests.drivers.live import Make
from tests.media.rig import silent

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media]


anyio_backend, servers, gateway, make = live.anyio_backend, live.servers, live.gateway, live.make


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setattr(devices, "load_portaudio", lambda: fake)
    return fake


class Ear:
    """A sink that can tell what it hears."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate
        self.frames: list[AudioFrame] = []
        self.closed = 0
        self.trouble: Exception | None = None

    async def opened(self) -> "Ear":
        return self

    async def write(self, frame: AudioFrame) -> None:
        if self.trouble is not None:
            raise self.trouble
        assert (frame.sample_rate, frame.channels) == (self.rate, 1)
        self.frames.append(frame)

    async def close(self) -> None:
        self.closed += 1

    async def hears(self, frequency: float) -> None:
        with anyio.fail_after(10):
            while True:
                last = [frame.to_numpy() for frame in self.frames[-12:]]
                samples = np.concatenate(last) if len(last) == 12 else np.zeros(1)
                if np.abs(samples).max() > 200 and abs(dominant_frequency(samples, self.rate) - frequency) < 5:
                    return
                await anyio.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110  it happens in another task
            await anyio.sleep(0.01)


async def test_media_400_a_call_is_heard_through_the_sink_that_it_names(make: Make) -> None:
    ear, other = Ear(), Ear(8_000)
    async with make() as client:
        client.register_sink("ear", ear.opened)
        client.register_sink("default", other.opened)
        call = await client.new_call("tone", caller_number="+1555", speaker_id="ear")
        await ear.hears(1_000.0)
        assert not other.frames
        call.deaf()  # MEDIA-402
        await until(lambda: silent(ear.frames[-1].to_numpy()))
        await call.hangup()
        await until(lambda: ear.closed == 1)
    assert other.closed == 0


async def test_the_default_sink_hears_every_other_call_the_incoming_ones_among_them(make: Make) -> None:
    ear = Ear()
    async with make() as alice, make("bob", "hush") as bob:
        bob.register_sink("default", ear.opened)
        call = await alice.new_call("bob", caller_number="+1555")
        ringing = await anext(bob.incoming())
        assert not ear.frames
        await ringing.answer()
        await call.wait_for_state("active", timeout=10)
        await call.play(Tone(700.0))
        await ear.hears(700.0)
        await call.hangup()
        await until(lambda: ear.closed == 1)


async def test_media_412_another_sink_takes_over_in_mid_call(make: Make) -> None:
    first, second = Ear(), Ear(8_000)
    errors: list[tuple[int, bool]] = []
    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append((event.code, event.fatal)))
        client.register_sink("first", first.opened)
        client.register_sink("second", second.opened)
        call = await client.new_call("tone", caller_number="+1555", speaker_id="first")
        await first.hears(1_000.0)
        assert not await call.set_audio_out_device("nobody's")
        await until(lambda: errors == [(42002, False)])
        heard = len(first.frames)
        await until(lambda: len(first.frames) > heard)
        assert await call.set_audio_out_device("second")
        await second.hears(1_000.0)
        assert (first.closed, second.closed) == (1, 0)
        await call.hangup()
        await until(lambda: second.closed == 1)


async def test_a_sink_that_is_opened_too_late_is_closed_again(make: Make) -> None:
    ear = Ear()
    opening, ended = anyio.Event(), anyio.Event()
    done: list[bool] = []

    async def factory() -> Ear:
        opening.set()
        await ended.wait()
        return ear

    async with make() as client:
        client.register_sink("ear", factory)
        call = await client.new_call("tone", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        async with anyio.create_task_group() as group:

            async def switch() -> None:
                done.append(await call.set_audio_out_device("ear"))

            group.start_soon(switch)
            await opening.wait()
            await call.hangup()
            ended.set()
        assert done == [False]
        await until(lambda: ear.closed == 1)
        assert not client.calls


async def test_media_403_a_sink_that_fails_is_told_of_once_and_the_call_goes_on(make: Make) -> None:
    ear, reserve = Ear(), Ear()
    errors: list[ErrorRaised] = []
    async with make() as client:
        client.on(ErrorRaised, errors.append)
        client.register_sink("ear", ear.opened)
        client.register_sink("reserve", reserve.opened)
        call = await client.new_call("tone", caller_number="+1555", speaker_id="ear")
        await ear.hears(1_000.0)
        ear.trouble = OSError("the plug is out")
        await until(lambda: ear.closed == 1)
        await until(lambda: bool(errors))
        assert call.state.value == "active"
        assert await call.set_audio_out_device("reserve")
        await reserve.hears(1_000.0)
        await call.hangup()
    (event,) = errors
    assert (event.code, event.fatal, event.call) == (42003, False, call.id)
    assert "the plug is out" in str(event.error.original)
    assert ear.closed == 1


async def test_a_sink_that_cannot_be_opened_costs_no_call(make: Make) -> None:
    async def factory() -> Ear:
        raise PermissionError("not yours")

    errors: list[int] = []
    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append(event.code))
        client.register_sink("ear", factory)
        call = await client.new_call("tone", caller_number="+1555", speaker_id="ear")
        await call.wait_for_state("active", timeout=10)
        await until(lambda: errors == [42001])
        assert call.state.value == "active"
        await call.hangup()


async def test_a_factory_that_hangs_is_told_of_within_its_limit(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the event, and by a line on standard error for whoever listens to no events."""
    monkeypatch.setattr(sinks, "_OPEN_SECONDS", 0.2)
    monkeypatch.setattr(call_media, "OPEN_SECONDS", 0.2)

    async def factory(*constraints: object) -> Any:
        await asyncio.Event().wait() if constraints else await anyio.sleep_forever()

    errors: list[int] = []
    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append(event.code))
        client.register_sink("ear", factory)
        client.register_source("mouth", factory)
        call = await client.new_call("tone", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        assert not await call.set_audio_out_device("ear")
        assert not await call.set_audio_in_device("mouth")
        assert errors == [42003, 42003]
        assert call.state.value == "active"
        await call.hangup()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [text for text in said if "did not open within 0.2 s" in text] == said
    assert len(said) == 2


async def test_media_410_devices_are_listed_and_their_ids_are_usable(make: Make, fake: FakePortAudio) -> None:
    async def factory(constraints: Mapping[str, Json]) -> Source:
        return Source(Tone(900.0), "a tone")

    async with make() as client:
        client.register_source("tone", factory, "Something that hums")
        client.register_sink("ear", Ear().opened)
        assert await client.get_audio_in_devices() == (
            AudioDevice("tone", "Something that hums", "audioinput"),
            AudioDevice("Built-in, ALSA", "Built-in", "audioinput"),
            AudioDevice("USB Headset, ALSA", "USB Headset", "audioinput"),
        )
        outs = await client.get_audio_out_devices()
        assert [(each.id, each.label) for each in outs[:2]] == [("ear", "ear"), ("Built-in, ALSA", "Built-in")]
        assert {each.kind for each in outs} == {"audiooutput"}
        with fake.vibrating(600.0) as said:
            said.append(np.zeros(960, np.int16))
            call = await client.new_call(
                "echo", caller_number="+1555", mic_id="USB Headset, ALSA", speaker_id=outs[-1].id
            )
            await until(lambda: abs(dominant_frequency(np.concatenate(said[-12:]), 48_000) - 600.0) < 10)
            assert sorted((stream.direction, stream.device) for stream in fake.streams) == [("input", 1), ("output", 1)]
            await call.hangup()
            await until(lambda: all(stream.closed for stream in fake.streams))


async def test_a_loudspeaker_is_registered_as_a_sink(make: Make, fake: FakePortAudio) -> None:
    async with make() as client:
        client.register_sink("default", loudspeaker("USB"))
        with fake.vibrating(600.0) as said:
            call = await client.new_call("tone", caller_number="+1555")
            await until(lambda: any(np.abs(block).max() > 1_000 for block in said[-5:]))
            await call.hangup()
            await until(lambda: all(stream.closed for stream in fake.streams))


async def test_without_the_extra_only_what_is_registered_is_listed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    client = make()
    for listed in (client.get_audio_in_devices, client.get_audio_out_devices):
        with pytest.raises(MediaUnavailable, match=r"pip install 'telnyx-rtc\[devices\]'"):
            await listed()
    client.register_sink("ear", Ear().opened)
    assert await client.get_audio_out_devices() == (AudioDevice("ear", "ear", "audiooutput"),)
    with pytest.raises(MediaUnavailable):
        await client.get_audio_in_devices()


async def test_media_411_another_source_takes_over_in_mid_call(make: Make) -> None:
    closed: list[float] = []

    class Hum(Tone):
        def close(self) -> None:
            super().close()
            closed.append(float(self._frequencies[0, 0]))

    def factory(frequency: float) -> Any:
        async def opened(constraints: Mapping[str, Json]) -> Source:
            return Source(Hum(frequency), "a hum")

        return opened

    ear = Ear()
    errors: list[tuple[int, bool]] = []
    async with make() as client:
        client.on(ErrorRaised, lambda event: errors.append((event.code, event.fatal)))
        client.register_sink("default", ear.opened)
        client.register_source("low", factory(500.0))
        client.register_source("high", factory(900.0))
        call = await client.new_call("echo", caller_number="+1555", mic_id="low")
        await ear.hears(500.0)
        assert not await call.set_audio_in_device("nobody's")
        assert errors == [(42002, False)]
        assert closed == []
        assert await call.set_audio_in_device("high")
        await ear.hears(900.0)
        assert set(closed) == {500.0}
        assert not call.info.muted
        assert await call.set_audio_in_device("low", muted=True)
        assert call.info.muted
        await until(lambda: silent(ear.frames[-1].to_numpy()))
        await call.hangup()


async def test_call_630_a_call_that_sends_nothing_has_no_source_to_change(make: Make) -> None:
    warnings: list[tuple[int, object]] = []
    async with make() as client:
        client.on(WarningRaised, lambda event: warnings.append((event.code, event.details.get("deviceId"))))
        call = await client.new_call("tone", caller_number="+1555", audio=False, receive_only_audio=True)
        await call.wait_for_state("active", timeout=10)
        assert not await call.set_audio_in_device("default")
        await call.hangup()
    assert (33009, "default") in warnings
