"""Whole histories of a stream, good and bad, as the receiving side of a call meets them: on a virtual clock.

A history is a list of steps. `Far` turns it into packets with arrival times and into stalls of our own, and ends it
with some seconds of a perfect network.

In the suite the examples are few and the same every time; ``WORLD=nightly`` looks at many, at random.
"""

import os
import random
from typing import ClassVar, Final, TypeAlias

import numpy as np
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp.packet import RtpPacket

NARROW, WIDE, EVENT, NOISE = 0, 111, 101, 13
CLOCKS: Final = {NARROW: 8_000, WIDE: 48_000}
PERFECT_SECONDS: Final = 7.0
NIGHTLY: Final = "nightly" in os.environ.get("WORLD", "").split(",")


def looking_at(examples: int, nightly: int) -> settings:
    """So many histories in the suite, and so many at night."""
    return settings(
        max_examples=nightly if NIGHTLY else examples,
        derandomize=not NIGHTLY,
        database=None,
        deadline=None,
        print_blob=NIGHTLY,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@frozen
class Talk:
    packets: int
    jitter: float = 0.0
    loss: float = 0.0
    twice: float = 0.0


@frozen
class DelayedFrame:
    """The network keeps what is said for so long, and then lets it through at once."""

    seconds: float


@frozen
class Pause:
    seconds: float
    clock_runs: bool = True
    announced: bool = False
    sequences: int = 0
    """Skipped meanwhile."""


@frozen
class Jump:
    """The sender's numbers change without a word."""

    timestamp: int = 0
    sequence: int = 0


@frozen
class OtherStream:
    timestamp: int
    sequence: int


@frozen
class PacketTime:
    milliseconds: int


@frozen
class OtherCodec:
    payload_type: int


@frozen
class Route:
    """So many seconds on the way from now on."""

    delay: float


@frozen
class Stall:
    """Our own process does not run."""

    seconds: float


@frozen
class Key:
    digit: int
    packets: int


Step: TypeAlias = Talk | DelayedFrame | Pause | Jump | OtherStream | PacketTime | OtherCodec | Route | Stall | Key

_numbers32 = st.integers(0, 2**32 - 1)
_numbers16 = st.integers(0, 2**16 - 1)
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        Talk,
        st.integers(1, 80),
        st.sampled_from([0.0, 0.01, 0.05, 0.2]),
        st.sampled_from([0.0, 0.0, 0.05, 0.3]),
        st.sampled_from([0.0, 0.0, 0.1]),
    ),
    st.builds(DelayedFrame, st.floats(0.05, 4.0)),
    st.builds(Pause, st.floats(0.05, 4.0), st.booleans(), st.booleans(), st.sampled_from([0, 0, 1, 50, 3_500])),
    st.builds(
        Jump,
        st.sampled_from([0, 160, -160, 7_900, -7_900, 8_100, -8_100, 2**31, 2**31 - 1]) | _numbers32,
        st.sampled_from([0, 1, -1, 120, -120, 3_100, -3_100, 2**15]) | _numbers16,
    ),
    st.builds(OtherStream, _numbers32 | st.just(2**32 - 800), _numbers16 | st.just(2**16 - 5)),
    st.builds(PacketTime, st.sampled_from([10, 20, 30, 40, 60])),
    st.builds(OtherCodec, st.sampled_from([NARROW, WIDE])),
    st.builds(Route, st.floats(0.0, 0.9)),
    st.builds(Stall, st.floats(0.05, 3.5)),
    st.builds(Key, st.integers(0, 15), st.integers(1, 20)),
)
histories = st.lists(steps, max_size=12)


@define
class Sent:
    number: int
    at: float
    arrives: float
    packet: RtpPacket


@define
class Far:
    """The far end and the network. Packets carry their number, so that it can be told which were played."""

    rng: random.Random
    now: float = 0.0
    delay: float = 0.05
    payload_type: int = NARROW
    milliseconds: int = 20
    ssrc: int = 1
    sequence: int = 65_500
    timestamp: int = 2**32 - 16_000
    sent: list[Sent] = field(factory=list[Sent])
    others: list[tuple[float, RtpPacket]] = field(factory=list[tuple[float, RtpPacket]])
    """Digits and noise."""
    stalls: list[tuple[float, float]] = field(factory=list[tuple[float, float]])
    perfect_from: float = 0.0
    _marker: bool = True

    def live(self, history: list[Step]) -> None:
        self.talk(Talk(1))
        for step in history:
            match step:
                case Talk():
                    self.talk(step)
                case DelayedFrame(seconds):
                    end = self.now + seconds
                    while self.now < end:
                        self.say(end - self.now + self.delay)
                case Pause():
                    self.pause(step)
                case Jump(timestamp, sequence):
                    self.timestamp += timestamp
                    self.sequence += sequence
                case OtherStream(timestamp, sequence):
                    self.ssrc, self.timestamp, self.sequence = self.ssrc + 1, timestamp, sequence
                case PacketTime(milliseconds):
                    self.milliseconds = milliseconds
                case OtherCodec(payload_type):
                    self.payload_type = payload_type
                case Route(delay):
                    self.delay = delay
                case Stall(seconds):
                    self.stalls.append((self.now + self.delay, self.now + self.delay + seconds))
                    self.talk(Talk(round(seconds * 50)))
                case Key(digit, packets):
                    self.press(digit, packets)
        ends = [each.arrives for each in self.sent] + [end for _, end in self.stalls] + [self.now + self.delay]
        self.perfect_from = max(ends)
        while self.now < self.perfect_from + PERFECT_SECONDS:
            self.say(self.delay)

    def talk(self, step: Talk) -> None:
        for _ in range(step.packets):
            late = self.delay + self.rng.random() * step.jitter
            if self.rng.random() < step.twice:
                self.others.append((self.now + late + 0.01, self._packet(self._payload())))
            self.say(None if self.rng.random() < step.loss else late)

    def say(self, delay: float | None) -> None:
        """One packet; a delay of ``None`` loses it."""
        if delay is not None:
            self.sent.append(Sent(len(self.sent), self.now, self.now + delay, self._packet(self._payload())))
        self.sequence += 1
        self._pass(self.milliseconds / 1_000)

    def pause(self, step: Pause) -> None:
        if step.announced:
            self.others.append((self.now + self.delay, self._packet(b"\x40", NOISE)))
            self.sequence += 1
        before = self.timestamp
        self._pass(step.seconds)
        self.sequence += step.sequences
        if not step.clock_runs:
            self.timestamp = before

    def press(self, digit: int, packets: int) -> None:
        timestamp, step = self.timestamp, CLOCKS[self.payload_type] // 50
        for index in range(1, packets + 1):
            payload = bytes((digit, 0x80 * (index == packets) | 10)) + (index * step & 0xFFFF).to_bytes(2, "big")
            self.others.append((self.now + self.delay, self._packet(payload, EVENT, timestamp)))
            self.sequence += 1
            self._pass(0.02)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.timestamp += round(seconds * CLOCKS[self.payload_type])

    def _payload(self) -> bytes:
        duration = CLOCKS[self.payload_type] * self.milliseconds // 1_000
        return len(self.sent).to_bytes(4, "big") + duration.to_bytes(2, "big")

    def _packet(self, payload: bytes, payload_type: int | None = None, timestamp: int | None = None) -> RtpPacket:
        return RtpPacket(
            self.payload_type if payload_type is None else payload_type,
            False,
            self.sequence & 0xFFFF,
            (self.timestamp if timestamp is None else timestamp) & 0xFFFF_FFFF,
            self.ssrc,
            payload,
        )


_WHITE: Final = np.random.default_rng(5).normal(0, 3_000, 48_000).astype(np.int16)
"""Nothing in it repeats itself: nothing can be taken out of it unheard."""


@define
class NumberDecoder:
    """Notes which packets are decoded, and makes noise of them."""

    memoryless: ClassVar = True

    sample_rate: int
    decoded: list[int] = field(factory=list[int])

    @property
    def clock_rate(self) -> int:
        return self.sample_rate

    def decode(self, payload: bytes) -> Samples:
        self.decoded.append(int.from_bytes(payload[:4], "big"))
        return _WHITE[: self.describe(payload)[0]]

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        return int.from_bytes(payload[4:6], "big"), False, False

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        return None

    def conceal(self, samples: int) -> Samples | None:
        return None

    def reset(self) -> None:
        pass
