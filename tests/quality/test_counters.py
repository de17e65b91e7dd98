"""Whatever counters do (they are reset, a stream begins anew, a peer is replaced): no rate, loss or total is absurd.

STATS-030, STATS-034, STATS-036, STATS-105, STATS-313.
"""

from math import isfinite
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._quality.alarms import BREACHES
from telnyx_core._quality.summary import Summary
from telnyx_core._reports.entries import StatsInterval
from telnyx_core.catalogue import WarningCode
from telnyx_core.events import CallInfo, WarningCount
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.stats.timings import EstablishmentTimings

CALL = CallInfo(
    id=CallId("c"),
    state=CallState.ACTIVE,
    previous=CallState.NEW,
    direction="outbound",
    destination_number="",
    caller_name="",
    caller_number="",
    remote_caller_name="",
    remote_caller_number="",
)
TOTALS = ("packets_sent", "packets_received", "packets_lost", "bytes_sent", "bytes_received")


growth = st.none() | st.integers(0, 5_000)
"""``None``: nothing is told of it, as before the first packet; what is known of a peer stays known."""
seconds = st.floats(0, 5)
odd = st.none() | st.floats()
steps = st.lists(
    st.tuples(
        st.sampled_from(["counts", "counts", "counts", "is reset", "is replaced"]),
        st.fixed_dictionaries(dict.fromkeys(TOTALS, growth)),
        st.fixed_dictionaries({"jitter": odd, "round_trip_time": odd}),
        seconds,
    ),
    max_size=12,
)


@given(steps)
def test_no_rate_is_negative_and_no_loss_beyond_all(story: list[Any]) -> None:
    """An SSRC that changes resets the counters of one peer; a re-attach starts those of another."""
    summary = Summary(1.0, 0.0)
    summary.start(0.0)
    counted: dict[str, int | None] = dict.fromkeys(TOTALS)
    now, last = 0.0, None
    former: dict[str, int] = {}
    for event, grown, figures, later in story:
        if event == "is replaced":
            summary.peer_changed()
        if event != "counts":
            counted, last = dict.fromkeys(TOTALS), None if event == "is replaced" else last
        if event == "is reset":
            former.clear()
        for name, more in grown.items():
            if more is not None:
                counted[name] = (counted[name] or 0) + more
        reading = StatsSnapshot(**counted, **figures)
        started, now = now, now + later
        interval = summary.take(reading, now)
        loss = None if interval is None else interval.loss_percent
        assert loss is None or 0 <= loss <= 100
        for value in numbers(StatsInterval(started, now, last, reading, False).record()):
            assert isfinite(value)
        for where, name in (("outbound", "bitrateAvg"), ("inbound", "bitrateAvg")):
            assert rate(StatsInterval(started, now, last, reading, False).record(), where, name) >= 0
        last = reading
        frame = summary.frame(CALL, now, now, held=False)
        if frame is None:
            continue
        assert frame.packet_loss is None or 0 <= frame.packet_loss <= 100
        assert frame.mos is None or 1 <= frame.mos <= 5
        for name in TOTALS:
            total = getattr(frame, name)
            assert total is None or total >= 0
            if event == "is replaced" and total is not None:
                assert total >= former.get(name, 0), "what was counted before a re-attach is not forgotten"
            former[name] = total or 0


def numbers(value: Any) -> list[float]:
    match value:
        case bool() | str():
            return []
        case int() | float():
            return [value]
        case dict():
            return [number for item in value.values() for number in numbers(item)]
        case _:
            return []


def rate(entry: Any, where: str, name: str) -> float:
    return float(entry["audio"].get(where, {}).get(name, 0))


def test_a_warning_is_counted_each_time_with_its_first_and_its_last() -> None:
    summary = Summary(1.0, 0.0)
    summary.warned(WarningCode.HIGH_RTT, 3.0)
    summary.warned(WarningCode.HIGH_JITTER, 4.0)
    summary.warned(WarningCode.HIGH_RTT, 7.0)
    report = summary.report(
        CALL,
        9.0,
        100.0,
        call_report_id=None,
        establishment=EstablishmentTimings("trickle", "outbound", 0.0, ()),
        timeline=None,
        final=True,
    )
    assert report.warnings == (
        WarningCount(WarningCode.HIGH_RTT, "HIGH_RTT", 2, 103.0, 107.0),
        WarningCount(WarningCode.HIGH_JITTER, "HIGH_JITTER", 1, 104.0, 104.0),
    )


def test_a_hold_between_two_readings_begins_the_count_of_silent_ones_anew() -> None:
    """STATS-312: a held call has no audio, and what came of it before says nothing of what comes after."""

    def warned_at(hold_after: int | None) -> int:
        summary = Summary(1.0, 0.0)
        summary.start(0.0)
        for number in range(20):
            if number == hold_after:
                summary.held_changed()
            reading = StatsSnapshot(packets_received=500, bytes_received=80_000)
            interval = summary.take(reading, float(number))
            codes = summary.judge(reading, interval, float(number), held=False, muted=False, watched=True)
            if WarningCode.LOW_BYTES_RECEIVED in codes:
                return number
        raise AssertionError("never warned")

    usual = warned_at(None)
    assert warned_at(usual) == usual + BREACHES - 1


def test_a_reset_is_no_loss_and_no_outage() -> None:
    """STATS-034: the interval in which the far end began a new stream says nothing of it."""
    summary = Summary(1.0, 0.0)
    summary.start(0.0)
    before = StatsSnapshot(packets_received=500, packets_lost=5, bytes_received=80_000)
    summary.take(before, 1.0)
    interval = summary.take(evolve(before, packets_received=3, packets_lost=0, bytes_received=480), 2.0)
    assert interval is not None
    assert (interval.loss_percent, interval.received, interval.lost) == (None, None, None)
    assert interval.inbound_grew is True
