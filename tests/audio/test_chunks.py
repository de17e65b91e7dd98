"""Speech as services send it: chunks cut anywhere, late, in bursts, in any encoding, and never a click in it.

The sizes are those that users of the services met or that the services' pages name; each pattern is one of
``docs/how-to/audio-for-bots.md``.
"""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.pcm import WIDTHS, Encoding
from telnyx_drivers._audio.rtp.g711 import PCMA, PCMU
from telnyx_drivers._audio.writer import AudioOut, QueueFull
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import AudioFrame, ChunkDecoder
from tests.audio.helpers import call_audio, pull, ramp, settle, sine
from tests.audio.test_wav import chunk, form, wav

SECONDS = 2.0
LEVEL = 10_000


def cut(data: bytes, *sizes: int) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        for size in sizes:
            yield data[at : at + size]
            at += size


def tone(rate: int) -> bytes:
    return sine(440, rate, SECONDS, LEVEL).astype("<i2").tobytes()


def openai_http() -> Iterator[AudioFrame]:
    """Raw PCM of 24 kHz over HTTP, cut where the network cut it."""
    for piece in cut(tone(24_000), 4_063, 1_697, 4_096):
        yield AudioFrame(piece, 24_000)


def openai_wav() -> Iterator[AudioFrame]:
    """WAV over HTTP: its header was written before the sound, and is itself cut."""
    data = wav(chunk(b"fmt ", form(rate=24_000)), chunk(b"data", tone(24_000), size=0xFFFF_FFFF), size=0xFFFF_FFFF)
    for piece in cut(data, 17, 1_024, 1_023):
        yield AudioFrame(piece, 24_000)


def deepgram_wav() -> Iterator[AudioFrame]:
    """The default container of linear16 is WAV; 24 kHz, sizes that were never filled in."""
    data = wav(chunk(b"fmt ", form(rate=24_000)), chunk(b"data", tone(24_000), size=0), size=0)
    for piece in cut(data, 2_048, 8_191):
        yield AudioFrame(piece, 24_000)


def elevenlabs_ulaw() -> Iterator[AudioFrame]:
    """``ulaw_8000`` in base64 over a WebSocket."""
    for piece in cut(PCMU.encode(sine(440, 8_000, SECONDS, LEVEL)), 1_393, 160):
        yield AudioFrame.from_ulaw(base64.b64decode(base64.b64encode(piece)))


def elevenlabs_pcm(rate: int) -> Callable[[], Iterator[AudioFrame]]:
    """``pcm_22050`` and ``pcm_44100`` in base64."""

    def frames() -> Iterator[AudioFrame]:
        for piece in cut(tone(rate), 3_072, 1_025):
            yield AudioFrame.from_base64(base64.b64encode(piece).decode(), rate)

    return frames


def cartesia_float() -> Iterator[AudioFrame]:
    """``pcm_f32le`` of 44.1 kHz in base64, cut in the middle of a number."""
    data = (sine(440, 44_100, SECONDS, LEVEL) / 32_767).astype("<f4").tobytes()
    chunks = ChunkDecoder(44_100, encoding="float32")
    for piece in cut(data, 4_094, 7_001):
        yield from chunks.frames(base64.b64encode(piece).decode())


def realtime_deltas() -> Iterator[AudioFrame]:
    """PCM of 24 kHz in base64, a tenth of a second each, as speech-to-speech models send it."""
    for piece in cut(tone(24_000), 4_800):
        yield AudioFrame.from_base64(base64.b64encode(piece).decode(), 24_000)


def azure_alaw() -> Iterator[AudioFrame]:
    for piece in cut(PCMA.encode(sine(440, 8_000, SECONDS, LEVEL)), 1_600):
        yield AudioFrame.from_alaw(piece)


SERVICES: dict[str, Callable[[], Iterator[AudioFrame]]] = {
    "OpenAI, PCM over HTTP": openai_http,
    "OpenAI, WAV over HTTP": openai_wav,
    "Deepgram, WAV over HTTP": deepgram_wav,
    "ElevenLabs, mu-law": elevenlabs_ulaw,
    "ElevenLabs, 22,050 Hz": elevenlabs_pcm(22_050),
    "ElevenLabs, 44,100 Hz": elevenlabs_pcm(44_100),
    "Cartesia, floats": cartesia_float,
    "OpenAI, realtime": realtime_deltas,
    "Azure, A-law": azure_alaw,
}


def is_the_tone(heard: Samples, rate: int) -> None:
    sounding = np.flatnonzero(np.abs(heard.astype(int)) > 2_000)
    assert (sounding[-1] - sounding[0]) / rate == pytest.approx(SECONDS, abs=0.02)
    whole = heard[sounding[0] + rate // 20 : sounding[-1] - rate // 20].astype(int)
    assert dominant_frequency(whole.astype(np.int16), rate) == pytest.approx(440, abs=1)
    assert np.abs(np.diff(whole)).max() < LEVEL * 2 * np.pi * 440 / rate * 1.1, "a click"


@pytest.mark.anyio
@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("way", ["play", "write", "write_nowait"])
async def test_what_services_send_is_said_whole(name: str, way: str) -> None:
    service = SERVICES[name]
    audio = call_audio()

    async def source() -> AsyncIterator[AudioFrame]:
        for frame in service():
            yield frame

    async def write() -> None:
        for frame in service():
            await audio.audio_out.write(frame)
        await audio.audio_out.drain()

    heard: list[Samples] = []
    async with anyio.create_task_group() as tasks:
        if way == "play":
            await audio.play(source())
        elif way == "write":
            tasks.start_soon(write)
        else:
            for frame in service():
                audio.audio_out.write_nowait(frame)
        for _ in range(110):
            await settle()
            heard.append(audio.pull(16_000))
    is_the_tone(np.concatenate(heard), 16_000)


@given(
    st.sampled_from(sorted(WIDTHS)), st.integers(1, 3), st.lists(st.integers(0, 50), min_size=1, max_size=12), st.data()
)
@settings(max_examples=100, deadline=None)
def test_however_a_stream_is_cut_no_sample_is_lost_or_moved(
    encoding: Encoding, channels: int, sizes: list[int], data: st.DataObject
) -> None:
    if not any(sizes):
        sizes = [1]
    raw = np.random.default_rng(1).integers(0, 100, 12 * WIDTHS[encoding] * channels, dtype=np.uint8).tobytes()

    def decoded(pieces: Iterator[bytes]) -> list[int]:
        chunks = ChunkDecoder(8_000, channels, encoding)
        return [sample for piece in pieces for samples, _ in chunks.feed(piece) for sample in samples.tolist()]

    assert decoded(cut(raw, *sizes)) == decoded(iter([raw]))


def test_a_wav_stream_counts_for_what_follows_and_the_next_one_begins_anew() -> None:
    sound = ramp(200).astype("<i2").tobytes()
    first = wav(chunk(b"fmt ", form(rate=16_000)), chunk(b"data", sound, size=0xFFFF_FFFF))
    second = wav(chunk(b"fmt ", form(7, rate=8_000, bits=8)), chunk(b"data", PCMU.encode(ramp(200)), size=0))
    out = AudioOut()
    for piece in (first[:3], first[3:50], first[50:], second):
        out.write_nowait(piece, 24_000)
    assert out.queued_duration == pytest.approx(200 / 16_000 + 200 / 8_000)
    with pytest.raises(ValueError, match="cannot be read in pieces"):
        AudioOut().write_nowait(wav(chunk(b"fmt ", form(2, bits=4)), chunk(b"data", sound)), 24_000)


def test_half_a_sample_waits_until_the_stream_is_over() -> None:
    out = AudioOut()
    out.write_nowait(b"\1\0\2", 8_000)
    out.write_nowait(b"\0\3", 8_000)
    out.clear()  # an interruption: what follows is whole, and the half is gone
    out.write_nowait(b"\4\0" * 160, 8_000)
    samples = out.read(8_000)
    assert samples is not None
    assert samples.tolist() == [4] * 160
    out.write_nowait(b"\5", 8_000)
    out.write_nowait(b"\6\0" * 160, 16_000)  # another rate is another stream
    out.write_nowait(np.full(160, 7, np.int16), 8_000)
    assert out.queued_duration == pytest.approx(0.03)


@pytest.mark.parametrize(("pause", "kept"), [(1.0, True), (1.1, False)])
def test_half_a_sample_does_not_outlive_a_pause(pause: float, kept: bool) -> None:
    """What a cut-off stream left over would turn the next one of its rate, each sample of it, into noise."""
    now = 0.0
    out = AudioOut(clock=lambda: now)
    out.write_nowait(b"\1\0" * 160 + b"\2", 8_000)
    now += pause
    out.write_nowait(b"\4\0" * 160, 8_000)
    first, second = out.read(8_000), out.read(8_000)
    assert first is not None
    assert second is not None
    shifted = [0x0402, *[0x0400] * 159]
    assert (first.tolist(), second.tolist()) == ([1] * 160, shifted if kept else [4] * 160)


@pytest.mark.anyio
async def test_a_piece_that_takes_long_to_be_sent_is_no_pause() -> None:
    """A write may wait for many seconds until all of it is near the wire: its stream goes on."""
    now = 0.0
    out = AudioOut(clock=lambda: now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(out.write, b"\1\0" * 4_000 + b"\2", 8_000)
        await settle()
        now += 5.0
        tasks.start_soon(out.write, b"\0\3", 8_000)
        await settle()
        for _ in range(25):
            out.read(8_000)
            await settle()
        now += 0.9
        out.write_nowait(b"\0", 8_000)
    samples = out.read(8_000)
    assert samples is not None
    assert samples[:2].tolist() == [2, 3]


@pytest.mark.parametrize("wrong", [b"\0", "%%%", "AAA"])
def test_helpers_refuse_what_is_no_audio(wrong: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        AudioFrame.from_float32(wrong, 8_000) if isinstance(wrong, bytes) else AudioFrame.from_base64(wrong, 8_000)
    with pytest.raises(ValueError, match="encoding"):
        ChunkDecoder(8_000, encoding="mp3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="channels"):
        ChunkDecoder(8_000, channels=0)
    assert AudioFrame.from_base64(AudioFrame(b"\1\0", 8_000).to_base64(), 8_000).data == b"\1\0"


def test_a_stream_as_fast_as_it_is_said_has_one_gap_and_not_one_for_each_chunk() -> None:
    """Chunks of 84.6 ms at their own pace: what is left of 20 ms waits for the next, once the first has come late."""
    out, speech = AudioOut(), sine(440, 24_000, 4.0, LEVEL)
    heard, due = [], 0.0
    pieces = [speech[at : at + 2_031] for at in range(0, speech.size, 2_031)]
    for beat in range(220):
        while pieces and due <= beat * 0.02:
            out.write_nowait(pieces.pop(0), 24_000)
            due += 2_031 / 24_000
        samples = out.read(8_000)
        heard.append(np.zeros(160, np.int16) if samples is None else samples)
    loud = [bool(np.abs(each).max() > 5_000) for each in heard]
    gaps = sum(one and not other for one, other in pairwise(loud))
    assert gaps <= 3  # the first chunks, and the end
    assert sum(loud) * 0.02 == pytest.approx(4.0, abs=0.06)


@pytest.mark.parametrize("pause", [1, 5, 40])
@pytest.mark.parametrize("size", [480, 700, 2_031])
def test_a_stream_that_comes_in_bursts_breaks_off_and_comes_back_without_a_click(pause: int, size: int) -> None:
    out, speech = AudioOut(), sine(440, 24_000, 3.0, LEVEL)
    pieces = [speech[at : at + size] for at in range(0, speech.size, size)]
    heard: list[Samples] = []
    while pieces:
        for piece in pieces[:3]:
            out.write_nowait(piece, 24_000)
        del pieces[:3]
        for _ in range(3 * size // 480 + pause):
            samples = out.read(16_000)
            heard.append(np.zeros(320, np.int16) if samples is None else samples)
    natural = LEVEL * 2 * np.pi * 440 / 16_000
    assert np.abs(np.diff(np.concatenate(heard).astype(int))).max() < 1.2 * natural + 100


def test_a_writer_that_is_just_in_time_is_not_touched() -> None:
    out = AudioOut()
    speech = sine(440, 8_000, 1.0, LEVEL)
    heard = []
    for start in range(0, speech.size, 160):
        out.write_nowait(speech[start : start + 160], 8_000)
        heard.append(out.read(8_000))
    assert np.concatenate(heard).tolist() == speech.tolist()  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_stream_that_stops_without_an_end_leaves_silence_and_can_be_stopped() -> None:
    audio = call_audio()
    finished = anyio.Event()

    async def source() -> AsyncIterator[AudioFrame]:
        try:
            yield AudioFrame(tone(24_000)[:4_801], 24_000)
            await anyio.sleep_forever()
        finally:
            finished.set()

    playback = await audio.play(source())
    await settle()
    heard = pull(audio, 50)
    assert (np.abs(heard) > 2_000).sum() > 600
    assert not heard[2_000:].any()
    assert not playback.ended
    playback.stop()
    with anyio.fail_after(5):
        await finished.wait()


@pytest.mark.anyio
async def test_far_ahead_is_bounded_and_cleared_at_once() -> None:
    audio = call_audio()
    out = audio.audio_out

    def write_all() -> None:
        for piece in cut(tone(24_000) * 40, 4_063):
            out.write_nowait(piece, 24_000)

    with pytest.raises(QueueFull):
        write_all()
    assert out.queued_duration == pytest.approx(60, abs=0.1)
    pull(audio, 50)
    assert out.clear() == pytest.approx(59, abs=0.1)
    assert not pull(audio, 50)[320:].any()
    out.write_nowait(ramp(160).tobytes(), 8_000)
    assert pull(audio, 1).tolist() == [*range(1, 161)]
