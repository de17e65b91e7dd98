"""Whatever came before, a call hears again: within a second of a perfect network, at normal delay within five."""

import random

import numpy as np
from attrs import define, field
from hypothesis import example, given
from hypothesis import strategies as st

from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.telephone_event import HeardDigit
from tests.audio.histories import (
    CLOCKS,
    EVENT,
    PERFECT_SECONDS,
    WIDE,
    DelayedFrame,
    Far,
    Jump,
    NumberDecoder,
    OtherCodec,
    PacketTime,
    Pause,
    Route,
    Stall,
    Step,
    Talk,
    histories,
    looking_at,
)

BEAT = 0.02
NORMAL = 0.045
"""Seconds from arrival to the beat that plays a packet: the least delay, and what beats add to it."""


@define
class Ear:
    """Plays a history, and notes in which beat each packet was decoded."""

    far: Far
    phase: float
    played: list[tuple[int, float]] = field(factory=list[tuple[int, float]])
    digits: list[HeardDigit] = field(factory=list[HeardDigit])
    concealed_late: int = 0
    receiver: RtpReceiver = field(init=False)

    def run(self) -> None:
        decoders = {number: NumberDecoder(rate) for number, rate in CLOCKS.items()}
        self.receiver = receiver = RtpReceiver(
            decoders, events={EVENT: 8_000}, heard_digit=self.digits.append, rng=np.random.default_rng(3)
        )
        arrivals = [(each.arrives, each.packet) for each in self.far.sent] + self.far.others
        arrivals.sort(key=lambda arrival: arrival[0], reverse=True)
        begun, end = False, self.far.perfect_from + PERFECT_SECONDS
        for number in range(int(end / BEAT)):
            now = number * BEAT + self.phase
            if any(start <= now < stop for start, stop in self.far.stalls):
                continue
            awake = max((stop for _, stop in self.far.stalls if stop <= now), default=0.0)
            while arrivals and arrivals[-1][0] <= now:
                when, packet = arrivals.pop()
                receiver.receive(packet, max(when, min(awake, now)))
            before = receiver.stats.buffer.concealed_samples
            samples = receiver.beat(now)
            assert samples is not None or not begun, "a stream that has begun never stops answering"
            begun = begun or samples is not None
            for decoder in decoders.values():
                self.played += [(each, now) for each in decoder.decoded]
                decoder.decoded.clear()
            if now > self.far.perfect_from + 5:
                self.concealed_late += receiver.stats.buffer.concealed_samples - before


def hear(history: list[Step], seed: int = 0, phase: float = 0.003) -> Ear:
    far = Far(random.Random(seed))
    far.live(history)
    ear = Ear(far, phase)
    ear.run()
    return ear


def check(ear: Ear) -> None:
    """The promise."""
    start = ear.far.perfect_from
    times = [when for _, when in ear.played if when >= start + 1]
    gaps = np.diff([start + 1, *times, start + PERFECT_SECONDS])
    assert gaps.max() < 0.2, f"deaf for {gaps.max():.2f} s, {times[int(gaps.argmax()) - 1] - start:.2f} s after"
    played = dict(ear.played)
    late = [each for each in ear.far.sent if start + 5 < each.at < start + PERFECT_SECONDS - 0.2 - ear.far.delay]
    assert [each.number for each in late if each.number not in played] == []
    assert max(played[each.number] - each.arrives for each in late) < NORMAL
    assert ear.concealed_late == 0


@looking_at(120, nightly=5_000)
@given(histories, st.integers(0, 1_000), st.floats(0, BEAT))
@example([Talk(80), DelayedFrame(2.6)], 0, 0.003)
@example([Talk(80), DelayedFrame(2.2), Stall(0.3)], 0, 0.003)
@example([Talk(80), Stall(2.5), Jump(0, 3_000)], 0, 0.003)
@example([Talk(80), Pause(3.0, clock_runs=False)], 0, 0.003)
@example([Talk(80), Pause(0.9, clock_runs=False, sequences=50)], 0, 0.003)
@example([Talk(40), Jump(7_900), Talk(40), Jump(-7_900)], 0, 0.003)
@example([Talk(40), OtherCodec(WIDE), Jump(0, -120)], 0, 0.003)
@example([Talk(40), Route(0.9), Talk(80), Route(0.0)], 0, 0.003)
@example([PacketTime(60), Talk(40), DelayedFrame(3.5)], 0, 0.003)
def test_whatever_came_before_a_call_hears_again(history: list[Step], seed: int, phase: float) -> None:
    check(hear(history, seed, phase))
