"""Calls over the loss of a socket, as signalling sees them: signaling.md section 5.

Here a call that is not listed ends at once; the moment that it otherwise has is in `test_kept_calls`.
"""

import pytest

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.errors import NotConnected
from telnyx_core.events import CallUpdated, Cause, ErrorRaised, WarningRaised
from telnyx_core.ids import CallId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig

S = SessionState
LOST = Cause("RECOVERY_ON_TIMER_EXPIRE", 102)
TEMPORARY = Cause("NORMAL_TEMPORARY_FAILURE", 41)


def lost_with(until: str = "active", **options: object) -> tuple[Rig, CallId]:
    """A rig whose socket was lost with one call, registered again on the next socket but for the last word."""
    rig = Rig.registered(**{"r": 0.5, "reattachWait": 0, **options})
    rig.always("ping", {})
    call = (
        rig.outbound(until)
        if until not in ("inbound", "answering")
        else rig.inbound("ringing" if until == "inbound" else "answering")
    )
    rig.clear()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    return rig, call


def ending(rig: Rig, call: CallId) -> Cause | None:
    ended = [event.call.ended for event in rig.heard_of(CallUpdated) if event.call.id == call]
    return ended[-1] if ended else None


def not_reattached(rig: Rig) -> list[CallId | None]:
    return [event.call for event in rig.heard_of(ErrorRaised) if event.code == 48501]


# 5.1 Socket loss.


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("until", ["trying", "ringing", "early", "active", "held"])
def test_a_loss_ends_no_call_and_stops_no_media(until: str, keep: bool) -> None:
    """SIG-300, CALL-510: for both values of the option. That an established call recovers is visible (architecture)."""
    rig = Rig.registered(keepConnectionAliveOnSocketClose=keep)
    call = rig.outbound(until)
    rig.clear()
    rig.lose()
    kinds = {type(action).__name__ for action in rig.actions}
    assert not kinds & {"ClosePeer", "SendText", "SetMuted"}
    assert rig.states(call) == (["recovering"] if until in ("active", "held") else [])
    assert rig.codes == []


@pytest.mark.parametrize("until", ["new", "requesting", "answering"])
def test_a_call_whose_request_is_unanswered_ends_with_the_socket(until: str) -> None:
    """SIG-302, CALL-511: 40005, then cause 41 and no BYE."""
    rig = Rig.registered()
    call = rig.inbound("answering") if until == "answering" else rig.outbound(until)
    rig.clear()
    rig.lose()
    assert rig.states(call) == ["hangup", "destroy"]
    assert ending(rig, call) == TEMPORARY
    assert [(event.code, event.call) for event in rig.heard_of(ErrorRaised)] == [(40005, call)]
    assert not rig.sent


def test_a_ringing_call_waits_for_the_verdict() -> None:
    """SIG-302: it has no pending request."""
    rig = Rig.registered()
    call = rig.ring()
    rig.clear()
    rig.lose()
    assert rig.states(call) == []
    assert rig.codes == []


def test_hold_is_refused_and_hang_up_works_during_an_outage() -> None:
    """SIG-303, CALL-121, CALL-423: at once, with 44003, and no waiting."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.clear()
    with pytest.raises(NotConnected):
        rig.hold(call)
    ticket = rig.hangup(call)
    assert rig.codes == [44003]
    assert [event.fatal for event in rig.heard_of(ErrorRaised)] == [False]
    assert rig.states(call) == ["hangup", "destroy"]
    assert ticket in rig.outcomes


def test_a_call_without_a_verdict_is_given_up_after_two_minutes() -> None:
    """SIG-304, SIG-470, CALL-516: the server has forgotten it by then."""
    rig, call = lost_with()
    rig.peer("failed")
    rig.request("clientReady")  # no list, no verdict (SIG-327)
    rig.gateway()
    rig.advance(119.9)
    assert rig.info(call).state.value == "recovering"
    rig.advance(0.1)
    assert not_reattached(rig) == [call]
    assert ending(rig, call) == LOST


def test_a_call_without_a_verdict_that_plays_on_is_kept() -> None:
    """SIG-327: after 2.5 s it takes commands, as one that is listed does; a late attach is answered all the same."""
    rig, call = lost_with()
    rig.request("clientReady")
    rig.gateway()
    rig.advance(2.4)
    assert rig.info(call).state.value == "recovering"
    rig.advance(0.1)
    assert rig.info(call).state.value == "active"
    rig.advance(130)
    assert not_reattached(rig) == []


def test_while_the_session_is_not_ready_calls_wait() -> None:
    """SIG-304: until 45003; asked again every thirty seconds."""
    rig, call = lost_with(maxReconnectAttempts=0)
    rig.always("gatewayState", {})
    rig.advance(125)
    assert call in rig.session.calls
    rig.gateway("REGED")
    rig.advance(24)
    assert call in rig.session.calls
    rig.advance(1)
    assert call not in rig.session.calls
    assert not_reattached(rig) == [call]


# 5.2 Local termination.


@pytest.mark.parametrize("how", ["reconnection off", "punt"])
def test_calls_that_end_with_the_transport_have_cause_41_and_no_bye(how: str) -> None:
    """SIG-310, CALL-373, CALL-371. A number of attempts ends no call (PS-003), and no gateway (SIG-223)."""
    rig = Rig.registered(autoReconnect=how != "reconnection off", r=0.5)
    call = rig.outbound("active")
    rig.clear()
    if how == "punt":
        rig.request("punt")
    else:
        rig.lose()
    assert rig.states(call)[-3:] == ["purge", "hangup", "destroy"]
    assert ending(rig, call) == TEMPORARY
    assert not rig.frames("bye")


def test_calls_that_nothing_can_save_end_before_the_error_that_tells_why() -> None:
    """SIG-311, CALL-373: a call that was never answered is not worth an attempt beyond the maximum."""
    rig = Rig.registered(maxReconnectAttempts=1, r=0.5)
    call = rig.inbound()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.clear()
    rig.lose(error="refused")
    order = [
        event.call.state.value if isinstance(event, CallUpdated) else event.code
        for event in rig.events
        if isinstance(event, CallUpdated | ErrorRaised)
    ]
    assert order == [45002, "purge", "hangup", "destroy", 45003]
    assert call not in rig.session.calls


# SIG-314, SIG-315: tombstones.


def test_a_hang_up_during_an_outage_is_never_lost() -> None:
    """SIG-314, SIG-560, CALL-424, CALL-963: the attach is acknowledged, the BYE said, and no call made. A list that
    names it after that is no news, another attach is (PS-005).
    """
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call, cause="CALL_REJECTED", cause_code=21)
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.clear()
    ident = rig.attach(call)
    assert rig.acknowledged == [(ident, "telnyx_rtc.attach")]
    (bye,) = rig.frames("bye")
    assert (bye["params"]["cause"], bye["params"]["causeCode"]) == ("CALL_REJECTED", 21)
    assert bye["params"]["dialogParams"]["callID"] == call
    rig.client_ready(call)
    rig.gateway()
    assert len(rig.frames("bye")) == 1
    rig.attach(call)
    assert len(rig.frames("bye")) == 2
    assert not rig.session.calls
    assert rig.codes == []


@pytest.mark.parametrize("how", ["attach", "invite", "list", "push"])
def test_whatever_names_the_call_brings_it_the_bye(how: str) -> None:
    """SIG-314, SIG-324, CALL-424."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call)
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.clear()
    match how:
        case "attach" | "invite":
            rig.request(how, callID=call, sdp=REMOTE_SDP)
        case "list":
            rig.client_ready(call)
        case _:
            rig.gateway("REGED", reattached_sessions=[call])
    assert len(rig.frames("bye")) == 1
    assert not rig.session.calls


def test_a_bye_that_was_not_answered_is_repeated_when_the_call_is_named() -> None:
    """SIG-314: not confirmed. A confirmed one is not repeated (SIG-315)."""
    for answer, repeated in ((None, 1), ("result", 0), ("gone", 0), ("refused", 1)):
        rig = Rig.registered()
        call = rig.outbound("active")
        rig.hangup(call)
        if answer is None:
            rig.advance(5)
        else:
            errors = {"gone": (-32002, "CALL DOES NOT EXIST"), "refused": (-32602, "Permission Denied")}
            rig.reply("bye", error=errors.get(answer))
        rig.clear()
        rig.client_ready(call)
        assert len(rig.frames("bye")) == repeated, answer
        assert not rig.session.calls


@pytest.mark.parametrize(
    ("error", "owed"), [(None, 0), ((-32002, "CALL DOES NOT EXIST"), 0), ((-32602, "Permission Denied"), 1)]
)
def test_a_late_answer_to_a_bye_confirms_it(error: tuple[int, str] | None, owed: int) -> None:
    """SIG-315: after the five seconds too."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.advance(6)
    rig.reply("bye", error=error)
    rig.clear()
    rig.client_ready(call)
    assert len(rig.frames("bye")) == owed


def test_a_bye_that_was_under_way_when_the_socket_was_lost_is_repeated() -> None:
    """CALL-512, CALL-423: 44003, destroyed at once."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.clear()
    rig.lose()
    assert rig.codes == [44003]
    assert rig.states(call) == ["destroy"]
    rig.ready(call)
    assert len(rig.frames("bye")) == 1


def test_the_bye_of_a_tombstone_that_is_refused_is_not_repeated_and_no_event() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call)
    rig.clear()
    rig.ready(call)
    rig.reply("bye", error=(-32602, "Permission Denied"))
    rig.client_ready(call)
    assert len(rig.frames("bye")) == 1
    assert rig.codes == []


def test_a_call_that_ended_with_the_transport_is_told_when_the_server_still_has_it() -> None:
    """SIG-314: its BYE was never said at all. The application connected again before the server gave up."""
    rig = Rig.registered(autoReconnect=False)
    call = rig.outbound("active")
    rig.lose()
    rig.clear()
    rig.connect()
    rig.login_ok()
    rig.attach(call)
    assert len(rig.frames("bye")) == 1
    assert not rig.session.calls


@pytest.mark.parametrize(("age", "known"), [(149.9, True), (150.0, False)])
def test_a_tombstone_outlasts_the_server_s_patience(age: float, known: bool) -> None:
    """SIG-471, CALL-710."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.hangup(call)
    rig.never("bye")
    rig.lose()
    rig.ready()
    rig.advance(age)
    rig.clear()
    rig.request("invite", callID=call, sdp=REMOTE_SDP)
    assert (call not in rig.session.calls) is known
    assert len(rig.frames("bye")) == (1 if known else 0)


def test_tombstones_do_not_survive_a_disconnect() -> None:
    """SIG-315: the session that knew the call is over; a call with this id is another one."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call)
    rig.disconnect()
    rig.ready()
    rig.clear()
    rig.ring(call)
    assert rig.states(call) == ["new", "ringing"]
    rig.disconnect()
    rig.advance(5)
    rig.lose(1000)
    rig.ready()
    rig.clear()
    rig.ring(call)
    assert rig.states(call) == ["new", "ringing"]


def test_an_ended_call_does_not_get_in_the_way_of_a_new_one_with_its_id() -> None:
    """CALL-025: the id is free when the call is over."""
    rig = Rig.registered()
    call = rig.outbound("active", id="mine")
    rig.lose()
    rig.hangup(call)
    rig.ready()
    again = rig.outbound("active", id="mine")
    rig.clear()
    rig.come_back("mine")
    rig.attach("mine")
    assert rig.frames("bye") == []
    assert rig.info(again).state.value == "recovering"


def test_an_answer_to_the_attach_of_an_earlier_socket_is_not_sent_on_the_next() -> None:
    """SIG-341: the socket is lost while the answer gathers, and the server offers anew on the next one."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.remote_applied()
    rig.media_ok()
    rig.lose()
    rig.connect()
    rig.login_ok()
    rig.clear()
    rig.describe()
    assert rig.frames("attach") == []
    rig.attach(call)
    rig.client_ready(call)
    rig.gateway()
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.info(call).state.value == "active"
    assert len(rig.frames("attach")) == 1


# 5.4 reattached_sessions.


def test_a_list_that_names_none_of_our_calls_ends_them_all() -> None:
    """SIG-321, SIG-322, CALL-514: the error first, then the call, per call (SIG-311); cause 102, no BYE."""
    for listed in ([], ["somebody-else"]):
        rig = Rig.registered(reattachWait=0)
        calls = [rig.outbound("active"), rig.outbound("held")]
        rig.lose()
        rig.clear()
        rig.ready(*listed)
        order = [
            (event.call.id, event.call.state.value) if isinstance(event, CallUpdated) else (event.call, event.code)
            for event in rig.events
            if isinstance(event, CallUpdated | ErrorRaised)
        ]
        assert order == [step for call in calls for step in ((call, 48501), (call, "hangup"), (call, "destroy"))]
        assert [ending(rig, call) for call in calls] == [LOST, LOST]
        assert not rig.frames("bye")


def test_a_call_that_is_missing_from_the_list_ends_and_the_others_wait() -> None:
    """SIG-323, SIG-561, CALL-515, CALL-966: in the reference it stays as a zombie."""
    rig = Rig.registered(reattachWait=0)
    kept, gone = rig.outbound("active"), rig.outbound("active")
    rig.come_back(kept)
    assert not_reattached(rig) == [gone]
    assert list(rig.session.calls) == [kept]
    assert ending(rig, gone) == LOST


@pytest.mark.parametrize("until", ["trying", "ringing", "early", "active", "held", "inbound"])
def test_a_call_in_any_surviving_state_is_judged(until: str) -> None:
    rig, call = lost_with(until)
    rig.client_ready()
    assert not_reattached(rig) == [call]
    assert call not in rig.session.calls


@pytest.mark.parametrize("frame", ["clientReady", "push", "result"])
def test_who_may_bring_the_list(frame: str) -> None:
    """SIG-138: clientReady, and the gateway state as push or result."""
    rig, call = lost_with()
    match frame:
        case "clientReady":
            rig.client_ready()
        case "push":
            rig.request("gatewayState", state="TRYING", reattached_sessions=[])
        case _:
            rig.request("clientReady")
            rig.gateway("TRYING", reattached_sessions=[])
    assert not_reattached(rig) == [call]


@pytest.mark.parametrize("method", ["event", "info", "ai_conversation", "ping"])
def test_elsewhere_a_list_means_nothing(method: str) -> None:
    """SIG-138: the reference honours it in any message."""
    rig, call = lost_with()
    rig.request(method, reattached_sessions=[], eventChannel="x")
    assert call in rig.session.calls


@pytest.mark.parametrize("value", [None, "a", 5, {}])
def test_what_is_no_list_is_no_verdict(value: object) -> None:
    """SIG-135, SIG-327."""
    rig, call = lost_with()
    rig.request("clientReady", reattached_sessions=value)
    assert call in rig.session.calls
    assert rig.codes == []


def test_the_session_id_in_the_list_says_nothing_about_calls() -> None:
    """SIG-137: mod_verto repeats it once for each call."""
    rig, call = lost_with()
    rig.client_ready("session-1", "session-1")
    assert call in rig.session.calls
    rig.client_ready("session-1", "other")
    assert not_reattached(rig) == [call]


def test_calls_of_this_socket_are_not_judged() -> None:
    """SIG-321: only those that existed before it opened."""
    rig, call = lost_with()
    rig.ring("fresh")
    rig.client_ready()
    assert list(rig.session.calls) == ["fresh"]
    assert not_reattached(rig) == [call]


def test_with_no_local_call_a_list_does_nothing() -> None:
    """SIG-320, SIG-325."""
    rig = Rig.registered()
    rig.come_back("unknown")
    assert rig.codes == []
    assert not rig.frames("bye")


def test_a_call_that_was_attached_already_counts_as_listed() -> None:
    """SIG-328, CALL-515, CALL-967: mod_verto attaches first, and a list without it must not undo that."""
    rig, call = lost_with()
    rig.attach(call)
    rig.client_ready()
    rig.describe_answer(call)
    rig.reply("attach")
    rig.client_ready()
    rig.always("gatewayState", {})
    rig.gateway()
    rig.gateway()
    rig.peer("connected")
    assert rig.info(call).state.value == "active"
    assert rig.codes == []
    rig.advance(130)
    assert rig.info(call).state.value == "active"


@pytest.mark.parametrize(("alive", "seconds"), [(True, 2.5), (False, 15.0)])
def test_a_listed_call_without_an_attach_is_decided(alive: bool, seconds: float) -> None:
    """SIG-326, SIG-469, CALL-516, CALL-517: with a live peer it soon goes on, without one it is hung up in the end."""
    rig, call = lost_with()
    if not alive:
        rig.peer("failed")
    rig.client_ready(call)
    rig.gateway()
    rig.advance(seconds - 0.1)
    assert rig.info(call).state.value == "recovering"
    rig.advance(0.1)
    if alive:
        assert rig.info(call).state.value == "active"
        assert rig.codes == []
    else:
        assert not_reattached(rig) == [call]
        assert rig.params("bye")["causeCode"] == 102


@pytest.mark.parametrize("until", ["active", "held"])
def test_a_call_that_is_kept_without_an_attach_stays(until: str) -> None:
    """CALL-517, SIG-304: there was a verdict, so the two minutes without one do not count."""
    rig, call = lost_with(until)
    rig.client_ready(call)
    rig.gateway()
    rig.advance(300)
    assert rig.info(call).state.value == until
    assert rig.codes == []


def test_a_repeated_list_prolongs_nothing() -> None:
    """SIG-138: applied at most once for each call and socket."""
    rig, call = lost_with()
    rig.peer("failed")
    rig.client_ready(call)
    rig.gateway()
    rig.advance(10)
    rig.client_ready(call)
    rig.advance(5)
    assert not_reattached(rig) == [call]


def test_a_repeated_list_does_not_end_what_it_ended_again() -> None:
    rig, call = lost_with()
    rig.client_ready()
    rig.client_ready()
    rig.gateway("REGED", reattached_sessions=[])
    assert not_reattached(rig) == [call]


def test_the_wait_for_an_attach_ends_with_its_socket() -> None:
    """SIG-469: cancelled by a loss."""
    rig, call = lost_with(maxReconnectAttempts=0)
    rig.peer("failed")
    rig.client_ready(call)
    rig.advance(10)
    rig.lose()
    rig.advance(6)
    assert call in rig.session.calls


def test_the_servers_bye_ends_a_call_that_waits() -> None:
    """Recovery state table: awaiting-attach and recovering."""
    for attached in (False, True):
        rig, call = lost_with()
        rig.client_ready(call)
        if attached:
            rig.attach(call)
        ident = rig.request("bye", callID=call, cause="NORMAL_CLEARING", causeCode=16)
        assert (ident, "telnyx_rtc.bye") in rig.acknowledged
        assert rig.states(call)[-2:] == ["hangup", "destroy"]
        rig.gateway()
        rig.advance(130)
        assert rig.codes == []


# 5.5 attach.


def test_an_attach_replaces_the_media_of_a_live_call() -> None:
    """SIG-341, CALL-530, CALL-381 to CALL-383: acknowledged before the answer is ready; then answered by itself."""
    rig, call = lost_with()
    rig.clear()
    ident = rig.attach(call)
    assert rig.acknowledged == [(ident, "telnyx_rtc.attach")]
    assert rig.frames("attach") == []
    rig.describe_answer(call)
    assert rig.params("attach")["sdp"] == LOCAL_SDP
    assert rig.info(call).state.value == "recovering"
    rig.reply("attach", {"callID": call})
    assert rig.states(call) == ["active"]
    assert rig.info(call).recovered_call_id == call
    assert rig.codes == []


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_an_attach_carries_over_what_the_call_is(direction: str) -> None:
    """SIG-341, SIG-563, CALL-531, CALL-968: direction, held, muted, deaf, headers, client state, ids."""
    rig = Rig.registered()
    headers: list[JsonObject] = [{"name": "X-Ref", "value": "42"}]
    if direction == "outbound":
        call = rig.outbound("held", customHeaders=headers, clientState="c3Q=", telnyxLegId="leg")
    else:
        call = rig.inbound("held", dialogParams={"custom_headers": headers}, client_state="c3Q=", telnyx_leg_id="leg")
    rig.set_muted(call, True)
    rig.set_deaf(call, True)
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    info = rig.info(call)
    assert (info.state.value, info.direction, info.muted, info.deaf) == ("held", direction, True, True)
    assert (info.client_state, info.telnyx_leg_id) == ("c3Q=", "leg")
    assert [(header.name, header.value) for header in info.custom_headers] == [("X-Ref", "42")]
    config = rig.ledger.peers[rig.peers[call][-1]].config
    assert (config.muted, config.deaf) == (True, True)


def test_an_attach_may_say_some_things_anew() -> None:
    """SIG-107."""
    rig, call = lost_with()
    rig.attach(
        call,
        client_state="bmV3",
        telnyx_call_control_id="v3:new",
        dialogParams={"custom_headers": [{"name": "X-New", "value": "1"}]},
    )
    info = rig.info(call)
    assert (info.client_state, info.telnyx_call_control_id) == ("bmV3", "v3:new")
    assert [header.name for header in info.custom_headers] == ["X-New"]


@pytest.mark.parametrize(("marker", "resumes"), [(True, True), (False, True), (False, False)])
def test_an_attach_when_there_is_no_call(marker: bool, resumes: bool) -> None:
    """SIG-342, CALL-533: taken if a marker lists it or the session was resumed, else 35002."""
    stored: JsonObject = {"voice_sdk_id": "V", "session_id": "session-1", "session_id_stored_at": 1_800_000_000.0}
    if marker:
        stored["calls"] = [{"id": "a", "held": False}]
    rig = Rig(remembered=stored if resumes else None)
    rig.connect()
    rig.login_ok("session-1")
    ident = rig.attach("a")
    assert (ident, "telnyx_rtc.attach") in rig.acknowledged
    if marker or resumes:
        assert rig.states(CallId("a")) == ["recovering"]
        assert rig.info(CallId("a")).answered
    else:
        assert rig.codes == [35002]
        assert not rig.session.calls


def test_an_attach_that_nobody_knows_is_a_warning_beside_other_calls() -> None:
    """SIG-343, CALL-534, SIG-374: acknowledged, ignored; the server's leg then times out."""
    rig, call = lost_with()
    ident = rig.attach("stranger", telnyx_leg_id="l")
    assert (ident, "telnyx_rtc.attach") in rig.acknowledged
    (warning,) = [event for event in rig.heard_of(WarningRaised) if event.code == 35002]
    assert warning.call == "stranger"
    params = warning.details["params"]
    assert isinstance(params, dict)
    assert (params["callID"], params["telnyx_leg_id"]) == ("stranger", "l")
    assert list(rig.session.calls) == [call]


def test_an_unknown_attach_without_a_description_makes_no_call() -> None:
    rig = Rig.registered()
    rig.come_back()
    rig.attach("a", None)
    assert not rig.session.calls


@pytest.mark.parametrize("answered", [False, True])
def test_an_inbound_call_that_still_rang_goes_on_ringing(answered: bool) -> None:
    """SIG-344, SIG-562, CALL-538: not answered by itself; but an answer that was under way is given anew."""
    rig = Rig.registered()
    call = rig.ring()
    if answered:
        rig.answer(call)
    rig.come_back(call)
    rig.clear()
    rig.attach(call)
    assert rig.info(call).state.value == "ringing"
    assert rig.states(call) == []
    if answered:
        rig.describe_answer(call)
        assert rig.frames("answer")
    else:
        assert not rig.heard_of(CallUpdated)
        rig.answer(call)
        rig.describe_answer(call)
        assert rig.frames("answer")
    rig.reply("answer")
    assert rig.info(call).state.value == "active"


@pytest.mark.parametrize("until", ["trying", "ringing", "early"])
def test_an_outbound_call_that_was_not_answered_yet_becomes_active_by_its_attach(until: str) -> None:
    """CALL-538, second sentence: the answer may have been lost in the outage."""
    rig, call = lost_with(until)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.info(call).state.value == "active"
    assert not rig.ledger.tones


@pytest.mark.parametrize("until", ["active", "held"])
def test_an_attach_without_a_description_leaves_the_call_as_it_is(until: str) -> None:
    """SIG-345, CALL-539."""
    rig, call = lost_with(until)
    peers = list(rig.ledger.peers)
    ident = rig.attach(call, None)
    assert (ident, "telnyx_rtc.attach") in rig.acknowledged
    assert rig.info(call).state.value == until
    assert list(rig.ledger.peers) == peers
    rig.client_ready(call)
    rig.gateway()
    rig.advance(300)
    assert rig.info(call).state.value == until


def test_a_second_attach_while_the_first_is_answered_is_only_acknowledged() -> None:
    """SIG-097, CALL-537: on one socket."""
    rig, call = lost_with()
    rig.attach(call)
    peers = len(rig.peers[call])
    ident = rig.attach(call)
    assert (ident, "telnyx_rtc.attach") in rig.acknowledged
    assert len(rig.peers[call]) == peers


def test_an_attach_beside_other_calls_is_also_a_warning() -> None:
    """SIG-346, CALL-530."""
    rig = Rig.registered()
    calls = [rig.outbound("active"), rig.outbound("active")]
    rig.come_back(*calls)
    rig.clear()
    rig.attach(calls[0])
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33010, calls[0])]


def test_an_attach_that_the_server_refuses_ends_the_call() -> None:
    """SIG-347, CALL-384: 40005, BYE 88, for it is the description that was refused (PS-027)."""
    rig, call = lost_with()
    rig.client_ready(call)
    rig.gateway()
    rig.attach(call)
    rig.describe_answer(call)
    rig.clear()
    rig.reply("attach", error=(-32002, "CODEC ERROR"))
    assert rig.codes == [40005]
    assert rig.params("bye")["causeCode"] == 88
    assert rig.states(call) == ["hangup"]


def test_an_attach_whose_socket_is_lost_waits_for_the_next() -> None:
    """SIG-347, CALL-512: the call stays recovering."""
    rig, call = lost_with(maxReconnectAttempts=0)
    rig.attach(call)
    rig.describe_answer(call)
    assert rig.frames("attach")
    rig.clear()
    rig.lose()
    assert rig.states(call) == []
    assert rig.codes == []
    rig.ready(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.states(call) == ["active"]


def test_an_attach_is_answered_before_ready() -> None:
    """SIG-082: the traffic of calls under recovery may go out after the login."""
    rig, call = lost_with()
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.state is S.REGISTERING
    assert rig.info(call).state.value == "active"


def test_a_call_under_recovery_can_be_hung_up_before_ready() -> None:
    """SIG-082, CALL-385: it has been attached on this socket, so the BYE goes out; nobody would name it again."""
    rig, call = lost_with()
    rig.attach(call)
    rig.clear()
    rig.hangup(call)
    assert rig.params("bye")["causeCode"] == 16
    assert rig.codes == []
    rig.reply("bye")
    assert rig.states(call) == ["hangup", "destroy"]


def test_a_second_loss_in_the_middle_of_recovery_keeps_the_media_that_plays() -> None:
    """CALL-532: make before break, over two losses too. What is closed is the peer that never connected."""
    rig, call = lost_with(keepConnectionAliveOnSocketClose=True)
    first = rig.peers[call][0]
    rig.attach(call)
    rig.come_back(call)
    rig.attach(call)
    assert first in rig.ledger.peers
    rig.describe_answer(call)
    rig.reply("attach")
    rig.peer("connected")
    assert list(rig.ledger.peers) == [rig.peers[call][-1]]
    assert len(rig.peers[call]) == 3


def test_late_news_of_a_replaced_peer_is_not_taken_for_the_new_one() -> None:
    """The former peer plays on for a moment; whatever it says must not be sent as the answer to the attach."""
    rig, call = lost_with()
    former = rig.peers[call][-1]
    rig.attach(call)
    rig.clear()
    rig.describe("v=0\r\na=former\r\n", former)
    assert rig.frames("attach") == []
    rig.describe_answer(call)
    assert rig.params("attach")["sdp"] == LOCAL_SDP


@pytest.mark.parametrize("relay", [False, True])
def test_the_relay_policy_of_the_options_stays(relay: bool) -> None:
    """SIG-349, SIG-564: an empty marker forces nothing."""
    stored: JsonObject = {"voice_sdk_id": "V", "session_id": "session-1", "session_id_stored_at": 1_800_000_000.0}
    rig = Rig(remembered=stored, forceRelayCandidate=relay)
    rig.connect()
    rig.login_ok("session-1")
    rig.attach("a")
    assert rig.ledger.peers[rig.peers[CallId("a")][-1]].config.force_relay is relay
