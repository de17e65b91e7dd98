"""What happened between two readings: differences that are never negative, or nothing."""

from attrs import frozen

from telnyx_core.stats.snapshot import StatsSnapshot


def growth(before: int | None, after: int | None) -> int | None:
    """How far a counter moved; ``None`` when unknown, or when it was reset in between."""
    if before is None or after is None or after < before:
        return None
    return after - before


def bitrate(before: int | None, after: int | None, seconds: float) -> float | None:
    """Bits per second."""
    grown = growth(before, after)
    return None if grown is None or seconds <= 0 else grown * 8 / seconds


@frozen
class Interval:
    """Two readings of one peer, ``seconds`` apart."""

    before: StatsSnapshot
    after: StatsSnapshot
    seconds: float

    @property
    def received(self) -> int | None:
        return growth(self.before.packets_received, self.after.packets_received)

    @property
    def lost(self) -> int | None:
        before, after = self.before.packets_lost, self.after.packets_lost
        return growth(None if before is None else max(0, before), None if after is None else max(0, after))

    @property
    def loss_percent(self) -> float | None:
        """Of what should have arrived in the interval; ``None`` where nothing is known to have been due."""
        received, lost = self.received, self.lost
        if received is None or lost is None or received + lost <= 0:
            return None
        return 100.0 * lost / (received + lost)

    @property
    def inbound_grew(self) -> bool | None:
        """Did media arrive? By bytes, or by packets where bytes are not counted."""
        return _grew(
            (self.before.bytes_received, self.after.bytes_received),
            (self.before.packets_received, self.after.packets_received),
        )

    @property
    def outbound_grew(self) -> bool | None:
        return _grew(
            (self.before.bytes_sent, self.after.bytes_sent), (self.before.packets_sent, self.after.packets_sent)
        )


def _grew(*counters: tuple[int | None, int | None]) -> bool | None:
    for before, after in counters:
        if before is not None and after is not None:
            return after != before
    return None
