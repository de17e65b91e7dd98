"""Calls that a client makes to numbers the gateway answers itself."""

from typing import Any

import pytest

from telnyx_core._assistant import Conversation
from telnyx_core.actions import ApplyRemote, OpenPeer, SendDigits
from telnyx_core.errors import InvalidCallState, OptionsError
from telnyx_core.facts import DigitHeard, NegotiationFailed
from telnyx_core.gateway import Assistant, CallPlan, Calls, GatewayOptions, Hears, Limits, Quirks, Says
from telnyx_core.gateway.actions import Echo, Silence, Tone
from telnyx_core.gateway.events import (
    CallAnswered,
    CallEnded,
    CallHeld,
    CallRinging,
    CallStarted,
    CallUpdated,
    CandidateReceived,
    DigitsReceived,
    MediaConnected,
    MediaLost,
    MessageReceived,
)
from telnyx_core.ids import MediaId
from tests.gateway import rig as rig_module
from tests.gateway.rig import BAD, OFFER, Client, Rig

USERS = {"alice": "secret", "bob": "hush"}


def rig_with(**members: Any) -> Rig:
    return Rig(GatewayOptions(users=USERS, **members))


def methods(client: Client) -> list[str]:
    """What came since the last look: method names, ``result`` for a reply, ``error`` for a refusal."""
    return [
        frame.get("method", "").removeprefix("telnyx_rtc.") or ("error" if "error" in frame else "result")
        for frame in client.take()
    ]


def test_an_echo_call_rings_and_is_answered_with_sdp() -> None:
    """SRV-025: without early media the SDP is in `answer`; SIG-150, SIG-152 name the members."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo", caller_id_number="+15550001111")
    created, ringing, answer = client.take()
    assert created["result"] == {"message": "CALL CREATED", "callID": call, "sessid": client.sessid}
    assert ringing["params"]["callID"] == call
    assert ringing["params"]["caller_id_number"] == "+15550001111"
    assert ringing["params"]["callee_id_number"] == "echo"
    assert ringing["params"]["display_direction"] == "inbound"
    assert answer["params"]["sdp"].startswith("v=0\r\n")
    for name in ("telnyx_call_control_id", "telnyx_session_id", "telnyx_leg_id"):
        assert answer["params"][name] == ringing["params"][name] != ""
    assert rig.hears(call) == Echo()
    assert [type(event) for event in rig.events[-4:]] == [CallStarted, CallRinging, CallAnswered, MediaConnected]


def test_the_clients_offer_reaches_the_engine_before_an_answer_is_asked_for() -> None:
    rig = Rig(auto_media=False)
    client = rig.client()
    call = client.invite("echo", sdp="v=0\r\nthe offer")
    (media,) = rig.media_of(call)
    assert rig.applied == [ApplyRemote(media, "offer", "v=0\r\nthe offer")]
    assert methods(client) == ["result", "ringing"]
    rig.settle()
    assert methods(client) == ["answer"]


@pytest.mark.parametrize(
    ("number", "source"), [("echo", Echo()), ("tone", Tone("tone")), ("silence", Silence()), ("assistant", Echo())]
)
def test_what_the_numbers_let_one_hear(number: str, source: object) -> None:
    rig = Rig()
    assert rig.hears(rig.client().invite(number)) == source


@pytest.mark.parametrize("number", ["sip:echo@example.com", "echo@example.com", "sip:echo"])
def test_a_sip_address_is_known_by_its_user(number: str) -> None:
    rig = rig_with(routes={"echo": "echo", "sip:whole@example.com": "tone"})
    client = rig.client()
    assert rig.hears(client.invite(number)) == Echo()
    assert rig.hears(client.invite("sip:whole@example.com")) == Tone("tone")


def test_early_media_brings_the_sdp_and_the_answer_has_none() -> None:
    """SRV-025."""
    rig = rig_with(plan=CallPlan(answer_delay=3.0))
    client = rig.client()
    call = client.invite("early")
    assert methods(client) == ["result", "ringing", "media"]
    assert client.frames[-1]["params"].keys() == {"callID", "sdp", "variables"}
    assert rig.hears(call) == Tone("ringback")
    rig.wait(3)
    (answer,) = client.take()
    assert answer["method"] == "telnyx_rtc.answer"
    assert "sdp" not in answer["params"]
    assert rig.hears(call) == Echo()


def test_an_answer_may_repeat_the_sdp() -> None:
    rig = rig_with(quirks=Quirks(answer_repeats_sdp=True))
    client = rig.client()
    client.invite("early")
    media, answer = client.take()[-2:]
    assert media["params"]["sdp"] == answer["params"]["sdp"]


def test_a_client_that_asked_for_it_gets_early_sdp_in_every_call() -> None:
    """SIG-113."""
    rig = Rig()
    client = rig.client(loginParams={"early_sdp_answer": True})
    client.invite("tone")
    assert methods(client) == ["result", "ringing", "media", "answer"]


def test_the_delays_are_kept() -> None:
    rig = rig_with(plan=CallPlan(ringing_delay=1.0, early_delay=2.0, answer_delay=4.0))
    client = rig.client()
    client.invite("early")
    assert methods(client) == ["result"]
    rig.wait(0.5)
    assert methods(client) == []
    rig.wait(0.5)
    assert methods(client) == ["ringing"]
    rig.wait(2.0)
    assert methods(client) == ["media"]
    rig.wait(4.0)
    assert methods(client) == ["answer"]


@pytest.mark.parametrize(
    ("number", "cause", "code", "sip"),
    [
        ("busy", "USER_BUSY", 17, 486),
        ("reject", "CALL_REJECTED", 21, 603),
        ("+15559998888", "UNALLOCATED_NUMBER", 1, 404),
        ("", "UNALLOCATED_NUMBER", 1, 404),
    ],
)
def test_a_call_that_fails_is_accepted_first(number: str, cause: str, code: int, sip: int) -> None:
    """SRV-026, CALL-410."""
    rig = Rig()
    client = rig.client()
    call = client.invite(number)
    assert methods(client) == ["result", "bye"]
    params = client.frames[-1]["params"]
    assert (params["callID"], params["cause"], params["causeCode"], params["sipCode"]) == (call, cause, code, sip)
    (ended,) = rig.told(CallEnded)
    assert (ended.cause.cause, ended.by) == (cause, "far_end")
    assert rig.core.calls == {}
    assert rig.peers == {}
    assert rig.unreleased == set()


def test_a_call_that_fails_may_be_refused_instead() -> None:
    rig = rig_with(quirks=Quirks(accept_first=False))
    client = rig.client()
    error = client.refused("telnyx_rtc.invite", client.invitation("busy", "c1"))
    assert error == {
        "code": -32002,
        "message": "CALL ERROR",
        "callID": "c1",
        "cause": "USER_BUSY",
        "causeCode": 17,
    }
    assert rig.told(CallStarted) == []


def test_a_number_that_is_never_answered_times_out() -> None:
    """CALL-354: the server ends it."""
    rig = rig_with(plan=CallPlan(ring_timeout=25.0))
    client = rig.client()
    client.invite("ring")
    rig.wait(24.9)
    assert methods(client) == ["result", "ringing"]
    rig.wait(0.1)
    (bye,) = client.take()
    assert (bye["params"]["cause"], bye["params"]["causeCode"], bye["params"]["sipCode"]) == ("NO_ANSWER", 19, 480)


def test_without_a_limit_it_rings_for_ever() -> None:
    rig = rig_with(plan=CallPlan(ring_timeout=None), ping_interval=None)
    rig.client().invite("ring")
    assert rig.core.next_timeout() is None


def test_an_answered_call_has_no_deadline() -> None:
    rig = rig_with(ping_interval=None)
    rig.client().invite("echo")
    assert rig.core.next_timeout() is None


def test_an_invite_that_lacks_something_is_refused() -> None:
    """SIG-105 and the messages of SIG-077."""
    client = Rig().client()
    error = client.refused("telnyx_rtc.invite", {"sessid": client.sessid, "sdp": OFFER})
    assert (error["code"], error["message"]) == (-32002, "Dialog data missing")
    error = client.refused("telnyx_rtc.invite", {"sdp": OFFER, "dialogParams": {"destination_number": "echo"}})
    assert error["message"] == "CallID missing"
    assert client.refused("telnyx_rtc.invite", client.invitation("echo", "c1", sdp=None))["message"] == "SDP missing"


def test_a_call_id_in_use_fails_the_invite_itself() -> None:
    """SRV-026: error -32002, cause 27. An id whose call has ended is free again."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.invite("echo", "same")
    for client in (alice, bob):
        error = client.refused("telnyx_rtc.invite", client.invitation("echo", "same"))
        assert (error["code"], error["causeCode"], error["callID"]) == (-32002, 27, "same")
    alice.bye("same")
    bob.invite("echo", "same")


def test_more_calls_than_the_gateway_holds_are_refused() -> None:
    rig = rig_with(limits=Limits(calls=1))
    client = rig.client()
    client.invite("echo")
    assert client.refused("telnyx_rtc.invite", client.invitation("echo", "c2"))["causeCode"] == 41


def test_a_bad_sdp_ends_an_accepted_call() -> None:
    """SRV-026: 88."""
    rig = Rig()
    client = rig.client()
    client.invite("echo", sdp=BAD)
    bye = client.take()[-1]
    assert (bye["method"], bye["params"]["causeCode"]) == ("telnyx_rtc.bye", 88)
    assert rig.peers == {}


def test_an_engine_that_fails_ends_the_call() -> None:
    rig = Rig(auto_media=False)
    client = rig.client()
    (media,) = rig.media_of(client.invite("echo"))
    rig.tell(NegotiationFailed(media, "create_answer", "no codec"))
    assert client.take()[-1]["params"]["causeCode"] == 88


def test_headers_and_client_state_are_noticed() -> None:
    rig = Rig()
    client = rig.client()
    headers = [{"name": "X-Ref", "value": "42"}, {"name": 7, "value": "x"}, "nonsense"]
    client.invite("echo", custom_headers=headers, clientState="c3RhdGU=", caller_id_name="Me")
    (started,) = rig.told(CallStarted)
    assert [(header.name, header.value) for header in started.custom_headers] == [("X-Ref", "42")]
    assert (started.client_state, started.caller_name, started.direction) == ("c3RhdGU=", "Me", "outbound")
    assert started.params["User-Agent"] == "Web-2.27.10"


# The end.


def test_a_bye_is_answered_and_a_second_one_finds_nothing() -> None:
    """SRV-027, SIG-154."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    assert client.bye(call, cause="NORMAL_CLEARING", causeCode=16) == {
        "callID": call,
        "message": "CALL ENDED",
        "cause": "NORMAL_CLEARING",
        "causeCode": 16,
        "sip_call_id": None,
        "sessid": client.sessid,
    }
    error = client.refused("telnyx_rtc.bye", client.dialog(call))
    assert (error["code"], error["message"], error["callID"]) == (-32002, "CALL DOES NOT EXIST", call)
    assert "telnyx_rtc.bye" not in [frame.get("method") for frame in client.frames], "who hung up is not told so"
    (ended,) = rig.told(CallEnded)
    assert (ended.cause.cause, ended.cause.sip_code, ended.by) == ("NORMAL_CLEARING", 200, "client")


def test_a_request_about_no_call_is_refused() -> None:
    """SIG-105."""
    client = Rig().client()
    assert client.refused("telnyx_rtc.bye", {})["message"] == "Dialog data missing"
    assert client.refused("telnyx_rtc.bye", {"dialogParams": {"audio": True}})["message"] == "CallID missing"


@pytest.mark.parametrize(("number", "code"), [("echo", 16), ("ring", 17)])
def test_a_bye_without_a_cause_has_the_usual_one(number: str, code: int) -> None:
    """CALL-401."""
    client = Rig().client()
    assert client.bye(client.invite(number))["causeCode"] == code


def test_the_headers_of_a_bye_are_noticed() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    dialog = {"callID": call, "custom_headers": [{"name": "X-Why", "value": "done"}]}
    client.ask("telnyx_rtc.bye", {"cause": "MINE", "causeCode": 4321, "dialogParams": dialog})
    (ended,) = rig.told(CallEnded)
    assert [(header.name, header.value) for header in ended.custom_headers] == [("X-Why", "done")]
    assert (ended.cause.cause, ended.cause.cause_code, ended.cause.sip_code) == ("MINE", 4321, None)


def test_the_sip_status_of_a_bye_is_kept() -> None:
    rig = Rig()
    client = rig.client()
    client.bye(client.invite("echo"), cause="NORMAL_CLEARING", causeCode=16, sipCode=299, sipReason="So so")
    (ended,) = rig.told(CallEnded)
    assert (ended.cause.sip_code, ended.cause.sip_reason) == (299, "So so")
    client.bye(client.invite("echo"), cause="USER_BUSY", causeCode=17, sipReason="My own")
    assert (rig.told(CallEnded)[1].cause.sip_code, rig.told(CallEnded)[1].cause.sip_reason) == (486, "My own")
    client.bye(client.invite("echo"), cause="USER_BUSY", causeCode=17)
    assert rig.told(CallEnded)[2].cause.sip_reason == "Busy Here"


def test_nobody_ends_the_call_of_somebody_else() -> None:
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    call = alice.invite("echo")
    assert bob.refused("telnyx_rtc.bye", bob.dialog(call))["message"] == "CALL DOES NOT EXIST"
    assert call in rig.core.calls


def test_a_bye_before_the_answer_stops_everything() -> None:
    rig = rig_with(plan=CallPlan(answer_delay=5.0), ping_interval=None)
    client = rig.client()
    call = client.invite("echo")
    client.bye(call)
    client.take()
    assert rig.core.next_timeout() is None
    rig.wait(10)
    assert client.take() == []
    assert rig.peers == {}


# Hold.


def test_hold_unhold_and_toggle() -> None:
    """SIG-160, SRV-028: no SDP, `holdState` alone, and the server falls silent."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    for action, state, source in (
        ("hold", "held", Silence()),
        ("hold", "held", Silence()),
        ("unhold", "active", Echo()),
        ("toggleHold", "held", Silence()),
        ("toggleHold", "active", Echo()),
    ):
        result = client.ask("telnyx_rtc.modify", client.dialog(call, action=action))
        assert result == {"callID": call, "action": action, "holdState": state, "sessid": client.sessid}
        assert rig.hears(call) == source
    assert [event.held for event in rig.told(CallHeld)] == [True, False, True, False]


def test_modify_needs_a_call_an_action_and_an_answer() -> None:
    client = Rig().client()
    error = client.refused("telnyx_rtc.modify", client.dialog("nobody", action="hold"))
    assert (error["message"], error["action"]) == ("CALL DOES NOT EXIST", "hold")
    ringing, answered = client.invite("ring"), client.invite("echo")
    assert client.ask("telnyx_rtc.modify", client.dialog(ringing, action="hold"))["holdState"] == "active"
    assert client.refused("telnyx_rtc.modify", client.dialog(answered))["message"] == "action missing"
    assert client.refused("telnyx_rtc.modify", client.dialog(answered, action="transfer"))["code"] == -32002


# Digits and text.


def test_digits_by_message_and_in_the_audio_are_noticed() -> None:
    """SIG-163, RFC 4733."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    assert client.ask("telnyx_rtc.info", client.dialog(call, dtmf="12#")) == {
        "message": "SENT",
        "sessid": client.sessid,
    }
    rig.tell(DigitHeard(rig.media_of(call)[0], "5", 0.1))
    assert [(event.digits, event.via) for event in rig.told(DigitsReceived)] == [("12#", "info"), ("5", "audio")]
    assert client.pushed("telnyx_rtc.info") == []


def test_digits_are_sent_in_the_audio_of_the_peer_in_use() -> None:
    """SRV-005: a far end can press keys, too."""
    rig = Rig(connects=False)
    client = rig.client()
    call = client.invite("echo")
    (media,) = rig.media_of(call)
    rig.media_state(call)
    rig.command("digits", call, "1w#")
    assert [action for action in rig.actions if isinstance(action, SendDigits)] == [SendDigits(media, "1w#")]
    with pytest.raises(ValueError, match="digits"):
        rig.command("digits", call, "1x")
    with pytest.raises(InvalidCallState, match="no media"):
        rig.command("digits", client.invite("ring"), "1")


def test_an_echo_repeats_text_too() -> None:
    """SIG-163b, SIG-164."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    client.ask("telnyx_rtc.info", client.dialog(call, msg={"from": "alice", "to": "echo", "body": "hi"}))
    (event,) = rig.told(MessageReceived)
    assert (event.sender, event.to, event.body) == ("alice", "echo", "hi")
    (info,) = client.pushed("telnyx_rtc.info")
    assert info["params"] == {"callID": call, "msg": {"from": "echo", "to": "alice", "body": "hi"}}


# Candidates.


def test_candidates_wait_for_the_remote_description() -> None:
    """SIG-166 on this side of the wire."""
    rig = Rig(auto_media=False)
    client = rig.client()
    call = client.invite("echo")
    candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 1}
    client.ask("telnyx_rtc.candidate", client.dialog(call, **candidate))
    client.ask("telnyx_rtc.endOfCandidates", client.dialog(call, endOfCandidates=True))
    assert rig.candidates == []
    rig.settle()
    assert [(one.candidate, one.sdp_mid, one.sdp_m_line_index) for one in rig.candidates] == [
        (candidate["candidate"], "0", 1),
        ("", None, 0),
    ]
    client.ask("telnyx_rtc.candidate", client.dialog(call, **candidate))
    assert len(rig.candidates) == 3
    assert [event.candidate for event in rig.told(CandidateReceived)][1] == ""


def test_waiting_candidates_are_bounded() -> None:
    rig = Rig(GatewayOptions(users=USERS, limits=Limits(candidates=2)), auto_media=False)
    client = rig.client()
    call = client.invite("echo")
    for _ in range(5):
        client.ask("telnyx_rtc.candidate", client.dialog(call, candidate="candidate:x"))
    rig.settle()
    assert len(rig.candidates) == 2


def test_a_candidate_for_a_call_without_media_is_taken_and_lost() -> None:
    rig = rig_with(plan=CallPlan(ringing_delay=5.0))
    client = rig.client()
    call = client.invite("busy")
    client.ask("telnyx_rtc.candidate", client.dialog(call, candidate="candidate:x"))
    assert rig.candidates == []


def test_a_server_without_trickle_does_not_know_the_methods() -> None:
    """SRV-030."""
    client = rig_with(quirks=Quirks(trickle=False)).client()
    call = client.invite("echo")
    for method in ("telnyx_rtc.candidate", "telnyx_rtc.endOfCandidates"):
        assert client.refused(method, client.dialog(call))["code"] == -32601


# Media.


def test_a_media_update_gets_its_answer_in_the_result_and_a_new_peer() -> None:
    """SIG-161, SRV-029. The old peer carries the call until the new one is connected."""
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    old = rig.used[call]  # type: ignore[index]
    result = client.ask("telnyx_rtc.modify", client.dialog(call, action="updateMedia", callID=call, sdp=OFFER))
    assert (result["callID"], result["action"]) == (call, "updateMedia")
    assert result["sdp"].startswith("v=0\r\n")
    assert rig.media_of(call) == [old, old + 1]
    assert rig.used[call] == old  # type: ignore[index]
    rig.media_state(call)
    assert rig.media_of(call) == [old + 1]
    assert rig.used[call] == old + 1  # type: ignore[index]
    assert len(rig.told(CallUpdated)) == 1
    assert len(rig.told(MediaConnected)) == 2


def test_a_media_update_with_the_same_certificate_restarts_the_path() -> None:
    """As the platform does: with another certificate there is another handshake, over a path of its own."""
    rig = Rig()
    client = rig.client()
    one, other = (f"{OFFER}a=fingerprint:sha-256 {byte}\r\n" for byte in ("AA", "BB"))
    call = client.invite("echo", sdp=one)
    rig.media_state(call)
    for offer in (one.replace("AA", "aa"), other, other, OFFER, OFFER):
        client.ask("telnyx_rtc.modify", client.dialog(call, action="updateMedia", callID=call, sdp=offer))
        rig.media_state(call)
    first, *opened = (each for each in rig.actions if isinstance(each, OpenPeer))
    assert [each.config.renews for each in opened] == [first.media, None, first.media + 2, None, None]


@pytest.mark.parametrize("inbound", [False, True])
def test_a_renewed_path_has_the_stream_and_the_handshake_parts_of_the_first(
    inbound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser takes its track out of a stream that is named anew, and cannot change its part in the handshake."""
    described = rig_module._sdp

    def with_stream(media: MediaId) -> str:
        return described(media) + f"a=msid:stream-{media} track\r\na=setup:passive\r\n"

    monkeypatch.setattr(rig_module, "_sdp", with_stream)
    rig = Rig()
    client = rig.client()
    if inbound:
        rig.command("call_user", "alice")
        call = client.ringing_call()
        client.answer(call, OFFER + "a=setup:passive\r\n")
        first = client.pushed("telnyx_rtc.invite")[0]["params"]["sdp"]
    else:
        call = client.invite("echo")
        first = client.pushed("telnyx_rtc.answer")[0]["params"]["sdp"]
    rig.media_state(call)
    offer = OFFER + "a=setup:actpass\r\n"
    again = client.ask("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=offer))["sdp"]
    stream = [line for line in first.splitlines() if line.startswith("a=msid:")]
    assert len(stream) == 1
    assert [line for line in again.splitlines() if line.startswith("a=msid:")] == stream
    assert f"a=setup:{'passive' if inbound else 'active'}" in rig.applied[-1].sdp


def test_a_media_update_that_fails_leaves_the_call_alone() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    before = rig.media_of(call)
    error = client.refused("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=BAD))
    assert error["code"] == -32002
    assert rig.media_of(call) == before
    assert client.refused("telnyx_rtc.modify", client.dialog(call, action="updateMedia"))["message"] == "SDP missing"
    assert call in rig.core.calls


def test_one_media_update_at_a_time() -> None:
    rig = Rig(auto_media=False)
    client = rig.client()
    call = client.invite("echo")
    rig.settle()
    rig.media_state(call)
    client.request("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=OFFER))
    client.refused("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=OFFER))
    rig.settle()
    assert len(rig.told(CallUpdated)) == 1


def test_a_media_update_of_an_unanswered_call_kills_it() -> None:
    """CALL-906, PS-008."""
    rig = Rig()
    client = rig.client()
    call = client.invite("ring")
    client.refused("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=OFFER))
    assert client.take()[-1]["params"]["cause"] == "DESTINATION_OUT_OF_ORDER"


def test_media_that_never_connects_ends_the_call() -> None:
    """SRV-002: bye 27."""
    rig = Rig(connects=False)
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call, "failed")
    assert client.take()[-1]["params"]["causeCode"] == 27


def test_media_that_is_lost_may_come_back() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    rig.media_state(call)
    assert rig.core.calls[call].connected  # type: ignore[index]
    rig.media_state(call, "closed")
    assert [event.call for event in rig.told(MediaLost)] == [call]
    assert not rig.core.calls[call].connected  # type: ignore[index]
    client.ask("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=OFFER))
    rig.media_state(call)
    assert rig.core.calls[call].connected  # type: ignore[index]


def test_late_news_of_a_closed_peer_changes_nothing() -> None:
    rig = Rig()
    client = rig.client()
    call = client.invite("echo")
    (media,) = rig.media_of(call)
    client.bye(call)
    before = len(rig.actions)
    rig.tell(DigitHeard(media, "1", 0.1))
    rig.tell(NegotiationFailed(media, "other", "late"))
    assert len(rig.actions) == before


# Conversation with an assistant.

ASSISTANT = Assistant(
    greeting="Hello there",
    replies={"weather": "It rains."},
    tools={"look up": ("lookup", {"q": 1})},
    widget_settings={"theme": "dark"},
)


def said(client: Client) -> list[dict[str, Any]]:
    frames = client.pushed("ai_conversation")
    assert all(isinstance(frame["id"], str) for frame in frames), "SIG-056"
    return [frame["params"] for frame in frames]


def user_text(text: str) -> dict[str, Any]:
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "previous_item_id": None, "item": item}


def assistant_call() -> tuple[Rig, Client]:
    rig = Rig(GatewayOptions(users=USERS, assistants={"a1": ASSISTANT}))
    client = rig.connect()
    client.ask("anonymous_login", {"target_type": "ai_assistant", "target_id": "a1"})
    client.invite("")
    return rig, client


def test_an_anonymous_call_reaches_the_assistant_whatever_was_dialled() -> None:
    """CALL-973, AI-005, SIG-122."""
    rig, client = assistant_call()
    kinds = [params["type"] for params in said(client)]
    assert kinds == [
        "widget_settings",
        "response.text.delta",
        "response.text.delta",
        "conversation.item.created",
    ]
    assert said(client)[0]["widget_settings"] == {"theme": "dark"}
    assert "".join(params["delta"] for params in said(client)[1:3]) == "Hello there"
    other = client.invite("busy")
    assert rig.hears(other) == Echo()


@pytest.mark.parametrize(("text", "reply"), [("How is the WEATHER?", "It rains."), ("Something", "Something")])
def test_the_assistant_replies_to_text(text: str, reply: str) -> None:
    """SIG-180, SIG-184: the user's item, the deltas, the assistant's item."""
    _, client = assistant_call()
    before = len(said(client))
    assert client.ask("ai_conversation", user_text(text))["message"] == "SENT"
    mine, *deltas, last = said(client)[before:]
    assert mine["item"]["role"] == "user"
    assert mine["item"]["id"] == "u1"
    assert {delta["item_id"] for delta in deltas} == {last["item"]["id"]}
    assert "".join(delta["delta"] for delta in deltas) == last["item"]["content"][0]["text"] == reply


def test_the_assistant_calls_a_function_and_says_what_it_returned() -> None:
    """AI-012, AI-021, AI-022: the output is a notification and gets no reply."""
    _, client = assistant_call()
    client.ask("ai_conversation", user_text("please look up"))
    function = said(client)[-1]["item"]
    assert (function["type"], function["name"], function["arguments"]) == ("function_call", "lookup", '{"q": 1}')
    before = len(client.frames)
    output = {"type": "function_call_output", "call_id": function["call_id"], "output": '{"ok":true}'}
    client.send({"jsonrpc": "2.0", "method": "ai_conversation", "params": {**user_text(""), "item": output}})
    assert all(frame.get("method") == "ai_conversation" for frame in client.frames[before:])
    assert said(client)[-1]["item"]["content"][0]["text"] == '{"ok":true}'


def transcript(client: Client) -> list[tuple[str, str, bool]]:
    """As the client's own session puts it together."""
    conversation = Conversation()
    for params in said(client):
        conversation.heard(params, 0.0)
    return [(item.role, item.content, item.partial) for item in conversation.transcript]


def test_a_script_is_carried_out_at_its_pace_and_interrupted() -> None:
    script = (
        Says("One two three four five", after=1.0),
        Hears("Stop.", after=0.5),
        Calls("lookup", {"q": 1}, after=1.0),
    )
    rig = Rig(GatewayOptions(users=USERS, assistants={"a1": Assistant(pace=0.2, script=script)}))
    client = rig.connect()
    client.ask("anonymous_login", {"target_type": "ai_assistant", "target_id": "a1"})
    call = client.invite("")
    assert said(client) == []
    rig.wait(1.1)
    assert transcript(client) == [("assistant", "One", True)]
    rig.wait(0.5)
    assert transcript(client) == [("assistant", "One two three", False), ("user", "Stop.", False)]
    rig.wait(1.0)
    assert said(client)[-1]["item"]["name"] == "lookup"
    client.ask("ai_conversation", user_text("Four words it says."))
    rig.wait(0.3)
    assert transcript(client)[-1] == ("assistant", "Four words", True)
    rig.wait(5.0)
    assert transcript(client)[-1] == ("assistant", "Four words it says.", False)
    client.ask("ai_conversation", user_text("Nothing comes of this"))
    client.bye(call)
    before = len(said(client))
    rig.wait(5.0)
    assert len(said(client)) == before, "nothing is said after the call"


def test_a_pace_and_the_times_of_a_script_are_seconds() -> None:
    for wrong in ({"pace": -1.0}, {"script": (Says("x", after=float("nan")),)}):
        with pytest.raises(OptionsError):
            Assistant(**wrong)  # type: ignore[arg-type]


def test_without_a_call_the_assistant_only_listens() -> None:
    rig = Rig()
    client = rig.client()
    assert client.ask("ai_conversation", user_text("hello"))["message"] == "SENT"
    assert said(client) == []


def test_text_in_whatever_form_is_read() -> None:
    """AI-013. The newest answered call to an assistant is meant, whatever other calls there are."""
    rig, client = assistant_call()
    client.login()
    client.invite("assistant")
    client.invite("echo")
    for content, text in (("plain", "plain"), (7, ""), ([{"transcript": "a"}, 7, {"text": "b"}, {}], "a b")):
        client.ask("ai_conversation", {**user_text(""), "item": {"type": "message", "content": content}})
        assert said(client)[-1]["item"]["content"][0]["text"] == text
    assert len(rig.core.calls) == 3


def test_a_long_text_comes_in_few_pieces() -> None:
    _, client = assistant_call()
    before = len(said(client))
    text = "word " * 5000
    client.ask("ai_conversation", user_text(text.strip()))
    pieces = said(client)[before + 1 : -1]
    assert len(pieces) <= 64
    assert "".join(piece["delta"] for piece in pieces) == text.strip()
