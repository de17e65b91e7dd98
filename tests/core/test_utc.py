"""Times as text."""

from datetime import datetime
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._wire.utc import iso


@given(st.floats(0, 4e9))
def test_it_says_the_same_time(wall: float) -> None:
    assert abs(datetime.fromisoformat(iso(wall)).timestamp() - wall) <= 0.001


@pytest.mark.parametrize("wall", [inf, -inf, nan, 1e300])
def test_a_time_outside_the_calendar_gives_the_epoch(wall: float) -> None:
    assert iso(wall) == "1970-01-01T00:00:00.000Z"
