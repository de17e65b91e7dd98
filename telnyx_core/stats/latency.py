"""How long the signalling server takes to answer."""

from attrs import frozen

_SMOOTHING = 16
"""As the jitter of RFC 3550 (section 6.4.1)."""


@frozen
class Latency:
    """Of the signalling socket: from requests that the server answers at once. Seconds."""

    round_trip: float
    """The latest."""
    jitter: float
    """By how much one differs from the one before, smoothed as the jitter of RFC 3550."""
    count: int = 1
    """How many round trips were measured on this socket."""

    def then(self, round_trip: float) -> "Latency":
        """With one more round trip."""
        change = abs(round_trip - self.round_trip)
        return Latency(round_trip, self.jitter + (change - self.jitter) / _SMOOTHING, self.count + 1)
