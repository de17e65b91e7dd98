"""Who spoke when, from the two streams of a call (issue 15, item 3)."""

from itertools import pairwise

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.speech import Edge, SpeechDetector
from telnyx_drivers._audio.turns import PAUSE, Turn, TurnTaking, Who
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers.asyncio import Tone
from tests.audio.helpers import call_audio, settle

pytestmark = pytest.mark.anyio

RATE = 8_000
WAY = 0.05 + 0.03
"""Seconds each way by the reading below: half of the round trip, and a jitter buffer."""
READING = StatsSnapshot(
    round_trip_time=0.1, jitter_buffer_delay=0.03 * 8_000, jitter_buffer_emitted_count=8_000, remote_jitter=0.01
)
EXACT = 0.02
"""Seconds by which a figure may be wrong."""


def voice(seconds: float) -> Samples:
    """Harmonics of a gliding pitch in syllables, loud at once and gone at once."""
    times = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * times)) / RATE
    wave = sum(np.cos(harmonic * phase) / harmonic for harmonic in range(1, 20))
    return np.rint(3_000 * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * times)) * wave).astype(np.int16)


def timeline(length: float, *spoken: tuple[float, float], noise: float = 0.0) -> Samples:
    """Silence, or noise of an effective value, with a voice from each beginning to its end."""
    whole = np.random.default_rng(3).normal(0, noise, int(length * RATE)) if noise else np.zeros(int(length * RATE))
    for start, end in spoken:
        piece = voice(end - start)
        whole[int(start * RATE) : int(start * RATE) + piece.size] += piece
    return np.rint(whole).astype(np.int16)


def edges_of(samples: Samples) -> list[Edge]:
    detector, found = SpeechDetector(), list[Edge]()
    for index in range(samples.size // 160):
        found += detector.feed(samples[index * 160 : (index + 1) * 160], RATE, index / 50) or ()
    return [*found, *detector.end()]


@pytest.mark.parametrize("noise", [0, 10, 60])
def test_speech_is_found_to_a_few_milliseconds_in_silence_and_in_noise(noise: float) -> None:
    edges = edges_of(timeline(6, (1.003, 2.207), (3.511, 4.4), noise=noise))
    assert [edge.speaking for edge in edges] == [True, False, True, False]
    assert [edge.at for edge in edges] == pytest.approx([1.003, 2.207, 3.511, 4.4], abs=0.01)


def test_a_pause_between_two_words_does_not_end_speech() -> None:
    edges = edges_of(timeline(4, (1, 1.5), (1.65, 2)))
    assert [edge.at for edge in edges] == pytest.approx([1, 2], abs=0.01)


def test_another_rate_ends_nothing_and_loses_nothing() -> None:
    """A codec that changes: what was collected at the old rate is looked at before the first frame of the new one."""
    slow = timeline(3, (1.0, 1.9))
    fast = np.repeat(slow, 2)
    for cut in range(48, 70):
        detector, edges = SpeechDetector(), list[Edge]()
        for index in range(150):
            rate, heard = (RATE, slow) if index < cut else (2 * RATE, fast)
            size = rate // 50
            edges += detector.feed(heard[index * size : (index + 1) * size], rate, index / 50) or ()
        edges += detector.end()
        assert [edge.speaking for edge in edges] == [True, False]
        assert [edge.at for edge in edges] == pytest.approx([1.0, 1.9], abs=0.03)


@pytest.mark.parametrize("level", [30, 300, 3_000])
def test_noise_that_comes_suddenly_is_no_speech(level: float) -> None:
    noise = np.zeros(RATE * 4)
    noise[RATE:] = np.random.default_rng(5).normal(0, level, RATE * 3)
    assert edges_of(np.rint(np.clip(noise, -32_768, 32_767)).astype(np.int16)) == []


def test_clicks_are_no_speech() -> None:
    clicks = np.zeros(RATE * 4, dtype=np.int16)
    for start in range(RATE, RATE * 3, 2_000):
        clicks[start : start + 120] = 12_000
    assert edges_of(clicks) == []


class Call:
    """A call whose two streams are given, on its own clock."""

    def __init__(self, audio: CallAudio | None = None) -> None:
        self.audio = audio or call_audio()
        self.audio.reading = lambda: READING
        self.turns = self.audio.turns

    def pass_by(self, said: Samples | None, heard: Samples) -> None:
        """``said`` is written; beats of what is heard come 7 ms after those of what is sent."""
        if said is not None:
            self.audio.audio_out.write_nowait(said, RATE)
        for index in range(heard.size // 160):
            self.audio.pull(RATE, 50 + index / 50)
            self.audio.push(heard[index * 160 : (index + 1) * 160], RATE, 50.007 + index / 50)


async def test_the_response_is_what_the_caller_waited() -> None:
    call = Call()
    call.pass_by(timeline(6, (2.4, 3.5)), timeline(6, (0.5, 1.5)))
    remote, local = call.turns.so_far
    assert (remote.who, local.who) == ("remote", "local")
    # What is heard here was said there earlier, and what is said here is heard there later.
    assert (remote.start, remote.end) == pytest.approx((0.507 - WAY, 1.507 - WAY), abs=EXACT)
    assert (local.start, local.end) == pytest.approx((2.4 + WAY, 3.5 + WAY), abs=EXACT)
    assert local.response == pytest.approx(2.4 - 1.507 + 2 * WAY, abs=EXACT)
    assert (local.overlap, local.interrupts, local.barge_in, remote.response) == (0, False, None, None)


async def test_a_caller_who_interrupts_is_told_with_how_long_it_took_us_to_stop() -> None:
    call = Call()
    call.pass_by(timeline(6, (1, 2.8)), timeline(6, (2.5, 3.6)))
    local, remote = call.turns.so_far
    assert remote.interrupts
    assert remote.barge_in == pytest.approx(2.8 - 2.507 + 2 * WAY, abs=EXACT)
    assert local.overlap == remote.overlap == pytest.approx(2.8 - 2.507 + 2 * WAY, abs=EXACT)
    assert remote.response is None


async def test_who_talks_on_was_not_stopped() -> None:
    call = Call()
    call.pass_by(timeline(8, (1, 2.6), (2.9, 5)), timeline(8, (2.3, 2.8)))
    local, remote = sorted(call.turns.so_far, key=lambda turn: turn.start)
    assert (local.start, local.end) == pytest.approx((1 + WAY, 5 + WAY), abs=EXACT)
    assert remote.interrupts


async def test_two_sentences_of_one_are_two_turns_without_a_response() -> None:
    call = Call()
    call.pass_by(timeline(7, (1, 2), (3.5, 4.5)), timeline(7))
    assert [(turn.who, turn.response) for turn in call.turns.so_far] == [("local", None)] * 2


async def test_a_filler_is_not_us_speaking() -> None:
    call = Call()
    await call.audio.audio_out.filler(Tone(300, 350, level=0.2), after=0.1)
    call.pass_by(None, timeline(4, (0.5, 1.5)))
    assert [turn.who for turn in call.turns.so_far] == ["remote"]


async def test_turns_are_given_as_they_end_to_each_who_asks_and_end_with_the_call() -> None:
    call = Call()
    seen: list[Turn] = []

    async def follow() -> None:
        async for turn in call.turns:
            seen.append(turn)  # noqa: PERF401  it is looked at meanwhile

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        await settle()
        call.pass_by(None, timeline(4, (0.5, 1.5)))
        await settle()
        assert len(seen) == 1
        for index in range(40):
            call.audio.push(voice(0.02 * 41)[index * 160 : (index + 1) * 160], RATE, 54.007 + index / 50)
        call.audio.close()
    assert [turn.who for turn in seen] == ["remote", "remote"]
    assert [turn async for turn in call.turns] == seen == list(call.turns.so_far)


def test_a_call_that_is_not_asked_looks_at_nothing() -> None:
    audio = call_audio()
    audio.pull(RATE)
    assert vars(audio)["_taps"] == ()


@settings(suppress_health_check=[HealthCheck.too_slow])  # beside other work
@given(st.lists(st.tuples(st.sampled_from(["local", "remote"]), st.integers(1, 40)), max_size=40))
def test_turns_of_any_talk_follow_each_other(talk: list[tuple[Who, int]]) -> None:
    taking, now = TurnTaking(), 0.0
    speaking: dict[Who, bool] = {"local": False, "remote": False}
    turns: list[Turn] = []
    for who, step in talk:
        now += step / 20
        speaking[who] = not speaking[who]
        turns += taking.edge(who, Edge(speaking[who], now))
    for who in speaking:
        if speaking[who]:
            now += 0.1
            turns += taking.edge(who, Edge(False, now))
    turns += taking.pass_to(now + PAUSE + 0.001)
    for who in speaking:
        mine = [turn for turn in turns if turn.who == who]
        assert all(turn.start <= turn.end for turn in mine)
        assert all(one.end <= other.start for one, other in pairwise(mine))
        assert all(turn.overlap <= turn.end - turn.start + 1e-6 for turn in mine)
        assert all(turn.response is None or turn.response >= 0 for turn in mine)
        assert all(turn.barge_in is None or (turn.interrupts and turn.barge_in >= 0) for turn in mine)
    assert bool(turns) or not talk
