"""What a receiver must count of each stream (RFC 3550 appendix A): loss, jitter, and the report blocks about them."""

from typing import Final

from attrs import frozen

from telnyx_drivers._audio.rtp.packet import Unwrapper
from telnyx_drivers._audio.rtp.rtcp import ReportBlock


@frozen
class ReceptionTotals:
    packets: int = 0
    octets: int = 0
    """Of payload."""
    lost: int = 0
    """May be negative for a while when packets are duplicated (RFC 3550 section 6.4.1)."""
    jitter: float = 0.0
    """Seconds, smoothed (RFC 3550 appendix A.8)."""


_MOST_DROPPED: Final = 3_000
_MOST_MISORDERED: Final = 100
"""Sequence numbers. A larger jump is neither loss nor reordering: the sender restarted (RFC 3550 appendix A.1)."""


class ReceptionStatistics:
    """One SSRC."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self._clock = clock_rate
        self._sequences = Unwrapper(16)
        self._first = self._highest = -1
        self._packets = self._octets = 0
        self._expected_earlier = 0
        """Before the sender began to count anew."""
        self._next_bad: int | None = None
        self._expected_before = self._received_before = 0
        self._transit: float | None = None
        self._timestamp: int = -1
        self._jitter = 0.0
        self._last_sr = 0
        self._last_sr_at = 0.0

    @property
    def lost(self) -> int:
        return self._expected() - self._packets

    @property
    def totals(self) -> ReceptionTotals:
        return ReceptionTotals(self._packets, self._octets, self.lost, self._jitter)

    def add(self, sequence: int, timestamp: int, octets: int, now: float) -> bool:
        """A packet of this stream arrived at ``now`` (seconds, monotonic). True when none sent after it has."""
        extended = self._sequences.unwrap(sequence)
        if self._packets == 0:
            self._first = self._highest = extended
        elif not -_MOST_MISORDERED <= extended - self._highest <= _MOST_DROPPED:
            if sequence != self._next_bad:
                self._next_bad = (sequence + 1) & 0xFFFF
                self._sequences.unwrap(self._highest & 0xFFFF)
                self._packets += 1
                self._octets += octets
                self._expected_earlier += 1
                return False
            self._expected_earlier += self._highest - self._first + 1
            self._first = self._highest = extended
            self._transit = None
        elif extended > self._highest:
            self._highest = extended
        elif extended < self._first:
            self._first = extended
        self._packets += 1
        self._octets += octets
        # Packets of one instant (a long event, a talk spurt's first) say nothing about the network's jitter.
        if timestamp != self._timestamp:
            transit = now - timestamp / self._clock
            if self._transit is not None:
                change = abs(transit - self._transit)
                if change < 1.0:
                    self._jitter += (change - self._jitter) / 16
            self._transit, self._timestamp = transit, timestamp
        return extended == self._highest

    def change_clock(self, rate: int) -> None:
        """The stream continues at another timestamp rate; the one transit that spans both rates is not used."""
        self._clock = rate
        self._transit = None

    def sender_report(self, ntp: int, now: float) -> None:
        """A sender report of this stream arrived."""
        self._last_sr = (ntp >> 16) & 0xFFFF_FFFF
        self._last_sr_at = now

    def report(self, now: float) -> ReportBlock:
        """The block for the next receiver report; counts the interval since the one before."""
        expected, received = self._expected(), self._packets
        expected_now, received_now = expected - self._expected_before, received - self._received_before
        self._expected_before, self._received_before = expected, received
        lost_now = max(expected_now - received_now, 0)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(lost_now / expected_now, 1.0) if expected_now > 0 else 0.0,
            packets_lost=expected - received,
            highest_sequence=self._highest & 0xFFFF_FFFF,
            jitter=int(self._jitter * self._clock),
            last_sr=self._last_sr,
            delay_since_last_sr=now - self._last_sr_at if self._last_sr else 0.0,
        )

    def _expected(self) -> int:
        return self._expected_earlier + self._highest - self._first + 1 if self._packets else 0
