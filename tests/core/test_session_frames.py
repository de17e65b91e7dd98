"""What exactly goes over the wire, message by message: signaling.md section 3, calls.md 5."""

import json

import pytest

from telnyx_core import VERSION
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import Done, SendText
from telnyx_core.events import AiConversation, FrameIgnored, ParticipantData, ServerEvent
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig

AGENT: JsonObject = {"sdkVersion": VERSION, "data": f"telnyx-rtc {VERSION} (Python)"}


def frame_of(rig: Rig, method: str) -> JsonObject:
    """The last frame with this method, without its id."""
    frame = dict(rig.frames(method)[-1])
    frame.pop("id", None)
    return frame


def dialog_of(params: JsonObject) -> JsonObject:
    dialog = params["dialogParams"]
    assert isinstance(dialog, dict)
    return dialog


# 3.2 login.


def test_a_login_with_a_token() -> None:
    """SIG-110 to SIG-116: absent members are omitted, the rest has a fixed shape."""
    rig = Rig(login_token="a.b.c")
    rig.connect()
    assert frame_of(rig, "login") == {
        "jsonrpc": "2.0",
        "method": "login",
        "params": {
            "login_token": "a.b.c",
            "userVariables": {"push_when_active": False, "pn_late_fanout": False},
            "reconnection": False,
            "loginParams": {"early_sdp_answer": False},
            "User-Agent": AGENT,
        },
    }


def test_a_login_with_a_password() -> None:
    """SIG-110, SIG-113."""
    rig = Rig(login="gencred", password="secret", earlySdpAnswer=True)
    rig.connect()
    params = rig.params("login")
    assert (params["login"], params["passwd"]) == ("gencred", "secret")
    assert "login_token" not in params
    assert params["loginParams"] == {"early_sdp_answer": True}


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"pushWhenActive": True}, True),
        ({"pushWhenActive": False, "userVariables": {"push_when_active": True}}, False),
        ({"userVariables": {"push_when_active": True}}, True),
        ({"userVariables": {"push_when_active": "true"}}, False),
        ({}, False),
    ],
    ids=range(5),
)
def test_the_push_flags_of_a_login(options: JsonObject, flag: bool) -> None:
    """SIG-112: booleans, both the same."""
    rig = Rig(**options)
    rig.connect()
    variables = rig.params("login")["userVariables"]
    assert isinstance(variables, dict)
    assert (variables["push_when_active"], variables["pn_late_fanout"]) == (flag, flag)


def test_a_login_carries_the_applications_variables() -> None:
    rig = Rig(userVariables={"tenant": "t1"})
    rig.connect()
    assert rig.params("login")["userVariables"] == {
        "tenant": "t1",
        "push_when_active": False,
        "pn_late_fanout": False,
    }


def test_a_login_after_a_loss_asks_for_its_session() -> None:
    """SIG-114, SIG-115."""
    rig = Rig.registered()
    rig.lose()
    rig.advance(2)
    rig.open()
    assert rig.params("login")["reconnection"] is True
    assert rig.params("login")["sessid"] == "session-1"


# 3.3 anonymous_login.


def test_an_anonymous_login() -> None:
    """SIG-120, AI-002: no ``loginParams``, no push flags."""
    target: JsonObject = {
        "target_type": "ai_assistant",
        "target_id": "assistant-0f3c",
        "target_version_id": "main",
        "target_params": {"conversation_id": "conv_xyz", "more": [1]},
    }
    rig = Rig(anonymous_login=target, userVariables={"tenant": "t1"})
    rig.connect()
    assert frame_of(rig, "anonymous_login") == {
        "jsonrpc": "2.0",
        "method": "anonymous_login",
        "params": {**target, "userVariables": {"tenant": "t1"}, "reconnection": False, "User-Agent": AGENT},
    }
    rig.login_ok()
    rig.client_ready()
    rig.gateway()
    rig.lose()
    rig.advance(2)
    rig.open()
    assert rig.params("anonymous_login")["sessid"] == "session-1"
    assert rig.params("anonymous_login")["reconnection"] is True


def test_an_anonymous_login_leaves_out_what_was_not_given() -> None:
    rig = Rig(anonymous_login={"target_id": "a"})
    rig.connect()
    assert set(rig.params("anonymous_login")) == {
        "target_type",
        "target_id",
        "userVariables",
        "reconnection",
        "User-Agent",
    }


# 3.4, 3.5 gatewayState and ping.


def test_a_gateway_state_request() -> None:
    """SIG-125."""
    rig = Rig()
    rig.connect()
    rig.login_ok(voice_sdk_id="V1")
    rig.client_ready()
    assert frame_of(rig, "gatewayState") == {
        "jsonrpc": "2.0",
        "method": "telnyx_rtc.gatewayState",
        "voice_sdk_id": "V1",
        "params": {},
    }


def test_a_gateway_state_in_an_unrelated_reply_is_none() -> None:
    """SIG-126: the mobile ``attachCalls`` result and others have such a member too."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.dtmf(call, "1")
    rig.clear()
    rig.reply("info", {"params": {"state": "FAIL_WAIT"}})
    assert rig.codes == []


def test_a_gateway_state_in_a_reply_to_nothing_counts() -> None:
    """SIG-126 (b)."""
    rig = Rig.registered()
    rig.say({"jsonrpc": "2.0", "id": "gone", "result": {"params": {"state": "FAIL_WAIT"}}})
    assert rig.codes == [45004]


@pytest.mark.parametrize("how", ["result", "push"])
def test_session_outputs_come_with_a_gateway_state(how: str) -> None:
    """SIG-127, SIG-423: from results and pushes, whenever present."""
    rig = Rig()
    rig.connect()
    rig.login_ok()
    if how == "result":
        rig.client_ready()
    rig.gateway("REGED", call_report_id="r-1", dc="ch1", region="us-central")
    session = rig.session
    assert (session.call_report_id, session.dc, session.region) == ("r-1", "ch1", "us-central")
    rig.gateway("TRYING", dc="ch2")
    assert (session.call_report_id, session.dc, session.region) == ("r-1", "ch2", "us-central")


def test_a_ping_request() -> None:
    """SIG-131, SIG-133."""
    rig = Rig.registered()
    rig.request("ping")
    assert frame_of(rig, "ping") == {
        "jsonrpc": "2.0",
        "method": "telnyx_rtc.ping",
        "voice_sdk_id": "VSDK-1",
        "params": {},
    }


# 3.7 invite, answer, attach.


def test_an_invite() -> None:
    """SIG-140, SIG-106, CALL-200, CALL-216: a closed list of members."""
    rig = Rig.registered()
    call = rig.invite(
        "+15551230000",
        callerName="Me",
        callerNumber="+15559990000",
        customHeaders=[{"name": "X-Ref", "value": "42"}],
        clientState="c3RhdGU=",
        userVariables={"tenant": "t1"},
    )
    assert frame_of(rig, "invite") == {
        "jsonrpc": "2.0",
        "method": "telnyx_rtc.invite",
        "params": {
            "sessid": "session-1",
            "sdp": LOCAL_SDP,
            "dialogParams": {
                "callID": call,
                "destination_number": "+15551230000",
                "remote_caller_id_name": "Outbound Call",
                "remote_caller_id_number": "+15551230000",
                "caller_id_name": "Me",
                "caller_id_number": "+15559990000",
                "audio": True,
                "video": False,
                "useStereo": False,
                "attach": False,
                "screenShare": False,
                "userVariables": {"tenant": "t1"},
                "mediaSettings": {"useSdpASBandwidthKbps": False, "sdpASBandwidthKbps": 0},
                "trickleIce": False,
                "custom_headers": [{"name": "X-Ref", "value": "42"}],
                "clientState": "c3RhdGU=",
            },
            "User-Agent": f"Python-{VERSION}",
        },
    }


def test_an_invite_with_everything_else() -> None:
    """CALL-024, CALL-028, CALL-043 to CALL-045, CALL-029: the client's variables are the default."""
    rig = Rig.registered(userVariables={"tenant": "all"})
    rig.invite(
        "bob",
        id="my-own",
        remoteCallerName="Bob",
        remoteCallerNumber="+1",
        audio={"echoCancellation": True},
        preferred_codecs=[
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "sdpFmtpLine": "useinbandfec=1"},
            {"mimeType": "audio/PCMU", "clockRate": 8000},
        ],
        useStereo=True,
        mediaSettings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64},
        telnyxCallControlId="v3:c",
        telnyxSessionId="s",
        telnyxLegId="l",
    )
    dialog = dialog_of(rig.params("invite"))
    expected: JsonObject = {
        "callID": "my-own",
        "remote_caller_id_name": "Bob",
        "remote_caller_id_number": "+1",
        "audio": True,
        "preferred_codecs": [
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "sdpFmtpLine": "useinbandfec=1"},
            {"mimeType": "audio/PCMU", "clockRate": 8000},
        ],
        "useStereo": True,
        "mediaSettings": {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64},
        "telnyxCallControlId": "v3:c",
        "telnyxSessionId": "s",
        "telnyxLegId": "l",
        "userVariables": {"tenant": "all"},
    }
    assert {name: dialog[name] for name in expected} == expected
    assert "custom_headers" not in dialog
    assert "clientState" not in dialog


def test_an_invite_to_the_assistant_needs_no_number() -> None:
    """SIG-122, CALL-973, AI-005."""
    rig = Rig.registered(anonymous_login={"target_id": "a"})
    rig.invite("")
    assert dialog_of(rig.params("invite"))["destination_number"] == ""


SECRET = "turn-credential"


def test_no_frame_says_what_is_nobodys_business() -> None:
    """SIG-106, SIG-552, CALL-216, CALL-975: no ICE servers, credentials, paths, device ids in any frame but login."""
    rig = Rig.registered(
        login="gencred",
        password="pass-word",
        iceServers=[{"urls": "turn:turn.example.com", "username": "turn-user", "credential": SECRET}],
        ringtoneFile="/srv/tones/ring.mp3",
        ringbackFile="/srv/tones/back.mp3",
        trickleIce=True,
        debug=True,
    )
    call = rig.invite("bob", micId="mic-7", ringbackFile="/srv/tones/other.mp3")
    rig.candidate()
    rig.reply("invite", {"callID": call})
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"})
    rig.dtmf(call, "1")
    rig.message(call, "bob", "hi")
    rig.hangup(call)
    said = json.dumps(rig.sent)
    for secret in (SECRET, "turn-user", "pass-word", "/srv/tones", "mic-7"):
        assert secret not in said
    calls = json.dumps([frame for frame in rig.sent if "method" in frame])  # the others are debug reports (SIG-186)
    for detail in ("turn.example.com", "iceServers", "debug"):
        assert detail not in calls


@pytest.mark.parametrize("trickle", [False, True])
def test_trickle_is_said_only_when_it_is_used(trickle: bool) -> None:
    """SIG-140: absent, never false."""
    rig = Rig.registered(trickleIce=trickle)
    rig.invite()
    params = rig.params("invite")
    assert params.get("trickle") == (True if trickle else None)
    assert dialog_of(params)["trickleIce"] is trickle


def test_an_answer() -> None:
    """SIG-141, CALL-201: the same members, and what the invite said of itself."""
    rig = Rig.registered()
    call = rig.ring(
        "b1",
        caller_id_name="Alice",
        caller_id_number="+15551112222",
        callee_id_name="Outbound Call",
        callee_id_number="gencredAbC",
        telnyx_call_control_id="v3:x",
        telnyx_session_id="5e0c",
        telnyx_leg_id="5e0d",
        client_state="c3RhdGU=",
        dialogParams={"custom_headers": [{"name": "X-Ref", "value": "42"}]},
    )
    rig.answer(call)
    rig.describe_answer()
    params = rig.params("answer")
    assert (params["sessid"], params["sdp"], params["User-Agent"]) == ("session-1", LOCAL_SDP, f"Python-{VERSION}")
    expected: JsonObject = {
        "callID": "b1",
        "destination_number": "gencredAbC",
        "caller_id_name": "Outbound Call",
        "caller_id_number": "gencredAbC",
        "remote_caller_id_name": "Alice",
        "remote_caller_id_number": "+15551112222",
        "attach": False,
        "telnyxCallControlId": "v3:x",
        "telnyxSessionId": "5e0c",
        "telnyxLegId": "5e0d",
        "clientState": "c3RhdGU=",
        "custom_headers": [{"name": "X-Ref", "value": "42"}],
    }
    dialog = dialog_of(params)
    assert {name: dialog[name] for name in expected} == expected


def test_headers_given_with_an_answer_replace_those_of_the_invite() -> None:
    """CALL-026."""
    rig = Rig.registered()
    call = rig.ring(dialogParams={"custom_headers": [{"name": "X-Ref", "value": "42"}]})
    rig.answer(call, custom_headers=(CustomHeader("X-Mine", "1"),))
    rig.describe_answer()
    assert dialog_of(rig.params("answer"))["custom_headers"] == [{"name": "X-Mine", "value": "1"}]


def test_an_attach() -> None:
    """SIG-142, CALL-202: ``attach`` is true, the SDP complete."""
    rig = Rig.registered(trickleIce=True)
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    params = rig.params("attach")
    assert (params["sessid"], params["sdp"]) == ("session-1", LOCAL_SDP)
    assert "trickle" not in params
    assert dialog_of(params)["attach"] is True
    assert dialog_of(params)["callID"] == call


# 3.8 What an inbound call is made of.


def test_an_inbound_call_knows_both_parties() -> None:
    """SIG-107."""
    rig = Rig.registered()
    call = rig.ring(
        caller_id_name="Alice",
        caller_id_number="+1",
        callee_id_name="Desk",
        callee_id_number="gencred",
        mediaSettings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 40},
        dialogParams={"custom_headers": [{"name": "X-Ref", "value": "42"}]},
    )
    info = rig.info(call)
    assert (info.direction, info.destination_number, info.caller_number) == ("inbound", "gencred", "gencred")
    assert (info.caller_name, info.remote_caller_name, info.remote_caller_number) == ("Desk", "Alice", "+1")
    assert [(header.name, header.value) for header in info.custom_headers] == [("X-Ref", "42")]
    rig.answer(call)
    rig.describe_answer()
    assert dialog_of(rig.params("answer"))["mediaSettings"] == {
        "useSdpASBandwidthKbps": True,
        "sdpASBandwidthKbps": 40,
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": -1},
        {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": True},
        {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": "64"},
        {"useSdpASBandwidthKbps": "yes", "sdpASBandwidthKbps": 64},
        {"useSdpASBandwidthKbps": True},
        "none",
    ],
    ids=range(6),
)
def test_odd_media_settings_of_an_invite_mean_none(settings: Json) -> None:
    rig = Rig.registered()
    call = rig.ring(mediaSettings=settings)
    rig.answer(call)
    rig.describe_answer()
    assert dialog_of(rig.params("answer"))["mediaSettings"] == {
        "useSdpASBandwidthKbps": False,
        "sdpASBandwidthKbps": 0,
    }


def test_a_header_that_no_application_could_send_is_taken_as_it_comes() -> None:
    """What the far end sends is no mistake of the application: nothing is raised, the call rings."""
    rig = Rig.registered()
    call = rig.ring(dialogParams={"custom_headers": [{"name": "no token", "value": "two\r\nlines"}]})
    assert rig.states(call) == ["new", "ringing"]
    rig.answer(call)
    rig.describe_answer()
    assert rig.frames("answer")


def test_an_empty_id_does_not_overwrite_a_known_one() -> None:
    """SIG-107, CALL-110."""
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.request("ringing", callID=call, telnyx_call_control_id="v3:a", telnyx_session_id="s", telnyx_leg_id="l")
    rig.request("answer", callID=call, sdp=REMOTE_SDP, telnyx_call_control_id="", telnyx_leg_id="l2")
    info = rig.info(call)
    assert (info.telnyx_call_control_id, info.telnyx_session_id, info.telnyx_leg_id) == ("v3:a", "s", "l2")


# 3.9 display.


@pytest.mark.parametrize(
    ("said", "told"), [("inbound", "outbound"), ("outbound", "inbound"), ("sideways", "sideways"), (None, "")]
)
def test_a_display_is_told_from_the_callers_side(said: str | None, told: str) -> None:
    """SIG-153, SIG-147, CALL-367, CALL-544."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.request("display", callID=call, display_name="Bob", display_number="+1555", display_direction=said)
    assert rig.heard_of(ParticipantData) == [ParticipantData(call, "Bob", "+1555", told)]
    assert rig.info(call).extension == "+1555"


def test_a_display_without_a_number_leaves_the_extension() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("display", callID=call, display_number="7")
    rig.request("display", callID=call, display_name="Bob")
    assert rig.info(call).extension == "7"


# 3.10 bye.


def test_a_bye() -> None:
    """SIG-154: null for what is unknown."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    params = rig.params("bye")
    assert set(params) == {"sessid", "sipCode", "sip_call_id", "dialogParams", "cause", "causeCode"}
    assert (params["cause"], params["causeCode"]) == ("NORMAL_CLEARING", 16)
    assert (params["sipCode"], params["sip_call_id"], params["sessid"]) == (None, None, "session-1")
    assert dialog_of(params)["callID"] == call


def test_a_bye_that_names_the_sip_dialog() -> None:
    """CALL-132, CALL-203."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call, cause="CALL_REJECTED", sip_code=603, sip_reason="Decline", sip_call_id="8f@sip")
    params = rig.params("bye")
    assert (params["sipCode"], params["sipReason"], params["sip_call_id"]) == (603, "Decline", "8f@sip")


def test_a_bye_in_the_applications_words() -> None:
    """CALL-132, CALL-400, SIG-154: headers are appended."""
    rig = Rig.registered()
    call = rig.outbound("active", customHeaders=[{"name": "X-A", "value": "1"}])
    headers = (CustomHeader("X-B", "2"),)
    rig.hangup(call, cause="CALL_REJECTED", sip_code=603, sip_reason="Decline", custom_headers=headers)
    params = rig.params("bye")
    assert (params["cause"], params["causeCode"], params["sipCode"], params["sipReason"]) == (
        "CALL_REJECTED",
        21,
        603,
        "Decline",
    )
    assert dialog_of(params)["custom_headers"] == [{"name": "X-A", "value": "1"}, {"name": "X-B", "value": "2"}]


# 3.11 modify.


@pytest.mark.parametrize("action", ["hold", "unhold", "toggleHold"])
def test_a_hold_command(action: str) -> None:
    """SIG-160, CALL-204."""
    rig = Rig.registered()
    call = rig.outbound("active")
    {"hold": rig.hold, "unhold": rig.unhold, "toggleHold": rig.toggle_hold}[action](call)
    params = rig.params("modify")
    assert set(params) == {"sessid", "action", "dialogParams"}
    assert (params["action"], dialog_of(params)["callID"]) == (action, call)


@pytest.mark.parametrize("trickle", [False, True])
def test_a_media_update(trickle: bool) -> None:
    """SIG-161."""
    rig = Rig.registered(trickleIce=trickle)
    call = rig.outbound("active")
    rig.peer("failed")
    rig.media_ok()
    rig.describe("v=0\r\na=renewed\r\n")
    params = rig.params("modify")
    assert (params["action"], params["callID"], params["sdp"]) == ("updateMedia", call, "v=0\r\na=renewed\r\n")
    assert dialog_of(params)["callID"] == call
    assert params.get("trickle") == (True if trickle else None)


# 3.12 info.


def test_digits() -> None:
    """SIG-163, CALL-205."""
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.dtmf(call, "12#")
    params = rig.params("info")
    assert set(params) == {"sessid", "dtmf", "dialogParams"}
    assert (params["dtmf"], dialog_of(params)["callID"]) == ("12#", call)
    rig.reply("info", {"message": "SENT", "sessid": "session-1"})
    assert rig.outcomes[ticket] == Done({"message": "SENT", "sessid": "session-1"})


@pytest.mark.parametrize(("options", "sender"), [({"login": "gencred", "password": "p"}, "gencred"), ({}, "")])
def test_a_text_message(options: JsonObject, sender: str) -> None:
    """SIG-163b, CALL-136."""
    rig = Rig.registered(**options)
    call = rig.outbound("active")
    rig.message(call, "bob", "hi")
    params = rig.params("info")
    assert params["msg"] == {"from": sender, "to": "bob", "body": "hi"}
    assert "dtmf" not in params


def test_an_inbound_info_is_passed_through() -> None:
    """SIG-164, CALL-545, SIG-102: ``type`` is ours, the server's own is kept, the call is named where it is known."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.request("info", callID=call, type="text", msg={"body": "hi"}, unknown=[1])
    rig.request("info", text="no call")
    assert rig.heard_of(ServerEvent) == [
        ServerEvent(
            {"callID": call, "type": "event", "originalType": "text", "msg": {"body": "hi"}, "unknown": [1]}, call
        ),
        ServerEvent({"text": "no call", "type": "event"}, None),
    ]


# 3.13 Candidates.


def test_a_candidate_and_the_end_of_them() -> None:
    """SIG-165, SIG-167, CALL-206, CALL-207, CALL-217: the short form of the dialog parameters."""
    rig = Rig.registered(trickleIce=True)
    call = rig.dial()
    rig.media_ok()
    rig.describe("v=0\r\n", complete=False)
    rig.candidate("candidate:1 1 udp 9 203.0.113.7 4615 typ srflx raddr 10.0.0.2 rport 4615")
    rig.describe("v=0\r\n", complete=True)
    assert rig.params("candidate") == {
        "sessid": "session-1",
        "candidate": "candidate:1 1 udp 9 203.0.113.7 4615 typ srflx raddr 10.0.0.2 rport 4615",
        "sdpMLineIndex": 0,
        "sdpMid": "0",
        "dialogParams": {"callID": call},
    }
    assert rig.params("endOfCandidates") == {
        "sessid": "session-1",
        "endOfCandidates": True,
        "dialogParams": {"callID": call},
    }


# 3.15 event.


@pytest.mark.parametrize("method", ["telnyx_rtc.event", "webrtc.event"])
def test_an_event_is_passed_through(method: str) -> None:
    """SIG-171, SIG-172 (6) and (7), CALL-650."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.request(method, eventChannel=call, eventData={"a": 1})
    rig.request(method, eventChannel="conference.x", eventType="channelPvtData", pvtData={"action": "z"})
    assert rig.heard_of(ServerEvent) == [
        ServerEvent({"eventChannel": call, "eventData": {"a": 1}, "type": "event"}, call),
        ServerEvent({"eventChannel": "conference.x", "eventType": "channelPvtData", "pvtData": {"action": "z"}}),
    ]


def test_an_event_without_a_channel_is_dropped() -> None:
    """SIG-172 (2)."""
    rig = Rig.registered()
    rig.request("event", eventData={})
    rig.request("event", eventChannel=7)
    assert rig.heard_of(FrameIgnored) == [FrameIgnored("an event without a channel")] * 2


# 3.17 ai_conversation.


def test_a_text_to_the_assistant() -> None:
    """SIG-180, SIG-181, SIG-554, AI-020: with or without images; no ``sessid``."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.send_conversation_message(call, "Hello")
    params = rig.params("ai_conversation")
    item = params["item"]
    assert isinstance(item, dict)
    assert isinstance(item.pop("id"), str)
    assert params == {
        "type": "conversation.item.create",
        "previous_item_id": None,
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
    }
    rig.send_conversation_message(call, "Look", ("https://example.com/a.png",))
    item = rig.params("ai_conversation")["item"]
    assert isinstance(item, dict)
    assert item["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "fc_1", "output": '{"ok":true}'},
        {"type": "response.audio_stream.subscribe"},
    ],
    ids=["output", "subscribe"],
)
def test_an_item_for_the_assistant_is_a_notification(item: JsonObject) -> None:
    """SIG-182, AI-021, AI-022, CALL-972: no id, nothing is waited for."""
    rig = Rig.registered()
    rig.session.send_ai_item(item, now=0.0)
    rig.drain()
    assert rig.sent == [
        {
            "jsonrpc": "2.0",
            "method": "ai_conversation",
            "params": {"type": "conversation.item.create", "item": item},
        }
    ]


def test_another_item_is_a_mistake() -> None:
    """AI-022."""
    rig = Rig.registered()
    with pytest.raises(ValueError, match="not an item that a client sends"):
        rig.session.send_ai_item({"type": "message"}, now=0.0)
    assert rig.session.next_action() is None


def test_what_the_assistant_says_is_passed_through() -> None:
    """SIG-183, SIG-184, AI-010: the call is named when there is exactly one."""
    rig = Rig.registered()
    params: JsonObject = {"type": "response.text.delta", "delta": "Hel", "item_id": "i1"}
    frame: JsonObject = {"id": "0b77", "jsonrpc": "2.0", "method": "ai_conversation", "params": params}
    rig.say({**frame, "voice_sdk_id": "V"})
    call = rig.outbound("active")
    rig.say(frame)
    rig.ring("b2")
    rig.say(frame)
    assert rig.heard_of(AiConversation) == [
        AiConversation(params, "V", None),
        AiConversation(params, None, call),
        AiConversation(params, None, None),
    ]


# 3.19 What this client never says.


def test_this_client_says_nothing_that_only_mobile_clients_know() -> None:
    """SIG-193: a whole life uses none of the methods that only mobile clients know."""
    rig = Rig.registered(trickleIce=True)
    call = rig.outbound("held")
    rig.unhold(call)
    rig.reply("modify", {"holdState": "active"})
    rig.dtmf(call, "1")
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    rig.hangup(call)
    rig.reply("bye")
    rig.inbound("active")
    rig.disconnect()
    methods = {frame["method"] for frame in rig.sent if "method" in frame}
    assert methods <= {
        "login",
        *(
            f"telnyx_rtc.{name}"
            for name in ("gatewayState", "ping", "invite", "answer", "attach", "modify", "info", "bye", "candidate")
        ),
        "telnyx_rtc.endOfCandidates",
    }
    assert all(isinstance(action.text, str) for action in rig.actions if isinstance(action, SendText))
    assert CallId("b1c2") in rig.peers


def test_event_channels() -> None:
    """SIG-174 to SIG-176: the frames of 3.16; a refusal is the server's."""
    rig = Rig.registered()
    tickets = [
        rig.subscribe("room.chat"),
        rig.broadcast("room.chat", {"message": "hi"}),
        rig.unsubscribe("room.chat"),
    ]
    assert rig.params("subscribe") == {"sessid": "session-1", "eventChannel": ["room.chat"]}
    assert rig.params("broadcast") == {
        "sessid": "session-1",
        "eventChannel": "room.chat",
        "data": {"message": "hi"},
    }
    assert rig.params("unsubscribe") == {"sessid": "session-1", "eventChannel": ["room.chat"]}
    rig.reply("subscribe", error=(-32602, "Permission Denied"))
    rig.reply("broadcast", {"message": "SENT"})
    rig.lose()
    outcomes = [rig.outcomes[ticket] for ticket in tickets]
    assert [type(outcome).__name__ for outcome in outcomes] == ["Failed", "Done", "Failed"]
    with pytest.raises(ValueError, match="name"):
        rig.subscribe("")
