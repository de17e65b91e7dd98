"""The counters of a call at one moment."""

from telnyx_core.stats.call_stats import CallStats
from telnyx_core.stats.snapshot import StatsSnapshot


def test_seconds_are_told_in_milliseconds_and_counters_as_they_are() -> None:
    reading = StatsSnapshot(
        round_trip_time=0.04,
        jitter=0.002,
        packets_sent=1,
        packets_received=2,
        packets_lost=3,
        bytes_sent=4,
        bytes_received=5,
    )
    stats = CallStats(1_700_000_000.5, reading)
    assert (stats.rtt, stats.jitter) == (40.0, 2.0)
    assert (stats.packets_sent, stats.packets_received, stats.packets_lost) == (1, 2, 3)
    assert (stats.bytes_sent, stats.bytes_received) == (4, 5)
    assert {entry["timestamp"] for entry in stats.w3c} == {1_700_000_000_500.0}


def test_what_is_unknown_is_none() -> None:
    stats = CallStats(0.0, StatsSnapshot(round_trip_time=float("nan")))
    assert (stats.rtt, stats.jitter, stats.packets_sent, stats.bytes_received) == (None, None, None, None)
    assert stats.w3c == ()
