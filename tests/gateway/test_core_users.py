"""Calls between users, and calls that the gateway makes."""

from typing import Any

import pytest

from telnyx_core.errors import InvalidCallParameters, InvalidCallState, NotConnected
from telnyx_core.facts import DigitHeard
from telnyx_core.gateway import CallPlan, GatewayOptions
from telnyx_core.gateway.actions import Echo, FromCall, Silence, Tone
from telnyx_core.gateway.events import CallAnswered, CallEnded, CallRinging, CallStarted
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader
from tests.gateway.rig import BAD, OFFER, Client, Rig

USERS = {"alice": "secret", "bob": "hush"}
HEADERS = [{"name": "X-Ref", "value": "42"}]


def connected(rig: Rig) -> tuple[Client, Client, str, str]:
    """alice speaks to bob: both clients and the ids of the two legs."""
    alice, bob = rig.client("alice"), rig.client("bob")
    near = alice.invite("bob")
    far = bob.ringing_call()
    bob.answer(far)
    return alice, bob, near, far


def last(client: Client) -> dict[str, Any]:
    return client.frames[-1]


def test_a_dialled_user_is_invited_with_the_caller_as_caller() -> None:
    """SIG-107, SIG-145: two legs, each with its own id; the session id is shared."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    near = alice.invite("bob", caller_id_name="Alice", caller_id_number="+1555", custom_headers=HEADERS)
    (invite,) = bob.take()
    params = invite["params"]
    assert params["callID"] != near
    assert (params["caller_id_name"], params["caller_id_number"]) == ("Alice", "+1555")
    assert (params["callee_id_number"], params["display_direction"]) == ("bob", "outbound")
    assert params["dialogParams"]["custom_headers"] == HEADERS
    assert params["sdp"].startswith("v=0\r\n")
    bob.acknowledge(invite)
    ringing = last(alice)["params"]
    assert ringing["telnyx_session_id"] == params["telnyx_session_id"]
    assert ringing["telnyx_leg_id"] != params["telnyx_leg_id"]


def test_the_caller_hears_ringing_once_the_callee_acknowledged() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    assert "telnyx_rtc.ringing" not in [frame.get("method") for frame in alice.frames]
    bob.ringing_call()
    bob.ringing_call()
    assert len(alice.pushed("telnyx_rtc.ringing")) == 1
    assert len(rig.told(CallRinging)) == 2


def test_a_caller_without_a_number_is_known_by_its_name() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("sip:bob@example.com")
    assert bob.take()[0]["params"]["caller_id_number"] == "alice"


def test_an_answer_connects_the_two() -> None:
    """Each hears the other; the headers of the answer reach the caller."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    near = alice.invite("bob")
    far = bob.ringing_call()
    assert bob.answer(far, custom_headers=HEADERS)["callID"] == far
    answer, display = alice.frames[-2:]
    assert answer["method"] == "telnyx_rtc.answer"
    assert answer["params"]["dialogParams"]["custom_headers"] == HEADERS
    assert answer["params"]["sdp"].startswith("v=0\r\n")
    assert display["method"] == "telnyx_rtc.display", "PS-022: it follows the answer"
    assert display["params"]["display_number"] == "bob"
    assert (rig.hears(near), rig.hears(far)) == (FromCall(CallId(far)), FromCall(CallId(near)))
    assert rig.core.calls[CallId(near)].partner == far
    assert len(rig.told(CallAnswered)) == 2


def test_the_caller_is_answered_only_with_its_sdp() -> None:
    """Whatever comes first: the callee may be quicker than the media engine."""
    rig = Rig(auto_media=False)
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    offered = rig.owed.pop()
    rig.tell(offered)
    far = bob.ringing_call()
    bob.request("telnyx_rtc.answer", bob.dialog(far, sdp=OFFER))
    assert last(alice)["method"] == "telnyx_rtc.ringing"
    rig.settle()
    assert alice.pushed("telnyx_rtc.answer")


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_what_ends_one_leg_ends_the_other(who: str) -> None:
    rig = Rig()
    alice, bob, near, far = connected(rig)
    ender, call, other, its_call = (alice, near, bob, far) if who == "caller" else (bob, far, alice, near)
    ender.ask(
        "telnyx_rtc.bye",
        {"cause": "NORMAL_CLEARING", "causeCode": 16, "dialogParams": {"callID": call, "custom_headers": HEADERS}},
    )
    bye = last(other)
    assert (bye["method"], bye["params"]["callID"]) == ("telnyx_rtc.bye", its_call)
    assert (bye["params"]["causeCode"], bye["params"]["sipCode"]) == (16, 200)
    assert bye["params"]["dialogParams"]["custom_headers"] == HEADERS
    assert {event.by for event in rig.told(CallEnded)} == {"client", "far_end"}
    assert rig.core.calls == {}
    assert rig.peers == {}


def test_a_rejection_reaches_the_caller_with_its_cause() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    bob.bye(bob.ringing_call(), cause="CALL_REJECTED", causeCode=21)
    assert (last(alice)["params"]["cause"], last(alice)["params"]["sipCode"]) == ("CALL_REJECTED", 603)


def test_a_caller_who_gives_up_cancels_the_callee() -> None:
    """CALL-410k."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    near = alice.invite("bob")
    bob.ringing_call()
    alice.bye(near)
    assert (last(bob)["params"]["cause"], last(bob)["params"]["causeCode"]) == ("ORIGINATOR_CANCEL", 487)


def test_a_callee_who_does_not_answer_in_time() -> None:
    rig = Rig(GatewayOptions(users=USERS, plan=CallPlan(ring_timeout=20.0)))
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    bob.ringing_call()
    rig.wait(20)
    assert last(alice)["params"]["cause"] == "NO_ANSWER"
    assert last(bob)["params"]["cause"] == "ORIGINATOR_CANCEL"


def test_a_callee_with_a_bad_answer_goes_on_ringing_until_it_says_bye() -> None:
    """PS-027: "A refused `answer` ("CODEC ERROR", "MEDIA ERROR") does **not** end the call at the server"."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("bob")
    far = bob.ringing_call()
    error = bob.refused("telnyx_rtc.answer", bob.dialog(far, sdp=BAD))
    assert (error["code"], error["message"]) == (-32002, "CODEC ERROR")
    assert not alice.pushed("telnyx_rtc.bye")
    bob.bye(far, cause="INCOMPATIBLE_DESTINATION", causeCode=88)
    assert last(alice)["params"]["causeCode"] == 88


def test_both_sockets_of_a_user_ring_and_the_slower_one_loses() -> None:
    """SRV-024: LOSE_RACE 702."""
    rig = Rig()
    alice, first, second = rig.client("alice"), rig.client("bob"), rig.client("bob")
    near = alice.invite("bob")
    lost, won = first.ringing_call(), second.ringing_call()
    assert lost != won
    second.answer(won)
    assert (last(first)["params"]["cause"], last(first)["params"]["causeCode"]) == ("LOSE_RACE", 702)
    assert rig.core.calls[CallId(near)].partner == won
    assert first.refused("telnyx_rtc.answer", first.dialog(lost))["message"] == "CALL DOES NOT EXIST"


def test_one_of_two_sockets_rejecting_leaves_the_other_ringing() -> None:
    rig = Rig()
    alice, first, second = rig.client("alice"), rig.client("bob"), rig.client("bob")
    alice.invite("bob")
    first.bye(first.ringing_call())
    assert "telnyx_rtc.bye" not in [frame.get("method") for frame in alice.frames]
    second.bye(second.ringing_call())
    assert last(alice)["params"]["cause"] == "USER_BUSY"


def test_a_user_who_calls_itself_rings_its_other_sockets() -> None:
    rig = Rig()
    first, second = rig.client("alice"), rig.client("alice")
    first.invite("alice")
    assert second.ringing_call()
    assert first.pushed("telnyx_rtc.invite") == []


def test_a_user_without_a_socket_is_no_number() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    bob.lose()
    alice.invite("bob")
    assert last(alice)["params"]["cause"] == "UNALLOCATED_NUMBER"


def test_a_hold_gives_silence_to_one_and_music_to_the_other() -> None:
    """SRV-028."""
    rig = Rig()
    alice, bob, near, far = connected(rig)
    alice.ask("telnyx_rtc.modify", alice.dialog(near, action="hold"))
    assert (rig.hears(near), rig.hears(far)) == (Silence(), Tone("hold_music"))
    bob.ask("telnyx_rtc.modify", bob.dialog(far, action="hold"))
    assert (rig.hears(near), rig.hears(far)) == (Silence(), Silence())
    alice.ask("telnyx_rtc.modify", alice.dialog(near, action="unhold"))
    assert (rig.hears(near), rig.hears(far)) == (Tone("hold_music"), Silence())
    bob.ask("telnyx_rtc.modify", bob.dialog(far, action="unhold"))
    assert (rig.hears(near), rig.hears(far)) == (FromCall(CallId(far)), FromCall(CallId(near)))


def test_text_reaches_the_other_side_and_digits_do_not() -> None:
    """PS-021: "Digits pressed by the far end reach a WebRTC client neither as RFC 4733 nor as `info`"."""
    rig = Rig()
    alice, bob, near, far = connected(rig)
    alice.take()
    bob.take()
    alice.ask("telnyx_rtc.info", alice.dialog(near, dtmf="9"))
    rig.tell(DigitHeard(rig.media_of(far)[0], "3", 0.1))
    assert bob.take() == []
    assert not alice.pushed("telnyx_rtc.info")
    message = {"from": "bob", "to": "alice", "body": "hi"}
    bob.ask("telnyx_rtc.info", bob.dialog(far, msg=message))
    assert last(alice)["params"] == {"callID": near, "msg": message}


def test_a_caller_who_wants_early_sdp_hears_ringback() -> None:
    rig = Rig()
    alice, bob = rig.client("alice", loginParams={"early_sdp_answer": True}), rig.client("bob")
    near = alice.invite("bob")
    assert alice.pushed("telnyx_rtc.media")
    assert rig.hears(near) == Tone("ringback")
    bob.answer(bob.ringing_call())
    assert "sdp" not in last(alice)["params"]


# The gateway calls.


def test_the_gateway_calls_a_user() -> None:
    rig = Rig()
    bob = rig.client("bob")
    call = rig.command(
        "call_user",
        "bob",
        from_number="+1777",
        from_name="Carol",
        custom_headers=(CustomHeader("X-A", "1"),),
        client_state="c3Q=",
    )
    (invite,) = bob.take()
    params = invite["params"]
    assert params["callID"] == call
    assert (params["caller_id_name"], params["caller_id_number"], params["client_state"]) == ("Carol", "+1777", "c3Q=")
    assert params["dialogParams"]["custom_headers"] == [{"name": "X-A", "value": "1"}]
    (started,) = rig.told(CallStarted)
    assert (started.direction, started.user, started.call) == ("inbound", "bob", call)
    bob.acknowledge(invite)
    bob.answer(call)
    assert rig.hears(call) == Echo()


@pytest.mark.parametrize(("behaviour", "source"), [("tone", Tone("tone")), ("silence", Silence())])
def test_what_stands_behind_a_call_of_the_gateway(behaviour: str, source: object) -> None:
    rig = Rig()
    bob = rig.client("bob")
    call = rig.command("call_user", "bob", behaviour=behaviour)
    bob.answer(bob.ringing_call())
    assert rig.hears(call) == source


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_an_invite_without_sdp_is_followed_by_media(delay: float) -> None:
    """CALL-344, CALL-346."""
    rig = Rig()
    bob = rig.client("bob")
    call = rig.command("call_user", "bob", with_sdp=False, sdp_delay=delay)
    invite = bob.frames[2]
    assert invite["method"] == "telnyx_rtc.invite"
    assert "sdp" not in invite["params"]
    assert len(bob.pushed("telnyx_rtc.media")) == (0 if delay else 1)
    rig.wait(delay)
    (media,) = bob.pushed("telnyx_rtc.media")
    assert media["params"]["callID"] == call
    assert media["params"]["sdp"].startswith("v=0\r\n")
    bob.answer(call)
    assert rig.core.calls[call].phase.name == "ANSWERED"


def test_an_answer_to_what_was_not_offered_is_refused() -> None:
    rig = Rig(auto_media=False)
    bob = rig.client("bob")
    call = rig.command("call_user", "bob", with_sdp=False)
    assert bob.refused("telnyx_rtc.answer", bob.dialog(call, sdp="v=0"))["message"] == "CALL ERROR"
    rig.settle()
    assert bob.refused("telnyx_rtc.answer", bob.dialog(call))["message"] == "SDP missing"
    bob.request("telnyx_rtc.answer", bob.dialog(call, sdp=OFFER))
    assert bob.refused("telnyx_rtc.answer", bob.dialog(call, sdp="v=0"))["message"] == "CALL ERROR"
    outbound = bob.invite("echo")
    assert bob.refused("telnyx_rtc.answer", bob.dialog(outbound, sdp="v=0"))["message"] == "CALL ERROR"


def test_the_gateway_hangs_up_with_any_cause() -> None:
    """CALL-410: a name brings its code and SIP status, a code its name."""
    rig = Rig()
    bob = rig.client("bob")
    for members, cause, code, sip, reason in (
        ({}, "NORMAL_CLEARING", 16, 200, "OK"),
        ({"cause_name": "NO_ANSWER"}, "NO_ANSWER", 19, 480, "Temporarily Unavailable"),
        ({"cause_code": 21}, "CALL_REJECTED", 21, 603, "Decline"),
        ({"cause_name": "MINE", "cause_code": 999}, "MINE", 999, None, None),
        ({"sip_code": 603, "sip_reason": "No"}, "NORMAL_CLEARING", 16, 603, "No"),
        ({"sip_code": 603}, "NORMAL_CLEARING", 16, 603, None),
        ({"sip_reason": "Fine"}, "NORMAL_CLEARING", 16, 200, "Fine"),
    ):
        call = bob.invite("echo")
        rig.command("hangup", call, **members, custom_headers=(CustomHeader("X-B", "2"),))
        params = last(bob)["params"]
        assert (params["cause"], params["causeCode"]) == (cause, code)
        assert (params.get("sipCode"), params.get("sipReason")) == (sip, reason)
        assert params["sip_call_id"]
        assert params["dialogParams"]["custom_headers"] == [{"name": "X-B", "value": "2"}]


def test_hanging_up_on_a_ringing_user_stops_all_its_sockets() -> None:
    rig = Rig()
    first, second = rig.client("bob"), rig.client("bob")
    call = rig.command("call_user", "bob")
    rig.command("hangup", call, cause_name="ORIGINATOR_CANCEL")
    for client in (first, second):
        assert last(client)["params"]["causeCode"] == 487


def test_a_ringing_client_that_nobody_wants_any_more_is_cancelled() -> None:
    rig = Rig(GatewayOptions(users=USERS, plan=CallPlan(ring_timeout=5.0)))
    bob = rig.client("bob")
    rig.command("call_user", "bob")
    rig.wait(5)
    assert last(bob)["params"]["cause"] == "ORIGINATOR_CANCEL"


def test_commands_that_cannot_be_obeyed_are_refused_and_change_nothing() -> None:
    rig = Rig()
    client = rig.client("alice")
    call = client.invite("ring")
    actions = len(rig.actions)
    for error, name, args, kwargs in (
        (NotConnected, "call_user", ("bob",), {}),
        (InvalidCallParameters, "call_user", ("alice",), {"sdp_delay": -1.0}),
        (InvalidCallState, "hangup", ("nobody",), {}),
        (InvalidCallState, "renegotiate", (call,), {}),
        (NotConnected, "send", (99, "x"), {}),
        (NotConnected, "drop", (99,), {}),
    ):
        with pytest.raises(error):
            rig.command(name, *args, **kwargs)
    assert len(rig.actions) == actions


def test_the_gateway_pushes_what_it_is_told_to() -> None:
    """SIG-153, SIG-164, SIG-171, SIG-183."""
    rig = Rig()
    bob = rig.client("bob")
    call = bob.invite("echo")
    bob.take()
    rig.command("display", call, "Carol", "1005")
    rig.command("info", call, {"some": "info"})
    rig.command("event", bob.socket, {"eventChannel": "x", "eventType": "y"})
    rig.command("ai_event", bob.socket, {"type": "anything"})
    rig.command("push", bob.socket, "telnyx_rtc.strange", {"a": 1})
    rig.command("ping", bob.socket)
    rig.command("send", bob.socket, "not json")
    display, info, event, conversation, strange, ping = bob.take()
    assert display["params"] == {
        "callID": call,
        "display_name": "Carol",
        "display_number": "1005",
        "display_direction": "outbound",
    }
    assert info["params"] == {"callID": call, "some": "info"}
    assert event["method"] == "telnyx_rtc.event"
    assert conversation["params"] == {"type": "anything"}
    assert (strange["method"], strange["params"]) == ("telnyx_rtc.strange", {"a": 1})
    assert ping["params"] == {"serno": 1}
    assert bob.texts[-1] == "not json"
