"""The defects of the reference and their correction: signaling.md 9.4, the column "Test idea", row by row.

Rows about listeners (SIG-566) and the speed test (SIG-572) concern no core; region rewriting (SIG-573) is in
`test_url`, the payload of a token (SIG-546) in `test_token` and `test_session_login`.
"""

import json

import pytest

from telnyx_core.actions import CloseSocket, Failed, OpenSocket
from telnyx_core.errors import FailureKind, NotConnected
from telnyx_core.events import CallUpdated, ErrorRaised, Ready, SocketClose, WarningRaised
from telnyx_core.facts import SocketClosed
from telnyx_core.ids import CallId, SocketId, Ticket
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import EPOCH, Rig

S = SessionState


def opened(rig: Rig) -> int:
    return sum(isinstance(action, OpenSocket) for action in rig.actions)


def kind(rig: Rig, ticket: Ticket) -> FailureKind:
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    return outcome.failure.kind


def next_socket(rig: Rig) -> None:
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()


def test_sig_530_register_then_reged_forgives_the_attempts() -> None:
    """Nine losses, each recovered by way of REGISTER and REGED, then a tenth and an eleventh: no 45003."""
    rig = Rig.registered(r=0.5)
    for _ in range(11):
        rig.lose()
        next_socket(rig)
        rig.gateway("REGISTER")
        rig.gateway("REGED", call_report_id="r")
    assert 45003 not in rig.codes
    assert rig.session.call_report_id == "r"


def test_sig_531_a_refresh_is_no_second_ready() -> None:
    rig = Rig.registered()
    for state in ("TRYING", "REGED"):
        rig.gateway(state)
    assert not rig.heard_of(Ready)


@pytest.mark.parametrize("state", ["NOREG", "FAIL_WAIT"])
def test_sig_532_after_disconnect_nothing_is_sent_or_opened(state: str) -> None:
    rig = Rig.registered(r=0.5)
    rig.gateway(state)
    rig.disconnect()
    rig.lose(1000)
    rig.clear()
    rig.advance(10)
    assert rig.actions == []


def test_sig_533_one_login_for_each_socket() -> None:
    rig = Rig(r=0.5)
    rig.always("login", error=(-32000, "Authentication Required"))
    rig.connect()
    rig.advance(5)
    assert len(rig.frames("login")) == 1
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    assert len(rig.frames("login")) == 2


def test_sig_534_hold_during_the_back_off_is_refused_at_once_and_opens_nothing() -> None:
    rig = Rig.registered(r=0.5)
    rig.outbound("active")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    call = next(iter(rig.session.calls))
    rig.clear()
    with pytest.raises(NotConnected):
        rig.hold(call)
    assert rig.codes == []
    assert opened(rig) == 0


def test_sig_535_connect_during_the_back_off_opens_one_socket() -> None:
    rig = Rig.registered(r=0.5)
    rig.lose()
    rig.clear()
    rig.ask_to_connect()
    rig.advance(10)
    assert opened(rig) == 1


def test_sig_536_calls_with_live_media_survive_a_gateway_failure() -> None:
    rig = Rig.registered(r=0.5, keepConnectionAliveOnSocketClose=True)
    call = rig.outbound("active")
    rig.gateway("FAIL_WAIT")
    rig.wait_for(S.CLOSING)
    rig.lose(1000)
    assert call in rig.session.calls
    assert not rig.frames("bye")


def test_sig_537_after_a_rejection_no_socket() -> None:
    rig = Rig()
    rig.connect()
    rig.login_refused()
    rig.lose()
    rig.advance(600)
    assert opened(rig) == 1
    assert rig.codes.count(46001) == 1


def test_sig_538_one_warning_and_one_close() -> None:
    rig = Rig.registered()
    rig.outbound("active")
    rig.hold(next(iter(rig.session.calls)))
    rig.advance(12)
    assert rig.codes.count(36003) == 1
    assert sum(isinstance(action, CloseSocket) for action in rig.actions) == 1


@pytest.mark.parametrize("method", ["ai_conversation", "event", "info"])
def test_sig_539_a_state_in_another_frame_is_none(method: str) -> None:
    rig = Rig.registered()
    rig.request(method, state="TRYING", eventChannel="x")
    rig.gateway("REGED")
    assert not rig.heard_of(Ready)
    assert rig.state is S.READY


def test_sig_540_failing_and_recovering_six_times_ends_nothing() -> None:
    rig = Rig.registered(r=0.5)
    for _ in range(6):
        rig.gateway("FAILED")
        rig.wait_for(S.CLOSING)
        rig.lose(1000)
        next_socket(rig)
        rig.gateway("REGED")
    assert 45003 not in rig.codes


def test_sig_541_everything_pending_fails_as_stale() -> None:
    rig = Rig.registered()
    active = rig.outbound("active")
    inviting, answering = rig.invite(), rig.inbound("answering")
    tickets = [rig.dtmf(active, "1"), rig.hold(active), rig.send_conversation_message(active, "hi")]
    rig.clear()
    rig.lose()
    assert {kind(rig, ticket) for ticket in tickets} == {FailureKind.STALE_REQUEST}
    stale = [(event.code, event.call) for event in rig.heard_of(ErrorRaised)]
    assert stale == [(44001, active), (40005, inviting), (40005, answering)]


def test_sig_542_a_gateway_state_settles_its_request() -> None:
    rig = Rig.registered()
    ticket = rig.is_registered()
    rig.gateway("REGED")
    assert ticket in rig.outcomes
    rig.advance(10)
    assert 36003 not in rig.codes


def test_sig_543_a_punt_is_acknowledged_and_told() -> None:
    rig = Rig.registered()
    ident = rig.request("punt")
    rig.lose(1000)
    assert rig.acknowledged == [(ident, "telnyx_rtc.punt")]
    assert [event.details["reason"] for event in rig.heard_of(WarningRaised)] == ["server_punt"]


@pytest.mark.parametrize("reason", ["offline", "media"])
def test_sig_544_a_probe_is_judged_after_five_to_eight_seconds(reason: str) -> None:
    rig = Rig.registered()
    rig.outbound("active")
    rig.advance(4)
    if reason == "offline":
        rig.network("offline")
    else:
        rig.peer("failed")
    (probed,) = rig.times("ping")
    rig.wait_for(S.CLOSING)
    assert 5 <= rig.now - probed <= 8


def test_sig_545_exactly_one_warning_with_reconnection_off() -> None:
    rig = Rig.registered(autoReconnect=False)
    rig.lose(error="reset")
    assert rig.codes.count(36005) == 1
    rig.ready()
    rig.disconnect()
    rig.lose(1000)
    rig.ready()
    rig.lose()
    assert rig.codes.count(36005) == 2


def test_sig_547_a_late_close_of_the_old_socket_is_ignored() -> None:
    rig = Rig.registered()
    rig.request("ping")
    rig.advance(15)  # never closes: abandoned
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.clear()
    rig.tell(SocketClosed(SocketId(1), 1006, "", clean=False))
    assert (rig.actions, rig.state) == ([], S.LOGGING_IN)


def test_sig_548_from_credentials_to_anonymous() -> None:
    rig = Rig.registered(login="gencred", password="p")
    rig.login({"anonymous_login": {"target_id": "a"}})
    assert [frame["method"] for frame in rig.sent] == ["anonymous_login"]


def test_sig_549_the_detour_ends_with_reged() -> None:
    rig = Rig.registered(r=0.5)
    rig.gateway("FAIL_WAIT")
    rig.wait_for(S.CLOSING)
    rig.lose(1000)
    next_socket(rig)
    rig.gateway("REGED")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    assert ["skip_last" in url for url in rig.urls[-2:]] == [True, False]


def test_sig_550_two_clients_two_tokens() -> None:
    one, two = Rig(), Rig(seed=1)
    for rig, token in ((one, "V1"), (two, "V2")):
        rig.connect()
        rig.login_ok("s", token)
        rig.lose()
        rig.wait_for(S.CONNECTING)
    assert (one.urls[-1][-2:], two.urls[-1][-2:]) == ("V1", "V2")


def test_sig_551_the_callers_options_are_unchanged() -> None:
    given = {"login_token": "a.b.c", "userVariables": {"x": 1}}
    before = json.dumps(given)
    rig = Rig.registered(**given)
    rig.login({"login_token": "x.y.z", "userVariables": {"y": 2}})
    rig.gateway("FAIL_WAIT")
    assert json.dumps(given) == before


def test_sig_552_no_credentials_in_any_frame_but_login() -> None:
    rig = Rig(
        login="gencred",
        password="pass-word",
        iceServers=[{"urls": "turn:t.example", "username": "turn-user", "credential": "turn-secret"}],
    )
    rig.ready()
    rig.outbound("held")
    others = json.dumps([frame for frame in rig.sent if frame.get("method") != "login"])
    assert not any(secret in others for secret in ("pass-word", "turn-user", "turn-secret"))


def test_sig_553_headers_of_a_bye_are_visible_on_the_call() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("bye", callID=call, dialogParams={"custom_headers": [{"name": "X-Why", "value": "tired"}]})
    assert rig.heard_of(CallUpdated)[-1].call.custom_headers[0].value == "tired"


def test_sig_554_a_text_without_attachments_has_one_part() -> None:
    rig = Rig.registered()
    rig.send_conversation_message(rig.outbound("active"), "hi")
    item = rig.params("ai_conversation")["item"]
    assert isinstance(item, dict)
    assert item["content"] == [{"type": "input_text", "text": "hi"}]


def test_sig_555_a_second_login_resumes_nothing() -> None:
    rig = Rig.registered()
    rig.disconnect()
    rig.lose(1000)
    rig.connect()
    assert "sessid" not in rig.params("login")


def test_sig_556_the_first_canary_socket_announces_no_reconnection() -> None:
    stored = {"voice_sdk_id": "V", "session_id": "s", "session_id_stored_at": EPOCH}
    rig = Rig(remembered=stored, useCanaryRtcServer=True)
    rig.connect()
    assert rig.params("login")["reconnection"] is False


def test_sig_557_a_late_invite_is_ignored() -> None:
    rig = Rig.registered()
    rig.disconnect()
    rig.ring("late")
    assert not rig.session.calls


@pytest.mark.parametrize("text", ["null", "17", "[]", '"x"', "true"])
def test_sig_558_json_that_is_no_object_raises_nothing(text: str) -> None:
    rig = Rig.registered()
    rig.say(text)
    assert rig.state is S.READY


def test_sig_559_one_call_two_acknowledgements() -> None:
    rig = Rig.registered()
    rig.ring("b1")
    rig.ring("b1")
    assert (len(rig.session.calls), len(rig.acknowledged)) == (1, 2)


def test_sig_560_a_call_that_was_hung_up_meanwhile_is_not_resurrected() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call)
    rig.ready()
    rig.clear()
    ident = rig.attach(call)
    assert rig.acknowledged == [(ident, "telnyx_rtc.attach")]
    assert len(rig.frames("bye")) == 1
    assert not rig.session.calls


def test_sig_561_the_lost_one_of_two_is_told() -> None:
    rig = Rig.registered(reattachWait=0)
    kept, gone = rig.outbound("active"), rig.outbound("active")
    rig.come_back(kept)
    assert [event.call for event in rig.heard_of(ErrorRaised) if event.code == 48501] == [gone]


def test_sig_562_an_attach_answers_nobody() -> None:
    rig = Rig.registered()
    call = rig.ring()
    rig.come_back(call)
    rig.attach(call)
    assert rig.info(call).state.value == "ringing"
    assert not rig.ledger.peers


def test_sig_563_a_recovered_call_keeps_its_direction() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    assert rig.info(call).direction == "outbound"


def test_sig_564_the_relay_option_stays_true() -> None:
    stored = {"voice_sdk_id": "V", "session_id": "session-1", "session_id_stored_at": EPOCH}
    rig = Rig(remembered=stored, forceRelayCandidate=True)
    rig.connect()
    rig.login_ok("session-1")
    rig.attach("a")
    assert rig.ledger.peers[rig.peers[CallId("a")][-1]].config.force_relay is True


def test_sig_565_asking_whether_we_are_registered_always_ends() -> None:
    rig = Rig.registered()
    tickets = [rig.is_registered(), rig.is_registered()]
    rig.reply("gatewayState", error=(-32601, "no"))
    rig.lose()
    tickets.append(rig.is_registered())
    assert all(ticket in rig.outcomes for ticket in tickets)


def test_sig_567_the_close_code_is_told() -> None:
    rig = Rig.registered()
    rig.lose(4014, "gateway down", clean=True)
    assert rig.heard_of(SocketClose) == [SocketClose(rig.socket, 4014, "gateway down", True)]


def test_sig_568_a_warning_of_a_call_is_heard_on_the_session() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.peer("disconnected")
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33001, call)]


def test_sig_569_credentials_given_without_a_socket_are_used() -> None:
    rig = Rig()
    rig.login({"login_token": "x.y.z"})
    rig.connect()
    assert rig.params("login")["login_token"] == "x.y.z"


def test_sig_570_a_login_on_a_healthy_socket_names_its_session() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    rig.advance(120)
    rig.login({})
    assert rig.params("login")["sessid"] == "session-1"


def test_sig_571_after_exhaustion_the_socket_is_closed() -> None:
    rig = Rig.registered(autoReconnect=False)
    rig.gateway("FAILED")
    assert isinstance(rig.actions[-1], CloseSocket)
    rig.lose(1000)
    assert rig.at_rest


def test_sig_574_a_dead_socket_is_replaced_once() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    rig.hangup(rig.outbound("active"))
    rig.advance(30)
    assert rig.codes.count(36003) == 1


def test_sig_575_one_error_for_each_offline_period() -> None:
    rig = Rig.registered()
    for change in ("offline", "offline", "online", "offline"):
        rig.network(change)
    assert rig.codes == [48001, 48001]


def test_sig_576_a_connection_that_never_existed_has_the_same_code() -> None:
    rig = Rig()
    rig.ask_to_connect()
    rig.lose(error="no route to host")
    assert rig.codes == [45002]


def test_sig_577_the_default_cause_of_a_call_in_recovery() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.hangup(call)
    assert rig.params("bye")["causeCode"] == 16


def test_sig_578_a_bye_for_an_unknown_call_is_acknowledged() -> None:
    rig = Rig.registered()
    ident = rig.request("bye", callID="nobody")
    assert rig.acknowledged == [(ident, "telnyx_rtc.bye")]


def test_sig_579_without_reconnection_the_first_refusal_is_the_last() -> None:
    rig = Rig(autoReconnect=False)
    rig.ask_to_connect()
    rig.lose(error="refused")
    rig.advance(600)
    assert opened(rig) == 1


def test_sig_589_failed_attempts_keep_nothing_fresh() -> None:
    rig = Rig.registered(maxReconnectAttempts=0, r=0.5)
    rig.lose()
    while rig.now < 600:
        rig.wait_for(S.CONNECTING)
        rig.lose(error="unreachable")
    rig.wait_for(S.CONNECTING)
    rig.open()
    assert "sessid" not in rig.params("login")
