"""Recording a call."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import numpy as np
import pytest

from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers._webrtc.measure import dominant_frequency
from tests.audio.helpers import call_audio, ramp, read_wav, settle, sine

pytestmark = pytest.mark.anyio


def talk(audio: CallAudio, frames: int, heard: np.ndarray, rate: int = 8_000) -> None:
    """``frames`` beats of a call: one pull, one push."""
    for index in range(frames):
        audio.pull(rate)
        audio.push(heard[index * (rate // 50) : (index + 1) * (rate // 50)], rate)


async def test_left_is_what_was_sent_and_right_what_was_heard(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "call.wav")
    audio.audio_out.write_nowait(sine(400, 8_000, 2.0), 8_000)
    talk(audio, 100, sine(700, 8_000, 2.0))
    await recording.stop()
    samples, rate = read_wav(tmp_path / "call.wav")
    assert rate == 16_000
    assert samples.shape[0] == pytest.approx(32_000, abs=640)
    assert dominant_frequency(samples[:, 0], rate) == pytest.approx(400, abs=1)
    assert dominant_frequency(samples[:, 1], rate) == pytest.approx(700, abs=1)


async def test_both_sides_keep_one_clock(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    # Nothing is heard for a second; then both sides clap at the same time.
    for _ in range(50):
        audio.pull(8_000)
    audio.audio_out.write_nowait(np.full(160, 5_000, dtype=np.int16), 8_000)
    talk(audio, 50, np.concatenate((np.full(160, 5_000, dtype=np.int16), np.zeros(7_840, dtype=np.int16))))
    await recording.stop()
    samples, _ = read_wav(tmp_path / "call.wav")
    claps = [np.flatnonzero(samples[:, channel])[0] for channel in (0, 1)]
    assert claps[0] == 8_000
    assert abs(claps[1] - claps[0]) <= 160


async def test_a_recording_lasts_from_its_start_to_its_stop_also_when_nothing_runs_there(tmp_path: Path) -> None:
    """A handler that records, blocks the loop and stops: the file had only what ran in between."""
    now = 10.0
    audio = CallAudio(background=lambda job: job(), clock=lambda: now)

    def talk_for(frames: int) -> None:
        nonlocal now
        for _ in range(frames):
            now += 0.02
            audio.pull(8_000, now)
            audio.push(np.full(160, 5_000, dtype=np.int16), 8_000, now)

    talk_for(5)
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    now += 1.5
    talk_for(50)
    now += 2.2
    await recording.stop()
    samples, rate = read_wav(tmp_path / "call.wav")
    assert samples.shape[0] / rate == pytest.approx(4.7, abs=0.04)
    heard = np.flatnonzero(samples[:, 1]) / rate
    assert (heard[0], heard[-1]) == (pytest.approx(1.5, abs=0.04), pytest.approx(2.5, abs=0.04))
    assert recording.lost_seconds == pytest.approx(3.7, abs=0.04)
    silent = await audio.record(tmp_path / "silent.wav", sample_rate=8_000)
    now += 2.0
    await silent.stop()
    assert read_wav(tmp_path / "silent.wav")[0].shape[0] / rate == pytest.approx(2.0, abs=0.04)
    brief = await audio.record(tmp_path / "brief.wav", sample_rate=8_000)
    talk_for(50)
    await brief.stop()
    assert read_wav(tmp_path / "brief.wav")[0].shape[0] / rate == pytest.approx(1.0, abs=0.021)
    assert brief.lost_seconds == 0


async def test_a_loop_whose_clock_is_not_the_systems_makes_no_recording_longer(tmp_path: Path) -> None:
    """A clock that counts while a machine is suspended beside one that does not: hours of silence."""
    now = 10.0
    audio = CallAudio(background=lambda job: job(), clock=lambda: now)

    def talk_for(frames: int) -> None:
        nonlocal now
        for _ in range(frames):
            now += 0.02
            audio.pull(8_000, now + ahead)

    ahead = 5_000.0
    talk_for(5)
    ahead = 5_900.0
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    talk_for(50)
    await recording.stop()
    assert read_wav(tmp_path / "call.wav")[0].shape[0] / 8_000 == pytest.approx(1.0, abs=0.021)


async def test_only_what_was_received(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "in.wav", sample_rate=8_000, channels="received")
    audio.audio_out.write_nowait(sine(400, 8_000, 1.0), 8_000)
    talk(audio, 50, ramp(8_000))
    await recording.stop()
    samples, _ = read_wav(tmp_path / "in.wav")
    assert samples.shape[1] == 1
    heard = samples[:, 0]
    assert heard[np.flatnonzero(heard)].tolist() == [*range(1, 8_000 + 1)]


async def test_without_anything_sent_what_is_heard_is_recorded_all_the_same(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "in.wav", sample_rate=8_000)
    for index in range(100):
        audio.push(np.full(160, index + 1, dtype=np.int16), 8_000)
    await recording.stop()
    samples, _ = read_wav(tmp_path / "in.wav")
    assert samples[::160, 1].tolist() == [*range(1, samples.shape[0] // 160 + 1)]
    assert samples.shape[0] >= 160 * 90


async def test_muting_is_recorded_and_deafness_is_not(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    audio.set_muted(True)
    audio.set_deaf(True)
    audio.audio_out.write_nowait(sine(400, 8_000, 1.0), 8_000)
    talk(audio, 50, sine(700, 8_000, 1.0))
    await recording.stop()
    samples, rate = read_wav(tmp_path / "call.wav")
    assert not samples[:, 0].any()
    assert dominant_frequency(samples[:, 1], rate) == pytest.approx(700, abs=1)


@pytest.mark.skipif(os.name == "nt", reason="file modes")
async def test_the_file_is_private_even_when_it_was_not_before(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"old")
    path.chmod(0o644)
    audio = call_audio()
    recording = await audio.record(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await recording.stop()
    assert path.read_bytes()[:4] == b"RIFF"


async def test_the_end_of_the_call_completes_the_file(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    talk(audio, 60, ramp(9_600))
    audio.close()
    assert recording.ended
    samples, _ = read_wav(tmp_path / "call.wav")
    assert samples.shape == (9_600, 2)
    await recording.stop()


async def test_a_crash_would_leave_all_but_the_last_second(tmp_path: Path) -> None:
    audio = call_audio()
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    talk(audio, 120, ramp(19_200))
    recording._file.flush()
    assert read_wav(tmp_path / "call.wav")[0].shape == (16_000, 2)
    await recording.stop()


async def test_a_slow_disk_costs_audio_but_neither_memory_nor_the_beat(tmp_path: Path) -> None:
    jobs: list[Callable[[], None]] = []
    faults: list[AudioFault] = []
    audio = CallAudio(background=jobs.append, report=faults.append)
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    talk(audio, 50 * 15, np.zeros(15 * 8_000, dtype=np.int16))
    assert len(jobs) == 1
    assert recording.lost_seconds == 5
    assert len(faults) == 1, "once, until the disk has caught up"
    jobs.pop()()
    talk(audio, 50 * 11, np.zeros(11 * 8_000, dtype=np.int16))
    assert recording.lost_seconds == 6
    assert [(fault.what, fault.gap) for fault in faults] == [("recording", True)] * 2
    jobs.pop()()
    recording.close()
    for job in jobs:
        job()
    assert recording.ended
    # As long as the call: silence stands for what the disk was too slow for.
    assert read_wav(tmp_path / "call.wav")[0].shape[0] == 26 * 8_000
    await recording.stop()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
async def test_a_full_disk_ends_the_recording_and_not_the_call() -> None:
    audio = call_audio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    recording = await audio.record("/dev/full")
    for _ in range(150):
        assert audio.pull(8_000).size == 160
    with anyio.fail_after(5), pytest.raises(OSError, match="No space"):
        await recording.stop()
    assert [fault.what for fault in faults] == ["recording"]
    assert recording.ended


async def test_where_it_cannot_be_written_the_caller_hears_of_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await call_audio().record(tmp_path / "nowhere" / "call.wav")


async def test_recording_an_ended_call_gives_an_empty_file(tmp_path: Path) -> None:
    audio = call_audio()
    audio.close()
    recording = await audio.record(tmp_path / "call.wav")
    assert recording.ended
    assert read_wav(tmp_path / "call.wav")[0].shape == (0, 2)


async def test_with_real_threads_everything_that_waits_is_woken(tmp_path: Path) -> None:
    """Files are written and read by workers: what they have to say reaches the loop of whoever waits for it."""
    audio = CallAudio()
    recording = await audio.record(tmp_path / "call.wav", sample_rate=8_000)
    talk(audio, 120, ramp(19_200))
    with anyio.fail_after(10):
        await recording.stop()
        assert read_wav(tmp_path / "call.wav")[0].shape == (19_200, 2)
        playback = await audio.play(tmp_path / "call.wav")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.wait)
            while not playback.ended:
                audio.pull(8_000)
                await settle()
    audio.close()
