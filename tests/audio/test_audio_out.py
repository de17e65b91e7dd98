"""Writing into a call: pace, bounds, barge-in (research users.md section 5)."""

import anyio
import numpy as np
import pytest

from telnyx_drivers._audio.writer import AudioOut, QueueFull
from telnyx_drivers._webrtc.measure import dominant_frequency
from tests.audio.helpers import call_audio, pull, ramp, settle, sine

pytestmark = pytest.mark.anyio


async def test_what_is_written_leaves_in_order_and_whole() -> None:
    audio = call_audio()
    await audio.audio_out.write(ramp(100), 8_000)
    await audio.audio_out.write(ramp(300, start=101).tobytes(), 8_000)
    assert pull(audio, 3).tolist() == [*range(1, 401), *[0] * 80]
    assert audio.audio_out.queued_duration == 0


async def test_a_write_returns_when_all_of_it_is_near_the_wire() -> None:
    audio = call_audio()
    finished: list[bool] = []

    async def speak() -> None:
        finished.append(await audio.audio_out.write(sine(440, 8_000, 1.0), 8_000))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak)
        await settle()
        for pulled in range(1, 50):
            assert audio.audio_out.queued_duration <= 0.2 + 1e-9
            audio.pull(8_000)
            await settle()
            # The last 200 ms may wait in the queue: 40 frames have to be gone first.
            assert bool(finished) == (pulled > 39)
    assert finished == [True]


async def test_two_writers_do_not_tear_each_other_apart() -> None:
    audio = call_audio()
    heard = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audio.audio_out.write, np.full(8_000, 1, dtype=np.int16), 8_000)
        await settle()
        tasks.start_soon(audio.audio_out.write, np.full(8_000, 2, dtype=np.int16), 8_000)
        await settle()
        for _ in range(100):
            heard.append(audio.pull(8_000))
            await settle()
    assert np.concatenate(heard).tolist() == [1] * 8_000 + [2] * 8_000


async def test_nowait_is_bounded_and_takes_all_or_nothing() -> None:
    out = AudioOut(limit=0.1)
    out.write_nowait(ramp(800), 8_000)
    with pytest.raises(QueueFull):
        out.write_nowait(ramp(8), 8_000)
    assert out.queued_duration == pytest.approx(0.1)
    out.read(8_000)
    out.write_nowait(ramp(160), 8_000)


async def test_clear_silences_at_once_and_says_how_much_was_lost() -> None:
    audio = call_audio()
    audio.audio_out.write_nowait(sine(440, 8_000, 3.0), 8_000)
    pull(audio, 50)
    assert audio.audio_out.clear() == pytest.approx(2.0)
    assert audio.audio_out.last_cleared_duration == pytest.approx(2.0)
    assert not pull(audio, 10).any()


async def test_clear_reaches_what_a_waiting_write_still_holds() -> None:
    audio = call_audio()
    results: list[bool] = []

    async def speak() -> None:
        results.append(await audio.audio_out.write(sine(440, 8_000, 10.0), 8_000))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak)
        tasks.start_soon(speak)
        await settle()
        pull(audio, 1)
        await settle()
        assert audio.audio_out.clear() == pytest.approx(20 - 0.02)
    assert results == [False, False]
    assert not pull(audio, 10).any()
    assert await audio.audio_out.write(ramp(160), 8_000)
    assert pull(audio, 1).tolist() == [*range(1, 161)]


async def test_at_most_forty_milliseconds_leave_after_a_clear_at_another_rate() -> None:
    audio = call_audio()
    audio.audio_out.write_nowait(sine(440, 44_100, 1.0), 44_100)
    pull(audio, 10)
    audio.audio_out.clear()
    assert not pull(audio, 3)[320:].any()


async def test_a_cancelled_write_takes_back_what_was_not_accepted() -> None:
    audio = call_audio()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(audio.audio_out.write, sine(440, 8_000, 10.0), 8_000)
            await settle()
            scope.cancel()
    assert audio.audio_out.queued_duration == pytest.approx(0.2)
    pull(audio, 10)
    with anyio.fail_after(1):
        await audio.audio_out.drain()


async def test_drain_waits_for_the_last_sample_and_no_longer() -> None:
    audio = call_audio()
    audio.audio_out.write_nowait(ramp(320), 8_000)
    drained = anyio.Event()

    async def wait() -> None:
        await audio.audio_out.drain()
        drained.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await settle()
        pull(audio, 1)
        await settle()
        assert not drained.is_set()
        pull(audio, 1)
        await settle()
        assert drained.is_set()


@pytest.mark.parametrize("rate", [11_025, 16_000, 24_000, 44_100])
async def test_drain_ends_also_when_odd_rates_leave_rests(rate: int) -> None:
    audio = call_audio()
    for _ in range(7):
        audio.audio_out.write_nowait(sine(440, rate, 0.0333), rate)
    pull(audio, 20)
    with anyio.fail_after(1):
        await audio.audio_out.drain()


async def test_a_pause_keeps_what_is_queued() -> None:
    audio = call_audio()
    audio.audio_out.write_nowait(ramp(320), 8_000)
    pull(audio, 1)
    audio.audio_out.pause()
    assert not pull(audio, 5).any()
    assert audio.audio_out.queued_duration == pytest.approx(0.02)
    audio.audio_out.resume()
    assert pull(audio, 1).tolist() == [*range(161, 321)]


@pytest.mark.parametrize("written", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("wire", [8_000, 16_000, 48_000])
async def test_any_rate_reaches_the_wire_without_a_seam(written: int, wire: int) -> None:
    audio = call_audio()
    speech = sine(600, written, 1.0)
    for start in range(0, speech.size, 777):
        audio.audio_out.write_nowait(speech[start : start + 777], written)
    heard = pull(audio, 50, wire).astype(np.float64)
    middle = heard[wire // 10 : -wire // 10]
    assert dominant_frequency(middle, wire) == pytest.approx(600, abs=1)
    # A click is a jump that a sine of this pitch cannot make.
    assert np.abs(np.diff(middle)).max() < 10_000 * 2 * np.pi * 600 / wire * 1.05


async def test_a_change_of_rate_loses_nothing() -> None:
    audio = call_audio()
    audio.audio_out.write_nowait(sine(600, 24_000, 0.5), 24_000)
    audio.audio_out.write_nowait(sine(600, 16_000, 0.5), 16_000)
    audio.audio_out.write_nowait(sine(600, 8_000, 0.5), 8_000)
    heard = pull(audio, 76)
    voiced = np.flatnonzero(np.abs(heard) > 500)
    assert voiced[-1] - voiced[0] == pytest.approx(1.5 * 8_000, abs=60)


async def test_the_end_of_the_call_releases_whoever_waits() -> None:
    audio = call_audio()
    results: list[bool] = []

    async def speak() -> None:
        results.append(await audio.audio_out.write(sine(440, 8_000, 10.0), 8_000))

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)
            tasks.start_soon(audio.audio_out.drain)
            await settle()
            audio.close()
    assert results == [False]
    assert await audio.audio_out.write(ramp(160), 8_000) is False
    audio.audio_out.write_nowait(ramp(160), 8_000)
    assert audio.audio_out.queued_duration == 0


async def test_raw_bytes_without_a_rate_are_refused_and_change_nothing() -> None:
    audio = call_audio()
    with pytest.raises(TypeError, match="sample_rate"):
        await audio.audio_out.write(b"\1\0" * 160)
    with pytest.raises(TypeError, match="sample_rate"):
        audio.audio_out.write_nowait(b"\1\0" * 160)
    assert not pull(audio, 2).any()
    with anyio.fail_after(1):
        await audio.audio_out.drain()
