"""Each option's effect: on the wire, in what the media engine is ordered, or on what the application hears.

Named by docs/reference/options.md. What needs real audio or a real network stands in tests/media, tests/network and
tests/drivers; here is what the core makes of it.
"""

import pytest

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import OpenPeer, OpenSocket, OpenSource, StartTone
from telnyx_core.events import CloseReason, MediaRecovery, SessionClosed, StatsFrame, StatsReport
from telnyx_core.options import Codec
from telnyx_core.states import CallState, SessionState
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.rig import REMOTE_SDP, Rig


def login(**options: object) -> JsonObject:
    rig = Rig(**options)
    rig.connect()
    return rig.params("anonymous_login" if "anonymous_login" in options else "login")


def dialog(**options: object) -> JsonObject:
    """What the invite of a call with these options says of it."""
    rig = Rig.registered()
    rig.invite("+15551230000", **options)
    described = rig.params("invite")["dialogParams"]
    assert isinstance(described, dict)
    return described


def peer_config(client: dict[str, object], call: dict[str, object]) -> OpenPeer:
    rig = Rig.registered(**client)
    rig.dial("echo", **call)
    return next(action for action in rig.actions if isinstance(action, OpenPeer))


def number(value: Json) -> bool:
    return isinstance(value, int | float)


# Logging in.


def test_a_token_logs_in() -> None:
    params = login(login_token="a.b.c")
    assert params["login_token"] == "a.b.c"
    assert "passwd" not in params


def test_login_and_password_log_in() -> None:
    params = login(login="user", password="secret")
    assert (params["login"], params["passwd"]) == ("user", "secret")
    assert "login_token" not in params


def test_an_anonymous_login_names_its_assistant() -> None:
    target = {
        "target_type": "ai_assistant",
        "target_id": "asst_abc123",
        "target_version_id": "main",
        "target_params": {"conversation_id": "conv_xyz789", "more": [1, None]},
    }
    params = login(anonymous_login=target)
    assert {name: params[name] for name in target} == target


def test_user_variables_are_sent_with_login_and_call() -> None:
    rig = Rig.registered(userVariables={"crm": "42"})
    rig.invite()
    described = rig.params("invite")["dialogParams"]
    assert isinstance(described, dict)
    assert described["userVariables"] == {"crm": "42"}
    variables = login(userVariables={"crm": "42"})["userVariables"]
    assert isinstance(variables, dict)
    assert variables["crm"] == "42"


@pytest.mark.parametrize(
    ("options", "push"),
    [({}, False), ({"pushWhenActive": True}, True), ({"userVariables": {"push_when_active": True}}, True)],
)
def test_push_when_active_is_sent_at_login(options: dict[str, object], push: bool) -> None:
    variables = login(**options)["userVariables"]
    assert isinstance(variables, dict)
    assert (variables["push_when_active"], variables["pn_late_fanout"]) == (push, push)


@pytest.mark.parametrize("early", [True, False])
def test_early_sdp_answer_is_asked_for_at_login(early: bool) -> None:
    assert login(earlySdpAnswer=early)["loginParams"] == {"early_sdp_answer": early}


# Connecting.


@pytest.mark.parametrize(("keep", "peers"), [(True, 1), (False, 2)])
def test_keep_alive_decides_about_the_peer_at_a_re_attach(keep: bool, peers: int) -> None:
    """The same transport is offered again: kept alive it goes on, otherwise a new peer takes over."""
    rig = Rig.registered(keepConnectionAliveOnSocketClose=keep)
    call = rig.outbound()
    rig.peer("connected")
    rig.lose()
    assert rig.info(call).state is CallState.RECOVERING
    rig.connect()
    rig.login_ok()
    rig.attach(call, REMOTE_SDP)
    assert len(rig.peers[call]) == peers


def test_without_auto_reconnect_the_first_loss_is_the_last() -> None:
    rig = Rig.registered(autoReconnect=False)
    rig.lose()
    assert rig.state is SessionState.IDLE
    assert rig.heard_of(SessionClosed) == [SessionClosed(CloseReason.LOST)]


@pytest.mark.parametrize(("maximum", "attempts"), [(2, 2), (0, 30)])
def test_reconnect_attempts_end_at_the_maximum(maximum: int, attempts: int) -> None:
    """0 is no limit: thirty are as good as any."""
    rig = Rig.registered(maxReconnectAttempts=maximum)
    rig.lose()
    for _ in range(attempts):
        assert rig.state is SessionState.BACKOFF
        rig.wait_for(SessionState.CONNECTING)
        rig.lose()
    assert rig.state is (SessionState.EXHAUSTED if maximum else SessionState.BACKOFF)


@pytest.mark.parametrize("spread", [0, 30_000])
def test_the_first_attempt_is_spread_where_there_is_no_call(spread: int) -> None:
    rig = Rig.registered(r=0.5, reconnectSpread=spread)
    lost_at = rig.now
    rig.lose()
    rig.wait_for(SessionState.CONNECTING)
    assert rig.now - lost_at == pytest.approx(1.0 + 0.5 * spread / 1_000)
    lost_at = rig.now
    rig.lose()
    rig.wait_for(SessionState.CONNECTING)
    assert rig.now - lost_at == pytest.approx(2.0), "the later ones have been spread by the first"


def test_a_client_with_a_call_is_not_spread() -> None:
    rig = Rig.registered(reconnectSpread=30_000)
    rig.outbound()
    rig.lose()
    assert rig.session.next_timeout() == rig.now


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"env": "ws://127.0.0.1:8080"}, "ws://127.0.0.1:8080/"),
        ({"region": "eu"}, "wss://eu.rtc.telnyx.com/"),
        ({"rtcIp": "10.0.0.1", "rtcPort": 443}, "wss://rtc.telnyx.com/?rtc_ip=10.0.0.1&rtc_port=443"),
        ({"useCanaryRtcServer": True}, "wss://rtc.telnyx.com/?canary=true"),
    ],
)
def test_the_socket_goes_where_the_options_say(options: dict[str, object], url: str) -> None:
    rig = Rig(**options)
    rig.connect()
    assert [action.url for action in rig.actions if isinstance(action, OpenSocket)] == [url]


def test_skip_last_voice_sdk_id_is_said_when_coming_back() -> None:
    rig = Rig.registered(skipLastVoiceSdkId=True)
    rig.lose()
    rig.wait_for(SessionState.CONNECTING)
    assert rig.urls[-1].endswith("voice_sdk_id=VSDK-1&skip_last_voice_sdk_id=true")


# Media.


@pytest.mark.parametrize(
    ("documented", "keyword"),
    [
        ("prefetchIceCandidates", "prefetch"),
        ("forceRelayCandidate", "force_relay"),
        ("trickleIce", "trickle"),
        ("mutedMicOnStart", "muted"),
    ],
)
@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("call", [None, True, False])
def test_the_engine_is_told_what_client_and_call_say(
    documented: str, keyword: str, client: bool, call: bool | None
) -> None:
    """A call's own word counts before the client's."""
    given = {} if call is None else {documented: call}
    config = peer_config({documented: client}, given).config
    assert getattr(config, keyword) is (client if call is None else call)


def test_prefetch_is_on_and_relay_trickle_and_mute_are_off_by_default() -> None:
    config = peer_config({}, {}).config
    assert (config.prefetch, config.force_relay, config.trickle, config.muted) == (True, False, False, False)


def test_the_engine_is_given_the_ice_servers() -> None:
    servers = [{"urls": "turn:turn.custom.com:443?transport=udp", "username": "myuser", "credential": "mypass"}]
    config = peer_config({"iceServers": servers}, {}).config
    assert [server.urls for server in config.ice_servers] == [("turn:turn.custom.com:443?transport=udp",)]
    assert config.ice_servers[0].credential == "mypass"
    assert peer_config({"iceServers": servers}, {"iceServers": []}).config.ice_servers == ()


def test_a_trickled_invite_says_so() -> None:
    rig = Rig.registered(trickleIce=True)
    rig.invite()
    assert rig.params("invite")["trickle"] is True
    assert dialog()["trickleIce"] is False


def test_preferred_codecs_stereo_and_bandwidth_reach_engine_and_wire() -> None:
    options: dict[str, object] = {
        "preferred_codecs": [{"mimeType": "audio/PCMU", "clockRate": 8000}],
        "useStereo": True,
        "mediaSettings": {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64},
    }
    config = peer_config({}, options).config
    assert (config.preferred_codecs, config.use_stereo, config.max_kbps) == ((Codec("audio/PCMU", 8000),), True, 64)
    described = dialog(**options)
    assert described["preferred_codecs"] == [{"mimeType": "audio/PCMU", "clockRate": 8000}]
    assert described["useStereo"] is True
    assert described["mediaSettings"] == {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64}


def test_the_source_is_the_one_that_the_call_names() -> None:
    rig = Rig.registered()
    rig.dial("echo", micId="line-in", audio={"sampleRate": 48_000})
    opened = next(action for action in rig.actions if isinstance(action, OpenSource))
    assert (opened.source, dict(opened.constraints)) == ("line-in", {"sampleRate": 48_000})


def test_without_audio_no_source_is_opened() -> None:
    rig = Rig.registered()
    rig.dial("echo", audio=False, receiveOnlyAudio=True)
    assert [action for action in rig.actions if isinstance(action, OpenSource)] == []
    config = next(action for action in rig.actions if isinstance(action, OpenPeer)).config
    assert (config.send_audio, config.receive_audio) == (False, True)
    assert dialog(audio=False, receiveOnlyAudio=True)["audio"] is False


def test_tones_are_started_where_they_belong() -> None:
    """Which file is played, and where to, is the driver's; that something rings is the core's."""
    rig = Rig.registered(ringtoneFile="in.wav", ringbackFile="out.mp3")
    ringing = rig.ring()
    outbound = rig.outbound("ringing")
    tones = [action for action in rig.actions if isinstance(action, StartTone)]
    assert tones == [StartTone(ringing, "ringtone"), StartTone(outbound, "ringback")]


# Reports.


def readings(rig: Rig, seconds: float) -> None:
    rig.reading = lambda now: StatsSnapshot(jitter=0.002, round_trip_time=0.04, packets_received=int(50 * now))
    rig.metered = True
    call = rig.outbound()
    rig.peer("connected")
    rig.advance(seconds)
    rig.hangup(call)
    rig.reply("bye", {})


@pytest.mark.parametrize(("interval", "frames"), [(5000, 2), (3000, 3), (1000, 10)])
def test_frames_come_at_the_report_interval(interval: int, frames: int) -> None:
    rig = Rig.registered(callReportInterval=interval)
    readings(rig, 10.4)
    assert len(rig.heard_of(StatsFrame)) == frames
    assert all(number(frame.rtt) and number(frame.jitter) for frame in rig.heard_of(StatsFrame))


@pytest.mark.parametrize("enabled", [True, False])
def test_call_reports_can_be_switched_off(enabled: bool) -> None:
    rig = Rig.registered(enableCallReports=enabled)
    readings(rig, 10.4)
    assert bool(rig.heard_of(StatsFrame)) is enabled
    assert len(rig.heard_of(StatsReport)) == (1 if enabled else 0)


# The microphone.


@pytest.mark.parametrize("enabled", [True, False])
def test_a_refused_microphone_is_recoverable_when_that_is_wanted(enabled: bool) -> None:
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": enabled, "timeout": 20_000})
    call = rig.ring()
    rig.answer(call)
    rig.remote_applied()
    rig.media_refused()
    assert rig.resume_media(call) is enabled
    rig.clear()
    if enabled:
        rig.media_ok()
        assert rig.heard_of(MediaRecovery) == [MediaRecovery(call, recovered=True)]


def test_a_rejected_microphone_tells_why() -> None:
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True})
    call = rig.ring()
    rig.answer(call)
    rig.remote_applied()
    rig.media_refused()
    assert rig.reject_media(call)
    (outcome,) = rig.heard_of(MediaRecovery)
    assert (outcome.recovered, bool(outcome.reason)) == (False, True)


# Calls.


@pytest.mark.parametrize(
    ("given", "wire", "value"),
    [
        ({}, "destination_number", "+15551230000"),
        ({"callerNumber": "+15559990000"}, "caller_id_number", "+15559990000"),
        ({"callerName": "Me"}, "caller_id_name", "Me"),
        ({}, "remote_caller_id_name", "Outbound Call"),
        ({"remoteCallerName": "Them"}, "remote_caller_id_name", "Them"),
        ({}, "remote_caller_id_number", "+15551230000"),
        ({"remoteCallerNumber": "+1"}, "remote_caller_id_number", "+1"),
        ({"clientState": "c3RhdGU="}, "clientState", "c3RhdGU="),
        ({"userVariables": {"a": 1}}, "userVariables", {"a": "1"}),
        ({"customHeaders": [{"name": "X-Ref", "value": "42"}]}, "custom_headers", [{"name": "X-Ref", "value": "42"}]),
        ({"telnyxCallControlId": "v3:a"}, "telnyxCallControlId", "v3:a"),
        ({"telnyxSessionId": "s"}, "telnyxSessionId", "s"),
        ({"telnyxLegId": "l"}, "telnyxLegId", "l"),
        ({"id": "my-own"}, "callID", "my-own"),
    ],
)
def test_a_call_says_what_its_options_say(given: dict[str, object], wire: str, value: Json) -> None:
    assert dialog(**given)[wire] == value


def test_a_call_that_is_not_answered_in_time_is_given_up() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.invite(timeoutSecs=20)
    rig.advance(19.9)
    assert rig.info(call).state is CallState.REQUESTING
    rig.advance(0.2)
    assert rig.params("bye")["cause"] == "NO_ANSWER"
