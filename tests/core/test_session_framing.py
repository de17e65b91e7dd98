"""Frames, replies, pending requests, order and duplicates on one socket: signaling.md section 2."""

import json
from collections.abc import Callable

import pytest

from telnyx_core._time.limits import MAX_FRAME_CHARS, MAX_PENDING_REQUESTS, MAX_UNATTENDED
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import Done, Failed, SendText
from telnyx_core.errors import FailureKind, InvalidCallState, LocalProtocolError, NotConnected, NotReady
from telnyx_core.events import CallUpdated, ErrorRaised, FrameIgnored, ServerEvent, SocketMessage
from telnyx_core.facts import BinaryReceived, SocketClosed, TextReceived
from telnyx_core.ids import CallId, SocketId, Ticket
from telnyx_core.states import CallState, SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from tests.inside import hub_of

PONG: JsonObject = {"message": "PONG"}


def failure_of(rig: Rig, ticket: Ticket) -> FailureKind:
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    return outcome.failure.kind


# 2.1 Frame kinds.


def test_requests_carry_a_fresh_uuid_and_notifications_none() -> None:
    """SIG-050, SIG-051, SIG-054."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.dtmf(call, "1")
    rig.session.send_ai_item({"type": "response.audio_stream.subscribe"}, now=rig.now)
    rig.drain()
    texts = [action.text for action in rig.actions if isinstance(action, SendText)]
    frames = [json.loads(text) for text in texts]
    assert all(isinstance(frame, dict) and frame["jsonrpc"] == "2.0" for frame in frames)
    ids = [frame["id"] for frame in frames if "method" in frame and "id" in frame]
    assert len(ids) == len(set(ids)) >= 2
    assert [frame.get("id") for frame in frames if frame.get("method") == "ai_conversation"] == [None]


@pytest.mark.parametrize("method", ["gatewayState", "ping"])
def test_the_token_is_named_on_two_methods_only(method: str) -> None:
    """SIG-052: a sibling of ``method``; omitted, not null, where none is known."""
    rig = Rig()
    rig.connect()
    rig.login_ok(voice_sdk_id=None)
    rig.client_ready()
    if method == "ping":
        rig.request("ping")
    assert "voice_sdk_id" not in rig.frames(method)[-1]
    rig.say({"jsonrpc": "2.0", "id": 9, "method": "telnyx_rtc.ping", "params": {}, "voice_sdk_id": "V9"})
    rig.client_ready()
    assert rig.frames(method)[-1]["voice_sdk_id"] == "V9"
    others = [frame for frame in rig.sent if frame.get("method") not in ("telnyx_rtc.gatewayState", "telnyx_rtc.ping")]
    assert not any("voice_sdk_id" in frame for frame in others)


@pytest.mark.parametrize(
    "frame",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.event", "params": {}},
        {"jsonrpc": "2.0", "id": "unknown", "result": {}},
        {"jsonrpc": "2.0", "id": "unknown", "error": {"code": -32601, "message": "no"}},
        {"jsonrpc": "2.0", "method": "ai_conversation", "params": {}},
    ],
    ids=["request", "result", "error", "notification"],
)
def test_any_object_may_bring_a_new_token(frame: JsonObject) -> None:
    """SIG-057: requests, results and errors; also the one that call reports name (SIG-015)."""
    rig = Rig.registered()
    rig.say({**frame, "voice_sdk_id": "V2"})
    rig.request("ping")
    assert rig.frames("ping")[-1]["voice_sdk_id"] == "V2"


def test_only_the_session_id_of_the_login_counts() -> None:
    """SIG-058: other results carry one too."""
    rig = Rig.registered()
    rig.request("ping")
    rig.reply("ping", {"message": "PONG", "sessid": "somebody-else"})
    assert rig.session.session_id == "session-1"


# 2.2 Replies to requests of the server.


@pytest.mark.parametrize("ident", [17, "f91d-42"])
def test_an_acknowledgement_has_exactly_this_shape(ident: int | str) -> None:
    """SIG-060, SIG-056: the id comes back with its type."""
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.clear()
    rig.say(
        {"jsonrpc": "2.0", "id": ident, "method": "telnyx_rtc.ringing", "params": {"callID": call}, "voice_sdk_id": "V"}
    )
    assert rig.sent == [{"jsonrpc": "2.0", "id": ident, "result": {"method": "telnyx_rtc.ringing"}}]


@pytest.mark.parametrize(
    "method", ["invite", "attach", "answer", "media", "ringing", "display", "candidate", "bye", "endOfCandidates"]
)
def test_what_is_acknowledged_for_a_known_call(method: str) -> None:
    """SIG-062, CALL-250."""
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.clear()
    ident = rig.request(method, callID=call, sdp=REMOTE_SDP, candidate="candidate:1", display_number="1")
    assert rig.acknowledged == [(ident, f"telnyx_rtc.{method}")]


@pytest.mark.parametrize(
    ("method", "acknowledged"),
    [
        ("bye", True),
        ("candidate", True),
        ("attach", True),
        ("answer", False),
        ("media", False),
        ("ringing", False),
        ("display", False),
        ("endOfCandidates", False),
    ],
)
def test_what_is_acknowledged_for_an_unknown_call(method: str, acknowledged: bool) -> None:
    """SIG-062, CALL-251, CALL-252, SIG-578: what is harmless and would be repeated."""
    rig = Rig.registered()
    ident = rig.request(method, callID="nobody", sdp=REMOTE_SDP)
    assert rig.acknowledged == ([(ident, f"telnyx_rtc.{method}")] if acknowledged else [])
    assert not rig.session.calls


@pytest.mark.parametrize("method", ["ringing", "answer", "media", "display", "endOfCandidates", "bye"])
def test_what_comes_late_for_an_ended_call_is_acknowledged(method: str) -> None:
    """CALL-252: for ninety seconds."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("bye", callID=call)
    rig.clear()
    ident = rig.request(method, callID=call)
    assert rig.acknowledged == [(ident, f"telnyx_rtc.{method}")]
    assert rig.events == [event for event in rig.events if isinstance(event, SocketMessage)]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("clientReady", {}),
        ("gatewayState", {"state": "REGED"}),
        ("event", {"eventChannel": "x"}),
        ("webrtc.event", {"eventChannel": "x"}),
        ("ai_conversation", {"type": "t"}),
        ("modify", {"callID": "c"}),
        ("pong", {}),
        ("nonsense", {}),
    ],
)
def test_what_is_never_acknowledged(method: str, params: JsonObject) -> None:
    """SIG-062, SIG-134, SIG-061."""
    rig = Rig.registered()
    rig.request(method, **params)
    assert rig.acknowledged == []


def test_info_is_acknowledged_when_it_has_an_id() -> None:
    """SIG-062: a fixed shape, ours to choose."""
    rig = Rig.registered()
    ident = rig.request("info", text="hello")
    rig.say({"jsonrpc": "2.0", "method": "telnyx_rtc.info", "params": {"text": "again"}})
    assert rig.acknowledged == [(ident, "telnyx_rtc.info")]
    assert [event.params["text"] for event in rig.heard_of(ServerEvent)] == ["hello", "again"]


def test_an_acknowledgement_follows_what_it_acknowledges() -> None:
    """CALL-250: handle, then acknowledge; after the call object exists and was announced."""
    rig = Rig.registered()
    rig.ring("b1")
    order = [type(action).__name__ for action in rig.actions]
    assert order.index("SendText") == len(order) - 1
    assert rig.states(CallId("b1")) == ["new", "ringing"]


def test_a_server_ping_is_answered_by_a_ping_of_ours() -> None:
    """SIG-131, PS-015: a new request with an id of its own; no acknowledgement."""
    rig = Rig.registered()
    ident = rig.request("ping", serno=5)
    (ping,) = rig.sent
    assert ping["method"] == "telnyx_rtc.ping"
    assert ping["params"] == {}
    assert ping["id"] != ident


def test_a_server_ping_is_not_answered_before_login_has_succeeded() -> None:
    """SIG-132: it would be answered with -32000."""
    rig = Rig()
    rig.connect()
    rig.request("ping")
    assert not rig.frames("ping")
    rig.login_ok()
    rig.request("ping")
    assert len(rig.frames("ping")) == 1


# 2.3 Pending requests and timeouts.


def test_an_echo_of_our_request_completes_it_and_starts_no_exchange() -> None:
    """SIG-065: a frame with the id of a pending request completes it, method or not."""
    rig = Rig.registered()
    rig.request("ping")
    (ping,) = rig.sent
    rig.clear()
    rig.say(ping)
    assert rig.sent == []
    rig.advance(9.9)
    assert rig.codes == []


def test_an_echo_of_an_info_completes_it_with_an_empty_result() -> None:
    rig = Rig.registered()
    ticket = rig.message(rig.outbound("active"), "them", "hi")
    rig.say(rig.frames("info")[-1])
    assert rig.outcomes[ticket] == Done({})
    assert not rig.heard_of(ServerEvent)


@pytest.mark.parametrize("method", ["modify", "ping", "bye", "gatewayState"])
def test_the_silence_of_a_critical_request_replaces_the_socket(method: str) -> None:
    """SIG-066 and the timeout table: ten seconds, then 36003 with source ``request``."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    match method:
        case "modify":
            rig.hold(call)
        case "bye":
            rig.hangup(call)
        case "ping":
            rig.request("ping")
        case _:
            rig.is_registered()
    for _ in range(3):
        rig.advance(3)
        rig.request("event", eventChannel="x")
    rig.advance(0.9)
    assert rig.state is SessionState.READY
    rig.advance(0.1)
    assert rig.state is SessionState.CLOSING
    assert rig.codes.count(36003) == 1


@pytest.mark.parametrize("method", ["info", "candidate", "ai_conversation", "answer"])
def test_the_silence_of_another_request_does_not(method: str) -> None:
    """SIG-067: it fails, and that is all."""
    rig = Rig.registered(trickleIce=method == "candidate")
    rig.always("ping", PONG)
    if method == "answer":
        rig.inbound("answering")
    elif method == "candidate":
        rig.invite()
        rig.candidate()
    else:
        call = rig.outbound("active")
        ticket = rig.dtmf(call, "1") if method == "info" else rig.send_conversation_message(call, "hello")
    rig.clear()
    rig.advance(9)
    rig.request("ping")
    rig.advance(1)
    assert rig.state is SessionState.READY
    assert 36003 not in rig.codes
    if method in ("info", "ai_conversation"):
        assert failure_of(rig, ticket) is FailureKind.REQUEST_TIMEOUT


def test_an_invite_has_thirty_seconds() -> None:
    """SIG-067: 40005 and the end of the call, no recovery."""
    rig = Rig.registered()
    rig.always("ping", PONG)
    call = rig.outbound("requesting")
    for _ in range(5):
        rig.advance(5.9)
        rig.request("ping")
    assert rig.states(call) == ["new", "requesting"]
    rig.advance(0.5)
    assert rig.states(call) == ["new", "requesting", "hangup"]
    assert rig.codes == [40005]
    assert rig.state is SessionState.READY


def test_when_a_socket_ends_everything_that_waits_for_it_is_settled() -> None:
    """SIG-068, SIG-541: all of it fails as stale; in the reference half of it hangs for ever."""
    rig = Rig.registered()
    call = rig.outbound("active")
    tickets = [
        rig.dtmf(call, "1"),
        rig.message(call, "bob", "hi"),
        rig.send_conversation_message(call, "hi"),
        rig.hold(call),
    ]
    asked = rig.is_registered()
    rig.clear()
    rig.lose()
    assert [failure_of(rig, ticket) for ticket in tickets] == [FailureKind.STALE_REQUEST] * 4
    assert rig.outcomes[asked] == Done({"registered": False})
    assert rig.codes == [44001]


def test_a_stale_failure_triggers_no_recovery() -> None:
    """SIG-068, SIG-069."""
    rig = Rig.registered()
    rig.request("ping")
    rig.is_registered()
    rig.come_back()
    rig.always("ping", {})
    rig.clear()
    rig.advance(15)
    assert 36003 not in rig.codes
    assert rig.state is SessionState.READY


def test_a_reply_that_comes_too_late_is_discarded_but_confirms_the_way_out() -> None:
    """SIG-070, SIG-074, SIG-263."""
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.dtmf(call, "1")
    (info,) = rig.frames("info")
    rig.always("ping", PONG)
    rig.advance(10)
    assert failure_of(rig, ticket) is FailureKind.REQUEST_TIMEOUT
    before = dict(rig.outcomes)
    rig.say({"jsonrpc": "2.0", "id": info["id"], "result": {"message": "SENT"}})
    assert rig.outcomes == before
    assert hub_of(rig.session).link.liveness.monitor.last_out_ok == rig.now


@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": -32601, "message": "Invalid Method"}}])
def test_nobody_waits_for_candidates_and_pings(answer: JsonObject) -> None:
    """SIG-071, SRV-030: their failure is no event."""
    rig = Rig.registered(trickleIce=True)
    rig.invite()
    rig.candidate()
    (candidate,) = rig.frames("candidate")
    rig.clear()
    rig.say({"jsonrpc": "2.0", "id": candidate["id"], **answer})
    assert (rig.events, rig.sent) == ([], [])


# 2.4 Responses.


def test_an_error_reply_fails_the_request_with_the_servers_words() -> None:
    """SIG-072."""
    rig = Rig.registered()
    ticket = rig.dtmf(rig.outbound("active"), "1")
    rig.reply("info", error=(-32002, "CALL DOES NOT EXIST"))
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert (outcome.failure.kind, outcome.failure.code) == (FailureKind.SERVER_ERROR, -32002)
    assert str(outcome.failure) == "ServerError -32002: CALL DOES NOT EXIST (telnyx_rtc.info)"


def test_a_reply_to_nothing_is_passed_on() -> None:
    """SIG-076."""
    rig = Rig.registered()
    frame: JsonObject = {"jsonrpc": "2.0", "id": "unknown", "result": {"x": 1}}
    rig.say(frame)
    assert rig.events == [SocketMessage(frame)]


def test_a_gateway_state_settles_its_request_and_counts_as_confirmation() -> None:
    """SIG-075, SIG-542: in the reference the request never settles."""
    rig = Rig.registered()
    rig.advance(2)
    ticket = rig.is_registered()
    rig.gateway("REGED")
    assert rig.outcomes[ticket] == Done({"registered": True})
    assert hub_of(rig.session).link.liveness.monitor.last_out_ok == rig.now


def test_losing_authentication_logs_in_again_once_and_fails_the_request() -> None:
    """SIG-077: single flight; the request is not repeated."""
    rig = Rig.registered()
    call = rig.outbound("active")
    first, second = rig.dtmf(call, "1"), rig.dtmf(call, "2")
    rig.clear()
    rig.reply("info", error=(-32000, "Authentication Required"))
    rig.reply("info", error=(-32000, "Authentication Required"))
    assert [failure_of(rig, ticket) for ticket in (first, second)] == [FailureKind.SERVER_ERROR] * 2
    assert len(rig.frames("login")) == 1
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(46003, False)] * 2
    rig.login_ok()
    assert not rig.frames("info")
    assert rig.state is SessionState.READY


def test_losing_authentication_with_reconnection_off_is_fatal() -> None:
    """SIG-077, SIG-364."""
    rig = Rig.registered(autoReconnect=False)
    rig.dtmf(rig.outbound("active"), "1")
    rig.reply("info", error=(-32000, "Authentication Required"))
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(46003, True)]


@pytest.mark.parametrize("login", [{"login_token": "a.b.c"}, {"anonymous_login": {"target_id": "assistant"}}])
def test_the_answer_to_a_login_is_not_a_loss_of_authentication(login: JsonObject) -> None:
    """SIG-533: the reference logs in again without end; here twice more, each on a socket of its own (PS-013)."""
    rig = Rig(**login)
    rig.connect()
    for _ in range(2):
        rig.login_refused(-32000, "Authentication Required")
        rig.lose(1000)
        rig.wait_for(SessionState.CONNECTING)
        rig.open()
    rig.login_refused(-32000, "Authentication Required")
    assert len(rig.frames("login")) + len(rig.frames("anonymous_login")) == 3
    assert rig.codes == [46001]
    assert rig.state is SessionState.AUTH_FAILED


# 2.5 Sending while not connected.

COMMANDS: dict[str, Callable[[Rig, CallId], object]] = {
    "new_call": lambda rig, call: rig.dial(),
    "dtmf": lambda rig, call: rig.dtmf(call, "1"),
    "message": lambda rig, call: rig.message(call, "bob", "hi"),
    "converse": lambda rig, call: rig.send_conversation_message(call, "hi"),
    "ai_item": lambda rig, call: rig.session.send_ai_item(
        {"type": "function_call_output", "call_id": "f", "output": "{}"}, now=rig.now
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_socket_a_request_is_refused_at_once(command: str) -> None:
    """SIG-081, T42, SIG-534: nothing is queued, no socket is opened, the back-off goes on."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    due = rig.session.next_timeout()
    rig.clear()
    with pytest.raises((NotConnected, InvalidCallState)):
        COMMANDS[command](rig, call)
    assert rig.session.next_action() is None
    assert rig.session.next_timeout() == due


@pytest.mark.parametrize("command", COMMANDS)
def test_before_the_first_ready_of_a_socket_a_request_is_refused(command: str) -> None:
    """SIG-082: the reference sends it and gets -32000."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.advance(0)
    rig.open()
    rig.login_ok()
    rig.clear()
    with pytest.raises((NotReady, InvalidCallState)):
        COMMANDS[command](rig, call)
    assert rig.session.next_action() is None


def test_hold_during_an_outage_is_refused() -> None:
    """SIG-534, SIG-303, CALL-121: at once; no socket is opened."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.clear()
    with pytest.raises(NotConnected):
        rig.hold(call)
    assert rig.actions == []


def refused(rig: Rig, call: CallId) -> tuple[type[LocalProtocolError], str]:
    """What a hold on a call that is active raises, and nothing else comes of it."""
    assert rig.info(call).state is CallState.ACTIVE
    rig.clear()
    with pytest.raises(LocalProtocolError) as raised:
        rig.hold(call)
    assert (rig.actions, rig.sent) == ([], [])
    return raised.type, str(raised.value)


def test_a_hold_before_the_registration_says_so() -> None:
    """SIG-082: a call may be back on the new socket before the session is."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.advance(0)
    rig.open()
    rig.login_ok()
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach", {"callID": call})
    assert refused(rig, call) == (NotReady, "the session is not registered yet: it is registering")


def test_a_hold_while_a_condemned_socket_closes_says_so() -> None:
    """SIG-081: the call goes on until the socket is lost."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hold(call)
    rig.advance(10)
    assert rig.state is SessionState.CLOSING
    assert refused(rig, call) == (NotConnected, "there is no open socket: the session is closing")


def test_after_the_first_ready_requests_go_out_whatever_the_gateway_says() -> None:
    """SIG-082, last sentence."""
    rig = Rig.registered()
    rig.gateway("NOREG")
    assert rig.state is SessionState.REGISTERING
    call = rig.invite()
    assert rig.params("invite")["dialogParams"]["callID"] == call


def test_before_login_has_succeeded_only_login_and_acknowledgements_are_sent() -> None:
    """SIG-082."""
    rig = Rig()
    rig.connect()
    rig.client_ready()
    rig.request("ping")
    rig.ring("b1")
    rig.advance(9)
    assert {frame.get("method", "ack") for frame in rig.sent} == {"login", "ack"}


# 2.6 Order of inbound processing.


def test_frames_of_another_socket_are_ignored() -> None:
    """SIG-085, SIG-557, T41."""
    rig = Rig.registered()
    old = rig.socket
    rig.come_back()
    rig.clear()
    invite: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.invite", "params": {"callID": "late"}}
    for socket in (old, SocketId(99), SocketId(0)):
        rig.tell(TextReceived(socket, json.dumps(invite)))
    assert rig.actions == []


def test_frames_of_a_closing_socket_are_ignored() -> None:
    """SIG-085, SIG-557: PUNT too."""
    rig = Rig.registered()
    rig.disconnect()
    assert rig.state is SessionState.CLOSING
    rig.clear()
    rig.ring("late")
    rig.request("punt")
    assert rig.actions == []


def test_frames_of_a_socket_that_is_not_open_are_ignored() -> None:
    rig = Rig()
    rig.ask_to_connect()
    rig.clear()
    rig.session.receive(TextReceived(rig.socket, '{"id":1,"method":"telnyx_rtc.punt"}'), now=0.0)
    assert rig.session.next_action() is None


@pytest.mark.parametrize("text", ["garbage", "null", "[1,2]", "5", "#SPD 5", '{"method":"telnyx_rtc.nonsense","id":4}'])
def test_what_means_nothing_is_ignored_and_counts_as_activity(text: str) -> None:
    """SIG-086, SIG-088, SIG-558, SIG-090: any text frame is a sign of life, and the next one is read as usual."""
    rig = Rig.registered()
    rig.advance(3.5)
    rig.say(text)
    rig.advance(3.5)
    assert not rig.frames("ping")
    assert len(rig.heard_of(FrameIgnored)) == 1
    rig.say(text)
    rig.ring("b1")
    assert rig.states(CallId("b1")) == ["new", "ringing"]


def test_a_frame_of_a_megabyte_and_more_is_ignored() -> None:
    rig = Rig.registered()
    rig.say("x" * (MAX_FRAME_CHARS + 1))
    assert rig.events == [FrameIgnored(f"frame of {MAX_FRAME_CHARS + 1} characters")]


def test_a_binary_frame_counts_as_activity_and_is_otherwise_ignored() -> None:
    """SIG-086."""
    rig = Rig.registered()
    rig.advance(3.5)
    rig.tell(BinaryReceived(rig.socket, 12))
    rig.advance(3.5)
    assert (rig.sent, rig.events) == ([], [])


@pytest.mark.parametrize("params", [None, [], "text", 7])
def test_params_that_are_no_object_count_as_empty(params: Json) -> None:
    """SIG-089."""
    rig = Rig.registered()
    for method in ("invite", "attach", "bye", "media", "info", "event", "clientReady", "gatewayState", "punt"):
        rig.say({"jsonrpc": "2.0", "id": 1, "method": f"telnyx_rtc.{method}", "params": params})
    assert not rig.session.calls


def test_the_speed_test_text_of_a_server_is_passed_over() -> None:
    """SIG-090: while none is under way."""
    rig = Rig.registered()
    rig.say("#SPU 20")
    assert rig.events == [FrameIgnored("text that is not JSON")]


# 2.8 Duplicates.


def test_a_second_invite_for_a_live_call_changes_nothing() -> None:
    """SIG-095, SIG-559, CALL-341: one call, two acknowledgements."""
    rig = Rig.registered()
    rig.ring("b1", telnyx_leg_id="leg")
    rig.ring("b1", telnyx_leg_id="leg")
    assert len(rig.acknowledged) == 2
    assert rig.states(CallId("b1")) == ["new", "ringing"]
    assert len(rig.heard_of(CallUpdated)) == 2


def test_a_second_invite_may_bring_the_ids() -> None:
    """CALL-341: ids only."""
    rig = Rig.registered()
    rig.ring("b1")
    rig.ring("b1", telnyx_leg_id="leg")
    assert rig.info(CallId("b1")).telnyx_leg_id == "leg"
    assert len(rig.heard_of(CallUpdated)) == 3


@pytest.mark.parametrize("method", ["answer", "media", "ringing"])
def test_progress_after_the_answer_is_only_acknowledged(method: str) -> None:
    """SIG-096, CALL-329, CALL-330, CALL-333."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    ident = rig.request(method, callID=call, sdp=REMOTE_SDP)
    assert rig.acknowledged == [(ident, f"telnyx_rtc.{method}")]
    assert [action for action in rig.actions if not isinstance(action, SendText)] == rig.actions[:1]
    rig.request(method, callID=call, telnyx_leg_id="leg-2")
    assert rig.info(call).telnyx_leg_id == "leg-2"
    assert rig.info(call).state.value == "active"


def test_a_bye_for_a_call_that_is_ending_is_only_acknowledged_and_ends_the_wait() -> None:
    """SIG-096, CALL-392."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.clear()
    rig.request("bye", callID=call, cause="CALL_REJECTED", causeCode=21)
    assert rig.states(call) == ["destroy"]
    (destroyed,) = rig.heard_of(CallUpdated)
    assert destroyed.call.ended is not None
    assert destroyed.call.ended.cause == "NORMAL_CLEARING"


def test_request_ids_of_the_server_say_nothing_about_duplicates() -> None:
    """SIG-098: they start again with each socket."""
    rig = Rig.registered()
    for call in ("b1", "b2"):
        rig.say({"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.invite", "params": {"callID": call}})
    assert set(rig.session.calls) == {"b1", "b2"}


def test_a_repeated_client_ready_asks_again() -> None:
    """SIG-099."""
    rig = Rig()
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    rig.client_ready()
    assert len(rig.frames("gatewayState")) == 2


# Bounds.


def test_a_server_that_answers_nothing_cannot_fill_the_memory() -> None:
    """Beyond the bound a request fails at once."""
    rig = Rig.registered()
    call = rig.outbound("active")
    for ident in range(MAX_PENDING_REQUESTS):
        rig.session.receive(
            TextReceived(rig.socket, f'{{"id":{ident},"method":"telnyx_rtc.ping","params":{{}}}}'), now=0.0
        )
        while rig.session.next_action() is not None:
            pass
    ticket = rig.dtmf(call, "1")
    assert failure_of(rig, ticket) is FailureKind.PROTOCOL
    assert rig.sent[-1].get("method") != "telnyx_rtc.info"


def test_late_news_of_a_socket_that_was_let_go_changes_nothing() -> None:
    rig = Rig.registered()
    rig.tell(SocketClosed(SocketId(77), 1006, "", clean=False))
    assert (rig.actions, rig.state) == ([], SessionState.READY)


def test_debug_frames_that_nobody_answers_are_not_remembered_without_end() -> None:
    """DBG-005: their replies mean nothing, so only as many ids are kept as could still be answered."""
    rig = Rig.registered()
    for number in range(MAX_UNATTENDED + 50):
        assert hub_of(rig.session).send_unattended({"id": str(number)})
    assert len(hub_of(rig.session).link.unattended) == MAX_UNATTENDED
    assert "49" not in hub_of(rig.session).link.unattended
