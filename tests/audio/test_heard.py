"""What the far end has played, and what it hears while nothing is said (issue 15, items 4 and 5)."""

import anyio
import numpy as np
import pytest

from telnyx_core.stats.snapshot import CodecStats, StatsSnapshot
from telnyx_drivers._audio.way import Way, WayMeter
from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers.asyncio import AudioFrame, Noise, Tone
from tests.audio.helpers import call_audio, pull, settle, sine

pytestmark = pytest.mark.anyio

DELAY = 0.12
"""Seconds to the far end's ear: half of the round trip below, and three times the jitter."""
READING = StatsSnapshot(round_trip_time=0.12, remote_jitter=0.02)


class Line:
    """A call on a virtual clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.audio = CallAudio(background=lambda job: job(), clock=lambda: self.now)
        self.audio.reading = lambda: READING
        self.out = self.audio.audio_out

    def beats(self, count: int) -> None:
        for _ in range(count):
            self.audio.pull(8_000)
            self.now += 0.02


async def test_what_was_heard_follows_what_left_by_half_the_round_trip_and_the_far_buffer() -> None:
    line = Line()
    assert line.out.heard.duration == 0
    line.out.write_nowait(sine(440, 8_000, 1.0), 8_000)
    line.beats(5)
    assert line.out.sent_duration == pytest.approx(0.1)
    assert line.out.heard.duration == 0
    line.beats(20)
    assert line.out.heard.duration == pytest.approx(0.5 - DELAY)
    line.beats(40)
    assert line.out.heard.duration == pytest.approx(1.0)


async def test_a_pause_between_two_pieces_is_no_audio_that_was_heard() -> None:
    line = Line()
    line.out.write_nowait(sine(440, 8_000, 0.2), 8_000)
    line.beats(60)
    line.out.write_nowait(sine(440, 8_000, 0.2), 8_000)
    line.beats(8)
    assert line.out.heard.duration == pytest.approx(0.2 + 0.16 - DELAY)


async def test_marks_say_which_piece_was_heard_and_how_much_of_it() -> None:
    line = Line()
    line.out.write_nowait(sine(440, 8_000, 0.4), 8_000, mark="hello")
    line.out.write_nowait(sine(440, 8_000, 0.4), 8_000, mark="world")
    line.beats(1)
    assert line.out.heard.mark is None
    line.beats(15)
    assert (line.out.heard.mark, line.out.heard.part) == ("hello", pytest.approx((0.32 - DELAY) / 0.4))
    line.beats(15)
    assert (line.out.heard.mark, line.out.heard.part) == ("world", pytest.approx((0.62 - DELAY - 0.4) / 0.4))


async def test_clear_returns_what_was_heard_and_what_is_on_its_way_is_heard_after_it() -> None:
    line = Line()
    for word in range(5):
        line.out.write_nowait(sine(440, 8_000, 0.2), 8_000, mark=word)
    line.beats(20)
    cleared = line.out.clear()
    assert cleared == pytest.approx(0.6)
    assert (cleared.heard.mark, cleared.heard.part) == (1, pytest.approx((0.4 - DELAY - 0.2) / 0.2))
    line.beats(20)
    assert (line.out.heard.mark, line.out.heard.part) == (1, 1.0)
    assert line.out.heard.duration == pytest.approx(0.4)
    line.out.write_nowait(sine(440, 8_000, 0.2), 8_000, mark="next")
    line.beats(30)
    assert (line.out.heard.mark, line.out.heard.duration) == ("next", pytest.approx(0.6))


async def test_the_mark_of_a_write_that_waits_stands_where_its_audio_begins() -> None:
    line = Line()

    async def speak(mark: str) -> None:
        await line.out.write(sine(440, 8_000, 0.6), 8_000, mark=mark)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak, "first")
        await settle()
        tasks.start_soon(speak, "second")
        await settle()
        for _ in range(45):
            line.beats(1)
            await settle()
        assert (line.out.heard.mark, line.out.heard.part) == ("second", pytest.approx((0.9 - DELAY - 0.6) / 0.6))
        assert line.out.clear().heard == line.out.heard


async def test_a_playback_knows_how_much_of_it_was_heard() -> None:
    line = Line()
    playback = await line.audio.play(Tone(440, duration=0.5))
    line.beats(10)
    assert playback.heard == pytest.approx(0.2 - DELAY)
    line.beats(60)
    assert playback.heard == pytest.approx(0.5) == playback.position


def test_the_way_is_made_of_what_is_measured() -> None:
    meter = WayMeter()
    assert meter.way(None) == Way()
    codec = CodecStats(mime_type="audio/PCMU", clock_rate=8_000, payload_type=0, channels=1)
    # 40 ms of delay for each of the first second's samples, 100 ms in the second after it.
    first = StatsSnapshot(
        round_trip_time=0.1, jitter_buffer_delay=0.04 * 8_000, jitter_buffer_emitted_count=8_000, codec=codec
    )
    assert (meter.way(first).outward, meter.way(first).inward) == (pytest.approx(0.08), pytest.approx(0.09))
    second = StatsSnapshot(
        round_trip_time=0.1, jitter_buffer_delay=0.14 * 8_000, jitter_buffer_emitted_count=16_000, codec=codec
    )
    assert meter.way(second).inward == pytest.approx(0.05 + 0.1)
    other_peer = StatsSnapshot(jitter_buffer_delay=0.02 * 400, jitter_buffer_emitted_count=400, codec=codec)
    assert meter.way(other_peer).inward == pytest.approx(0.05 + 0.02)


async def test_a_filler_sounds_after_its_time_and_is_gone_within_one_frame_of_the_next_write() -> None:
    audio = call_audio()
    await audio.audio_out.filler(Tone(440, level=0.3), after=0.2)
    assert not pull(audio, 10).any()
    faded_in = pull(audio, 15)
    assert 0 < np.abs(faded_in[:160]).max() < 0.1 * np.abs(faded_in[-160:]).max()
    assert audio.filling
    assert np.abs(pull(audio, 5)).max() == pytest.approx(0.3 * 32_767, rel=0.01)
    audio.audio_out.write_nowait(np.full(480, 1_000, dtype=np.int16), 8_000)
    first = pull(audio, 1)
    assert np.abs(first[-8:] - 1_000).max() < 600  # the rest of the filler fades under the first 20 ms
    assert pull(audio, 2).tolist() == [1_000] * 320
    assert not audio.filling


async def test_a_filler_that_is_taken_away_or_breaks_leaves_the_call_alone() -> None:
    audio = call_audio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    await audio.audio_out.filler(Noise(0.01), after=0)
    assert pull(audio, 30).any()
    await audio.audio_out.filler(None)
    assert not pull(audio, 30).any()

    class Broken:
        ended, error = False, None

        def read(self, rate: int) -> None:
            raise OSError("the room is gone")

        def close(self) -> None:
            pass

    await audio.audio_out.filler(Broken(), after=0)
    assert not pull(audio, 3).any()
    await settle()
    assert [str(fault.error) for fault in faults] == ["the room is gone"]


async def test_frames_of_the_application_can_fill_and_are_closed_with_the_call() -> None:
    audio = call_audio()
    closed: list[bool] = []

    async def room():  # type: ignore[no-untyped-def]
        try:
            while True:
                yield AudioFrame(sine(440, 8_000, 0.02).tobytes(), 8_000)
        finally:
            closed.append(True)

    await audio.audio_out.filler(room(), after=0)
    await settle()
    assert pull(audio, 5).any()
    audio.close()
    await settle()
    assert closed == [True]


@pytest.mark.parametrize(("source", "after"), [(b"\0\0", 0.8), ("a.wav", -1), (5, 0.8)])
async def test_what_cannot_fill_is_refused(source: object, after: float) -> None:
    with pytest.raises((TypeError, ValueError)):
        await call_audio().audio_out.filler(source, after=after)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [0, 1.5])
def test_noise_has_a_level(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        Noise(level)
