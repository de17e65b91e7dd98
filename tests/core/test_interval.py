"""What happened between two readings: never negative, and unknown where a counter was reset."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.stats.interval import Interval, bitrate, growth
from telnyx_core.stats.latency import Latency
from telnyx_core.stats.snapshot import StatsSnapshot

counter = st.none() | st.integers(0, 2**40)


@given(counter, counter)
def test_growth_is_never_negative(before: int | None, after: int | None) -> None:
    grown = growth(before, after)
    if before is None or after is None or after < before:
        assert grown is None
    else:
        assert before + (grown or 0) == after


@given(counter, counter, st.floats(-1, 10))
def test_a_bit_rate_needs_time(before: int | None, after: int | None, seconds: float) -> None:
    rate = bitrate(before, after, seconds)
    assert rate is None or (seconds > 0 and rate >= 0)


def test_loss_is_of_what_was_due_in_the_interval() -> None:
    before = StatsSnapshot(packets_received=100, packets_lost=-2)
    after = StatsSnapshot(packets_received=190, packets_lost=10)
    assert Interval(before, after, 2.0).loss_percent == 10.0
    assert Interval(before, before, 2.0).loss_percent is None


def test_media_grew_by_bytes_and_where_they_are_not_counted_by_packets() -> None:
    still, packets = StatsSnapshot(packets_received=5), StatsSnapshot(packets_received=6)
    assert Interval(still, packets, 1.0).inbound_grew is True
    assert Interval(still, still, 1.0).inbound_grew is False
    silent = StatsSnapshot(packets_received=6, bytes_received=50)
    assert Interval(StatsSnapshot(packets_received=5, bytes_received=50), silent, 1.0).inbound_grew is False
    assert Interval(still, packets, 1.0).outbound_grew is None


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_the_jitter_of_the_signalling_is_no_larger_than_its_largest_change(trips: list[float]) -> None:
    latency = Latency(trips[0], 0.0)
    for trip in trips[1:]:
        latency = latency.then(trip)
    assert latency.round_trip == trips[-1]
    assert latency.count == len(trips)
    changes = [abs(one - other) for one, other in pairwise(trips)]
    assert 0 <= latency.jitter <= max(changes, default=0.0)
