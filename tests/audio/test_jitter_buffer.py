"""The jitter buffer on a virtual clock: what it plays, when, and what it makes of bad networks."""

import random
from collections.abc import Callable, Iterable

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.rtp.jitter_buffer import (
    MAXIMUM_DELAY,
    MINIMUM_DELAY,
    REPAIR_DELAY,
    Conceal,
    FecFrom,
    Instruction,
    JitterBuffer,
    MediaPacket,
    Pace,
    Play,
    Silence,
    Wait,
)

CLOCK = 8_000
FRAME = 160
BEAT = 0.02
FIRST = 60_000
"""Sequence and timestamp start near their ends, so that every test crosses a wrap."""
PERIOD_TAKEN = 0.0075
"""What one shortening takes out in these tests, in seconds: a pitch period."""


def packet(number: int, **more: bool) -> MediaPacket:
    return MediaPacket(
        (FIRST + number) & 0xFFFF, (2**32 - 50 * FRAME + number * FRAME) & 0xFFFF_FFFF, FRAME, b"", **more
    )


def number_of(media: MediaPacket) -> int:
    return (media.sequence - FIRST) & 0xFFFF


@define
class Listener:
    """Plays a buffer as a receiver does: always 20 ms ahead, a piece at a time."""

    buffer: JitterBuffer = field(factory=lambda: JitterBuffer(CLOCK))
    played: list[tuple[int, float]] = field(factory=list[tuple[int, float]])
    """Packets and when their first sample is heard."""
    said: list[Instruction] = field(factory=list[Instruction])
    rest: float = 0.0

    def beat(self, now: float) -> None:
        while self.rest < BEAT - 1e-9:
            instruction = self.buffer.get(now, self.rest)
            self.said.append(instruction)
            match instruction:
                case Play(media, pace, spare):
                    self.played.append((number_of(media), now + self.rest))
                    less = -PERIOD_TAKEN if spare >= PERIOD_TAKEN else 0.0
                    change = {Pace.NORMAL: 0.0, Pace.LENGTHEN: PERIOD_TAKEN}.get(pace, less)
                    self.rest += media.duration / CLOCK + (change if media.duration else 0)
                case FecFrom(media, duration):
                    self.played.append((number_of(media) - 1, now + self.rest))
                    self.rest += duration / CLOCK
                case Conceal(duration) | Silence(duration):
                    self.rest += duration / CLOCK
                case Wait():
                    return
        self.rest -= BEAT

    def delays(self, sent: Callable[[int], float] = lambda number: number * BEAT) -> list[float]:
        return [when - sent(number) for number, when in self.played]


def run(
    arrivals: Iterable[tuple[float, MediaPacket]], *, seconds: float, phase: float = 0.003, drift: float = 0.0
) -> Listener:
    """Packets at their times against beats at theirs; ``drift`` makes our clock fast by that share."""
    listener = Listener()
    pending = sorted(arrivals, key=lambda arrival: arrival[0])
    beats = 0
    while beats * BEAT < seconds:
        now = beats * BEAT * (1 - drift) + phase
        while pending and pending[0][0] <= now:
            when, media = pending.pop(0)
            listener.buffer.put(media, when)
        listener.beat(now)
        beats += 1
    return listener


def stream(
    count: int,
    *,
    delay: Callable[[int], float] = lambda number: 0.05,
    lost: Iterable[int] = (),
    every: float = BEAT,
) -> list[tuple[float, MediaPacket]]:
    gone = set(lost)
    return [(number * every + delay(number), packet(number)) for number in range(count) if number not in gone]


def kinds(listener: Listener) -> list[str]:
    return [type(instruction).__name__ for instruction in listener.said]


@pytest.mark.parametrize("phase", [0.0, 0.005, 0.0101, 0.0199])
def test_a_clean_stream_is_played_whole_in_order_and_within_forty_milliseconds(phase: float) -> None:
    listener = run(stream(500), seconds=9.9, phase=phase)
    numbers = [number for number, _ in listener.played]
    assert numbers == [*range(len(numbers))]
    assert len(numbers) > 485
    assert set(kinds(listener)) == {"Wait", "Play"}
    assert all(instruction.pace is Pace.NORMAL for instruction in listener.said if isinstance(instruction, Play))
    added = [delay - 0.05 for delay in listener.delays()]
    assert min(added) >= MINIMUM_DELAY - 1e-9
    assert max(added) <= 0.040
    stats = listener.buffer.stats
    assert stats.jitter_buffer_delay / stats.jitter_buffer_emitted_count == pytest.approx(added[-1], abs=0.001)
    assert (stats.concealed_samples, stats.packets_discarded) == (0, 0)


def test_one_lost_packet_costs_one_repair_and_no_delay() -> None:
    listener = run(stream(200, lost=[100]), seconds=3.9)
    assert kinds(listener).count("Conceal") == 1
    assert [number for number, _ in listener.played] == [number for number in range(193) if number != 100][
        : len(listener.played)
    ]
    delays = dict(zip([number for number, _ in listener.played], listener.delays(), strict=True))
    assert delays[101] == pytest.approx(delays[99])
    assert delays[190] == pytest.approx(delays[99])
    assert listener.buffer.stats.concealed_samples == FRAME
    assert listener.buffer.stats.concealment_events == 1


@pytest.mark.parametrize("percent", [1, 2, 5, 10])
def test_random_loss_costs_what_is_lost_and_no_delay(percent: int) -> None:
    rng = random.Random(percent)
    lost = [number for number in range(10, 1_500) if rng.randrange(100) < percent]
    listener = run(stream(1_500, lost=lost), seconds=29.5)
    missing = sum(1 for number in lost if number <= listener.played[-1][0])
    assert listener.buffer.stats.concealed_samples == pytest.approx(missing * FRAME, abs=4 * FRAME)
    assert max(listener.delays()) - 0.05 < 0.04


@pytest.mark.parametrize("phase", [0.0, 0.005, 0.0101, 0.0199])
def test_forward_error_correction_repairs_nearly_every_single_loss(phase: float) -> None:
    """A little delay is kept for it, so that the next packet is there; delay that no sender without copies costs."""
    arrivals = [(number * BEAT + 0.05, packet(number, repairs=True)) for number in range(500) if number % 10 != 7]
    listener = run(arrivals, seconds=9.9, phase=phase)
    numbers = [number for number, _ in listener.played]
    assert set(range(20, 480)) <= set(numbers)
    assert listener.buffer.stats.fec_packets_received >= 46
    assert listener.buffer.stats.concealed_samples <= 3 * FRAME
    assert max(listener.delays()) - 0.05 < REPAIR_DELAY + 0.035


def test_the_delay_that_copies_need_is_given_back_when_there_are_no_more() -> None:
    """A sender makes them while it hears of losses; ten calm seconds later they cost nothing."""
    listener = run([(number * BEAT, packet(number, repairs=number < 100)) for number in range(590)], seconds=11.7)
    assert listener.buffer.target_delay == REPAIR_DELAY
    arrivals = [(number * BEAT, packet(number, repairs=number < 100)) for number in range(800)]
    assert run(arrivals, seconds=15.0).buffer.target_delay == MINIMUM_DELAY


@pytest.mark.parametrize("phase", [0.0, 0.005, 0.0101, 0.0199])
def test_after_a_loss_a_hole_leads_over_to_what_follows_it(phase: float) -> None:
    """The next packet is waited for, for as long as losses go on, where it can be decoded before its turn."""
    lost = [*range(20, 400, 30), 200, 201, 202]
    arrivals = [(number * BEAT + 0.05, packet(number, memoryless=True)) for number in range(500) if number not in lost]
    listener = run(arrivals, seconds=9.9, phase=phase)
    holes = [each for each in listener.said if isinstance(each, Conceal)]
    followed = [number_of(each.then) for each in holes if each.then is not None]
    assert [each for each in followed if each > 51] == sorted({each + 1 for each in lost[2:]} - {*lost})
    assert max(listener.delays()) - 0.05 < REPAIR_DELAY + 0.035
    other = run([(when, packet(number_of(each))) for when, each in arrivals], seconds=9.9, phase=phase)
    assert all(each.then is None for each in other.said if isinstance(each, Conceal))
    assert max(other.delays()) - 0.05 < 0.03


def test_the_delay_that_losses_need_is_given_back_when_there_are_no_more() -> None:
    def target_after(seconds: float) -> float:
        arrivals = [(number * BEAT, packet(number, memoryless=True)) for number in range(1_000)]
        del arrivals[100], arrivals[50]
        return run(arrivals, seconds=2.0 + seconds).buffer.target_delay

    assert target_after(-0.1) == MINIMUM_DELAY, "one alone is no reason"
    assert target_after(2.9) == REPAIR_DELAY
    assert target_after(3.2) == MINIMUM_DELAY


def test_a_packet_that_was_overtaken_was_not_lost() -> None:
    """Nothing is waited for after it: it comes, if too late."""
    arrivals = [(number * BEAT, packet(number, memoryless=True)) for number in range(300)]
    for number in (50, 100):
        arrivals[number] = ((number + 2.5) * BEAT, arrivals[number][1])
    listener = run(arrivals, seconds=2.5)
    assert listener.buffer.stats.packets_late == 2
    assert listener.buffer.target_delay < REPAIR_DELAY


def test_a_burst_of_delay_is_given_back_within_two_seconds() -> None:
    """The issue: one hiccup must not cost delay for the rest of the call."""

    def delay(number: int) -> float:
        # The network holds everything for 300 ms, then lets it through at once.
        return max(0.05, (100 * BEAT + 0.35) - number * BEAT) if 100 <= number < 116 else 0.05

    listener = run(stream(400, delay=delay), seconds=7.9)
    at = {number: when - number * BEAT - 0.05 for number, when in listener.played}
    assert max(at[number] for number in range(100, 116)) > 0.15
    after = 116 + round(2.0 / BEAT)
    assert max(value for number, value in at.items() if number >= after) < 0.045


def test_jitter_is_covered_and_forgotten() -> None:
    rng = random.Random(7)

    def delay(number: int) -> float:
        return 0.05 + (rng.uniform(0, 0.06) if number < 500 else 0)

    listener = run(stream(1_200, delay=delay), seconds=23.8)
    rough = [instruction for instruction in listener.said[100:500] if isinstance(instruction, Conceal)]
    assert len(rough) <= 12
    late = [when - number * BEAT - 0.05 for number, when in listener.played if number > 700]
    assert max(late) < 0.045
    assert 0.05 < max(when - number * BEAT - 0.05 for number, when in listener.played if 100 < number < 500) < 0.13


@pytest.mark.parametrize("drift", [2e-4, -2e-4, 1e-3, -1e-3])
def test_clocks_that_drift_neither_pile_up_delay_nor_run_dry(drift: float) -> None:
    count = 60 * 50
    listener = run(stream(count), seconds=(count - 5) * BEAT * (1 + min(drift, 0)), drift=drift)
    added = [value - 0.05 for value in listener.delays()]
    assert max(added) < 0.055
    assert listener.buffer.stats.concealed_samples < count * FRAME * abs(drift) + 10 * FRAME
    numbers = [number for number, _ in listener.played]
    assert numbers == sorted(numbers)
    assert len(numbers) > count * 0.98


def test_what_comes_too_late_or_twice_is_not_played() -> None:
    arrivals = stream(100)
    arrivals.append((40 * BEAT + 0.9, packet(40)))
    arrivals += [(number * BEAT + 0.051, packet(number)) for number in range(20, 30)]
    listener = run(arrivals, seconds=1.9)
    numbers = [number for number, _ in listener.played]
    assert numbers == [*range(len(numbers))]
    stats = listener.buffer.stats
    assert stats.packets_late == 1
    assert stats.packets_duplicated + stats.packets_late == stats.packets_discarded == 11


def test_reordering_within_the_delay_costs_nothing() -> None:
    def delay(number: int) -> float:
        return 0.05 + (0.035 if number % 2 else 0.0)

    listener = run(stream(300, delay=delay), seconds=5.9)
    numbers = [number for number, _ in listener.played]
    assert numbers == sorted(numbers)
    # To learn of it: two frames lost, and two frames of delay gained.
    assert listener.buffer.stats.concealed_samples <= 4 * FRAME
    assert listener.buffer.stats.packets_discarded <= 2


def test_a_pause_of_the_sender_is_silence_and_its_end_is_timed_anew() -> None:
    """DTX: nothing is sent for a second; sequence numbers go on where they were, timestamps do not."""
    before = stream(50)
    noise = MediaPacket((FIRST + 50) & 0xFFFF, packet(50).timestamp, 0, b"\x40", 13, pauses=True)
    talk = [
        (number * BEAT + 0.05, MediaPacket((FIRST + number - 49) & 0xFFFF, packet(number).timestamp, FRAME, b"talk"))
        for number in range(100, 150)
    ]
    listener = run([*before, (50 * BEAT + 0.05, noise), *talk], seconds=2.8)
    names = kinds(listener)
    assert "Conceal" not in names
    assert names.count("Silence") == pytest.approx(50, abs=2)
    talked = [(media, when) for media, when in listener.played if media >= 51]
    assert len(talked) > 35
    assert MINIMUM_DELAY - 1e-9 <= talked[0][1] - (100 * BEAT + 0.05) <= 0.04


def test_a_stream_that_stops_fades_out_and_comes_back_at_any_time() -> None:
    listener = run([*stream(50), *stream(200)[150:]], seconds=3.9)
    names = kinds(listener)
    assert 3 <= names.count("Conceal") <= 7
    assert listener.played[-1][0] > 185
    assert next(number for number, _ in listener.played if number >= 150) == 150


def test_another_clock_in_the_same_stream_is_followed_after_two_packets() -> None:
    first = stream(100)
    jumped = [
        (number * BEAT + 0.05, MediaPacket((FIRST + number) & 0xFFFF, 1_000_000_000 + number * FRAME, FRAME, b""))
        for number in range(100, 200)
    ]
    listener = run([*first, *jumped], seconds=3.9)
    numbers = [number for number, _ in listener.played]
    assert numbers == sorted(numbers)
    assert set(numbers) >= set(range(104, 190))
    assert max(listener.delays()[-20:]) < 0.05 + 0.045


def test_a_stray_packet_from_another_time_changes_nothing() -> None:
    stray = MediaPacket((FIRST + 17) & 0xFFFF, 1_000_000_000, FRAME, b"stray")
    listener = run([*stream(100), (1.005, stray)], seconds=1.9)
    numbers = [number for number, _ in listener.played]
    assert numbers == [*range(len(numbers))]
    assert "Conceal" not in kinds(listener)
    assert listener.buffer.stats.packets_discarded == 1


def test_a_new_stream_starts_afresh() -> None:
    buffer = JitterBuffer(CLOCK)
    buffer.put(packet(0), 0.0)
    assert isinstance(buffer.get(0.02), Play)
    buffer.put(packet(1), 0.02)
    buffer.reset()
    assert buffer.waiting == 0
    assert buffer.get(0.04) == Wait()
    buffer.put(MediaPacket(5, 77, FRAME, b"new"), 0.05)
    assert buffer.get(0.05 + MINIMUM_DELAY + 1e-6) == Play(MediaPacket(5, 77, FRAME, b"new"))


def test_packets_of_any_length_are_played() -> None:
    for frame in (80, 240, 320, 480, 960):
        arrivals = [
            (index * frame / CLOCK + 0.05, MediaPacket(index, index * frame, frame, b"")) for index in range(300)
        ]
        listener = run(arrivals, seconds=1.5)
        assert "Conceal" not in kinds(listener)
        assert len(listener.played) >= (1.5 - 0.15) * CLOCK / frame - 2


def test_a_packet_that_a_longer_one_has_covered_is_not_played_after_it() -> None:
    longer = MediaPacket(packet(0).sequence, packet(0).timestamp, 3 * FRAME, b"")
    listener = run([(0.0, longer), (0.0, packet(1)), (0.0, packet(3))], seconds=0.3)
    assert [number for number, _ in listener.played] == [0, 3]
    assert listener.buffer.stats.packets_discarded == 1


def test_memory_is_bounded_whatever_is_sent() -> None:
    buffer = JitterBuffer(CLOCK)
    for number in range(5_000):
        buffer.put(packet(number), number * 0.0001)
    assert buffer.waiting <= 100
    assert len(buffer._estimator._transits) <= 50


arrival = st.tuples(
    st.integers(0, 120),
    st.floats(0, 0.6),
    st.booleans(),
    st.sampled_from([0, FRAME // 2, FRAME, 3 * FRAME]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(arrival, max_size=150), st.floats(0, BEAT))
def test_whatever_arrives_nothing_is_played_twice_or_out_of_order(
    arrivals: list[tuple[int, float, bool, int]], phase: float
) -> None:
    packets = [
        (
            number * BEAT + delay,
            MediaPacket((FIRST + number) & 0xFFFF, packet(number).timestamp, duration, b"", 0, pauses),
        )
        for number, delay, pauses, duration in arrivals
    ]
    listener = run(packets, seconds=4.0, phase=phase)
    numbers = [number for number, _ in listener.played]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {number for number, *_ in arrivals}
    assert listener.buffer.waiting <= 100
    stats = listener.buffer.stats
    assert len(numbers) + stats.packets_discarded + listener.buffer.waiting <= len(packets)
    assert MINIMUM_DELAY <= listener.buffer.target_delay <= MAXIMUM_DELAY
    # Once it has begun there is an answer to every beat.
    begun = next((index for index, said in enumerate(listener.said) if not isinstance(said, Wait)), None)
    if begun is not None:
        assert not any(isinstance(said, Wait) for said in listener.said[begun:])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=60), st.data())
def test_hostile_timestamps_never_break_it(timestamps: list[int], data: st.DataObject) -> None:
    buffer = JitterBuffer(CLOCK)
    now = 0.0
    for index, timestamp in enumerate(timestamps):
        now += data.draw(st.sampled_from([0.0, 0.001, 0.02, 1.5]))
        buffer.put(MediaPacket(index, timestamp, data.draw(st.sampled_from([0, 1, FRAME, 5_760])), b""), now)
        for _ in range(data.draw(st.integers(0, 4))):
            instruction = buffer.get(now)
            if isinstance(instruction, (Conceal, Silence, FecFrom)):
                assert 0 < instruction.duration <= 5_760
        assert buffer.waiting <= 100
