"""Hearing a call: formats, bounds, several readers (MEDIA-401, MEDIA-402, MEDIA-406, MEDIA-726)."""

import gc

import anyio
import numpy as np
import pytest

from telnyx_drivers._audio.readers import AudioIn
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import AudioFrame
from tests.audio.helpers import call_audio, push, ramp, sine

pytestmark = pytest.mark.anyio


async def read_all(reader: AudioIn) -> list[AudioFrame]:
    return [frame async for frame in reader]


async def test_a_reader_gets_every_sample_in_the_format_it_asked_for() -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=8_000)
    push(audio, ramp(480), 8_000)
    audio.close()
    frames = await read_all(reader)
    assert [frame.pts for frame in frames] == [0, 160, 320]
    assert {(frame.sample_rate, frame.channels, len(frame.data)) for frame in frames} == {(8_000, 1, 320)}
    assert np.concatenate([frame.to_numpy() for frame in frames]).tolist() == [*range(1, 481)]


@pytest.mark.parametrize("frame_ms", [10, 20, 30, 60, 100])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
async def test_rates_and_frame_lengths(rate: int, frame_ms: int) -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=rate, channels=2, frame_ms=frame_ms)
    push(audio, sine(700, 8_000, 0.9), 8_000)
    audio.close()
    frames = await read_all(reader)
    assert {frame.duration for frame in frames} == {frame_ms / 1_000}
    both = np.concatenate([frame.to_numpy() for frame in frames])
    assert both.shape[1] == 2
    assert np.array_equal(both[:, 0], both[:, 1])
    assert both.shape[0] == pytest.approx(0.9 * rate, abs=rate * frame_ms / 1_000)
    assert dominant_frequency(both[rate // 10 :, 0], rate) == pytest.approx(700, abs=1)


async def test_a_reader_waits_for_audio_and_is_woken_by_it() -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=8_000)
    got: list[AudioFrame] = []

    async def read() -> None:
        got.append(await anext(reader))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert not got
        audio.push(ramp(160), 8_000)
    assert got[0].to_numpy().tolist() == [*range(1, 161)]


async def test_media_726_a_slow_reader_loses_the_oldest_and_holds_nobody_up() -> None:
    audio = call_audio()
    slow = audio.audio_in(sample_rate=8_000)
    for number in range(130):
        audio.push(np.full(160, number, dtype=np.int16), 8_000)
    assert slow.waiting == 50
    assert slow.dropped == audio.counts.dropped == 80
    frame = await anext(slow)
    assert frame.to_numpy()[0] == 80
    assert frame.pts == 80 * 160


async def test_readers_are_independent_and_start_when_they_are_made() -> None:
    audio = call_audio()
    early = audio.audio_in(sample_rate=8_000)
    audio.push(ramp(160), 8_000)
    late = audio.audio_in(sample_rate=8_000)
    audio.push(ramp(160, start=1_000), 8_000)
    audio.close()
    assert [frame.to_numpy()[0] for frame in await read_all(early)] == [1, 1_000]
    assert [frame.to_numpy()[0] for frame in await read_all(late)] == [1_000]


async def test_media_402_a_deaf_call_hears_silence_of_equal_length() -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=8_000)
    audio.push(ramp(160), 8_000)
    audio.set_deaf(True)
    audio.push(ramp(160), 8_000)
    audio.set_deaf(False)
    audio.push(ramp(160), 8_000)
    audio.close()
    heard = [frame.to_numpy() for frame in await read_all(reader)]
    assert [samples.size for samples in heard] == [160, 160, 160]
    assert [bool(samples.any()) for samples in heard] == [True, False, True]


async def test_closing_one_reader_leaves_the_others() -> None:
    audio = call_audio()
    one, other = audio.audio_in(sample_rate=8_000), audio.audio_in(sample_rate=8_000)
    await one.aclose()
    audio.push(ramp(160), 8_000)
    assert await read_all(one) == []
    assert other.waiting == 1


async def test_a_forgotten_reader_costs_nothing() -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=48_000)
    audio.push(ramp(160), 8_000)
    del reader
    gc.collect()
    audio.push(ramp(160), 8_000)
    assert audio._listeners._readers == ()
    assert audio._listeners._converters == {}


async def test_after_the_call_there_is_nothing_to_read() -> None:
    audio = call_audio()
    audio.close()
    audio.push(ramp(160), 8_000)
    with anyio.fail_after(1):
        assert await read_all(audio.audio_in()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 1},
        {"channels": 0},
        {"channels": 3},
        {"frame_ms": 5},
        {"frame_ms": 2_000},
        {"sample_rate": 11_025, "frame_ms": 20},
    ],
)
async def test_impossible_formats_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        call_audio().audio_in(**wrong)


async def test_a_change_of_the_codec_in_mid_call_is_heard_as_nothing() -> None:
    audio = call_audio()
    reader = audio.audio_in(sample_rate=16_000)
    push(audio, sine(600, 8_000, 0.3), 8_000)
    push(audio, sine(600, 48_000, 0.3), 48_000)
    audio.close()
    heard = np.concatenate([frame.to_numpy() for frame in await read_all(reader)])
    for part in (heard[800:4_000], heard[5_600:8_800]):
        assert dominant_frequency(part, 16_000) == pytest.approx(600, abs=2)
