"""A reading as a W3C statistics report (quality.md section 2)."""

from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.stats.w3c import rtc_stats
from tests.quality.readings import healthy


def by_type(reading: StatsSnapshot) -> dict[str, dict[str, object]]:
    return {str(entry["type"]): dict(entry) for entry in rtc_stats(reading, 5.0)}


def test_everything_that_is_known_has_its_place() -> None:
    entries = by_type(healthy(10))
    assert set(entries) == {
        "outbound-rtp",
        "inbound-rtp",
        "remote-inbound-rtp",
        "media-source",
        "codec",
        "transport",
        "candidate-pair",
        "local-candidate",
        "remote-candidate",
    }
    pair, transport = entries["candidate-pair"], entries["transport"]
    assert transport["selectedCandidatePairId"] == pair["id"]
    assert (pair["localCandidateId"], pair["remoteCandidateId"]) == (
        entries["local-candidate"]["id"],
        entries["remote-candidate"]["id"],
    )
    assert (pair["nominated"], pair["state"], pair["currentRoundTripTime"]) == (True, "succeeded", 0.04)
    assert entries["outbound-rtp"]["codecId"] == entries["codec"]["id"]
    assert entries["media-source"]["audioLevel"] == 0.1
    assert entries["inbound-rtp"]["audioLevel"] == 0.2
    assert all(entry["timestamp"] == 5.0 for entry in entries.values())


def test_a_round_trip_stands_where_it_was_measured() -> None:
    """STATS-033."""
    entries = by_type(healthy(10, round_trip_time_source="remote-inbound-rtp.roundTripTime"))
    assert entries["remote-inbound-rtp"]["roundTripTime"] == 0.04
    assert "currentRoundTripTime" not in entries["candidate-pair"]


@given(st.sets(st.sampled_from([attribute.name for attribute in fields(StatsSnapshot)])))
def test_nothing_is_made_up(unknown: set[str]) -> None:
    """STATS-036: no member is null, and of what is not known at all there is no object."""
    default = StatsSnapshot()
    reading = evolve(healthy(10), **{name: getattr(default, name) for name in unknown})
    for entry in rtc_stats(reading, 5.0):
        assert None not in entry.values()
    assert rtc_stats(default, 5.0) == ()
