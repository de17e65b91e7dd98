"""Microphones and loudspeakers on a fake PortAudio, and the real one's ways to be missing (MEDIA-408 to 415)."""

import ctypes.util
import importlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from telnyx_drivers._audio.devices import Microphone, get_audio_in_devices, get_audio_out_devices
from telnyx_drivers._audio.drift_buffer import DriftBuffer
from telnyx_drivers._audio.portaudio import load_portaudio
from telnyx_drivers._audio.source_registry import fault_of
from telnyx_drivers._services.tones import FrameWriter
from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers.asyncio import AudioDevice, AudioFrame, MediaUnavailable, microphone, speaker
from tests.devices.fake_portaudio import FakePortAudio, FakePortAudioError, device

pytestmark = pytest.mark.anyio

RATE = 48_000
BLOCK = RATE // 50
RAW: Final = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}
UNPLUGGED = FakePortAudioError("Device unavailable", -9985)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fake() -> FakePortAudio:
    return FakePortAudio()


def level(value: int, size: int = BLOCK) -> NDArray[np.int16]:
    return np.full(size, value, np.int16)


async def opened(fake: Any, name: int | str | None = None) -> Microphone:
    source = await microphone(name, portaudio=fake)(RAW)
    assert isinstance(source.voice, Microphone)
    assert source.label == source.voice.label
    return source.voice


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110  what is waited for happens in a worker thread
            await anyio.sleep(0.005)


# Listing.


def test_media_410_devices_are_listed_by_direction(fake: FakePortAudio) -> None:
    fake.devices.append(device("Loudspeaker", 0, 2))
    assert get_audio_in_devices(portaudio=fake) == (
        AudioDevice("Built-in, ALSA", "Built-in", "audioinput"),
        AudioDevice("USB Headset, ALSA", "USB Headset", "audioinput"),
    )
    outs = get_audio_out_devices(portaudio=fake)
    assert [each.label for each in outs] == ["Built-in", "USB Headset", "Loudspeaker"]
    assert {each.kind for each in outs} == {"audiooutput"}


async def test_a_listed_id_opens_its_device(fake: FakePortAudio) -> None:
    assert (await opened(fake, get_audio_in_devices(portaudio=fake)[1].id)).label == "USB Headset"
    assert (await opened(fake, 1)).label == "USB Headset"
    assert (await opened(fake)).label == "Built-in"


# A microphone.


async def test_what_a_microphone_hears_is_said(fake: FakePortAudio) -> None:
    voice = await opened(fake)
    (stream,) = fake.streams
    assert (stream.samplerate, stream.channels, stream.blocksize, stream.dtype) == (RATE, 1, BLOCK, "int16")
    assert voice.read(RATE) is None
    for value in (1, 2, 3):
        stream.hear(level(value))
    said = [voice.read(RATE) for _ in range(3)]
    assert [set(each.tolist()) for each in said if each is not None] == [{1}, {2}, {3}]
    assert voice.underruns == 0


async def test_a_microphone_speaks_at_the_rate_of_the_call(fake: FakePortAudio) -> None:
    voice = await opened(fake)
    for _ in range(5):
        fake.streams[0].hear(level(1000))
    said = [voice.read(8_000) for _ in range(4)]
    assert all(each is not None and each.size == 160 for each in said)
    assert said[2] is not None
    assert said[2].mean() == pytest.approx(1000, abs=2)


async def test_a_microphone_without_mono_is_mixed_down(fake: FakePortAudio) -> None:
    fake.trouble["1 channels"] = FakePortAudioError("Invalid number of channels", -9998)
    voice = await opened(fake)
    for _ in range(2):
        fake.streams[0].hear(np.tile(np.array([100, 300], np.int16), BLOCK))
    said = voice.read(RATE)
    assert said is not None
    assert set(said.tolist()) == {200}


async def test_a_pause_of_the_device_is_counted_and_refilled(fake: FakePortAudio) -> None:
    voice = await opened(fake)
    (stream,) = fake.streams
    for _ in range(2):
        stream.hear(level(5))
    assert [voice.read(RATE) is None for _ in range(3)] == [False, False, True]
    assert voice.underruns == 1
    stream.hear(level(6))
    assert voice.read(RATE) is None, "one block alone would run dry again at once"
    stream.hear(level(6), flags=True)
    assert voice.read(RATE) is not None
    assert (voice.underruns, voice.flagged) == (1, 1)


async def test_media_415_an_unplugged_microphone_is_told_once_and_the_call_goes_on(fake: FakePortAudio) -> None:
    audio = CallAudio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    audio.add_voice(await opened(fake))
    (stream,) = fake.streams
    for _ in range(2):
        stream.hear(level(7))
    stream.stop()
    assert [bool(audio.pull(RATE).any()) for _ in range(4)] == [True, True, False, False]
    (fault,) = faults
    assert (fault.what, str(fault.error)) == ("source", "the microphone 'Built-in' is gone")
    audio.audio_out.write_nowait(level(9).tobytes(), RATE)
    assert audio.pull(RATE).any(), "the others are still heard"
    await until(lambda: stream.closed)


async def test_the_device_is_let_go_with_its_call(fake: FakePortAudio) -> None:
    voice = await opened(fake)
    voice.close()
    voice.close()
    await until(lambda: fake.streams[0].closed)
    assert voice.ended
    assert voice.read(RATE) is None, "our own end is no failure"


# What can go wrong on opening: MEDIA-409.

DENIED = FakePortAudioError("Unanticipated host error", -9999, (0, -13, "Permission denied"))


@pytest.mark.parametrize(
    ("error", "kind", "fault"),
    [
        (DENIED, PermissionError, "permission"),
        (FakePortAudioError("Invalid device", -9996), LookupError, "not_found"),
        (FakePortAudioError("Invalid sample rate", -9997), LookupError, "not_found"),
        (UNPLUGGED, OSError, "other"),
        (FakePortAudioError("Unanticipated host error", -9999, (0, -5, "I/O error")), OSError, "other"),
    ],
)
@pytest.mark.parametrize("when", ["Built-in", "start"])
async def test_media_409_what_an_error_means(
    fake: FakePortAudio, error: Exception, kind: type[Exception], fault: str, when: str
) -> None:
    fake.trouble[when] = error
    with pytest.raises(kind) as raised:
        await opened(fake)
    assert fault_of(raised.value) == fault
    assert all(stream.closed for stream in fake.streams)


async def test_media_409_no_device_at_all(fake: FakePortAudio) -> None:
    fake.default = -1
    with pytest.raises(LookupError, match="Error querying device -1"):
        await opened(fake)
    with pytest.raises(LookupError, match="No input device matching 'Nowhere'"):
        await opened(fake, "Nowhere")


@pytest.mark.parametrize("error", [UNPLUGGED, FakePortAudioError("Invalid sample rate", -9997)])
async def test_media_413_another_device_instead(fake: FakePortAudio, error: Exception) -> None:
    fake.trouble["USB Headset"] = error
    assert (await opened(fake, "USB")).label == "Built-in"
    assert (await opened(fake, "Nowhere")).label == "Built-in"


async def test_media_413_the_first_error_is_told_and_a_refusal_is_final(fake: FakePortAudio) -> None:
    fake.trouble["USB Headset"] = FakePortAudioError("Invalid sample rate", -9997)
    fake.trouble["Built-in"] = UNPLUGGED
    with pytest.raises(LookupError, match="Invalid sample rate"):
        await opened(fake, "USB")
    fake.trouble = {"USB Headset": DENIED}
    with pytest.raises(PermissionError):
        await opened(fake, "USB")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MediaUnavailable, match=r"telnyx-rtc\[devices\]"):
        load_portaudio()


async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real module's own way to fail."""
    pytest.importorskip("_sounddevice", reason="needs sounddevice: pip install 'telnyx-rtc[devices]'")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(MediaUnavailable, match="libportaudio2") as raised:
        await microphone()({})
    assert fault_of(raised.value) == "other"


async def test_the_real_portaudio_knows_no_such_device() -> None:
    """No hardware is needed for that, nor harmed."""
    try:
        real = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        pytest.skip(f"PortAudio is not installed: {error}")
    with pytest.raises(LookupError, match="no such device as this"):
        Microphone(real, "no such device as this")  # type: ignore[arg-type]
    assert isinstance(get_audio_in_devices(), tuple)


# A loudspeaker.


async def test_a_speaker_says_what_a_call_hears(fake: FakePortAudio) -> None:
    async def frames() -> AsyncIterator[AudioFrame]:
        for value in (1, 2, 3):
            yield AudioFrame(level(value).tobytes(), RATE)

    async with speaker("USB", portaudio=fake) as out:
        (stream,) = fake.streams
        assert not stream.say().any()
        assert out.underruns == 0, "nothing had been promised yet"
        await out.play(frames())
        assert [set(stream.say().tolist()) for _ in range(4)] == [{1}, {2}, {3}, {0}]
        assert out.underruns == 1
    await until(lambda: stream.closed)


async def test_a_speaker_without_mono_says_it_on_both_sides(fake: FakePortAudio) -> None:
    fake.trouble["1 channels"] = FakePortAudioError("Invalid number of channels", -9998)

    async def frames() -> AsyncIterator[AudioFrame]:
        yield AudioFrame(np.arange(2 * BLOCK, dtype=np.int16).tobytes(), RATE)

    async with speaker(portaudio=fake) as out:
        await out.play(frames())
        assert fake.streams[0].say().tolist()[:6] == [0, 0, 1, 1, 2, 2]


async def test_a_speaker_can_ring(fake: FakePortAudio) -> None:
    """The sink of a client's tones may be a loudspeaker as it is (MEDIA-431)."""
    async with speaker("USB", portaudio=fake) as out:
        assert isinstance(out, FrameWriter)
        for value in (1, 2, 3):
            out.write(AudioFrame(level(value).tobytes(), RATE))
        assert [set(fake.streams[0].say().tolist()) for _ in range(3)] == [{1}, {2}, {3}]
        fake.streams[0].stop()
        with pytest.raises(OSError, match="is gone"):
            out.write(AudioFrame(level(1).tobytes(), RATE))


async def test_an_unplugged_speaker_is_told(fake: FakePortAudio) -> None:
    async def frames() -> AsyncGenerator[AudioFrame, None]:
        yield AudioFrame(level(1).tobytes(), RATE)
        fake.streams[0].stop()
        yield AudioFrame(level(1).tobytes(), RATE)

    async with speaker(portaudio=fake) as out, aclosing(frames()) as stream:
        with pytest.raises(OSError, match="loudspeaker 'Built-in' is gone"):
            await out.play(stream)


# Between the two clocks.


def test_a_fast_device_costs_audio_but_never_delay() -> None:
    """1 % fast for a minute is 0.6 s: thrown away in pieces, while what waits stays bounded."""
    buffer = DriftBuffer()
    longest = 0.0
    for beat in range(3_000):
        for _ in range(1 + (beat % 100 == 0)):
            buffer.put(level(1, 160), 8_000)
        assert buffer.take(8_000) is not None or beat < 2
        longest = max(longest, buffer.duration)
    assert longest <= 0.12 + 1e-6
    assert 5 <= buffer.overruns <= 10
    assert buffer.underruns == 0


def test_a_slow_device_costs_gaps_but_never_delay() -> None:
    buffer = DriftBuffer()
    for beat in range(3_000):
        if beat % 100:
            buffer.put(level(1, 160), 8_000)
        buffer.take(8_000)
        assert buffer.duration <= 0.06
    assert 10 <= buffer.underruns <= 30
    assert buffer.overruns == 0


def test_what_nobody_takes_is_bounded() -> None:
    buffer = DriftBuffer()
    for _ in range(1_000):
        buffer.put(level(1, 160), 8_000)
    assert buffer.duration <= 0.26
