"""Sockets that are lost, and calls that wait for their client."""

from typing import Any

import pytest

from telnyx_core import Timer
from telnyx_core.gateway import CallPlan, GatewayOptions, Quirks
from telnyx_core.gateway.actions import Echo, FromCall, Silence
from telnyx_core.gateway.events import CallAttached, CallEnded, ClientLost
from telnyx_core.ids import CallId
from tests.gateway.rig import OFFER, Client, Rig

USERS = {"alice": "secret", "bob": "hush"}


def rig_with(**members: Any) -> Rig:
    return Rig(GatewayOptions(users=USERS, **members))


def come_back(rig: Rig, client: Client, user: str = "alice") -> Client:
    """The client's next socket, logged in with the session id of its last."""
    again = rig.connect()
    again.login(user, USERS[user], sessid=client.sessid, reconnection=True)
    return again


def order(client: Client) -> list[str]:
    return [frame["method"] for frame in client.frames if "method" in frame]


def test_an_answered_call_is_attached_before_the_client_is_ready() -> None:
    """SRV-020, SIG-135: attach with a new offer, then clientReady with the call's id."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    client.lose()
    assert rig.hears(call) == Silence(), "PS-001: media stops at once"
    again = come_back(rig, client)
    assert order(again) == ["telnyx_rtc.attach", "telnyx_rtc.clientReady"]
    attach, ready = again.frames[1:]
    assert attach["params"]["callID"] == call
    assert attach["params"]["sdp"].startswith("v=0\r\n")
    assert attach["params"]["callee_id_number"] == "echo", "the parties are those of the call, whoever comes back"
    assert attach["params"]["display_direction"] == "inbound", "seen from the server"
    assert rig.hears(call) == Echo()
    assert ready["params"] == {"reattached_sessions": [call]}


def test_the_old_peer_carries_the_call_until_the_new_one_is_connected() -> None:
    """SRV-007, CALL-532."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    client.lose()
    again = come_back(rig, client)
    old, new = rig.media_of(call)
    assert rig.used[CallId(call)] == old
    assert again.answer(call, method="telnyx_rtc.attach") == {
        "message": "CALL ATTACHED",
        "callID": call,
        "sessid": client.sessid,
    }
    assert [event.call for event in rig.told(CallAttached)] == [call]
    assert rig.applied[-1].media == new
    rig.media_state(call)
    assert rig.media_of(call) == [new]
    assert rig.used[CallId(call)] == new
    assert rig.hears(call) == Echo()


def test_two_calls_give_two_attaches() -> None:
    rig = Rig()
    client = rig.client()
    calls = [client.invite("echo"), client.invite("tone")]
    client.lose(1000)
    again = come_back(rig, client)
    assert order(again) == ["telnyx_rtc.attach", "telnyx_rtc.attach", "telnyx_rtc.clientReady"]
    assert again.frames[-1]["params"]["reattached_sessions"] == calls


def test_the_attach_may_come_after_the_client_is_ready() -> None:
    """SIG-599: both orders happen."""
    rig = rig_with(quirks=Quirks(attach_before_ready=False))
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    again = come_back(rig, client)
    assert order(again) == ["telnyx_rtc.clientReady", "telnyx_rtc.attach"]
    assert again.frames[1]["params"]["reattached_sessions"] == [call]


def test_the_session_id_may_stand_for_each_call() -> None:
    """SIG-137."""
    rig = rig_with(quirks=Quirks(ready_lists_session=True))
    client = rig.client()
    client.invite("echo")
    client.invite("echo")
    client.lose()
    again = come_back(rig, client)
    assert again.frames[-1]["params"]["reattached_sessions"] == [client.sessid] * 2


def test_another_session_gets_no_attach() -> None:
    """SRV-020."""
    rig = Rig()
    client = rig.client()
    client.invite("echo")
    client.lose()
    again = rig.client()
    assert again.frames[-1]["params"] == {"reattached_sessions": []}
    assert order(again) == ["telnyx_rtc.clientReady"]


def test_a_call_that_ended_meanwhile_is_absent() -> None:
    """SRV-023."""
    rig = Rig()
    client = rig.client()
    gone, kept = client.invite("echo"), client.invite("echo")
    client.lose()
    rig.command("hangup", gone)
    again = come_back(rig, client)
    assert again.frames[-1]["params"]["reattached_sessions"] == [kept]


def test_a_call_that_ends_while_it_is_offered_again_does_not_delay_the_rest() -> None:
    rig = Rig(auto_media=False)
    client = rig.client()
    gone, kept = client.invite("echo"), client.invite("echo")
    rig.settle()
    rig.media_state(gone)
    rig.media_state(kept)
    client.lose()
    again = come_back(rig, client)
    rig.tell(rig.owed.pop())
    assert order(again) == ["telnyx_rtc.attach"]
    rig.command("hangup", gone)
    assert again.frames[-1]["params"]["reattached_sessions"] == [kept]


def test_calls_wait_for_the_window_and_no_longer() -> None:
    """SRV-021, SIG-232."""
    rig = rig_with(reattach_window=90.0, ping_interval=None)
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    rig.wait(89.9)
    assert call in rig.core.calls
    rig.wait(0.1)
    assert rig.core.calls == {}
    assert rig.told(CallEnded)[0].cause.cause == "RECOVERY_ON_TIMER_EXPIRE"
    assert rig.core.next_timeout() is None
    again = come_back(rig, client)
    assert again.frames[-1]["params"] == {"reattached_sessions": []}


def test_the_reason_for_the_next_deadline_can_be_seen() -> None:
    rig = rig_with(ping_interval=None)
    assert rig.core.next_timeout_reason() is None
    rig.client().lose()
    reason = rig.core.next_timeout_reason()
    assert reason is not None
    assert reason.timer is Timer.ORPHAN


def test_coming_back_stops_the_window() -> None:
    rig = rig_with(reattach_window=90.0, ping_interval=None)
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    rig.wait(80)
    come_back(rig, client).answer(call, method="telnyx_rtc.attach")
    rig.wait(1000)
    assert call in rig.core.calls


@pytest.mark.parametrize("number", ["ring", "early"])
def test_a_call_without_an_answer_ends_with_its_socket(number: str) -> None:
    """SRV-022: and no bye is ever delivered."""
    rig = rig_with(plan=CallPlan(answer_delay=5.0))
    client = rig.client()
    client.invite(number)
    client.lose()
    assert rig.core.calls == {}
    assert rig.peers == {}
    again = come_back(rig, client)
    assert order(again) == ["telnyx_rtc.clientReady"]


def test_an_answer_may_count_only_once_media_is_connected() -> None:
    """SRV-022: the window between answer and DTLS."""
    rig = Rig(connects=False)
    client = rig.client()
    early, established = client.invite("echo"), client.invite("echo")
    rig.media_state(established)
    client.lose()
    assert list(rig.core.calls) == [established]
    assert early not in rig.core.calls


def test_a_lost_client_may_hear_nothing() -> None:
    """SRV-008."""
    rig = rig_with(quirks=Quirks(silent_when_lost=True))
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    assert rig.hears(call) == Silence()
    come_back(rig, client)
    assert rig.hears(call) == Echo()


def test_a_held_call_comes_back_held() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    client.ask("telnyx_rtc.modify", client.dialog(call, action="hold"))
    client.lose()
    come_back(rig, client).answer(call, method="telnyx_rtc.attach")
    assert rig.hears(call) == Silence()
    assert rig.core.calls[CallId(call)].held


def test_a_ringing_call_may_be_offered_again() -> None:
    """CALL-538: the client answers it in its own time."""
    rig = rig_with(quirks=Quirks(ringing_survives_loss=True), attach_limit=30.0)
    client = rig.client()
    call = rig.command("call_user", "alice")
    client.ringing_call()
    client.lose()
    again = come_back(rig, client)
    assert order(again) == ["telnyx_rtc.attach", "telnyx_rtc.clientReady"]
    rig.wait(40)
    again.answer(call)
    assert rig.hears(call) == Echo()
    assert len(rig.media_of(call)) == 1


def test_an_attach_answers_a_ringing_call_too() -> None:
    """SIG-344: the reference does so by itself."""
    rig = rig_with(quirks=Quirks(ringing_survives_loss=True))
    client = rig.client()
    call = rig.command("call_user", "alice")
    client.ringing_call()
    client.lose()
    come_back(rig, client).answer(call, method="telnyx_rtc.attach")
    assert rig.hears(call) == Echo()


def test_a_call_that_is_answered_while_its_client_is_away() -> None:
    """CALL-538, outbound: the attach negotiates, so the answer has no SDP to bring."""
    rig = rig_with(quirks=Quirks(ringing_survives_loss=True), plan=CallPlan(answer_delay=10.0))
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    again = come_back(rig, client)
    again.answer(call, method="telnyx_rtc.attach")
    rig.wait(10)
    assert again.frames[-1]["method"] == "telnyx_rtc.answer"
    assert "sdp" not in again.frames[-1]["params"]
    assert rig.hears(call) == Echo()


def test_an_attach_that_is_not_taken_up_leaves_a_healthy_call_as_it_is() -> None:
    """CALL-517."""
    rig = rig_with(attach_limit=30.0)
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    client.lose()
    come_back(rig, client)
    (old, _) = rig.media_of(call)
    rig.wait(30)
    assert rig.media_of(call) == [old]
    assert rig.hears(call) == Echo()


def test_an_attach_that_is_not_taken_up_ends_a_call_without_media() -> None:
    """SIG-343: the leg times out."""
    rig = rig_with(attach_limit=30.0)
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    client.lose()
    rig.media_state(call, "failed")
    again = come_back(rig, client)
    rig.wait(30)
    assert again.frames[-1]["params"]["cause"] == "RECOVERY_ON_TIMER_EXPIRE"
    assert rig.core.calls == {}


def test_a_media_update_overtakes_an_attach_that_is_still_open() -> None:
    rig = rig_with(attach_limit=30.0)
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    rig.command("renegotiate", call)
    client.ask("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=OFFER))
    assert len(rig.media_of(call)) == 2, "the one in use, and the update"
    assert client.refused("telnyx_rtc.attach", client.dialog(call, sdp=OFFER))["message"] == "CALL ERROR"
    rig.wait(60)
    assert len(rig.media_of(call)) == 2, "the attach is no longer waited for, the update is left alone"


def test_an_inbound_call_whose_attach_is_not_taken_up_ends_like_any_other() -> None:
    rig = rig_with(attach_limit=30.0)
    client = rig.client()
    call = rig.command("call_user", "alice")
    client.answer(client.ringing_call())
    client.lose()
    again = come_back(rig, client)
    rig.media_state(call, "failed", newest=False)
    rig.wait(29.9)
    assert call in rig.core.calls
    rig.wait(0.1)
    assert again.pushed("telnyx_rtc.bye")[-1]["params"]["cause"] == "RECOVERY_ON_TIMER_EXPIRE"


def test_an_attach_whose_media_fails_leaves_the_old_one_or_ends_the_call() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    client.lose()
    again = come_back(rig, client)
    again.answer(call, method="telnyx_rtc.attach")
    rig.media_state(call, "failed")
    assert len(rig.media_of(call)) == 1
    rig.command("renegotiate", call)
    again.answer(call, method="telnyx_rtc.attach")
    rig.media_state(call, "closed", newest=False)
    rig.media_state(call, "failed")
    assert again.frames[-1]["params"]["causeCode"] == 27


def test_an_attach_that_was_not_offered_is_refused() -> None:
    client = Rig().client()
    call = client.invite("echo")
    assert client.refused("telnyx_rtc.attach", client.dialog(call, sdp=OFFER))["message"] == "CALL ERROR"
    assert client.refused("telnyx_rtc.attach", client.dialog("x", sdp=OFFER))["message"] == "CALL DOES NOT EXIST"


def test_an_attach_needs_its_sdp() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.command("renegotiate", call)
    assert client.refused("telnyx_rtc.attach", client.dialog(call))["message"] == "SDP missing"


def test_the_server_renegotiates_with_an_attach() -> None:
    """SRV-009."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.command("renegotiate", call)
    assert client.frames[-1]["method"] == "telnyx_rtc.attach"
    client.answer(call, method="telnyx_rtc.attach")
    rig.media_state(call)
    assert len(rig.media_of(call)) == 1


def test_an_offer_is_answered_once_and_a_new_one_takes_its_place() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.command("renegotiate", call)
    client.answer(call, method="telnyx_rtc.attach")
    assert client.refused("telnyx_rtc.attach", client.dialog(call, sdp=OFFER))["message"] == "CALL ERROR"
    rig.command("renegotiate", call)
    assert len(rig.media_of(call)) == 2, "what was negotiated and never connected makes room"
    client.answer(call, method="telnyx_rtc.attach")


def test_a_loss_during_the_attach_begins_again() -> None:
    rig = Rig(auto_media=False)
    client = rig.client()
    call = client.invite("echo")
    rig.settle()
    rig.media_state(call)
    client.lose()
    again = come_back(rig, client)
    again.lose()
    assert len(rig.media_of(call)) == 1
    rig.settle()
    third = come_back(rig, client)
    rig.settle()
    assert order(third) == ["telnyx_rtc.attach", "telnyx_rtc.clientReady"]


def test_a_second_socket_takes_the_calls_over() -> None:
    """SRV-024: punt to the first, the call attaches to the second."""
    rig = Rig()
    first = rig.client()
    call = first.invite("echo")
    second = come_back(rig, first)
    assert first.frames[-1]["method"] == "telnyx_rtc.punt"
    assert first.closed == (1000, "punt")
    assert order(second) == ["telnyx_rtc.attach", "telnyx_rtc.clientReady"]
    assert call in rig.core.calls


def test_a_login_again_on_the_same_socket_lists_the_calls_without_an_attach() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    client.take()
    client.login(sessid=client.sessid)
    assert client.take()[-1]["params"]["reattached_sessions"] == [call]
    assert client.pushed("telnyx_rtc.attach") == []


def test_another_user_on_the_same_socket_leaves_the_calls_behind() -> None:
    rig = Rig()
    client = rig.client("alice")
    kept, ended = client.invite("echo"), client.invite("ring")
    session = client.sessid
    client.login("bob", "hush")
    assert client.refused("telnyx_rtc.bye", client.dialog(kept))["message"] == "CALL DOES NOT EXIST"
    assert list(rig.core.calls) == [kept]
    assert ended not in rig.core.calls
    client.lose()
    again = rig.connect()
    again.login("alice", "secret", sessid=session)
    assert again.frames[-1]["params"]["reattached_sessions"] == [kept]


def test_calls_that_were_left_behind_wait_no_longer_than_others() -> None:
    rig = rig_with(reattach_window=90.0)
    client = rig.client("alice")
    client.invite("echo")
    client.login("bob", "hush")
    rig.wait(89.9)
    assert len(rig.core.calls) == 1
    rig.wait(0.1)
    assert rig.core.calls == {}


def test_the_other_party_is_not_disturbed_by_a_loss() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    near = alice.invite("bob")
    far = bob.ringing_call()
    bob.answer(far)
    bob.take()
    alice.lose()
    again = come_back(rig, alice)
    again.answer(near, method="telnyx_rtc.attach")
    assert bob.take() == []
    assert rig.hears(far) == FromCall(CallId(near))
    bob.bye(far)
    assert again.frames[-1]["method"] == "telnyx_rtc.bye"


def test_a_ringing_callee_that_is_lost_fails_the_call() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    bob.ringing_call()
    bob.lose()
    assert alice.frames[-1]["params"]["causeCode"] == 27


def test_a_caller_that_is_lost_cancels_the_callee() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    bob.ringing_call()
    alice.lose()
    assert bob.frames[-1]["params"]["causeCode"] == 487
    assert rig.core.calls == {}


# Commands against sockets and memory.


@pytest.mark.parametrize(("code", "seen"), [(None, 1006), (1001, 1001), (4000, 4000)])
def test_a_dropped_socket_is_lost_at_once(code: int | None, seen: int) -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.command("drop", client.socket, code=code)
    assert client.closed is not None
    assert client.closed[0] == seen
    assert [(event.user, event.code) for event in rig.told(ClientLost)] == [("alice", seen)]
    assert call in rig.core.calls
    before = len(rig.actions)
    client.lose()
    client.send("late")
    assert len(rig.actions) == before, "what a dead socket says is nothing"


def test_punt_by_command() -> None:
    """SIG-170."""
    rig = Rig()
    client = rig.client()
    rig.command("punt", client.socket)
    assert client.frames[-1]["method"] == "telnyx_rtc.punt"
    assert client.closed == (1000, "punt")


def test_a_restart_forgets_everything_and_tells_nobody() -> None:
    rig = rig_with(ping_interval=None)
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    bob.answer(bob.ringing_call())
    alice.invite("echo")
    bob.invite("ring")
    alice.invite("bob")
    away = rig.client("alice")
    away.invite("echo")
    away.lose()
    before = [len(client.texts) for client in (alice, bob)]
    rig.command("restart")
    assert [len(client.texts) for client in (alice, bob)] == before
    assert alice.closed == bob.closed == (1006, "")
    assert rig.core.calls == {}
    assert rig.peers == {}
    assert rig.core.sockets() == []
    assert rig.core.next_timeout() is None
    again = come_back(rig, alice)
    assert again.frames[-1]["params"] == {"reattached_sessions": []}


def test_forgotten_sessions_are_not_known_again() -> None:
    rig = rig_with(ping_interval=None)
    online, away = rig.client("alice"), rig.client("bob")
    live, lost = online.invite("echo"), away.invite("echo")
    away.lose()
    rig.command("forget_sessions")
    assert list(rig.core.calls) == [live]
    assert lost not in rig.core.calls
    again = come_back(rig, away, "bob")
    assert again.frames[-1]["params"] == {"reattached_sessions": []}
    online.lose()
    rig.wait(0)
    assert rig.core.calls == {}
    assert come_back(rig, online).frames[-1]["params"] == {"reattached_sessions": []}


def test_a_forgotten_session_that_is_claimed_while_it_lives_is_not_disturbed() -> None:
    rig = rig_with(ping_interval=None)
    client = rig.client()
    call = client.invite("echo")
    rig.command("forget_sessions")
    again = come_back(rig, client)
    assert again.frames[-1]["params"] == {"reattached_sessions": []}
    assert client.closed is None
    assert client.bye(call)["callID"] == call
    client.lose()
    rig.wait(0)
    third = come_back(rig, again)
    assert again.closed is not None, "the session that took the id is the one that is known"
    assert third.closed is None
