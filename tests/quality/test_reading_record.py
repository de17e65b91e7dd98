"""Readings in a journal (quality.md section 2)."""

import json

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.facts import StatsTaken
from telnyx_core.ids import MediaId
from telnyx_core.journal.reading_record import reading_from_record, reading_record
from telnyx_core.journal.record import Scrubber, fact_from_record, fact_record
from telnyx_core.stats.snapshot import StatsSnapshot
from tests.quality.readings import healthy


@given(st.sets(st.sampled_from([attribute.name for attribute in fields(StatsSnapshot)])), st.booleans())
def test_what_is_written_is_read_again(unknown: set[str], silent: bool) -> None:
    default = StatsSnapshot()
    changes: dict[str, object] = {name: getattr(default, name) for name in unknown}
    reading = evolve(healthy(10), **{**changes, "intentionally_silent": silent})  # type: ignore[arg-type]
    assert reading_from_record(json.loads(json.dumps(reading_record(reading)))) == reading


def test_a_journal_gives_the_very_fact_again() -> None:
    fact = StatsTaken(MediaId(3), healthy(10))
    assert fact_from_record(json.loads(json.dumps(fact_record(fact, Scrubber())))) == fact


def test_nothing_is_written_of_what_is_not_known() -> None:
    assert reading_record(StatsSnapshot()) == {}


@pytest.mark.parametrize("record", [{"codec": 3}, {"pair": {"id": "a"}}, {"pair": {"id": "a", "local": []}}])
def test_what_is_no_reading_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a reading"):
        reading_from_record(record)  # type: ignore[arg-type]


def test_members_of_a_later_version_are_passed_over() -> None:
    assert reading_from_record({"packets_sent": 5, "quantum": 7}) == StatsSnapshot(packets_sent=5)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_unknown(odd: float) -> None:
    """STATS-036: it leaves neither in a frame nor in a debug frame, whose encoder would not stand it."""
    reading = StatsSnapshot(jitter=odd, round_trip_time=odd, local_level=odd)
    assert (reading.jitter, reading.round_trip_time, reading.local_level) == (None, None, None)
