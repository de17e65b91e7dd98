"""What lies between the two ends of a call, in seconds, from the figures of its media path."""

from typing import Final

from attrs import frozen

from telnyx_core.stats.snapshot import StatsSnapshot

_ONE_WAY: Final = 0.05
"""Where the round trip is not known yet."""
_FAR_BUFFER: Final = 0.03
"""A far end holds back one packet of 20 ms at least, for the next may be late, and something for its own clock."""
_JITTERS: Final = 3
"""A jitter buffer covers about so many times the mean deviation that the far end reports (RFC 3550 section 6.4.1)."""
_LONGEST: Final = 1.0
"""No estimate is longer: a far end that reports nonsense must not move a figure by more."""
_FRESH: Final = 1.0
"""Seconds of audio after which our own jitter buffer is measured anew."""


@frozen
class Way:
    """Seconds from our queue to the far end's ear, and from its mouth to our readers. The ends are those of the RTP.

    The far end's jitter buffer is not told by anything: it is estimated from the jitter that it reports.
    """

    outward: float = _ONE_WAY + _FAR_BUFFER
    inward: float = _ONE_WAY + _FAR_BUFFER


class WayMeter:
    """Makes a `Way` of each reading of a peer's counters."""

    def __init__(self) -> None:
        self._before = StatsSnapshot()
        self._buffered = _FAR_BUFFER

    def way(self, reading: StatsSnapshot | None) -> Way:
        if reading is None:
            return Way()
        round_trip = reading.round_trip_time
        one_way = _ONE_WAY if round_trip is None else round_trip / 2
        far = max(_FAR_BUFFER, _JITTERS * (reading.remote_jitter or 0.0))
        return Way(min(one_way + far, _LONGEST), min(one_way + self._own_buffer(reading), _LONGEST))

    def _own_buffer(self, reading: StatsSnapshot) -> float:
        """The mean delay in our own jitter buffer, of the last second or more."""
        rate = 8_000 if reading.codec is None else reading.codec.clock_rate or 8_000
        count, delay = reading.jitter_buffer_emitted_count or 0, reading.jitter_buffer_delay or 0.0
        before = self._before
        count_before, delay_before = before.jitter_buffer_emitted_count or 0, before.jitter_buffer_delay or 0.0
        if count < count_before:  # another peer
            self._before, count_before, delay_before = StatsSnapshot(), 0, 0.0
        if count > count_before:
            self._buffered = (delay - delay_before) / (count - count_before)
        if count - count_before >= _FRESH * rate:
            self._before = reading
        return self._buffered
