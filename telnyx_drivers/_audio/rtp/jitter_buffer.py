"""The adaptive jitter buffer: packets and times in, playout instructions out. Pure: no clock, no audio.

``lead`` is how far behind the fastest packet a packet is when it is taken; the buffer keeps it between the estimator's
target and a little more. A gap is filled for as long as the missing packet may
still be worth waiting for; audio is then played on from the next packet at the delay that it had, so a lost packet
costs one concealment and no delay. Delay that a burst made necessary is removed by playing a little faster.

Every state has an exit, whatever came before: audio further behind than `MOST_BEHIND` is never played; a
gap is not filled while there is too much delay anyway; audio that cannot be shortened unheard is shortened all the same
after a while; and timestamps that stay off the old clock for two packets make a new one.
"""

from enum import Enum
from math import inf
from typing import Final, TypeAlias

from attrs import define, field, frozen

from telnyx_drivers._audio.rtp.delay import DelayEstimator
from telnyx_drivers._audio.rtp.packet import Unwrapper


@define(slots=True)
class MediaPacket:
    """A packet of audio as the buffer sees it. ``timestamp`` and ``duration`` are in units of the RTP clock."""

    sequence: int
    timestamp: int
    duration: int
    """0 for a packet that only says how silence sounds (RFC 3389)."""
    payload: bytes = field(repr=False)
    payload_type: int = 0
    pauses: bool = False
    """The sender will be silent after it: packets missing then are not lost."""
    repairs: bool = False
    """It carries a copy of the frame before it (Opus in-band FEC)."""
    memoryless: bool = False
    """It can be decoded before its turn, so that a hole before it can lead over to it."""


class Pace(Enum):
    """Whether delay is to be removed or added."""

    NORMAL = "normal"
    SHORTEN = "shorten"
    """Shorten where it cannot be heard."""
    TRIM = "trim"
    """Shorten in a pause only."""
    CUT = "cut"
    """Shorten even where it can be heard."""
    LENGTHEN = "lengthen"


@frozen(slots=True)
class Play:
    packet: MediaPacket
    pace: Pace = Pace.NORMAL
    spare: float = field(default=0.0, eq=False)
    """Seconds that may be taken out, when the pace says so."""


@frozen(slots=True)
class Conceal:
    """Continue what was heard last, for ``duration`` clock units."""

    duration: int
    then: MediaPacket | None = None
    """What is played next, where that is known already and can be decoded before its turn."""


@frozen(slots=True)
class FecFrom:
    """Decode the frame before ``packet`` from the copy in it; the packet itself comes next."""

    packet: MediaPacket
    duration: int


@frozen(slots=True)
class Silence:
    """The sender pauses: comfort noise, for ``duration`` clock units."""

    duration: int


@frozen(slots=True)
class Wait:
    """Nothing has been played since the stream began, and it is too early to start."""


Instruction: TypeAlias = Play | Conceal | FecFrom | Silence | Wait


@define
class JitterStats:
    """Under their W3C names (``RTCInboundRtpStreamStats``), in snake case; samples in units of the RTP clock."""

    jitter_buffer_delay: float = 0.0
    """Seconds, summed over all samples emitted."""
    jitter_buffer_emitted_count: int = 0
    jitter_buffer_target_delay: float = 0.0
    """Seconds, summed likewise."""
    concealed_samples: int = 0
    concealment_events: int = 0
    fec_packets_received: int = 0
    packets_discarded: int = 0
    """Came too late, twice, or when the buffer was full."""
    packets_late: int = 0
    """Of those: too late. Ours; not a W3C member."""
    packets_duplicated: int = 0


MINIMUM_DELAY: Final = 0.006
MAXIMUM_DELAY: Final = 0.400
REPAIR_DELAY: Final = 0.025
"""The least where the next packet must be there when one is missing: when packets carry copies of the frame before, or
when some were lost again and a hole can lead over to what follows it."""
_COPIES_REMEMBERED: Final = 10.0
"""Seconds without such a packet after which that delay is given back; of silence Opus makes no copies."""
_LOSSES_REMEMBERED: Final = 3.0
"""The same after a loss that was not the only one. Beats keep their delay for some seconds more."""
_MOST_PACKETS: Final = 100
_FEW: Final = 8
"""So many packets cannot hold `MOST_BEHIND`, nor much less, whatever their length."""
_RESYNC_SECONDS: Final = 1.0
"""A transit so far from all others is another clock, not a late packet."""
_RESYNC_AGREEMENT: Final = 0.1
_STARVED_SECONDS: Final = 0.12
"""After this long without a packet the sender has paused; concealment has faded out by then anyway."""
_SHORTEN_ABOVE: Final = 0.030
"""A beat of 20 ms can put a packet off by as much: only what exceeds that is delay to be given back."""
_HURRY_ABOVE: Final = 0.1
QUANTUM: Final = 0.004
"""Beats can be had every so many seconds."""
_LARGEST_SHIFT: Final = 0.016
"""Less than a beat, which could not come again at once."""
_INSTANT: Final = 0.0005
"""What times may be off by their arithmetic, and by a timer, without a beat being lost for it."""
_SPARE: Final = 0.0045
"""A little delay too much, which is given back only when it has been too much for `_CALM_SECONDS`."""
_CALM_SECONDS: Final = 5.0
_NO_PAUSE_SECONDS: Final = 15.0
"""After so long it is not speech."""
_YOUNG_SECONDS, _YOUNG_CALM_SECONDS = 4.0, 1.0
"""A stream begins while its call is still busy with itself, and its first packets are late for that and never again."""
_CUT_AFTER: Final = 1.0
"""Seconds of too much delay after which it is no longer asked whether shortening is heard."""
MOST_BEHIND: Final = 1.0
"""Seconds beyond the target: what is older is dropped. Speech that late is worth hearing, but in a conversation no
more than can be caught up with in a few seconds."""
_LATE_NOT_LOST: Final = 10.0
"""Seconds after a packet was lost in which one that is missing is not waited for: it will be lost too. They end with a
packet that was only late.
"""
_LEAP_ABOVE: Final = 0.04
"""With so much delay to spare, a gap is left out instead of filled."""


class JitterBuffer:
    """One stream at a time: a new SSRC needs a `reset`. Gaps are filled 20 ms at a time."""

    def __init__(self, clock_rate: int) -> None:
        self.stats = JitterStats()
        self._clock = clock_rate
        self._frame = clock_rate // 50
        self._estimator = DelayEstimator(MINIMUM_DELAY, MAXIMUM_DELAY)
        self._packets: dict[int, tuple[MediaPacket, float]] = {}
        self._unwrapper = Unwrapper(32)
        self._next: int | None = None
        self._last_sequence = -1
        self._starved = 0
        """Clock units filled since ``_next`` was due."""
        self._concealing = False
        self._unsure = 0
        """Clock units filled since packets have been missing of which it is not known whether they were sent at all."""
        self._paused = False
        self._shortened = False
        self._excess_since: float | None = None
        self._calm_since: float | None = None
        self._lost_at = -inf
        """When packets were missing last that were taken for lost, and not for late."""
        self._losing_at = -inf
        """When that happened last shortly after it had happened before."""
        self._hole = range(0)
        """Their timestamps."""
        self._young_until = -inf
        self._copied_at = -inf
        """When a packet with a copy came last."""
        self._slack = self._least_slack = self._least_since = 0.0
        """How much earlier the last packet could have been taken, and the least of it since a time."""
        self._ahead = 0.0
        self._suspect: tuple[MediaPacket, float, float] | None = None
        """A packet off the clock: itself, its arrival, its transit."""

    @property
    def target_delay(self) -> float:
        """Seconds."""
        return self._estimator.target

    @property
    def waiting(self) -> int:
        """Packets held."""
        return len(self._packets)

    def reset(self, clock_rate: int | None = None) -> None:
        """A new stream begins: other timestamps, perhaps another clock, the same network."""
        if clock_rate is not None:
            self._clock, self._frame = clock_rate, clock_rate // 50
        self._estimator.reset()
        self._packets.clear()
        self._unwrapper = Unwrapper(32)
        self._next = None
        self._hole = range(0)
        self._last_sequence = -1
        self._starved = self._unsure = 0
        self._concealing = self._paused = self._shortened = False
        self._excess_since = self._calm_since = None
        self._suspect = None

    def put(self, packet: MediaPacket, now: float) -> None:
        """A packet arrived at ``now`` (seconds, monotonic)."""
        timestamp = self._unwrapper.unwrap(packet.timestamp)
        transit = now - timestamp / self._clock
        estimator = self._estimator
        if not estimator.empty and abs(transit - estimator.base) > _RESYNC_SECONDS:
            self._other_clock(packet, transit, now)
            return
        self._suspect = None
        estimator.add(transit, now)
        if packet.repairs:
            self._copied_at = now
        repaired = now - self._copied_at <= _COPIES_REMEMBERED or (
            packet.memoryless and now - self._losing_at <= _LOSSES_REMEMBERED
        )
        estimator.require(REPAIR_DELAY if repaired else MINIMUM_DELAY)
        if self._next is not None and timestamp < self._next:
            if timestamp in self._hole:
                self._lost_at = self._losing_at = -inf  # Late, and not lost.
            self.stats.packets_late += 1
            self.stats.packets_discarded += 1
        elif timestamp in self._packets:
            self.stats.packets_duplicated += 1
            self.stats.packets_discarded += 1
        else:
            if len(self._packets) >= _MOST_PACKETS:
                del self._packets[min(self._packets)]
                self.stats.packets_discarded += 1
            self._packets[timestamp] = (packet, now)

    def get(self, now: float, ahead: float = 0.0) -> Instruction:
        """The next audio to play, decided at ``now``; ``ahead`` is how many seconds of audio come before it.

        Ask as often as it takes to have as much as a beat needs.
        """
        self._ahead = ahead
        self._drop_old(now)
        upcoming = self._next
        if upcoming is None:
            return self._begin(now)
        if upcoming in self._packets and not self._paused and not self._starved:
            return self._play(upcoming, now)
        first = self._first(upcoming)
        return self._starve() if first is None else self._bridge(upcoming, first, now)

    def awaits(self, now: float) -> bool:
        """Whether what should be played at ``now`` is probably about to arrive: asking a little later costs less
        than filling a hole with something made up, which makes the packet itself late by as much.
        """
        held = self._next is None or bool(self._packets)
        return not (held or self._paused or self._starved or now - self._lost_at < _LATE_NOT_LOST)

    @property
    def filling(self) -> bool:
        """Whether the last audio was concealment."""
        return self._concealing or self._starved > 0

    def _drop_old(self, now: float) -> None:
        """Drop audio that is too far behind: a conversation could not catch up with it."""
        packets = self._packets
        if len(packets) < _FEW:
            return
        horizon = int((now - self._estimator.base - self._estimator.target - MOST_BEHIND) * self._clock)
        for timestamp in [each for each in packets if each < horizon]:
            del packets[timestamp]
            self.stats.packets_discarded += 1

    def _first(self, upcoming: int) -> int | None:
        """The earliest packet held; those that a longer one before them has covered are forgotten."""
        for timestamp in [each for each in self._packets if each < upcoming]:
            del self._packets[timestamp]
            self.stats.packets_discarded += 1
        return min(self._packets, default=None)

    def _begin(self, now: float) -> Instruction:
        if self._packets:
            first = min(self._packets)
            if self._lead(first, now) > self._estimator.target - 1e-6:
                self._young_until = now + _YOUNG_SECONDS
                return self._play(first, now)
        return Wait()

    def _play(self, timestamp: int, now: float) -> Play:
        packet, arrival = self._packets.pop(timestamp)
        estimator = self._estimator
        lead, target = now - timestamp / self._clock - estimator.base, estimator.target
        self._next = timestamp + max(packet.duration, 1)
        self._last_sequence = packet.sequence
        if self._unsure:
            self._conceal(self._unsure)
        self._starved = self._unsure = 0
        self._concealing = False
        self._paused = packet.pauses
        stats = self.stats
        # A packet may come while a beat is late, and so after the time of that beat.
        stats.jitter_buffer_delay += max(now - arrival, 0.0) * packet.duration
        stats.jitter_buffer_target_delay += target * packet.duration
        stats.jitter_buffer_emitted_count += packet.duration
        return Play(packet, *self._pace(lead - target, packet.duration == self._frame, now))

    def _pace(self, slack: float, as_a_beat: bool, now: float) -> tuple[Pace, float]:
        """And how many seconds may be taken out.

        ``slack`` is how much earlier the packet could have been taken, ``as_a_beat`` that it is as long as a beat.
        """
        ahead = self._ahead
        self._note(slack, now)
        if slack + ahead <= _SHORTEN_ABOVE:
            self._shortened, self._excess_since = False, None
            # Before the buffer runs dry: a period put in is not heard, a hole is.
            if slack < -QUANTUM:
                return Pace.LENGTHEN, 0.0
            # Where a packet is a beat, audio that waits for the rest of one is delay which nothing needs, and every
            # beat must be put together from two pieces.
            wasted = as_a_beat and ahead > 0
            calm = 0.0 if self._calm_since is None else now - self._calm_since
            if not wasted or calm <= _CALM_SECONDS:
                return Pace.NORMAL, 0.0
            # So little is no reason to touch speech, as long as a pause may come.
            return (Pace.TRIM if calm < _NO_PAUSE_SECONDS else Pace.SHORTEN), ahead
        if self._excess_since is None:
            self._excess_since = now
        if now - self._excess_since > _CUT_AFTER:
            return Pace.CUT, slack + ahead
        # A little too much is taken out of every other frame, a lot out of every frame.
        self._shortened = not self._shortened or slack + ahead > _HURRY_ABOVE
        return (Pace.SHORTEN if self._shortened else Pace.NORMAL), slack + ahead

    def _note(self, slack: float, now: float) -> None:
        self._slack = slack
        if slack < -_INSTANT or self._calm_since is None:
            self._calm_since = self._least_since = now
            self._least_slack = slack
        elif slack < self._least_slack:
            self._least_slack = slack

    def shift(self, now: float) -> float:
        """Seconds by which beats should come later from now on; negative: earlier. To be asked after a beat.

        Packets and beats are equally long, so what a beat comes too late after its packet is delay for good: to take a
        little out of the audio would only make the next packet miss its beat.
        """
        slack, self._slack = self._slack, 0.0
        if -QUANTUM <= slack < -_INSTANT:
            return QUANTUM
        calm = _YOUNG_CALM_SECONDS if now < self._young_until else _CALM_SECONDS
        if self._calm_since is None or now - self._least_since < calm:
            return 0.0
        least, self._least_slack, self._least_since = self._least_slack, slack, now
        return 0.0 if least < _SPARE else -min(least, _LARGEST_SHIFT)

    def _starve(self) -> Instruction:
        """Nothing has arrived in time: it may still come, so the place in the stream is kept."""
        self._starved += self._frame
        if self._paused or self._starved > _STARVED_SECONDS * self._clock:
            self._paused = True
            return Silence(self._frame)
        self._unsure += self._frame
        return Conceal(self._frame)

    def _bridge(self, upcoming: int, first: int, now: float) -> Instruction:
        """What should come next is missing, or time has been filled already, and later packets are there."""
        packet, _ = self._packets[first]
        before = upcoming
        filled = min(self._starved, first - upcoming)
        self._starved -= filled
        upcoming += filled
        if packet.sequence == (self._last_sequence + 1) & 0xFFFF:
            # Nothing was lost in between: the sender paused.
            upcoming = first
            self._unsure = 0
        else:
            if self._hole.stop != first:
                if now - self._lost_at < _LATE_NOT_LOST:
                    self._losing_at = now
                self._hole = range(before, first)
            self._lost_at = now
        self._next = upcoming
        gap = first - upcoming
        if gap == 0 or self._paused:
            return self._resume(first, now)
        if (self._concealing or self._unsure) and self._lead(first, now) > self._estimator.target + _LEAP_ABOVE:
            # A hole is the chance to get the delay right: only what is led over from is made up.
            return self._resume(first, now)
        if self._lead(upcoming, now) < self._estimator.target:
            # Early enough for the missing packet to come yet: its place in the stream is kept.
            return self._conceal(self._frame)
        if packet.repairs and gap <= self._frame:
            self._next = first
            self.stats.fec_packets_received += 1
            return FecFrom(packet, gap)
        piece = min(gap, self._frame)
        self._next = upcoming + piece
        return self._conceal(piece, packet if piece == gap and packet.memoryless else None)

    def _resume(self, first: int, now: float) -> Instruction:
        """Continue with ``first`` when its time has come: a hole is the chance to get the delay right."""
        self._next = first
        if self._lead(first, now) > self._estimator.target - 1e-6:
            return self._play(first, now)
        self._starved += self._frame
        return Silence(self._frame) if self._paused else self._conceal(self._frame)

    def _conceal(self, duration: int, then: MediaPacket | None = None) -> Conceal:
        self.stats.concealed_samples += duration
        if not self._concealing:
            self._concealing = True
            self.stats.concealment_events += 1
        return Conceal(duration, then)

    def _lead(self, timestamp: int, now: float) -> float:
        return now - timestamp / self._clock - self._estimator.base

    def _other_clock(self, packet: MediaPacket, transit: float, now: float) -> None:
        """One packet off the clock is a stray; two that agree are the sender's new clock."""
        suspect, self._suspect = self._suspect, (packet, now, transit)
        if suspect is None or abs(suspect[2] - transit) > _RESYNC_AGREEMENT:
            self.stats.packets_discarded += 1
            return
        self.stats.packets_discarded -= 1
        self.reset()
        self.put(suspect[0], suspect[1])
        self.put(packet, now)
