"""What Telnyx's public FreeSWITCH fork was seen to do, done by the gateway: each test quotes its rule."""

from typing import Any, get_args

import pytest

from telnyx_core.gateway import CallPlan, GatewayOptions, Like, Quirks
from telnyx_core.gateway.actions import Echo, Silence
from telnyx_core.gateway.events import CallEnded, CallHeld, CallStarted, ClientLoggedIn, DigitsReceived
from telnyx_core.gateway.sdp import disguise, reachable
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader, Region
from tests.gateway.rig import BAD, OFFER, WALL, Client, Rig

USERS = {"alice": "secret", "bob": "hush"}
LIKES: tuple[Like, ...] = ("mod_verto", "telnyx")
BOTH = pytest.mark.parametrize("like", LIKES)


def rig_like(like: Like, *, connects: bool | None = None, **members: Any) -> Rig:
    return Rig(GatewayOptions(like=like, users=USERS, **members), connects=connects)


def come_back(rig: Rig, client: Client) -> Client:
    again = rig.connect()
    again.login("alice", "secret", sessid=client.sessid, reconnection=True)
    return again


def said(client: Client) -> list[str]:
    return [frame["method"].removeprefix("telnyx_rtc.") for frame in client.frames if "method" in frame]


# Sessions and recovery.


@BOTH
def test_a_detached_call_lives_for_120_seconds_in_silence(like: Like) -> None:
    """PS-001: "media stops at once at the server, the call lives **120 s**"."""
    rig = rig_like(like)
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    assert rig.hears(call) == Silence()
    rig.wait(119.9)
    again = come_back(rig, client)
    assert said(again) == ["attach", "clientReady"]
    again.answer(call, method="telnyx_rtc.attach")
    assert rig.hears(call) == Echo()
    again.lose()
    rig.wait(120)
    assert rig.core.calls == {}


@BOTH
@pytest.mark.parametrize("seconds", range(0, 120, 7))
def test_a_login_with_the_session_id_at_any_second_of_the_window_gets_its_attach(like: Like, seconds: int) -> None:
    """PS-002: "a login with the id 105 s after the loss gets its `attach`"."""
    rig = rig_like(like)
    client = rig.client()
    call = client.invite("echo")
    client.lose()
    rig.wait(seconds)
    assert come_back(rig, client).frames[-1]["params"] == {"reattached_sessions": [call]}


@BOTH
def test_any_session_id_is_taken_and_an_unknown_one_has_an_empty_list(like: Like) -> None:
    """PS-002: "any session id at login, however old; an unknown one is answered with an empty list"."""
    client = rig_like(like).connect()
    assert client.login(sessid="of-last-year")["sessid"] == "of-last-year"
    assert client.frames[-1]["params"] == {"reattached_sessions": []}


@BOTH
def test_the_list_names_calls_and_comes_after_their_attach(like: Like) -> None:
    """PS-004: "`clientReady.reattached_sessions` lists **call ids**"; "`attach` comes *before* `clientReady`"."""
    rig = rig_like(like)
    client = rig.client()
    calls = [client.invite("echo"), client.invite("tone")]
    client.lose()
    again = come_back(rig, client)
    assert said(again) == ["attach", "attach", "clientReady"]
    assert again.frames[-1]["params"]["reattached_sessions"] == calls


@BOTH
def test_after_a_crash_the_list_is_empty_and_the_attach_comes_later(like: Like) -> None:
    """PS-005: "`clientReady {"reattached_sessions": []}` and **0.3 to 0.45 s later** [...] the `attach` for the same
    call id"."""
    rig = rig_like(like)
    client = rig.client()
    call, ringing = client.invite("echo"), client.invite("ring")
    rig.command("restart", recover=True)
    assert client.closed == (1006, "")
    assert list(rig.core.calls) == [call], "what was not answered is gone"
    assert ringing not in rig.core.calls
    again = come_back(rig, client)
    assert again.take()[-1]["params"] == {"reattached_sessions": []}
    rig.wait(0.39)
    assert again.take() == []
    rig.wait(0.02)
    (attach,) = again.take()
    assert (attach["method"], attach["params"]["callID"]) == ("telnyx_rtc.attach", call)
    again.answer(call, method="telnyx_rtc.attach")
    assert rig.hears(call) == Echo()


@BOTH
def test_a_crash_that_the_client_sleeps_through_costs_the_call_after_the_window(like: Like) -> None:
    """PS-001 holds for a call that was recovered, too."""
    rig = rig_like(like)
    client = rig.client()
    client.invite("echo")
    rig.command("restart", recover=True)
    again = come_back(rig, client)
    again.lose()  # Within the 0.4 s.
    rig.wait(1.0)
    third = come_back(rig, client)
    assert said(third) == ["attach", "clientReady"]
    third.lose()
    rig.wait(120)
    assert rig.core.calls == {}
    assert rig.core.next_timeout() is None


@BOTH
def test_the_node_has_another_id_after_a_crash(like: Like) -> None:
    """PS-023: `Core-UUID`, as recorded before and after a crash."""
    rig = rig_like(like)
    client = rig.client()
    client.invite("echo")
    before = client.pushed("telnyx_rtc.answer")[0]["params"]["variables"]["Core-UUID"]
    rig.command("restart", recover=True)
    again = come_back(rig, client)
    rig.wait(1)
    assert again.pushed("telnyx_rtc.attach")[0]["params"]["variables"]["Core-UUID"] != before


@BOTH
def test_an_unanswered_call_is_hung_up_with_its_socket(like: Like) -> None:
    """PS-006: "An *unanswered* call is hung up by the server when the socket is lost (27 DESTINATION_OUT_OF_ORDER)"."""
    rig = rig_like(like)
    client = rig.client()
    client.invite("ring")
    client.lose()
    (ended,) = rig.told(CallEnded)
    assert (ended.cause.cause, ended.cause.cause_code) == ("DESTINATION_OUT_OF_ORDER", 27)
    assert said(come_back(rig, client)) == ["clientReady"]


@BOTH
@pytest.mark.parametrize("inbound", [False, True])
def test_a_call_that_is_not_to_be_recovered_ends_at_the_loss(like: Like, inbound: bool) -> None:
    """PS-007: "`dialogParams.recoverCall: false`: the call ends at the loss instead of being detached."."""
    rig = rig_like(like)
    client = rig.client()
    if inbound:
        rig.command("call_user", "alice")
        client.answer(client.ringing_call(), recoverCall=False)
    else:
        client.invite("echo", recoverCall=False)
    assert len(rig.core.calls) == 1
    client.lose()
    assert rig.core.calls == {}


@BOTH
@pytest.mark.parametrize("method", ["modify", "attach"])
def test_a_description_before_media_is_connected_ends_the_call(like: Like, method: str) -> None:
    """PS-008: "`updateMedia` and `attach` in the moments between the `answer` on the wire and the server counting the
    call as answered [...] **hang the call up** (27; "Cannot update a call that has not been answered.")"."""
    rig = rig_like(like, connects=False)
    client = rig.client()
    call = client.invite("echo")
    assert client.pushed("telnyx_rtc.answer")
    error = client.refused(f"telnyx_rtc.{method}", client.dialog(call, action="updateMedia", sdp=OFFER))
    assert error["message"] == "Cannot update a call that has not been answered."
    assert client.take()[-1]["params"]["causeCode"] == 27
    again = client.invite("echo")
    rig.media_state(again)
    client.ask("telnyx_rtc.modify", client.dialog(again, action="updateMedia", sdp=OFFER))
    assert list(rig.core.calls) == [again]


@BOTH
def test_a_hold_before_media_is_connected_holds_nothing(like: Like) -> None:
    """PS-009: "`hold` in that window is answered `{"action":"hold","holdState":"active"}`: nothing is held."."""
    rig = rig_like(like, connects=False)
    client = rig.client()
    call = client.invite("echo")
    result = client.ask("telnyx_rtc.modify", client.dialog(call, action="hold"))
    assert (result["action"], result["holdState"]) == ("hold", "active")
    assert not rig.core.calls[CallId(call)].held
    assert not rig.told(CallHeld)
    rig.media_state(call)
    assert client.ask("telnyx_rtc.modify", client.dialog(call, action="hold"))["holdState"] == "held"


FULL = (
    "v=0\r\na=group:BUNDLE 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 96 9 0 101\r\na=mid:0\r\na=rtpmap:96 opus/48000/2\r\n"
    "a=fmtp:96 useinbandfec=1\r\na=rtcp-fb:96 nack\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=end-of-candidates\r\n"
)


def test_a_reattach_offers_one_codec_and_the_digits_of_the_first_offer() -> None:
    """PS-010: "A re-attach offer carries **one codec** [...] and telephone-event only if our first offer had it"."""
    text = disguise(FULL, Quirks(), "attach", codec="G722/8000")
    assert "m=audio 4000 RTP/SAVPF 9 101\r\n" in text
    assert "opus" not in text
    assert ":96 " not in text
    assert "m=audio 4000 RTP/SAVPF 0\r\n" in disguise(
        FULL, Quirks(), "attach", codec="PCMU/8000", telephone_event=False
    )
    assert "96 9 0 101" in disguise(FULL, Quirks(), "attach", codec="speex/8000"), "a codec that is not there"


def test_an_inbound_invite_offers_all_codecs_and_no_digits() -> None:
    """PS-010: "An inbound invite carries all codecs and **no telephone-event**, no `a=mid`"."""
    text = disguise(FULL, Quirks(), "invite")
    assert "m=audio 4000 RTP/SAVPF 96 9 0\r\n" in text
    assert "telephone-event" not in text
    assert "a=mid" not in text


def test_mid_is_repeated_in_answers_and_reattach_offers_only() -> None:
    """PS-011: "`a=mid`: none in inbound invites and renegotiation attaches; answers and re-attach offers echo ours"."""
    with_mid = {kind: "a=mid:0" in disguise(FULL, Quirks(), kind) for kind in ("answer", "attach", "invite", "renewal")}
    assert with_mid == {"answer": True, "attach": True, "invite": False, "renewal": False}


def test_the_codec_of_a_call_is_the_one_that_was_negotiated_first() -> None:
    """PS-010, on the wire: an answer that begins with PCMU makes an attach with PCMU, here without digits."""
    rig = rig_like("mod_verto")
    client = rig.client()
    call = client.invite("echo", sdp=OFFER)
    client.lose()
    attach = come_back(rig, client).pushed("telnyx_rtc.attach")[0]
    assert " RTP/SAVPF 0\r\n" in attach["params"]["sdp"]
    assert call == attach["params"]["callID"]


@BOTH
def test_a_login_with_an_end_is_told_and_then_closed_with_1000(like: Like) -> None:
    """PS-012: "A login with an end carries `auth-expires` (unix seconds) in the login result, in pongs and in server
    pings; at that time the socket is closed with **1000** and calls detach, to re-attach after a good login."."""
    rig = rig_like(like, login_lasts=50.0, ping_interval=20.0)
    client = rig.connect()
    ends = int(WALL + rig.now + 50)
    assert client.login()["auth-expires"] == ends
    call = client.invite("echo")
    assert client.ask("telnyx_rtc.ping")["auth-expires"] == ends
    rig.wait(20)
    assert client.pushed("telnyx_rtc.ping")[0]["params"]["auth-expires"] == ends
    rig.wait(29)
    client.login(sessid=client.sessid)
    rig.wait(49)
    assert client.closed is None, "another login on the same socket begins anew"
    rig.wait(1)
    assert client.closed == (1000, "")
    assert come_back(rig, client).frames[-1]["params"]["reattached_sessions"] == [call]


@BOTH
def test_a_second_login_that_fails_leaves_the_first_one_in_force(like: Like) -> None:
    """PS-014: "A re-login that fails leaves the socket usable with the old login. Before login everything is answered
    -32000."."""
    client = rig_like(like).connect()
    assert client.refused("telnyx_rtc.ping")["code"] == -32000
    client.login()
    assert client.refused("login", {"login": "alice", "passwd": "wrong"})["message"] == "Login Incorrect"
    client.ask("telnyx_rtc.ping")


@BOTH
def test_an_orderly_stop_ends_calls_with_701_and_the_socket_at_once(like: Like) -> None:
    """PS-015: "an orderly stop ends calls with 701 and the socket within 50 ms"."""
    rig = rig_like(like)
    client = rig.client()
    client.invite("echo")
    rig.command("shut_down")
    assert client.frames[-1]["params"]["causeCode"] == 701
    assert client.frames[-1]["params"]["cause"] == "SYSTEM_SHUTDOWN"
    assert client.closed is not None
    assert come_back(rig, client).frames[-1]["params"] == {"reattached_sessions": []}


# Calls.


@BOTH
@pytest.mark.parametrize(
    ("sent", "heard"), [("12w34", "12w34"), ("1,2", "12"), ("1@250+2", "12"), ("aF#*W", "aF#*W"), (",", None)]
)
def test_digits_by_message(like: Like, sent: str, heard: str | None) -> None:
    """PS-020: "`0-9 * # A-D a-d F f` are digits, `@ms` a duration, `+` groups; **`,` is dropped; `w` and `W` are
    delivered as digits**"."""
    rig = rig_like(like)
    client = rig.client()
    call = client.invite("echo")
    assert client.ask("telnyx_rtc.info", client.dialog(call, dtmf=sent))["message"] == "SENT"
    assert [event.digits for event in rig.told(DigitsReceived)] == ([] if heard is None else [heard])


@BOTH
def test_digits_for_a_call_that_is_unknown_are_not_said_to_be_sent(like: Like) -> None:
    """PS-020: "a reply without it means the call is unknown"."""
    client = rig_like(like).client()
    assert "message" not in client.ask("telnyx_rtc.info", client.dialog("nobody", dtmf="1"))


def test_the_fork_says_nothing_of_a_far_end_that_rings_and_production_does() -> None:
    """PS-022: "There is never a `ringing` frame from the fork; [...] `display` follows the answer. Production sends
    `ringing`"."""
    heard = {}
    for like in LIKES:
        rig = rig_like(like, plan=CallPlan(answer_delay=1.0))
        alice, bob = rig.client("alice"), rig.client("bob")
        alice.invite("bob")
        bob.answer(bob.ringing_call())
        heard[like] = [method for method in said(alice) if method != "clientReady"]
    assert heard == {"mod_verto": ["answer", "display"], "telnyx": ["ringing", "answer", "display"]}


@BOTH
def test_variables_come_with_every_description(like: Like) -> None:
    """PS-023: "`variables` on `invite`, `answer`, `media`, `attach`: `Core-UUID`, `FreeSWITCH-Hostname`, `Event-*`,
    service variables `telnyx_rtc_svar_*`"."""
    rig = rig_like(like, hostname="node-7")
    client = rig.client()
    client.invite("early")
    rig.command("call_user", "alice", variables={"parent_call_id": "c-1"})
    client.answer(client.ringing_call())
    client.lose()
    again = come_back(rig, client)
    (media,), (answer,) = client.pushed("telnyx_rtc.media"), client.pushed("telnyx_rtc.answer")
    (invite,), (first, second) = client.pushed("telnyx_rtc.invite"), again.pushed("telnyx_rtc.attach")
    told = [frame["params"]["variables"] for frame in (media, answer, invite, first, second)]
    assert {variables["FreeSWITCH-Hostname"] for variables in told} == {"node-7"}
    assert len({variables["Core-UUID"] for variables in told}) == 1
    assert len({variables["Event-Sequence"] for variables in told}) == 5
    assert [variables.get("telnyx_rtc_svar_parent_call_id") for variables in told] == [None, None, "c-1", None, "c-1"]
    assert all(isinstance(value, str) for variables in told for value in variables.values())


def test_headers_stand_at_the_top_level_in_the_fork() -> None:
    """PS-024: "Custom headers of the server may stand at the **top level** of params with a prefix
    (`"telnyx_rtc_h_X-Hello": "world"`) instead of `dialogParams.custom_headers`"."""
    for like in LIKES:
        rig = rig_like(like)
        client = rig.client()
        rig.command("call_user", "alice", custom_headers=(CustomHeader("X-Hello", "world"),))
        params = client.pushed("telnyx_rtc.invite")[0]["params"]
        assert ("telnyx_rtc_h_X-Hello" in params) == (like == "mod_verto")
        assert ("dialogParams" in params) == (like == "telnyx")
        assert ("telnyx_leg_id" in params) == (like == "telnyx")


@BOTH
def test_only_strings_and_booleans_are_kept_of_user_variables(like: Like) -> None:
    """PS-025: "`userVariables`: strings and booleans are kept, numbers and objects vanish without a word"."""
    rig = rig_like(like)
    given = {"a": "x", "b": True, "c": 7, "d": {"e": 1}, "f": None}
    client = rig.client(userVariables=given)
    client.invite("echo", userVariables=given)
    kept = {"a": "x", "b": True}
    assert rig.told(ClientLoggedIn)[0].params["userVariables"] == kept
    assert rig.told(CallStarted)[0].params["dialogParams"]["userVariables"] == kept


@BOTH
def test_causes_from_500_up(like: Like) -> None:
    """PS-026: "CRASH 700, SYSTEM_SHUTDOWN 701, LOSE_RACE 702, MANAGER_REQUEST 703, BLIND_TRANSFER 800, ALLOTTED_TIMEOUT
    **802**, MEDIA_TIMEOUT 804, USER_NOT_REGISTERED 806, INVALID_GATEWAY **808**, DECLINE 816, UNWANTED 819"."""
    names = {
        "CRASH": 700,
        "SYSTEM_SHUTDOWN": 701,
        "LOSE_RACE": 702,
        "MANAGER_REQUEST": 703,
        "BLIND_TRANSFER": 800,
        "ALLOTTED_TIMEOUT": 802,
        "MEDIA_TIMEOUT": 804,
        "USER_NOT_REGISTERED": 806,
        "INVALID_GATEWAY": 808,
        "DECLINE": 816,
        "UNWANTED": 819,
    }
    rig = rig_like(like)
    client = rig.client()
    for name, code in names.items():
        rig.command("hangup", CallId(client.invite("echo")), cause_name=name)
        assert client.take()[-1]["params"]["causeCode"] == code


def test_a_bye_of_the_fork_has_a_cause_and_nothing_else() -> None:
    """As recorded: `{"callID": ..., "causeCode": 17, "cause": "USER_BUSY"}`."""
    client = rig_like("mod_verto").client()
    call = client.invite("busy")
    assert client.take()[-1]["params"] == {"callID": call, "causeCode": 17, "cause": "USER_BUSY"}


@BOTH
def test_no_common_codec_ends_a_call_that_was_created(like: Like) -> None:
    """PS-027: "No common codec, or an SDP that does not parse: `CALL CREATED`, then bye 88 within 0.1 s."."""
    client = rig_like(like).client()
    client.invite("echo", sdp=BAD)
    assert client.take()[-1]["params"]["causeCode"] == 88


@BOTH
def test_a_refused_answer_does_not_end_the_call(like: Like) -> None:
    """PS-027: "A refused `answer` ("CODEC ERROR", "MEDIA ERROR") does **not** end the call at the server"."""
    rig = rig_like(like)
    client = rig.client()
    rig.command("call_user", "alice")
    call = client.ringing_call()
    error = client.refused("telnyx_rtc.answer", client.dialog(call, sdp=BAD))
    assert (error["code"], error["message"]) == (-32002, "CODEC ERROR")
    assert CallId(call) in rig.core.calls
    assert not client.pushed("telnyx_rtc.bye")


@BOTH
def test_modify_with_what_is_unknown_and_transfer_of_what_is_not_bridged(like: Like) -> None:
    """PS-028: "An unknown modify action is answered with success; `transfer` of an unbridged call with "call is not
    bridged"; a bye with an unknown cause name falls to causeCode."."""
    rig = rig_like(like)
    client = rig.client()
    call = client.invite("echo")
    assert client.ask("telnyx_rtc.modify", client.dialog(call, action="sing"))["action"] == "sing"
    assert (
        "call is not bridged" in client.refused("telnyx_rtc.modify", client.dialog(call, action="transfer"))["message"]
    )
    client.bye(call, cause="NO_SUCH_CAUSE", causeCode=21)
    (ended,) = rig.told(CallEnded)
    assert (ended.cause.cause, ended.cause.cause_code) == ("CALL_REJECTED", 21)


# Media.

HOST = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=candidate:1 1 udp 2130706431 {} 4000 typ host\r\n"


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.2",
        "169.254.3.4",
        "100.64.0.1",
        "0.0.0.0",
        "127.0.0.1",
        "fe80::1",
        "x.local",
    ],
)
@BOTH
def test_a_client_with_private_candidates_only_is_refused(like: Like, address: str) -> None:
    """PS-040: "private and carrier-grade ranges [...] are refused by default. None left: the call ends with a bare 88
    or "CODEC ERROR"."."""
    offer = HOST.format(address)
    rig = rig_like(like, quirks=Quirks(private_candidates=False))
    client = rig.client()
    client.invite("echo", sdp=offer)
    assert client.take()[-1]["params"]["causeCode"] == 88
    rig.command("call_user", "alice")
    call = client.ringing_call()
    assert client.refused("telnyx_rtc.answer", client.dialog(call, sdp=offer))["message"] == "CODEC ERROR"
    assert CallId(call) in rig.core.calls
    client.answer(call, sdp=HOST.format("203.0.113.9"))
    assert client.refused("telnyx_rtc.modify", client.dialog(call, action="updateMedia", sdp=offer))["code"] == -32002


@pytest.mark.parametrize(
    ("candidate", "usable"),
    [
        ("1 1 udp 2130706431 203.0.113.9 4000 typ srflx raddr 10.0.0.1 rport 4", True),
        ("1 1 UDP 5 203.0.113.9 4000 typ relay", True),
        ("1 2 udp 2130706431 203.0.113.9 4000 typ host", False),
        ("1 1 tcp 2130706431 203.0.113.9 9 typ host tcptype active", False),
        ("1 1 udp 2130706431 2001:db8::1 4000 typ host", False),
        ("1 1 udp", False),
    ],
)
def test_which_candidates_the_server_sends_to(candidate: str, usable: bool) -> None:
    """PS-040: "UDP, component 1"; PS-042: "IPv6 candidates are dropped harmlessly"."""
    assert reachable(f"v=0\r\na=candidate:{candidate}\r\n") is usable


def test_the_fork_knows_no_trickle_and_takes_the_candidates_of_the_invite() -> None:
    """PS-043: "with `a=ice-options:trickle` those in the invite are used"; production trickles."""
    rig = rig_like("mod_verto")
    client = rig.client()
    client.ask("telnyx_rtc.invite", {**client.invitation("echo", "c1"), "trickle": True})
    assert client.refused("telnyx_rtc.candidate", client.dialog("c1", candidate="x"))["code"] == -32601
    assert rig.core.calls[CallId("c1")].connected


@BOTH
@pytest.mark.parametrize(("said", "told"), [({}, 17), ({"cause": "ORIGINATOR_CANCEL", "causeCode": 487}, 487)])
def test_the_callee_of_a_cancelled_call_is_told_487_whatever_the_caller_says(
    like: Like, said: dict[str, Any], told: int
) -> None:
    """PS-031: "487/ORIGINATOR_CANCEL for the cancel of an own unanswered call is planned; reject stays 17"."""
    rig = rig_like(like)
    alice, bob = rig.client("alice"), rig.client("bob")
    call = alice.invite("bob")
    bob.ringing_call()
    alice.bye(call, **said)
    (cancelled,) = (frame["params"] for frame in bob.pushed("telnyx_rtc.bye"))
    assert (cancelled["cause"], cancelled["causeCode"]) == ("ORIGINATOR_CANCEL", 487)
    (ended,) = (event for event in rig.told(CallEnded) if event.call == call)
    assert ended.cause.cause_code == told
    again = alice.invite("bob")
    bob.bye(bob.ringing_call())
    (rejected,) = (frame["params"] for frame in alice.pushed("telnyx_rtc.bye"))
    assert (rejected["callID"], rejected["causeCode"]) == (again, 17)


@BOTH
def test_the_region_that_it_names_is_one_of_the_servers(like: Like) -> None:
    """PS-047: "Regions: us-east, us-central, us-west, ca-central, eu, apac, south-asia"."""
    client = rig_like(like).client()
    report = client.ask("telnyx_rtc.gatewayState")
    assert report["params"]["region"] in get_args(Region)
