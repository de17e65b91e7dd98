"""How long the signalling server takes to answer."""

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.stats.latency import Latency

SECONDS = st.floats(0, 10)


@given(st.lists(SECONDS, min_size=1, max_size=30))
def test_jitter_is_never_more_than_the_largest_difference(trips: list[float]) -> None:
    latency = Latency(trips[0], 0.0)
    for each in trips[1:]:
        latency = latency.then(each)
    assert (latency.round_trip, latency.count) == (trips[-1], len(trips))
    assert 0 <= latency.jitter <= max(trips) - min(trips) + 1e-9


def test_a_difference_counts_by_a_sixteenth() -> None:
    """RFC 3550 section 6.4.1."""
    first = Latency(0.1, 0.0).then(0.26)
    assert abs(first.jitter - 0.01) < 1e-12
    assert abs(first.then(0.26).jitter - 0.01 * 15 / 16) < 1e-12
