"""The counters of a call at one moment."""

from attrs import field, frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.stats import w3c
from telnyx_core.stats.snapshot import StatsSnapshot


@frozen
class CallStats:
    """The counters of a call's media path now, of the peer in use; what is unknown is ``None``.

    Units as in `StatsFrame`, which comes by itself every few seconds and tells what happened in between.
    """

    timestamp: float
    """Epoch seconds."""
    reading: StatsSnapshot = field(repr=False)
    """All of them."""

    @property
    def rtt(self) -> float | None:
        """Round trip time of the media, milliseconds."""
        return _milliseconds(self.reading.round_trip_time)

    @property
    def jitter(self) -> float | None:
        """Of what is received, milliseconds."""
        return _milliseconds(self.reading.jitter)

    @property
    def packets_sent(self) -> int | None:
        """RTP packets that were sent."""
        return self.reading.packets_sent

    @property
    def packets_received(self) -> int | None:
        """RTP packets that were received."""
        return self.reading.packets_received

    @property
    def packets_lost(self) -> int | None:
        """Of those that were sent to us."""
        return self.reading.packets_lost

    @property
    def bytes_sent(self) -> int | None:
        """Payload."""
        return self.reading.bytes_sent

    @property
    def bytes_received(self) -> int | None:
        """Payload."""
        return self.reading.bytes_received

    @property
    def w3c(self) -> tuple[JsonObject, ...]:
        """The same as the objects of an ``RTCStatsReport``, under the names of webrtc-stats, with ids and types."""
        return w3c.rtc_stats(self.reading, 1_000 * self.timestamp)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1_000 * seconds
