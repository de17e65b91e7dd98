"""Calls over the loss of their socket: what is kept, what is waited for, and what is said at the end (PS-002 ff.)."""

from itertools import pairwise

import pytest

from telnyx_core.events import CallUpdated
from telnyx_core.ids import CallId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig

S = SessionState
LOST = ("RECOVERY_ON_TIMER_EXPIRE", 102)
GONE = ("DESTINATION_OUT_OF_ORDER", 27)


def talking(**options: object) -> tuple[Rig, CallId]:
    rig = Rig.registered(r=0.5, **options)
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.clear()
    return rig, call


def byes(rig: Rig) -> list[tuple[object, object]]:
    return [(frame["params"]["cause"], frame["params"]["causeCode"]) for frame in rig.frames("bye")]


# The list of kept calls.


def test_an_empty_list_is_not_the_end() -> None:
    """PS-005: a server that restores its calls after a crash attaches them a little after it has said that there are
    none.
    """
    rig, call = talking()
    rig.come_back()
    rig.advance(0.45)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.info(call).state.value == "active"
    rig.advance(10)
    assert 48501 not in rig.codes
    assert rig.info(call).state.value == "active"


@pytest.mark.parametrize(("options", "wait"), [({}, 3.0), ({"reattachWait": 500}, 0.5)])
def test_a_call_that_is_not_listed_has_a_moment(options: dict[str, object], wait: float) -> None:
    """PS-005, CALL-372, CALL-515."""
    rig, call = talking(**options)
    rig.come_back()
    rig.advance(wait - 0.1)
    assert rig.codes == []
    rig.advance(0.2)
    assert rig.codes == [48501]
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended is not None
    assert (ended.cause, ended.cause_code) == LOST
    assert call not in rig.session.calls
    assert byes(rig) == [], "the server has just said that it knows no such call"


def test_an_attach_that_comes_too_late_is_answered_by_a_bye() -> None:
    """PS-005, SIG-314: what is acknowledged and then ignored leaves the far end in silence."""
    rig, call = talking()
    rig.come_back()
    rig.advance(4)
    assert rig.codes == [48501]
    rig.attach(call)
    assert byes(rig) == [LOST]
    rig.attach(call)
    assert byes(rig) == [LOST, LOST]


def test_an_attach_of_a_call_that_is_nobody_s_is_answered_by_a_bye() -> None:
    """PS-005, SIG-343: 35002, and the far end is not left in silence."""
    rig, _ = talking()
    rig.attach("unheard of")
    assert rig.codes == [35002]
    assert byes(rig) == [LOST]


def test_a_listed_call_that_plays_on_takes_commands_within_three_seconds() -> None:
    """SIG-326, CALL-517: its attach may be late; then it is attached all the same."""
    rig, call = talking()
    rig.come_back(call)
    rig.advance(2.4)
    assert rig.info(call).state.value == "recovering"
    rig.advance(0.5)
    assert rig.info(call).state.value == "active"
    rig.clear()
    rig.hold(call)
    assert rig.frames("modify")
    rig.attach(call)
    assert rig.info(call).state.value == "recovering"


def test_a_listed_call_whose_media_is_dead_is_hung_up() -> None:
    """SIG-326, CALL-516: fifteen seconds for the attach; then 48501, and the server is told, for it has the call."""
    rig, call = talking()
    rig.lose()
    rig.peer("failed", call)
    rig.ready(call)
    rig.clear()
    rig.advance(14.9)
    assert rig.codes == []
    rig.advance(0.2)
    assert rig.codes == [48501]
    assert byes(rig) == [LOST]


@pytest.mark.parametrize("sessions", [(), ("another",)])
def test_a_retained_call_survives_a_later_list(sessions: tuple[str, ...]) -> None:
    """SIG-138: the verdict on a call is given once on each socket."""
    rig, call = talking()
    rig.come_back(call)
    rig.advance(3)
    assert rig.info(call).state.value == "active"
    rig.client_ready(*sessions)
    rig.gateway()
    rig.advance(30)
    assert rig.info(call).state.value == "active"
    assert 48501 not in rig.codes


# Unanswered calls.


@pytest.mark.parametrize("message", ["empty", "another", "none"])
@pytest.mark.parametrize("until", ["trying", "ringing", "early", "inbound"])
def test_an_unanswered_call_ends_with_the_first_client_ready(until: str, message: str) -> None:
    """PS-006: one cause for all, whatever that message carries or lacks."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.inbound() if until == "inbound" else rig.outbound(until)
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.clear()
    params = {"empty": {"reattached_sessions": []}, "another": {"reattached_sessions": ["x"]}}.get(message, {})
    rig.request("clientReady", **params)
    assert rig.codes == [48501]
    assert rig.states(call) == ["hangup", "destroy"]
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended is not None
    assert (ended.cause, ended.cause_code) == GONE


# Coming back in time.


def test_the_last_session_id_is_sent_however_old() -> None:
    """PS-002, SIG-232: while a call recovers; a stale id costs nothing, a missing one costs the call."""
    rig, _ = talking()
    session = rig.session.session_id
    rig.lose()
    rig.advance(115)
    while rig.state is not S.LOGGING_IN:
        if rig.state is S.CONNECTING:
            rig.open()
        else:
            rig.advance(0.5)
    assert rig.params("login")["sessid"] == session
    assert rig.params("login")["reconnection"] is True


def test_without_a_routing_token_the_session_id_is_sent_all_the_same() -> None:
    """PS-002: a server that gives no ``voice_sdk_id`` keeps calls, too."""
    rig = Rig()
    rig.connect()
    rig.reply("login", {"message": "logged in", "sessid": "s-77"})
    rig.client_ready()
    rig.gateway()
    rig.always("ping", {})
    rig.outbound("active")
    rig.clear()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    assert rig.params("login")["sessid"] == "s-77"


def test_attempts_to_save_a_call_are_close_and_end_with_the_window() -> None:
    """PS-003, SIG-242: at most 5 s apart, closer towards the end, none past the 120 s for which the server keeps it."""
    rig, call = talking()
    lost = rig.now
    rig.lose()
    attempts: list[float] = []
    while call in rig.session.calls:
        if rig.state is S.CONNECTING:
            attempts.append(rig.now - lost)
            rig.lose(error="refused")
        due = rig.session.next_timeout()
        assert due is not None
        rig.advance_to(due)
    assert attempts[0] == 0
    pauses = [after - before for before, after in pairwise(attempts)]
    assert max(pauses) <= 5
    assert attempts[-1] < 120
    assert attempts[-1] > 119
    assert rig.now - lost == pytest.approx(120)
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended is not None
    assert (ended.cause, ended.cause_code) == LOST
    assert 45003 not in rig.codes, "a call is not lost to a number of attempts"


def test_an_attempt_that_is_not_answered_is_not_waited_for_long() -> None:
    """PS-003: a packet that was lost costs five seconds, not fifteen."""
    rig, _ = talking()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    begun, socket = rig.now, rig.socket
    while rig.socket == socket:
        due = rig.session.next_timeout()
        assert due is not None
        rig.advance_to(due)
    assert 3 < rig.now - begun <= 5


def test_on_a_slow_network_an_attempt_has_longer() -> None:
    """PS-003: three times what the last one took."""
    rig = Rig()
    rig.ask_to_connect()
    rig.advance(4)
    rig.open()
    rig.login_ok()
    rig.client_ready()
    rig.gateway()
    rig.always("ping", {})
    rig.outbound("active")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    begun, socket = rig.now, rig.socket
    while rig.socket == socket:
        due = rig.session.next_timeout()
        assert due is not None
        rig.advance_to(due)
    assert rig.now - begun == pytest.approx(12)


def test_a_call_is_taken_back_at_once_however_often_its_socket_goes() -> None:
    """PS-003: a server that falls over after each registration is spared (SIG-244), but not at the cost of a call."""
    rig, call = talking()
    for _ in range(10):
        rig.advance(1)
        rig.lose()
        assert rig.session.next_timeout() == rig.now
        rig.ready(call)
        rig.attach(call)
        rig.describe_answer(call)
        rig.reply("attach")
    assert rig.info(call).state.value == "active"


def test_without_a_call_nothing_is_hurried() -> None:
    """SIG-241, SIG-242: a fleet must not come back in step, and the maximum holds."""
    rig = Rig.registered(r=0.5, maxReconnectAttempts=3)
    rig.lose()
    for _ in range(3):
        rig.wait_for(S.CONNECTING)
        rig.lose()
    assert rig.state is S.EXHAUSTED


# Hold.


@pytest.mark.parametrize("command", ["hold", "toggle"])
def test_a_hold_that_the_server_did_not_do_is_asked_for_again(command: str) -> None:
    """PS-009, CALL-133: before it counts the call as answered, a server says that it is active, and holds nothing."""
    rig, call = talking()
    ticket = rig.hold(call) if command == "hold" else rig.toggle_hold(call)
    rig.reply("modify", {"action": "hold", "holdState": "active"})
    assert ticket not in rig.outcomes
    assert rig.info(call).state.value == "active"
    rig.clear()
    rig.advance(0.4)
    assert not rig.frames("modify")
    rig.advance(0.2)
    assert rig.params("modify")["action"] == "hold"
    rig.reply("modify", {"action": "hold", "holdState": "held"})
    assert rig.outcomes[ticket].value["holdState"] == "held"
    assert rig.info(call).state.value == "held"


def test_a_hold_that_is_never_done_failed() -> None:
    """CALL-133, CALL-960: it is true only if the server says so. 44001, and the state is as it was."""
    rig, call = talking()
    ticket = rig.hold(call)
    for _ in range(2):
        rig.reply("modify", {"action": "hold", "holdState": "active"})
        rig.advance(0.6)
    assert rig.codes == [44001]
    assert "active" in str(rig.outcomes[ticket])
    assert rig.info(call).state.value == "active"


def test_before_media_is_connected_a_hold_is_not_asked_for_again() -> None:
    """PS-009: but as soon as it is."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("ringing")
    rig.request("answer", callID=call, sdp="v=0\r\na=ice-ufrag:x\r\n")
    rig.remote_applied()
    assert rig.info(call).state.value == "active"
    rig.hold(call)
    rig.reply("modify", {"action": "hold", "holdState": "active"})
    rig.clear()
    rig.advance(3)
    assert not rig.frames("modify")
    rig.peer("connected")
    assert rig.params("modify")["action"] == "hold"


# The registration beside the calls.


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN", "EXPIRED", "NOREG"])
def test_a_registration_that_fails_keeps_the_calls(state: str, keep: bool) -> None:
    """SIG-220, SIG-221, CALL-523: a call needs none. It is asked for until it is back, on the same socket."""
    rig, call = talking(keepConnectionAliveOnSocketClose=keep)
    rig.gateway(state)
    for _ in range(20):
        rig.advance(1)
        if rig.waits_for("gatewayState"):
            rig.gateway("FAIL_WAIT" if state != "NOREG" else "NOREG")
    assert rig.info(call).state.value == "active"
    assert byes(rig) == []
    assert rig.session.connected
    rig.gateway("REGED")
    assert rig.state is S.READY
    assert rig.info(call).state.value == "active"


def test_once_the_calls_are_over_the_gateway_is_changed() -> None:
    """SIG-221, SIG-222."""
    rig, call = talking()
    rig.gateway("FAIL_WAIT")
    rig.advance(10)
    rig.request("bye", callID=call)
    rig.advance(7)
    assert rig.state in (S.CLOSING, S.BACKOFF)


def test_without_reconnection_a_failed_gateway_does_not_end_the_calls_either() -> None:
    """SIG-223."""
    rig, call = talking(autoReconnect=False)
    rig.always("gatewayState", {"params": {"state": "DOWN"}})
    rig.request("gatewayState", state="DOWN")
    rig.advance(30)
    assert rig.info(call).state.value == "active"


# Honest causes.


def test_a_refused_answer_is_hung_up_as_what_it_is() -> None:
    """PS-027, CALL-349: the caller must not hear that we are busy."""
    rig = Rig.registered()
    call = rig.inbound("answering")
    rig.clear()
    rig.reply("answer", error=(-32002, "CODEC ERROR"))
    assert byes(rig) == [("INCOMPATIBLE_DESTINATION", 88)]
    assert call not in rig.session.calls or rig.info(call).state.value == "hangup"


def test_an_answer_that_cannot_be_made_is_hung_up_as_what_it_is() -> None:
    """PS-027, CALL-328."""
    rig = Rig.registered()
    call = rig.inbound()
    rig.answer(call)
    rig.clear()
    rig.remote_refused("no common codec")
    assert byes(rig) == [("INCOMPATIBLE_DESTINATION", 88)]
