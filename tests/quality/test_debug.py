"""What ``debug`` tells: frames for the visualizer, timelines for files and reports (SIG-186, DBG-001 to DBG-021)."""

import json
from typing import Any

import pytest

from telnyx_core._reports.timeline import MAX_ENTRIES, Entry, Timeline
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import ClosePeer, SendText, TakeStats, WriteDebug
from telnyx_core.events import SocketMessage, StatsFrame, StatsReport
from telnyx_core.facts import CandidateError, TransportStateChanged
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig
from tests.quality.readings import since

PLANTED = "pl4nt3d-S3cret"
TURN = {"urls": "turn:turn.example.org:3478", "username": f"user-{PLANTED}", "credential": PLANTED}


def debugging(output: str | None = None, **options: object) -> Rig:
    given = {} if output is None else {"debugOutput": output}
    rig = Rig.registered(debug=True, iceServers=[TURN], **given, **options)
    rig.metered = True
    rig.reading = since(rig.now)
    return rig


def frames(rig: Rig) -> list[JsonObject]:
    return [frame for frame in rig.sent if str(frame.get("type", "")).startswith("debug_report")]


def told(rig: Rig) -> list[JsonObject]:
    """The data of the data frames."""
    entries = [frame["debug_report_data"] for frame in frames(rig) if frame["type"] == "debug_report_data"]
    return [entry for entry in entries if isinstance(entry, dict)]


def written(rig: Rig) -> list[list[Any]]:
    return [
        [entry.record(action.report) for entry in action.entries]
        for action in rig.actions
        if isinstance(action, WriteDebug)
    ]


def whole_call(rig: Rig) -> CallId:
    call = rig.outbound("active")
    rig.advance(2)
    rig.hangup(call)
    rig.reply("bye", call=call)
    return call


def test_start_data_and_stop_with_one_id() -> None:
    """DBG-003, DBG-004, DBG-200."""
    rig = debugging("socket")
    call = whole_call(rig)
    made = frames(rig)
    assert [made[0]["type"], made[-1]["type"]] == ["debug_report_start", "debug_report_stop"]
    assert {frame["type"] for frame in made[1:-1]} == {"debug_report_data"}
    assert len({frame["debug_report_id"] for frame in made}) == 1
    assert len({frame["id"] for frame in made}) == len(made), "each has an id of its own"
    assert {frame["call_id"] for frame in made} == {call}
    assert {frame["debug_report_version"] for frame in made} == {1}
    assert all("method" not in frame for frame in made)


def test_the_socket_is_where_it_goes_unless_said_otherwise() -> None:
    """DBG-001."""
    rig = debugging()
    whole_call(rig)
    assert frames(rig)


@pytest.mark.parametrize("output", ["socket", "file"])
def test_nothing_is_told_without_debug(output: str) -> None:
    rig = Rig.registered(debugOutput=output)
    rig.metered = True
    whole_call(rig)
    assert frames(rig) == []
    assert written(rig) == []
    [report] = rig.heard_of(StatsReport)
    assert report.timeline is None


def test_a_file_for_each_peer_and_no_frame() -> None:
    """DBG-002, DBG-020, DBG-201."""
    rig = debugging("file")
    call = rig.outbound("active")
    rig.advance(2)
    rig.come_back(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.advance(1)
    rig.hangup(call)
    rig.reply("bye", call=call)
    assert frames(rig) == []
    first, second = written(rig)
    assert (first[0]["event"], second[0]["event"]) == ("addConnection", "addConnection")
    assert first[0]["peerId"] != second[0]["peerId"]
    json.dumps([first, second])


def test_a_file_is_written_when_the_peer_is_closed() -> None:
    """DBG-020: and with the last reading in it."""
    rig = debugging("file")
    call = rig.outbound("active")
    rig.advance(0.5)
    rig.clear()
    rig.hangup(call)
    kinds = [type(action) for action in rig.actions if isinstance(action, TakeStats | WriteDebug | ClosePeer)]
    assert kinds == [TakeStats, WriteDebug, ClosePeer]
    [entries] = written(rig)
    assert [entry["event"] for entry in entries if entry["tag"] == "stats"] == ["stats"]


def test_what_a_process_that_dies_would_leave_behind() -> None:
    """DBG-020."""
    rig = debugging("file")
    call = rig.outbound("active")
    rig.advance(1)
    [action] = rig.session.unwritten_debug()
    assert action.entries[0].event == "addConnection"
    rig.hangup(call)
    rig.reply("bye", call=call)
    assert rig.session.unwritten_debug() == ()


def test_an_entry_has_the_reference_s_members() -> None:
    """DBG-010: on the wire with the id of the session."""
    rig = debugging()
    rig.outbound("active")
    for entry in told(rig):
        assert set(entry) >= {"event", "tag", "peerId", "connectionId", "data", "timestamp"}
        assert entry["peerId"] == entry["connectionId"] == "session-1"
        assert entry["tag"] in ("getUserMedia", "peer", "connection", "track", "stats")
        assert str(entry["timestamp"]).endswith("Z")


def test_the_story_of_a_peer() -> None:
    """DBG-011."""
    rig = debugging()
    call = rig.dial()
    media = rig.peers[call][-1]
    rig.tell(TransportStateChanged(media, "gathering", "gathering"))
    rig.tell(CandidateError(media, "turn:turn.example.org:3478", 401, "Unauthorized"))
    rig.media_ok(call)
    rig.candidate(at=call)
    rig.describe(at=call)
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied(call)
    rig.tell(TransportStateChanged(media, "ice", "checking"))
    rig.tell(TransportStateChanged(media, "dtls", "connected"))
    rig.peer("connected", call)
    rig.audio(call)
    rig.peer("disconnected", call)
    story = [(entry["event"], entry["tag"]) for entry in told(rig)]
    assert story == [
        ("addConnection", "peer"),
        ("onicegatheringstatechange", "connection"),
        ("onicecandidateerror", "connection"),
        ("icecandidateerror-detailed", "connection"),
        ("getUserMedia", "getUserMedia"),
        ("onicecandidate", "connection"),
        ("setLocalDescription", "peer"),
        ("onicecandidate", "connection"),
        ("setRemoteDescription", "peer"),
        ("oniceconnectionstatechange", "connection"),
        ("ondtlsstatechange", "connection"),
        ("onconnectionstatechange", "connection"),
        ("ontrack", "track"),
        ("onconnectionstatechange", "connection"),
        ("connectionstatechange-detailed", "connection"),
    ]
    entries = told(rig)
    assert entries[7]["data"] is None, "the end of candidates"
    assert entries[3]["data"] == {
        "errorCode": 401,
        "errorText": "Unauthorized",
        "url": "turn:turn.example.org:3478",
        "connectionState": "new",
        "iceConnectionState": None,
        "iceGatheringState": "gathering",
        "signalingState": None,
    }


def test_a_failure_is_told_in_detail() -> None:
    """DBG-013: of the last reading."""
    rig = debugging()
    call = rig.outbound("active")
    rig.advance(1)
    rig.clear()
    rig.peer("failed", call)
    change, detail = told(rig)[:2]
    assert (change["event"], change["data"]) == ("onconnectionstatechange", "failed")
    assert detail["data"] == {
        "connectionState": "failed",
        "previousConnectionState": "connected",
        "iceConnectionState": None,
        "iceGatheringState": None,
        "signalingState": None,
        "dtlsState": "connected",
        "localCandidateType": "srflx",
        "remoteCandidateType": "host",
        "candidatePairState": "succeeded",
        "selectedCandidatePair": {
            "local": {"address": "192.0.2.1", "port": 40000, "protocol": "udp", "candidateType": "srflx"},
            "remote": {"address": "198.51.100.2", "port": 20000, "protocol": "udp", "candidateType": "host"},
        },
    }


def test_statistics_every_second_from_the_peer_on() -> None:
    """DBG-004, DBG-012, STATS-005: also while it rings, with rates."""
    rig = debugging()
    call = rig.outbound("ringing")
    rig.advance(3)
    stats = [entry["data"] for entry in told(rig) if entry["event"] == "stats"]
    assert len(stats) == 3
    last: Any = stats[-1]
    assert last["audio"]["outbound"][0]["bitrate"] == 64_000
    assert last["audio"]["inbound"][0]["packetRate"] == 50
    assert last["audio"]["inbound"][0]["mimeType"] == "audio/opus"
    assert last["connection"]["local"]["candidateType"] == "srflx"
    assert last["remote"]["audio"]["inbound"][0]["fractionLost"] == 0.0
    assert last["video"] == {"inbound": [], "outbound": []}
    assert rig.heard_of(StatsFrame) == [], "frames are for a call that is active"
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied(call)
    rig.peer("connected", call)
    rig.clear()
    rig.advance(5)
    assert len(rig.heard_of(StatsFrame)) == 1, "the beat begins anew when the call is active (STATS-116)"


def test_replies_are_dropped() -> None:
    """DBG-005: they are no message for the application, and silence is no fault of the socket."""
    rig = debugging()
    call = whole_call(rig)
    rig.clear()
    call = rig.outbound("active")
    for frame in frames(rig):
        rig.say({"jsonrpc": "2.0", "id": frame["id"], "result": {"message": "ok"}})
    assert not [event for event in rig.heard_of(SocketMessage) if event.frame.get("result") == {"message": "ok"}]
    rig.clear()
    rig.advance(2)
    rig.hangup(call)
    assert rig.frames("bye"), "nothing waits for a reply"


def test_a_reply_is_dropped_once() -> None:
    """What comes again under the same id is a message like any other that nobody waits for."""
    rig = debugging()
    rig.outbound("active")
    frame = frames(rig)[0]
    rig.clear()
    for _ in range(2):
        rig.say({"jsonrpc": "2.0", "id": frame["id"], "result": {"message": "ok"}})
    assert len(rig.heard_of(SocketMessage)) == 1


def test_a_lost_socket_loses_frames_and_the_next_one_begins_anew() -> None:
    """DBG-006: the same id, and a start before the first data."""
    rig = debugging(keepConnectionAliveOnSocketClose=True)
    call = rig.outbound("active")
    [ident] = {frame["debug_report_id"] for frame in frames(rig)}
    rig.lose()
    rig.clear()
    rig.advance(3)
    assert frames(rig) == []
    rig.ready(call)
    rig.advance(1)
    made = frames(rig)
    assert [frame["type"] for frame in made][:2] == ["debug_report_start", "debug_report_data"]
    assert made[0]["debug_report_id"] == ident


def test_statistics_are_the_first_that_a_slow_socket_is_spared() -> None:
    """DBG-006: a quarter of a megabyte may wait; the beginning and the end are told whatever waits, as are calls."""
    rig = debugging()
    whole_call(rig)
    spared: dict[str, set[int | None]] = {}
    for action in rig.actions:
        if isinstance(action, SendText):
            frame = json.loads(action.text)
            data = frame.get("debug_report_data", {})
            kind = data.get("event") if data.get("event") == "stats" else frame.get("type", "a frame of a call")
            spared.setdefault(kind, set()).add(action.drop_if_backlog_over)
    assert spared == {
        "stats": {256 * 1024},
        "debug_report_data": {1024 * 1024},
        "debug_report_start": {None},
        "debug_report_stop": {None},
        "a frame of a call": {None},
    }


def test_a_report_has_the_whole_timeline() -> None:
    """STATS-141: over an outage, and of all peers."""
    rig = debugging()
    call = rig.outbound("active")
    rig.lose()
    rig.advance(2)
    rig.ready(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.request("bye", callID=call)
    [report] = rig.heard_of(StatsReport)
    assert report.timeline is not None
    events = [str(entry["event"]) for entry in report.timeline]
    assert events.count("addConnection") == 2
    assert "stats" in events
    assert "session-1" not in json.dumps(report.timeline), "the id of the session opens the session (promise 6)"


@pytest.mark.parametrize("output", ["socket", "file"])
def test_no_secret_is_told(output: str) -> None:
    """LOG-013, DBG-011: neither users nor credentials of servers, nor keys in descriptions, nor tokens in frames."""
    rig = debugging(output, login="bob", password=PLANTED)
    call = rig.dial()
    rig.media_ok(call)
    rig.describe(LOCAL_SDP.replace("herehereherehereherehere", PLANTED), call)
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("answer", callID=call, sdp=REMOTE_SDP.replace("therethertherethertherether", PLANTED))
    rig.remote_applied(call)
    rig.peer("connected", call)
    rig.login({"login": "bob", "password": f"again-{PLANTED}"})
    rig.login_ok(session_id=f"s-{PLANTED}", voice_sdk_id=f"v-{PLANTED}")
    rig.advance(1)
    rig.request("bye", callID=call)
    [report] = rig.heard_of(StatsReport)
    everything = json.dumps([written(rig), report.timeline])
    assert PLANTED not in everything
    assert "turn.example.org" in everything
    wire = json.dumps([{**entry, "peerId": "", "connectionId": ""} for entry in told(rig)])
    assert PLANTED not in wire


def test_a_file_tells_of_signalling_and_of_the_call() -> None:
    rig = debugging("file")
    rig.reading = since(rig.now, round_trip_time=0.5)
    call = rig.outbound("active")
    rig.advance(3)
    rig.request("bye", callID=call)
    [entries] = written(rig)
    methods = [(entry["event"], entry["data"].get("method")) for entry in entries if entry["tag"] == "signaling"]
    assert ("send", "telnyx_rtc.invite") in methods
    assert ("recv", "telnyx_rtc.answer") in methods
    notes = [(entry["event"], entry["data"]) for entry in entries if entry["tag"] == "call"]
    assert ("callState", "active") in notes
    assert ("warning", {"code": 31001, "name": "HIGH_RTT"}) in notes


def test_reports_off_and_debug_on() -> None:
    """STATS-001, STATS-003: frames, a report, and neither warnings nor uploads."""
    rig = debugging(enableCallReports=False)
    rig.reading = since(rig.now, round_trip_time=0.5)
    call = rig.outbound("active")
    rig.advance(6)
    rig.request("bye", callID=call)
    assert len(rig.heard_of(StatsFrame)) == 1
    assert len(rig.heard_of(StatsReport)) == 1
    assert 31001 not in rig.codes


# Timelines by themselves.


def test_the_oldest_statistics_go_first() -> None:
    """DBG-021."""
    timeline = Timeline()
    for number in range(10):
        timeline.add(Entry(float(number), f"event {number}", "connection"))
    for number in range(MAX_ENTRIES):
        timeline.add(Entry(100.0 + number, "stats", "stats"))
    entries = timeline.entries()
    assert len(entries) == MAX_ENTRIES
    assert [entry.event for entry in entries[:10]] == [f"event {number}" for number in range(10)]
    assert entries[10].wall == 110.0


def test_where_there_are_no_statistics_the_oldest_goes() -> None:
    timeline = Timeline()
    for number in range(MAX_ENTRIES + 3):
        timeline.add(Entry(float(number), "event", "connection"))
    assert timeline.entries()[0].wall == 3.0
