"""``telnyx.stats.report``: once, complete, and before the call is destroyed (quality.md section 3.2)."""

import pytest

from telnyx_core.actions import ClosePeer, Notify, TakeStats
from telnyx_core.events import CallUpdated, Cause, StatsFrame, StatsReport, WarningRaised
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from telnyx_core.testing.wire import EPOCH
from tests.quality.readings import healthy, since
from tests.quality.test_frames import active


def ended(rig: Rig, call: CallId) -> StatsReport:
    """The one report there is; checks that it came before the end."""
    [report] = rig.heard_of(StatsReport)
    kinds = [event for event in rig.events if isinstance(event, StatsReport) or is_destroyed(event, call)]
    assert isinstance(kinds[0], StatsReport), "the report comes before `destroy`"
    assert is_destroyed(kinds[-1], call)
    return report


def is_destroyed(event: object, call: CallId) -> bool:
    return isinstance(event, CallUpdated) and event.call.id == call and event.call.state.value == "destroy"


def test_what_a_report_says() -> None:
    """STATS-130 to STATS-142, STATS-500."""
    rig, call = active()
    rig.advance(12)
    rig.hangup(call, cause="NORMAL_CLEARING", cause_code=16)
    rig.reply("bye", call=call)
    report = ended(rig, call)
    assert (report.call, report.direction, report.duration) == (call, "outbound", 12.0)
    assert (report.average_rtt, report.least_rtt, report.greatest_rtt) == (40.0, 40.0, 40.0)
    assert (report.average_jitter, report.greatest_jitter) == (5.0, 5.0)
    assert (report.average_packet_loss, report.greatest_packet_loss) == (0.0, 0.0)
    assert (report.packets_sent, report.bytes_received) == (600, 96_000)
    assert report.average_mos == report.least_mos == pytest.approx(4.3974, abs=5e-5)
    assert report.quality == "excellent"
    record = report.to_mapping()
    assert record["cause"] == "NORMAL_CLEARING"
    assert record["startTimestamp"] == "2027-01-15T08:00:00.000Z"
    assert record["duration"] == 12.0
    assert record["final"] is True
    assert "timeline" not in record, "that is for debug"


def test_extremes_are_those_of_the_readings_between_frames() -> None:
    """STATS-132, STATS-133: every reading counts, though a frame comes only every fifth."""
    rig, call = active()
    start = rig.now

    def reading(now: float) -> object:
        second = round(now - start)
        return healthy(second, round_trip_time=0.3 if second == 3 else 0.1, packets_lost=50 if second >= 7 else 0)

    rig.reading = reading  # type: ignore[assignment]
    rig.advance(10)
    rig.hangup(call)
    rig.reply("bye", call=call)
    report = ended(rig, call)
    assert (report.least_rtt, report.greatest_rtt) == (100.0, 300.0)
    assert report.average_rtt == pytest.approx((9 * 100 + 300 + 100) / 11)
    assert report.greatest_packet_loss == 50.0
    assert report.average_packet_loss == pytest.approx(100 * 50 / 550)
    assert [frame.rtt for frame in rig.heard_of(StatsFrame)] == [100.0, 100.0]


@pytest.mark.parametrize("ends", ["here", "there"])
def test_the_last_reading_is_in_it(ends: str) -> None:
    """STATS-013: half a second after the last regular one, and whoever ends the call."""
    rig, call = active()
    rig.advance(2.5)
    if ends == "here":
        rig.hangup(call)
        rig.reply("bye", call=call)
    else:
        rig.request("bye", callID=call)
    assert ended(rig, call).packets_received == 125


@pytest.mark.parametrize("ends", ["here", "there"])
def test_an_engine_that_cannot_read_any_more_delays_the_end_a_little(ends: str) -> None:
    """STATS-013, STATS-403: half a second, then the call ends without; and its peer was open until then."""
    rig, call = active()
    rig.advance(2)
    rig.reading = lambda now: None
    if ends == "here":
        rig.hangup(call)
        rig.reply("bye", call=call)
    else:
        rig.request("bye", callID=call)
    assert rig.states(call)[-1] == "hangup"
    rig.advance(0.49)
    assert rig.states(call)[-1] == "hangup"
    rig.advance(0.02)
    assert rig.states(call)[-1] == "destroy"
    assert ended(rig, call).packets_received == 100
    assert rig.at_rest or not rig.session.calls


def test_media_ends_with_the_last_reading_and_not_with_the_bye() -> None:
    """CALL-422: the far end's word may take its time."""
    rig, call = active()
    rig.clear()
    rig.hangup(call)
    kinds = [type(action) for action in rig.actions if isinstance(action, TakeStats | ClosePeer)]
    assert kinds == [TakeStats, ClosePeer]
    assert rig.states(call) == ["hangup"]


def test_nobody_waits_for_a_reading_when_the_server_never_replies() -> None:
    """CALL-420: the guard of the BYE ends the call, with or without it."""
    rig, call = active()
    rig.hangup(call)
    rig.advance(5)
    assert ended(rig, call).duration == 0.0
    assert not rig.session.calls


def test_disconnecting_waits_for_nothing() -> None:
    """SIG-280: where the socket is gone there is no time for a last reading."""
    rig, call = active()
    rig.reading = lambda now: None
    rig.hangup(call)
    rig.lose()
    rig.disconnect()
    assert not rig.session.calls
    assert len(rig.heard_of(StatsReport)) == 1
    assert rig.at_rest


def test_losing_the_socket_while_the_last_reading_is_out_is_no_error() -> None:
    """The server had the last word already: 44003 would be wrong."""
    rig, call = active()
    rig.reading = lambda now: None
    rig.request("bye", callID=call)
    rig.lose()
    assert 44003 not in rig.codes
    rig.advance(0.5)
    assert ended(rig, call)


def test_a_call_that_was_never_answered_has_a_report_of_nothing() -> None:
    """STATS-131, STATS-145."""
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.advance(3)
    rig.request("bye", callID=call, cause="USER_BUSY", causeCode=17)
    report = ended(rig, call)
    assert (report.duration, report.average_mos, report.packets_sent) == (0.0, None, None)
    assert report.ended == Cause("USER_BUSY", 17)
    assert (report.started_at, report.ended_at) == (EPOCH, EPOCH + 3)


def test_a_call_without_a_peer_has_none() -> None:
    """STATS-145: rejected while it rang."""
    rig = Rig.registered()
    call = rig.inbound()
    rig.hangup(call)
    rig.reply("bye", call=call)
    assert not rig.heard_of(StatsReport)


def test_a_recovered_call_reports_once_of_all_of_it() -> None:
    """STATS-130, STATS-142: before the outage and after it."""
    rig, call = active()
    rig.advance(10)
    rig.come_back(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.reading = since(rig.now)
    rig.advance(4)
    rig.hangup(call)
    rig.reply("bye", call=call)
    report = ended(rig, call)
    assert (report.recovered_call_id, report.final) == (call, True)
    assert (report.duration, report.packets_sent) == (14.0, 700)


def test_warnings_are_counted() -> None:
    """STATS-139, STATS-508: at 3, 18 and 33 s."""
    rig, call = active()
    rig.reading = since(rig.now, round_trip_time=0.41)
    rig.advance(34)
    rig.hangup(call)
    rig.reply("bye", call=call)
    [warning] = ended(rig, call).warnings
    assert (warning.code, warning.name, warning.count) == (31001, "HIGH_RTT", 3)
    assert (warning.first_at, warning.last_at) == (EPOCH + 3, EPOCH + 33)
    notes = [(at, action.event) for at, action in rig.timeline if isinstance(action, Notify)]
    assert [at for at, event in notes if isinstance(event, WarningRaised)] == [3.0, 18.0, 33.0]


def test_an_ending_call_warns_of_nothing() -> None:
    """STATS-013: the last reading counts, but nobody can do anything about it."""
    rig, call = active()
    rig.reading = since(rig.now, round_trip_time=0.41)
    rig.advance(2.5)
    rig.hangup(call)
    assert 31001 not in rig.codes


def test_two_calls_report_each_of_itself() -> None:
    """STATS-516."""
    rig, first = active()
    second = rig.outbound()
    rig.advance(2)
    rig.hangup(first)
    rig.reply("bye", call=first)
    rig.advance(3)
    rig.hangup(second)
    rig.reply("bye", call=second)
    reports = {report.call: report.duration for report in rig.heard_of(StatsReport)}
    assert reports == {first: 2.0, second: 5.0}
