"""What is collected of a call, and when a part of it is sent (quality.md 4.1 to 4.3, 11)."""

import json
from typing import Any

import pytest
from attrs import evolve

from telnyx_core._reports.call_report import CallReport
from telnyx_core._reports.entries import StatsInterval
from telnyx_core._reports.segment import Flush, ReportEndpoint, Segment
from telnyx_core.actions import WriteReport
from telnyx_core.errors import InvalidCallState
from telnyx_core.events import StatsReport
from telnyx_core.ids import CallId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from tests.quality.readings import healthy, since

Payload = dict[str, Any]


def reporting(**options: object) -> Rig:
    """A session whose server wants reports."""
    rig = Rig(**options)
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED", call_report_id="report-7", region="us-east", dc="ny3")
    rig.always("ping")
    rig.metered = True
    rig.clear()
    return rig


def active(**options: object) -> tuple[Rig, CallId]:
    rig = reporting(**options)
    call = rig.outbound()
    rig.reading = since(rig.now)
    return rig, call


def hang_up(rig: Rig, call: CallId) -> None:
    rig.hangup(call)
    rig.reply("bye", call=call)


def uploads(rig: Rig) -> list[WriteReport]:
    return [action for action in rig.actions if isinstance(action, WriteReport)]


def payload(part: WriteReport | Segment, number: int = 0) -> Payload:
    """The one body of a part."""
    segment = part.segment if isinstance(part, WriteReport) else part
    [body] = segment.bodies(number, list(segment.lines()))
    value: Payload = json.loads(body)
    return value


def test_where_a_report_goes() -> None:
    """STATS-240, STATS-241, SIG-187."""
    rig, call = active(env="wss://gw.example.org:8443/path?x=1")
    hang_up(rig, call)
    [upload] = uploads(rig)
    assert upload.segment.home.url == "https://gw.example.org:8443/call_report"
    assert upload.segment.home.headers(call) == {
        "content-type": "application/json",
        "x-call-report-id": "report-7",
        "x-call-id": call,
        "x-voice-sdk-id": "VSDK-1",
    }


def test_the_token_in_the_headers_is_not_shown() -> None:
    rig, call = active()
    hang_up(rig, call)
    assert "VSDK-1" not in repr(uploads(rig))


def test_a_short_call_has_one_entry() -> None:
    """STATS-503, STATS-013: the last reading closes an interval that is not over."""
    rig, call = active()
    rig.advance(0.4)
    hang_up(rig, call)
    [upload] = uploads(rig)
    report = payload(upload)
    [entry] = report["stats"]
    assert entry["intervalStartUtc"] == "2027-01-15T08:00:00.000Z"
    assert entry["intervalEndUtc"] == "2027-01-15T08:00:00.400Z"
    assert "segment" not in report, "the only part has no number (STATS-224)"
    assert "flushReason" not in report


def test_what_an_entry_says() -> None:
    """STATS-200 to STATS-212."""
    rig, call = active()
    rig.advance(3)
    hang_up(rig, call)
    first, _, third, last = payload(uploads(rig)[0])["stats"]
    assert "bitrateAvg" not in first["audio"]["outbound"], "from one reading there is no rate"
    outbound, inbound = third["audio"]["outbound"], third["audio"]["inbound"]
    assert (outbound["packetsSent"], outbound["bytesSent"], outbound["bitrateAvg"]) == (150, 24_000, 64_000)
    assert (inbound["jitterAvg"], inbound["audioLevelAvg"]) == (5.0, 0.2), "milliseconds"
    assert outbound["localTrack"] == {
        "id": "audio-source",
        "enabled": True,
        "muted": False,
        "readyState": "live",
        "settings": {
            "channelCount": 1,
            "sampleRate": 48_000,
            "sampleSize": 16,
            "echoCancellation": False,
            "noiseSuppression": False,
            "autoGainControl": False,
        },
    }
    assert (outbound["retransmittedPacketsSent"], outbound["retransmittedBytesSent"]) == (0, 0)
    assert outbound["codec"]["mimeType"] == "audio/opus"
    assert third["connection"] == {
        "roundTripTimeAvg": 0.04,
        "currentRoundTripTime": 0.04,
        "roundTripTimeSource": "candidate-pair.currentRoundTripTime",
    }
    assert third["ice"]["local"]["candidateType"] == "srflx"
    assert (third["ice"]["state"], third["ice"]["writable"]) == ("succeeded", True)
    assert (third["ice"]["requestsSent"], third["ice"]["responsesReceived"]) == (9, 8)
    assert third["transport"] == {
        "iceState": "completed",
        "dtlsState": "connected",
        "selectedCandidatePairId": "a:b:20000",
    }
    assert third["remoteRtcp"]["inbound"] == {"packetsLost": 0, "fractionLost": 0.0, "jitter": 3.0}
    assert last["audio"]["outbound"].get("bitrateAvg") is None, "no time has passed since the one before"


def test_an_entry_says_what_the_far_end_reports_and_what_the_transport_carried() -> None:
    """STATS-207, STATS-211: the round trips of the far end's reports stand beside those of the pair."""
    reading = healthy(
        1,
        remote_round_trip_time=0.03,
        remote_round_trip_total=0.1,
        remote_round_trip_count=3,
        header_bytes_sent=600,
        header_bytes_received=612,
        transport_packets_sent=52,
        transport_bytes_sent=9_000,
        transport_packets_received=51,
        transport_bytes_received=8_800,
        ice_state="disconnected",
    )
    entry: Payload = StatsInterval(0.0, 1.0, None, reading, muted=False).record()
    assert (entry["audio"]["outbound"]["headerBytesSent"], entry["audio"]["outbound"]["active"]) == (600, True)
    assert (entry["audio"]["inbound"]["headerBytesReceived"], entry["audio"]["inbound"]["nackCount"]) == (612, 0)
    assert entry["remoteRtcp"]["inbound"] == {
        "packetsLost": 0,
        "fractionLost": 0.0,
        "jitter": 3.0,
        "roundTripTime": 0.03,
        "totalRoundTripTime": 0.1,
        "roundTripTimeMeasurements": 3,
        "roundTripTimeAvg": 0.0333,
    }
    assert entry["connection"] == {
        "roundTripTimeAvg": 0.04,
        "currentRoundTripTime": 0.04,
        "roundTripTimeSource": "candidate-pair.currentRoundTripTime",
        "packetsSent": 52,
        "packetsReceived": 51,
        "bytesSent": 9_000,
        "bytesReceived": 8_800,
    }
    assert entry["ice"]["writable"] is False


def test_an_entry_of_nothing_is_an_entry() -> None:
    """STATS-201: absent rather than null."""
    entry = StatsInterval(0.0, 1.0, None, StatsSnapshot(), muted=True).record()
    assert entry == {
        "intervalStartUtc": "1970-01-01T00:00:00.000Z",
        "intervalEndUtc": "1970-01-01T00:00:01.000Z",
        "audio": {
            "outbound": {
                "localTrack": {"id": "audio-source", "enabled": False, "muted": False, "readyState": "live"},
            }
        },
    }


def test_a_long_call_is_sent_in_parts() -> None:
    """STATS-505: an intermediate one at 180 s, then the last."""
    rig, call = active()
    rig.advance(200)
    hang_up(rig, call)
    middle, last = uploads(rig)
    [at] = [at for at, action in rig.timeline if action is middle]
    assert at == 180.0
    first, second = payload(middle, 0), payload(last, 1)
    assert (first["segment"], first["flushReason"]) == (0, {"type": "buffer-limit"})
    assert len(first["stats"]) == 180
    assert (second["segment"], len(second["stats"])) == (1, 21)
    assert "flushReason" not in second


def test_parts_are_sent_at_their_time_however_late_a_reading_comes() -> None:
    """STATS-221: one that comes 30 ms late puts none of the later parts off by a whole reading."""
    report = CallReport(10.0, 180.0)
    for at in (190.03, 370.0, 550.02):
        assert not report.due(at - 1)
        assert report.due(at)
        report.take(at)
    report.take(600.0)  # asked for in between: the next one is a whole interval away (STATS-222)
    assert not report.due(779.0)
    assert report.due(780.0)


@pytest.mark.parametrize(("interval", "parts"), [(60.0, [60, 60, 60, 21]), (150.0, [150, 51]), (0, [201])])
def test_how_often_a_part_is_sent(interval: float, parts: list[int]) -> None:
    """STATS-221: ``callReportFlushInterval``; 0 is off."""
    rig, call = active(call_report_flush_interval=interval)
    rig.advance(200)
    hang_up(rig, call)
    assert [len(upload.segment.entries) for upload in uploads(rig)] == parts
    summary = payload(uploads(rig)[-1], 1)["summary"]
    assert summary["clientSummary"]["callReports"]["flushIntervalMs"] == interval * 1000


@pytest.mark.parametrize(
    ("least", "levels"),
    [
        ("debug", {"debug", "info", "warn"}),
        ("info", {"info", "warn"}),
        ("warn", {"warn"}),
        ("error", set()),
    ],
)
def test_only_what_matters_enough_is_kept(least: str, levels: set[str]) -> None:
    """LOG-001, LOG-010: ``debugLogLevel``, for what names the call and for what names none."""
    rig, call = active(debug_log_level=least)
    rig.reading = since(rig.now, round_trip_time=0.5)
    rig.request("ping")
    rig.advance(5)
    hang_up(rig, call)
    report = payload(uploads(rig)[-1])
    assert {entry["level"] for entry in report.get("logs", [])} == levels
    assert report["summary"]["clientSummary"]["callReports"]["debugLogLevel"] == least


@pytest.mark.parametrize("most", [1, 20])
def test_so_many_entries_are_kept(most: int) -> None:
    """LOG-010: ``debugLogMaxEntries``, the newest ones."""
    rig, call = active(debug_log_max_entries=most)
    for number in range(50):
        rig.request("info", callID=call, number=number)
    hang_up(rig, call)
    report = payload(uploads(rig)[-1])
    assert len(report["logs"]) == most
    assert report["summary"]["clientSummary"]["callReports"]["debugLogMaxEntries"] == most
    assert report["logs"][-1]["message"] != "info"


def test_full_buffers_are_sent() -> None:
    """STATS-504: 310 entries without an interval are one part of 300, and the rest."""
    rig, call = active(call_report_flush_interval=0)
    rig.advance(309.5)
    hang_up(rig, call)
    assert [len(upload.segment.entries) for upload in uploads(rig)] == [300, 10]


def test_many_log_entries_are_sent_as_well() -> None:
    """STATS-221: at the first entry after there are eight hundred."""
    rig, call = active()
    for _ in range(810):
        rig.request("info", callID=call)
    rig.advance(1)
    [upload] = uploads(rig)
    assert len(upload.segment.logs) >= 800
    assert len(upload.segment.entries) == 1


def test_what_nobody_takes_is_kept_for_six_minutes() -> None:
    """STATS-220, STATS-244: without an id of a report nothing is sent, and the oldest entries go."""
    rig = Rig.registered()
    rig.always("ping")
    rig.metered = True
    call = rig.outbound()
    rig.advance(400)
    assert uploads(rig) == []
    rig.request("gatewayState", state="REGED", call_report_id="late")
    rig.advance(1)
    [upload] = uploads(rig)
    assert len(upload.segment.entries) == 360
    messages = [entry.message for entry in upload.segment.logs]
    assert len([message for message in messages if "dropped" in message]) == 1
    hang_up(rig, call)


def test_a_lost_socket_sends_what_there_is() -> None:
    """STATS-222, STATS-223: with what became of the socket; an end without an error is another type."""
    rig, call = active()
    rig.advance(2)
    rig.lose(1006, "gone", error="connection reset")
    [upload] = uploads(rig)
    assert payload(upload)["flushReason"] == {
        "type": "socket-error",
        "socketClose": {
            "code": 1006,
            "codeName": "ABNORMAL_CLOSURE",
            "reason": "gone",
            "wasClean": False,
            "error": "connection reset",
        },
    }
    assert upload.segment.home.call_report_id == "report-7", "of the connection that was lost (STATS-226)"
    rig.clear()
    rig.ready(call)
    rig.lose(1001, clean=True)
    [upload] = uploads(rig)
    assert upload.segment.flush is not None
    assert upload.segment.flush.type == "socket-close"


def test_a_part_that_the_application_asks_for() -> None:
    """STATS-222, STATS-223: ``manual``, at once; where there is nothing, nothing."""
    rig, call = active()
    rig.advance(2)
    for _ in range(2):
        rig.session.flush_report(call, now=rig.now)
        rig.drain()
    [upload] = uploads(rig)
    assert len(upload.segment.entries) == 2
    assert payload(upload)["flushReason"] == {"type": "manual"}
    rig.advance(1)
    hang_up(rig, call)
    last = uploads(rig)[-1]
    assert len(last.segment.entries) == 2, "what was sent is not sent again"
    with pytest.raises(InvalidCallState):
        rig.session.flush_report(call, now=rig.now)


def test_a_process_that_goes_could_tell_so_much() -> None:
    """STATS-246: as ``page-unload``, for the calls are not over; and nothing is taken by asking."""
    rig, call = active()
    rig.advance(2)
    once, again = rig.session.unsent_reports(), rig.session.unsent_reports()
    assert once == again
    [upload] = once
    assert upload.call.id == call
    assert len(upload.entries) == 2
    body = payload(upload)
    assert (body["segment"], body["flushReason"]) == (0, {"type": "page-unload"})
    assert body["summary"]["state"] == "active"
    assert uploads(rig) == []
    hang_up(rig, call)
    assert rig.session.unsent_reports() == ()
    assert len(uploads(rig)[0].segment.entries) == 3


def test_without_a_place_for_it_nothing_is_left_to_tell() -> None:
    """STATS-244."""
    rig = Rig.registered()
    call = rig.outbound()
    rig.advance(2)
    assert rig.session.unsent_reports() == ()
    rig.session.flush_report(call, now=rig.now)
    rig.drain()
    assert uploads(rig) == []


@pytest.mark.parametrize("connected", [True, False])
def test_a_call_that_is_left_to_a_later_process_is_not_over(connected: bool) -> None:
    """STATS-142, STATS-222, CALL-860: what is told of it here is neither the last part nor the final report."""
    rig, call = active()
    rig.advance(2)
    if not connected:
        rig.lose()
        rig.clear()
    rig.session.leave(now=rig.now)
    rig.drain()
    [upload] = uploads(rig)
    assert upload.segment.call.id == call
    assert payload(upload)["flushReason"] == {"type": "page-unload"}
    [report] = rig.heard_of(StatsReport)
    assert report.final is False
    assert report.to_mapping()["final"] is False


def test_a_call_that_nobody_answered_cannot_be_left() -> None:
    """SIG-316: the server forgets it, so that this was its end."""
    rig = reporting()
    rig.outbound("ringing")
    rig.session.leave(now=rig.now)
    rig.drain()
    assert [upload.segment.flush for upload in uploads(rig)] == [None]
    assert [report.final for report in rig.heard_of(StatsReport)] == [True]


def test_the_report_is_independent_of_the_upload() -> None:
    """STATS-146: no id, no upload; the application hears its report all the same."""
    rig = Rig.registered()
    call = rig.outbound()
    hang_up(rig, call)
    assert uploads(rig) == []
    assert len(rig.heard_of(StatsReport)) == 1


def test_nothing_is_collected_where_reports_are_off() -> None:
    """STATS-502."""
    rig, call = active(enableCallReports=False)
    rig.advance(200)
    rig.come_back(call)
    rig.hangup(call)
    rig.advance(10)
    assert not rig.session.calls
    assert uploads(rig) == []


def test_what_a_payload_says_of_the_call() -> None:
    """STATS-230: from the creation of the call on, and its state at that moment."""
    rig = reporting()
    call = rig.dial("+15551230000", callerNumber="+15559990000")
    rig.advance(2)
    rig.media_ok(call)
    rig.describe(at=call)
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("answer", callID=call, sdp=REMOTE_SDP, telnyx_session_id="s-1", telnyx_leg_id="l-1")
    rig.remote_applied(call)
    rig.peer("connected", call)
    rig.advance(1)
    hang_up(rig, call)
    summary = payload(uploads(rig)[0])["summary"]
    assert summary["callId"] == call
    assert (summary["destinationNumber"], summary["callerNumber"]) == ("+15551230000", "+15559990000")
    assert (summary["direction"], summary["state"], summary["durationSeconds"]) == ("outbound", "destroy", 3.0)
    assert summary["startTimestamp"] == "2027-01-15T08:00:00.000Z"
    assert (summary["telnyxSessionId"], summary["telnyxLegId"]) == ("s-1", "l-1")
    assert summary["clientSummary"]["connection"]["region"] == "us-east"
    assert "voiceSdkSessionId" not in summary


def test_two_calls_have_logs_of_their_own() -> None:
    """STATS-516, LOG-012: and what names none is in both."""
    rig, first = active()
    second = rig.outbound()
    rig.dtmf(second, "5")
    rig.request("ping")
    hang_up(rig, first)
    hang_up(rig, second)
    texts = {
        upload.segment.call.id: json.dumps([line.text for line in upload.segment.lines()]) for upload in uploads(rig)
    }
    assert '\\"dtmf\\"' not in texts[first]
    assert '\\"dtmf\\"' in texts[second]
    assert all("telnyx_rtc.ping" in text for text in texts.values())
    assert second not in texts[first]


def test_logs_tell_the_story_of_the_call() -> None:
    """LOG-011, LOG-014."""
    rig, call = active()
    rig.reading = since(rig.now, round_trip_time=0.5)
    rig.advance(3)
    hang_up(rig, call)
    logs = payload(uploads(rig)[0])["logs"]
    lines = [(entry["level"], entry["message"]) for entry in logs]
    for line in (("info", "ringing → active"), ("warn", "31001 HIGH_RTT"), ("info", "hangup → destroy")):
        assert line in lines
    sent = [entry["context"]["method"] for entry in logs if entry["message"] == "SEND" and "method" in entry["context"]]
    assert sent[0] == "telnyx_rtc.invite"
    assert sent[-1] == "telnyx_rtc.bye"
    received = [entry for entry in logs if entry["message"] == "RECV"]
    assert received[0]["context"]["result"]["callID"] == call, "the reply to the invite"


def test_an_inbound_call_begins_with_its_invite() -> None:
    rig = reporting()
    call = rig.inbound("active")
    hang_up(rig, call)
    first = payload(uploads(rig)[0])["logs"][0]
    assert (first["message"], first["context"]["method"]) == ("RECV", "telnyx_rtc.invite")


# Segments by themselves.


def segment(**changes: Any) -> Segment:
    rig, call = active()
    rig.advance(20)
    hang_up(rig, call)
    return evolve(uploads(rig)[0].segment, **changes)


@pytest.mark.parametrize("number", [0, 4])
def test_a_body_that_is_too_large_is_split(number: int) -> None:
    """STATS-227: every part but the last says why, the numbers go on, and nothing is lost."""
    whole = segment()
    lines = list(whole.lines())
    limit = 9_000
    bodies = whole.bodies(number, lines, limit)
    assert len(bodies) > 3
    assert max(map(len, bodies)) <= limit
    parts = [json.loads(body) for body in bodies]
    assert [part["segment"] for part in parts] == list(range(number, number + len(parts)))
    assert [part.get("flushReason") for part in parts] == [{"type": "buffer-limit"}] * (len(parts) - 1) + [None]
    together = [entry for part in parts for entry in part["stats"]]
    assert together == [entry.record() for entry in whole.entries]
    logs = [entry for part in parts for entry in part.get("logs", [])]
    assert len(logs) == len(whole.logs)


def test_one_entry_is_never_cut() -> None:
    whole = segment()
    bodies = whole.bodies(0, list(whole.lines()), 10)
    assert len(bodies) == len(whole.entries) + len(whole.logs)
    for body in bodies:
        json.loads(body)


def test_a_part_of_nothing_is_a_part() -> None:
    """STATS-223."""
    empty = segment(entries=(), logs=(), flush=Flush("socket-close"))
    [body] = empty.bodies(2, [])
    report = json.loads(body)
    assert (report["stats"], report["segment"], "logs" in report) == ([], 2, False)


def test_a_segment_is_written_in_ascii_whatever_is_in_it() -> None:
    """Sizes are counted in characters; a number of an odd kind in a frame is no JSON."""
    rig, call = active()
    frame = json.dumps({"id": 5, "method": "telnyx_rtc.info", "params": {"callID": call, "x": 0.5, "y": "ü"}})
    rig.say(frame.replace("0.5", "NaN"))
    hang_up(rig, call)
    made = uploads(rig)[0].segment
    for line in made.lines():
        assert line.text.isascii()
        assert "NaN" not in line.text
        json.loads(line.text)


def test_a_home_without_a_token_names_none() -> None:
    home = ReportEndpoint("https://h/call_report", "h", "id", None)
    assert "x-voice-sdk-id" not in home.headers(CallId("c"))
