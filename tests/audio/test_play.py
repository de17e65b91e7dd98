"""Playing files, tones and an application's own sources into a call (MEDIA-408, MEDIA-415, MEDIA-416)."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import av
import numpy as np
import pytest

from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import AudioFrame, Tone, UnplayableAudio
from tests.audio.helpers import call_audio, pull, ramp, settle, sine, write_wav

pytestmark = pytest.mark.anyio


async def test_a_wav_file_is_sent_sample_by_sample_and_then_silence(tmp_path: Path) -> None:
    audio = call_audio()
    playback = await audio.play(write_wav(tmp_path / "a.wav", ramp(24_000), 8_000))
    heard = pull(audio, 160)
    assert heard.tolist() == [*range(1, 24_001), *[0] * 1_600]
    assert playback.ended
    assert playback.position == pytest.approx(3.0)
    await playback.wait()


@pytest.mark.parametrize(("width", "dtype"), [(1, np.uint8), (3, None), (4, np.int32)])
async def test_wav_of_other_widths(tmp_path: Path, width: int, dtype: type | None) -> None:
    import wave

    tone = sine(500, 16_000, 1.0)
    if width == 1:
        data = ((tone >> 8) + 128).astype(np.uint8).tobytes()
    elif width == 3:
        data = np.column_stack(
            (np.zeros(tone.size, np.uint8), tone.astype("<i2").view(np.uint8).reshape(-1, 2))
        ).tobytes()
    else:
        data = (tone.astype(np.int32) << 16).astype("<i4").tobytes()
    with wave.open(str(tmp_path / "w.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(16_000)
        file.writeframes(data)
    audio = call_audio()
    await audio.play(tmp_path / "w.wav")
    heard = pull(audio, 50, 16_000)
    assert np.abs(heard.astype(int) - tone).max() <= (256 if width == 1 else 0)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"), [("mp3", "libmp3lame", 44_100), ("ogg", "libopus", 48_000), ("flac", "flac", 22_050)]
)
async def test_whatever_pyav_reads(tmp_path: Path, suffix: str, codec: str, rate: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        tone = np.repeat(sine(500, rate, 1.0), 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="stereo")
        frame.rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    audio = call_audio()
    await audio.play(path)
    heard = pull(audio, 45)
    audio.close()
    assert dominant_frequency(heard[800:6_000], 8_000) == pytest.approx(500, abs=2)


async def test_a_loop_has_no_gap(tmp_path: Path) -> None:
    audio = call_audio()
    playback = await audio.play(write_wav(tmp_path / "a.wav", ramp(250), 8_000), loop=True)
    assert pull(audio, 50).tolist() == [*range(1, 251)] * 32
    assert not playback.ended
    playback.stop()
    assert not pull(audio, 2).any()
    await playback.wait()


@pytest.mark.parametrize("loop", [False, True])
async def test_an_empty_file_is_refused_instead_of_played_or_turned_for_ever(tmp_path: Path, loop: bool) -> None:
    """Nothing can be heard of it: a playback that ends at once would say that it was played."""
    audio = call_audio()
    with pytest.raises(UnplayableAudio, match=r"a\.wav cannot be played: it holds no audio"):
        await audio.play(write_wav(tmp_path / "a.wav", ramp(0), 8_000), loop=loop)


async def test_a_playback_is_added_to_speech_and_saturates(tmp_path: Path) -> None:
    audio = call_audio()
    path = write_wav(tmp_path / "a.wav", np.full(320, 20_000, dtype=np.int16), 8_000)
    audio.audio_out.write_nowait(np.full(160, 20_000, dtype=np.int16), 8_000)
    audio.audio_out.write_nowait(np.full(160, -1_000, dtype=np.int16), 8_000)
    await audio.play(path)
    assert pull(audio, 2).tolist() == [32_767] * 160 + [19_000] * 160


async def test_clear_drops_speech_and_leaves_a_playback(tmp_path: Path) -> None:
    audio = call_audio()
    await audio.play(write_wav(tmp_path / "a.wav", ramp(320), 8_000))
    audio.audio_out.write_nowait(ramp(320), 8_000)
    audio.audio_out.clear()
    assert pull(audio, 2).tolist() == [*range(1, 321)]


async def test_stopping_and_the_end_of_the_call_release_the_waiter_and_the_file(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", sine(440, 8_000, 60.0), 8_000)
    for end in ("stop", "close"):
        audio = call_audio()
        playback = await audio.play(path)
        pull(audio, 5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.wait)
            await anyio.wait_all_tasks_blocked()
            playback.stop() if end == "stop" else audio.close()
        assert playback.ended
        assert playback.error is None
        assert not pull(audio, 1).any()


async def test_a_long_file_is_decoded_only_a_little_ahead(tmp_path: Path) -> None:
    audio = call_audio()
    playback = await audio.play(write_wav(tmp_path / "a.wav", sine(440, 8_000, 60.0), 8_000))
    for _ in range(20):
        pull(audio, 50)
        assert playback._voice._queue.duration <= 2.5  # type: ignore[attr-defined]
    assert playback.position == pytest.approx(20.0)
    audio.close()


async def test_decoding_stays_off_the_media_loop(tmp_path: Path) -> None:
    jobs: list[Callable[[], None]] = []
    audio = CallAudio(background=jobs.append)
    await audio.play(write_wav(tmp_path / "a.wav", sine(440, 8_000, 10.0), 8_000))
    pull(audio, 45)
    assert not jobs
    assert pull(audio, 20).any()
    assert len(jobs) == 1
    # A disk that does not answer: silence after what was decoded, and no second job.
    pull(audio, 100)
    assert not pull(audio, 20).any()
    assert len(jobs) == 1
    worker = threading.Thread(target=jobs.pop())
    worker.start()
    worker.join()
    assert pull(audio, 20).any()
    audio.close()
    jobs.pop()()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all" * 100])
async def test_a_file_without_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp3").write_bytes(content)
    audio = call_audio()
    with pytest.raises(ValueError, match=r"x\.mp3"):
        await audio.play(tmp_path / "x.mp3")
    with pytest.raises(FileNotFoundError):
        await audio.play(tmp_path / "missing.wav")
    assert not pull(audio, 1).any()


async def test_a_playlist_does_not_reach_other_files(tmp_path: Path) -> None:
    inner = write_wav(tmp_path / "inner.wav", sine(440, 8_000, 1.0), 8_000)
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile '{inner}'\n")
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{inner}\n#EXT-X-ENDLIST\n")
    for name in ("list.txt", "list.m3u8"):
        audio = call_audio()
        with pytest.raises(ValueError, match="list"):
            await audio.play(tmp_path / name)


async def test_a_source_is_read_at_the_pace_of_the_wire() -> None:
    audio = call_audio()
    made = 0

    async def source() -> AsyncIterator[AudioFrame]:
        nonlocal made
        for number in range(100):
            made += 1
            yield AudioFrame(np.full(160, number + 1, dtype="<i2").tobytes(), 8_000)

    playback = await audio.play(source())
    heard = []
    for _ in range(100):
        await settle()
        assert made <= len(heard) + 12
        heard.append(audio.pull(8_000))
    assert [int(samples[0]) for samples in heard] == [*range(1, 101)]
    await playback.wait()


async def test_media_415_a_source_that_raises_is_told_once_and_the_call_goes_on() -> None:
    audio = call_audio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    broken = RuntimeError("the speech service hung up")

    async def source() -> AsyncIterator[AudioFrame]:
        yield AudioFrame(ramp(160).tobytes(), 8_000)
        raise broken

    playback = await audio.play(source())
    await anyio.wait_all_tasks_blocked()
    heard = pull(audio, 3)
    assert heard[:160].tolist() == [*range(1, 161)]
    assert not heard[160:].any()
    assert faults == [AudioFault("source", broken)]
    with pytest.raises(RuntimeError, match="hung up"):
        await playback.wait()
    audio.audio_out.write_nowait(ramp(160), 8_000)
    assert pull(audio, 1).any()


async def test_stopping_a_source_runs_its_finally() -> None:
    audio = call_audio()
    finished = anyio.Event()

    async def source() -> AsyncIterator[AudioFrame]:
        try:
            while True:
                yield AudioFrame(ramp(160).tobytes(), 8_000)
        finally:
            finished.set()

    playback = await audio.play(source())
    await anyio.wait_all_tasks_blocked()
    playback.stop()
    with anyio.fail_after(5):
        await finished.wait()
    await playback.wait()


async def test_a_tone_is_exact_and_ends() -> None:
    audio = call_audio()
    playback = await audio.play(Tone(425.5, level=0.5, duration=1.01))
    heard = pull(audio, 60)
    assert dominant_frequency(heard[:8_000], 8_000) == pytest.approx(425.5, abs=0.2)
    assert np.abs(heard).max() == pytest.approx(0.5 * 32_767, rel=0.01)
    assert heard[8_000:8_080].any()
    assert not heard[8_081:].any()
    assert playback.ended


async def test_a_cadence_sounds_and_rests() -> None:
    audio = call_audio()
    await audio.play(Tone(440, 480, cadence=[0.1, 0.2]))
    heard = np.abs(pull(audio, 30)).reshape(-1, 160).max(axis=1)
    on = [bool(level) for level in heard]
    assert on == ([True] * 5 + [False] * 10) * 2


@pytest.mark.parametrize("wrong", [(), (0,), (5_000,)])
def test_impossible_tones_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="frequencies"):
        Tone(*wrong)
    with pytest.raises(ValueError, match="level"):
        Tone(440, level=2)
    with pytest.raises(ValueError, match="cadence"):
        Tone(440, cadence=[1])


async def test_a_file_that_breaks_in_the_middle_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    audio = call_audio()
    faults: list[AudioFault] = []
    audio.on_fault = faults.append
    playback = await audio.play(write_wav(tmp_path / "a.wav", sine(440, 8_000, 10.0), 8_000))
    broken = OSError("the disk is gone")

    def read() -> None:
        raise broken

    playback._voice._decoder.read = read  # type: ignore[attr-defined]
    assert pull(audio, 50).any()
    pull(audio, 200)
    assert playback.ended
    with pytest.raises(OSError, match="disk is gone"):
        await playback.wait()
    assert faults == [AudioFault("source", broken)]
    assert audio.pull(8_000).size == 160


async def test_iterators_that_block_hold_up_nothing_else() -> None:
    """They took the threads that everything else shares, forty of them."""
    audio, going_on = call_audio(), threading.Event()

    def frames() -> Iterator[AudioFrame]:
        yield AudioFrame(bytes(640), 16_000)
        going_on.wait()

    try:
        for _ in range(50):
            await audio.play(frames())
        await settle()
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(going_on.is_set)
    finally:
        going_on.set()
        audio.close()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_process_ends_although_an_iterator_blocks(loop: str) -> None:
    program = f"""
import threading, anyio
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers.asyncio import AudioFrame

def frames():
    yield AudioFrame(bytes(640), 16_000)
    threading.Event().wait()

async def main():
    audio = CallAudio()
    await audio.play(frames())
    await anyio.sleep(0.1)
    audio.close()
    await anyio.sleep(0.1)
    print("left")

anyio.run(main, backend="{loop}")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "left"), ended.stderr
