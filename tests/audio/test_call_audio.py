"""A call's audio as a whole: the beat, mute, levels, couplings, threads."""

import threading

import anyio
import numpy as np
import pytest

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.levels import LevelMeter
from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers.asyncio import Tone
from tests.audio.helpers import call_audio, pull, ramp, sine


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_every_pull_is_twenty_milliseconds_whatever_happens(rate: int) -> None:
    audio = call_audio()
    assert audio.pull(rate).size == rate // 50
    audio.audio_out.write_nowait(ramp(7), 8_000)
    assert audio.pull(rate).size == rate // 50
    audio.close()
    assert audio.pull(rate).size == rate // 50
    assert audio.pull(rate).dtype == np.int16


def test_media_405_and_723_mute_sends_silence_and_lets_time_pass() -> None:
    audio = call_audio()
    audio.set_muted(True)
    audio.audio_out.write_nowait(ramp(480), 8_000)
    assert not pull(audio, 2).any()
    audio.set_muted(False)
    assert pull(audio, 1).tolist() == [*range(321, 481)]
    assert audio.counts.sent == 3
    assert audio.counts.sent_silent == 2


class Broken:
    """A voice that cannot be read."""

    ended = False
    error = None

    def read(self, rate: int) -> Samples:
        raise OSError("gone")

    def close(self) -> None:
        pass


@pytest.mark.anyio
async def test_media_415_a_voice_that_breaks_takes_no_other_with_it() -> None:
    audio = call_audio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    audio.add_voice(Broken())
    audio.add_voice(Tone(800))
    assert pull(audio, 10).any()
    await anyio.wait_all_tasks_blocked()
    assert [str(fault.error) for fault in faults] == ["gone"]
    assert np.abs(pull(audio, 10)).max() > 1_000, "the one behind it goes on"


def test_levels_of_both_directions() -> None:
    audio = call_audio()
    before = audio.sent_level.totals, audio.heard_level.totals
    audio.audio_out.write_nowait(sine(400, 8_000, 1.0, level=32_767), 8_000)
    for _ in range(50):
        audio.pull(8_000)
        audio.push(np.full(160, 3_277, dtype=np.int16), 8_000)
    assert audio.sent_level.level == pytest.approx(1 / np.sqrt(2), rel=0.01)
    assert audio.sent_level.totals.level_since(before[0]) == pytest.approx(1 / np.sqrt(2), rel=0.01)
    assert audio.heard_level.totals.level_since(before[1]) == pytest.approx(0.1, rel=0.01)
    assert audio.heard_level.level == pytest.approx(0.1, rel=0.01)
    assert audio.heard_level.peak == pytest.approx(0.1, rel=0.01)
    assert audio.sent_level.peak == pytest.approx(1.0, rel=0.01)
    audio.pull(8_000)  # what breaks off at a level that is heard goes to silence in 5 ms, not in one step
    now = audio.sent_level.totals
    assert now.level_since(now) is None
    audio.pull(8_000)
    assert audio.sent_level.totals.level_since(now) == 0


def test_levels_are_exact_over_changes_of_rate_and_any_number_of_pieces() -> None:
    meter = LevelMeter()
    for count, rate, value in ((70, 8_000, 8_192), (30, 48_000, 16_384), (10, 8_000, 0)):
        for _ in range(count):
            meter.add(np.full(rate // 50, value, dtype=np.int16), rate)
    assert meter.totals.duration == pytest.approx(110 / 50)
    assert meter.totals.energy == pytest.approx((70 / 16 + 30 / 4) / 50)
    assert (meter.level, meter.peak) == (0.0, 0.5)
    assert len(meter._pieces) <= 50


def test_an_echo_has_no_delay_of_its_own() -> None:
    audio = call_audio()
    disconnect = audio.connect(audio)
    audio.push(ramp(160), 8_000)
    assert pull(audio, 1).tolist() == [*range(1, 161)]
    disconnect()
    audio.push(ramp(160), 8_000)
    assert not pull(audio, 1).any()
    assert len(audio._voices) == 1


def test_a_bridge_goes_both_ways_and_not_back() -> None:
    one, other = call_audio(), call_audio()
    one.connect(other)
    one.push(ramp(160), 8_000)
    other.push(ramp(160, start=1_001), 8_000)
    assert other.pull(8_000).tolist() == [*range(1, 161)]
    assert one.pull(8_000).tolist() == [*range(1_001, 1_161)]
    other.close()
    one.push(ramp(160), 8_000)
    assert not one.pull(8_000).any()


def test_a_bridge_between_rates() -> None:
    one, other = call_audio(), call_audio()
    one.connect(other)
    heard = []
    tone = sine(500, 8_000, 1.0)
    for start in range(0, tone.size, 160):
        one.push(tone[start : start + 160], 8_000)
        heard.append(other.pull(48_000))
    assert {samples.size for samples in heard} == {960}
    assert np.abs(np.concatenate(heard)[4_800:]).max() == pytest.approx(10_000, rel=0.02)


def test_a_coupling_never_piles_up_delay() -> None:
    audio = call_audio()
    audio.connect(audio)
    for value in range(100):
        audio.push(np.full(160, value, dtype=np.int16), 8_000)
    assert audio.pull(8_000)[0] >= 96


def test_close_is_final_and_idempotent() -> None:
    audio = call_audio()
    audio.close()
    audio.close()
    assert audio.closed
    audio.push(ramp(160), 8_000)
    assert audio.counts.heard == 0


@pytest.mark.anyio
async def test_a_media_thread_and_an_application_elsewhere() -> None:
    """The media loop in one thread, the application in another: every sample arrives, nobody waits for ever."""
    crossings: list[object] = []
    audio = CallAudio(call_soon=_call_soon_here(crossings))
    reader = audio.audio_in(sample_rate=8_000)
    total = 200

    def media() -> None:
        number = 0
        while number < total:
            if reader.waiting < 40:
                audio.push(np.full(160, number, dtype=np.int16), 8_000)
                number += 1
        audio.close()

    thread = threading.Thread(target=media)
    thread.start()
    with anyio.fail_after(20):
        heard = [int(frame.to_numpy()[0]) async for frame in reader]
    thread.join()
    assert heard == [*range(total)]
    assert crossings


def _call_soon_here(crossings: list[object]):  # type: ignore[no-untyped-def]
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()

        def call_soon(function) -> None:  # type: ignore[no-untyped-def]
            crossings.append(function)
            token.run_sync_soon(function)
    else:

        def call_soon(function) -> None:  # type: ignore[no-untyped-def]
            crossings.append(function)
            loop.call_soon_threadsafe(function)

    return call_soon
