"""What is read out of journals, debug files, call reports and final reports for a page."""

import json
from pathlib import Path
from typing import Any

import pytest

from telnyx_core.events import StatsReport
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from telnyx_core.testing.wire import EPOCH
from telnyx_drivers._tools.report.call_timeline import CallTimeline, Story
from telnyx_drivers._tools.report.read import read_story, story_of
from tests.quality import test_call_report as made
from tests.quality import test_debug as debugged
from tests.quality.journals import keep_journal
from tests.quality.readings import healthy, since

PLANTED = "pl4nt3d-S3cret"


def lossy(rig: Rig) -> None:
    """Twelve seconds: good at first, then with loss and delay; a hold; a loss of the socket; an end."""
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED", call_report_id="report-7")
    call = rig.outbound(number="+15551230000", callerNumber="+15559990000")
    start = rig.now
    rig.reading = lambda now: healthy(
        now - start,
        packets_lost=max(0, round(10 * (now - start - 5))),
        round_trip_time=0.05 if now - start < 5 else 0.5,
    )
    rig.advance(9)
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    rig.advance(1)
    rig.unhold(call)
    rig.reply("modify", {"holdState": "active"}, call=call)
    rig.lose(1006, error="reset")
    rig.advance(1)
    rig.ready(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.reading = since(rig.now)
    rig.advance(2)
    rig.hangup(call)
    rig.reply("bye", call=call)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return keep_journal(tmp_path / "it.journal", lossy)


def only(story: Story) -> CallTimeline:
    [call] = story.calls
    return call


def test_a_journal_tells_everything(journal: Path) -> None:
    story = read_story(journal)
    call = only(story)
    assert story.source == "journal"
    assert story.remarks == ()
    assert (call.direction, call.remote_number, call.local_number) == ("outbound", "+15551230000", "+15559990000")
    assert call.active_at == pytest.approx(EPOCH)
    assert call.ended_at == pytest.approx(EPOCH + 13)
    assert (call.cause, call.recovered) == ("NORMAL_CLEARING", True)
    states = [change.state for change in call.changes if change.lane == "call"]
    assert states[4:] == ["active", "held", "active", "recovering", "active", "hangup", "destroy"]
    assert [change.state for change in call.changes if change.lane == "socket"] == ["open", "closed 1006", "open"]
    codes = [note.code for note in call.notes]
    assert codes == [31001, 31003, 31004, 45002]
    assert [path.local.kind for path in call.paths] == ["srflx"]
    assert {fact.label for fact in call.facts} >= {"Duration", "MOS", "Packet loss", "Call report"}
    assert call.steps[-1].label == "Secure media channel established (DTLS)"


def test_samples_are_what_was_measured(journal: Path) -> None:
    call = only(read_story(journal))
    at = {round(sample.at - EPOCH): sample for sample in call.samples}
    assert at[1].sent is None, "from one reading there is no rate"
    assert (at[3].rtt, at[3].jitter, at[3].loss) == (50.0, 5.0, 0.0)
    assert (at[3].sent, at[3].received) == (64.0, 64.0)
    assert (at[8].rtt, at[8].loss) == (500.0, pytest.approx(100 * 10 / 60))
    assert at[3].mos is not None
    assert at[8].mos is not None
    assert at[3].mos > 4.3 > 3 > at[8].mos
    assert at[12].loss == 0.0, "a new peer counts from nothing"


def test_totals_are_those_that_the_application_heard(journal: Path) -> None:
    totals = only(read_story(journal)).totals
    assert totals is not None
    assert totals.most_rtt == 500.0
    assert totals.loss == pytest.approx(100 * 50 / 600, rel=0.1)


def test_rows_of_the_ladder_have_their_frames(journal: Path) -> None:
    story = read_story(journal)
    [invite] = [row for row in story.messages if row.label == "invite"]
    assert invite.outward
    assert json.loads(invite.detail)["method"] == "telnyx_rtc.invite"
    assert PLANTED not in str([row.detail for row in story.messages])
    assert not [row for row in story.messages if "StatsTaken" in row.label or "TakeStats" in row.label]


def test_a_journal_that_breaks_off_tells_as_much_as_it_holds(journal: Path) -> None:
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[: len(lines) // 2]) + '\n{"t": 3.0, "fa')
    call = only(read_story(journal))
    assert call.samples
    assert call.ended_at is None


def test_a_journal_that_this_version_cannot_follow_says_so(journal: Path) -> None:
    """What came before is shown."""
    lines = journal.read_text().splitlines()
    cut = next(index for index, line in enumerate(lines) if '"hold"' in line)
    lines.insert(cut, '{"t": 1.0, "fact": {"is": "Nonsense"}}')
    journal.write_text("\n".join(lines))
    story = read_story(journal)
    assert "ends early" in story.remarks[0]
    assert len(only(story).samples) == 9


@pytest.fixture
def call_report() -> list[Any]:
    """Both segments of a call that was held up by a lost socket."""
    rig = made.reporting()
    lossy_call = rig.outbound(number="+15551230000", callerNumber="+15559990000")
    start = rig.now
    losing = {"round_trip_time": 0.5}
    rig.reading = lambda now: healthy(now - start, packets_lost=round(10 * max(0, now - start - 3)), **losing)
    rig.advance(6)
    rig.lose(1001, clean=True)
    rig.ready(lossy_call)
    rig.advance(2)
    made.hang_up(rig, lossy_call)
    return [made.payload(upload, index) for index, upload in enumerate(made.uploads(rig))]


def test_a_call_report_of_ours(call_report: list[Any]) -> None:
    story = story_of(list(reversed(call_report)))
    call = only(story)
    assert story.source == "call report"
    assert (call.remote_number, call.direction) == ("+15551230000", "outbound")
    assert call.active_at == EPOCH
    at = {round(sample.at - EPOCH): sample for sample in call.samples}
    assert (at[5].rtt, at[5].loss, at[5].sent) == (500.0, pytest.approx(100 * 10 / 60), 64.0)
    assert call.paths[0].local.kind == "srflx"
    assert {"ice", "dtls", "call"} <= {change.lane for change in call.changes}
    assert (31001, "HIGH_RTT") in [(note.code, note.name) for note in call.notes]
    assert next(row.label for row in story.messages if row.side == "server") == "invite"


JS_REPORT: dict[str, Any] = {
    "summary": {
        "callId": "c-1",
        "destinationNumber": "+15551230000",
        "callerNumber": "+15559990000",
        "direction": "inbound",
        "state": "destroy",
        "durationSeconds": 12.3,
        "sdkVersion": "2.27.10",
        "startTimestamp": "2026-11-24T07:00:00.000Z",
        "endTimestamp": "2026-11-24T07:00:12.300Z",
    },
    "stats": [
        {
            "intervalStartUtc": f"2026-11-24T07:00:0{second}.000Z",
            "intervalEndUtc": f"2026-11-24T07:00:0{second + 1}.000Z",
            "audio": {
                "outbound": {"packetsSent": 50 * second, "bytesSent": 8000 * second, "bitrateAvg": 64000.0},
                "inbound": {
                    "packetsReceived": 50 * second,
                    "packetsLost": 5 * second,
                    "jitterAvg": 12.0,
                    "jitterBufferDelay": 2880.0 * second,
                    "jitterBufferEmittedCount": 48000 * second,
                    "totalSamplesReceived": 48000 * second,
                    "concealedSamples": 480 * second,
                    "audioLevelAvg": 0.1,
                },
            },
            "connection": {"roundTripTimeAvg": 0.123},
            "ice": {
                "local": {"address": "192.0.2.9", "port": 1, "candidateType": "relay", "relayProtocol": "tls"},
                "remote": {"address": "198.51.100.7", "port": 2, "candidateType": "host", "protocol": "udp"},
            },
            "transport": {"iceState": "connected", "dtlsState": "connected"},
        }
        for second in range(5)
    ],
    "logs": [
        {
            "timestamp": "2026-11-24T07:00:00.100Z",
            "level": "debug",
            "message": f'SEND: \n {{"id":"1","method":"login","params":{{"login":"bob","passwd":"{PLANTED}"}}}}',
        },
        {"timestamp": "2026-11-24T07:00:00.200Z", "level": "debug", "message": "RECV: no json here"},
        {"timestamp": "2026-11-24T07:00:04.000Z", "level": "warn", "message": "Warning 31003 raised"},
        {"timestamp": "2026-11-24T07:00:05.000Z", "level": "error", "message": "Something else entirely"},
        {"timestamp": "yesterday", "level": "error", "message": "no time"},
    ],
}


def test_a_call_report_of_the_reference_sdk(tmp_path: Path) -> None:
    """Its logs have whole logins in them: not here."""
    path = tmp_path / "js.json"
    path.write_text(json.dumps(JS_REPORT))
    story = read_story(path)
    call = only(story)
    assert story.made_by == "SDK 2.27.10"
    assert call.direction == "inbound"
    assert [(note.code, note.name) for note in call.notes] == [
        (31003, "HIGH_PACKET_LOSS"),
        (None, "Something else entirely"),
    ]
    sample = call.samples[2]
    assert (sample.rtt, sample.jitter, sample.concealed) == (123.0, 12.0, 1.0)
    assert sample.loss == pytest.approx(100 * 5 / 55)
    assert sample.delay == pytest.approx(60.0)
    assert (call.paths[0].local.kind, call.paths[0].local.relay_protocol) == ("relay", "tls")
    [login, *_] = story.messages
    assert (login.label, login.outward) == ("login", True)
    assert PLANTED not in str([story, *[row.detail for row in story.messages]])


def test_a_debug_file() -> None:
    rig = debugged.debugging("file")
    rig.reading = since(rig.now, round_trip_time=0.5)
    call = rig.outbound("active")
    rig.advance(4)
    rig.peer("disconnected", call)
    rig.request("bye", callID=call)
    [entries] = debugged.written(rig)
    story = story_of(entries)
    told = only(story)
    assert (story.source, told.id) == ("debug file", call)
    assert told.samples[2].rtt == 500.0
    assert told.samples[2].sent == 64.0
    assert [change.state for change in told.changes if change.lane == "peer"] == ["connected", "disconnected"]
    assert [change.state for change in told.changes if change.lane == "call"][-1] == "hangup"
    assert (31001, "HIGH_RTT") in [(note.code, note.name) for note in told.notes]
    assert any(row.label == "invite" and row.outward for row in story.messages)
    assert "turn:turn.example.org:3478" in [fact.value for fact in told.facts]


def test_a_final_report_without_a_timeline_has_totals_and_says_what_is_missing() -> None:
    rig, call = made.active()
    rig.advance(4)
    made.hang_up(rig, call)
    [report] = rig.heard_of(StatsReport)
    story = story_of(json.loads(json.dumps(report.to_mapping())))
    told = only(story)
    assert told.totals is not None
    assert told.totals.rtt == 40.0
    assert told.samples == ()
    assert "charts need" in story.remarks[0]
    assert told.steps[0].label == "Peer object created"


def test_a_final_report_with_a_timeline_is_as_good_as_a_debug_file() -> None:
    rig = debugged.debugging()
    call = rig.outbound("active")
    rig.advance(4)
    rig.request("bye", callID=call)
    [report] = rig.heard_of(StatsReport)
    story = story_of(json.loads(json.dumps(report.to_mapping())))
    assert len(only(story).samples) >= 4
    assert story.remarks == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "{}",
        "[]",
        "[1, 2]",
        '{"summary": 3, "stats": []}',
        '[{"event": "x"}]',
        '{"journal": 99}',
        '{"journal":1}\n[]',
        "[" * 100_000,
    ],
)
def test_what_tells_of_no_call_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        read_story(path)


def test_segments_of_two_calls_are_no_report(call_report: list[Any]) -> None:
    other = json.loads(json.dumps(call_report[0]))
    other["summary"]["callId"] = "another"
    with pytest.raises(ValueError, match="2 calls"):
        story_of([call_report[0], other])


def test_a_call_report_of_nothing_is_a_call(tmp_path: Path) -> None:
    call = only(story_of({"summary": {}, "stats": [], "logs": [{}]}))
    assert call.samples == ()
