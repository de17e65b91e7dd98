"""One reading of a peer's counters."""

import math

import pytest

from telnyx_core.stats.snapshot import CandidateStats, StatsSnapshot


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_unknown(figure: float) -> None:
    reading = StatsSnapshot(jitter=figure, round_trip_time=figure, local_level=figure, remote_energy=figure)
    assert reading == StatsSnapshot()
    assert StatsSnapshot(jitter=0.0).jitter == 0.0


def test_an_address_is_not_shown() -> None:
    assert "192.0.2.7" not in repr(CandidateStats(address="192.0.2.7", port=1, candidate_type="host"))
