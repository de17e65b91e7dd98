"""Client options: names, units, ranges, login methods, credentials (the seed; signaling.md 0.3 and 4.7)."""

import copy
import json
from collections.abc import Mapping
from contextlib import suppress

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.parsing import MAX_JSON_DEPTH, seed_name
from telnyx_core.errors import InvalidCredentials, OptionsError
from telnyx_core.options import (
    AnonymousLogin,
    CallOptions,
    ClientOptions,
    Codec,
    CustomHeader,
    IceServer,
    MediaPermissionsRecovery,
)

TOKEN = {"login_token": "a.b.c"}
ANONYMOUS = {"anonymous_login": {"target_type": "ai_assistant", "target_id": "asst_abc123"}}


def client(**options: object) -> ClientOptions:
    return ClientOptions.from_mapping({**TOKEN, **options})


def refusal(**options: object) -> str:
    with pytest.raises(OptionsError) as refused:
        client(**options)
    return str(refused.value)


# The seed's names.

SEED: list[tuple[str, object, str, object]] = [
    ("env", "wss://rtc.example.com", "env", "wss://rtc.example.com"),
    ("region", "eu", "region", "eu"),
    ("keepConnectionAliveOnSocketClose", True, "keep_connection_alive_on_socket_close", True),
    ("skipLastVoiceSdkId", True, "skip_last_voice_sdk_id", True),
    ("rtcIp", "10.0.0.1", "rtc_ip", "10.0.0.1"),
    ("rtcPort", 443, "rtc_port", 443),
    ("useCanaryRtcServer", True, "use_canary_rtc_server", True),
    ("iceServers", [{"urls": "stun:s.example"}], "ice_servers", (IceServer(("stun:s.example",)),)),
    ("prefetchIceCandidates", False, "prefetch_ice_candidates", False),
    ("forceRelayCandidate", True, "force_relay_candidate", True),
    ("trickleIce", True, "trickle_ice", True),
    ("mutedMicOnStart", True, "muted_mic_on_start", True),
    ("ringtoneFile", "./in.mp3", "ringtone_file", "./in.mp3"),
    ("ringbackFile", "./out.wav", "ringback_file", "./out.wav"),
    ("enableCallReports", False, "enable_call_reports", False),
    ("callReportInterval", 3000, "call_report_interval", 3.0),
    ("debug", True, "debug", True),
    ("debugOutput", "file", "debug_output", "file"),
    ("mediaPermissionsRecovery", {"enabled": True}, "media_permissions_recovery", MediaPermissionsRecovery(True)),
    # Not in the seed, in the reference.
    ("host", "h.example", "host", "h.example"),
    ("debugDir", "/tmp/debug", "debug_dir", "/tmp/debug"),
    ("callReportFlushInterval", 60_000, "call_report_flush_interval", 60.0),
    ("debugLogLevel", "warn", "debug_log_level", "warn"),
    ("debugLogMaxEntries", 50, "debug_log_max_entries", 50),
    ("enableCallRecording", True, "enable_call_recording", True),
    ("callRecordingFlushInterval", 5000, "call_recording_flush_interval", 5.0),
    ("callRecordingMaxBufferBytes", 100_000, "call_recording_max_buffer_bytes", 100_000),
    ("callRecordingSampleRate", 16_000, "call_recording_sample_rate", 16_000),
    ("callRecordingTracks", ["remote"], "call_recording_tracks", ("remote",)),
    ("callRecordingEndpoint", "/elsewhere", "call_recording_endpoint", "/elsewhere"),
    ("userVariables", {"a": [1, {"b": None}]}, "user_variables", {"a": [1, {"b": None}]}),
    ("pushWhenActive", False, "push_when_active", False),
    ("earlySdpAnswer", True, "early_sdp_answer", True),
    ("skipTrailing", True, "skip_trailing", True),
    ("autoReconnect", False, "auto_reconnect", False),
    ("maxReconnectAttempts", 0, "max_reconnect_attempts", 0),
    ("reconnectSpread", 30_000, "reconnect_spread", 30.0),
    ("reattachWait", 500, "reattach_wait", 0.5),
    ("hangupOnBeforeUnload", False, "hangup_on_before_unload", False),
]


IN_SECONDS = {
    "call_report_interval",
    "call_report_flush_interval",
    "call_recording_flush_interval",
    "reconnect_spread",
    "reattach_wait",
}


@pytest.mark.parametrize(("name", "given_value", "keyword", "held"), SEED, ids=[row[0] for row in SEED])
def test_every_option_under_its_documented_name(name: str, given_value: object, keyword: str, held: object) -> None:
    options = client(**{name: given_value})
    assert getattr(options, keyword) == held
    assert options != client(), "the value given must not be the default, or this proves nothing"


@pytest.mark.parametrize(("name", "given_value", "keyword", "held"), SEED, ids=[row[2] for row in SEED])
def test_every_option_under_its_python_name(name: str, given_value: object, keyword: str, held: object) -> None:
    """The snake_case twin; times are seconds there."""
    twin = held if keyword in IN_SECONDS else given_value
    assert getattr(client(**{keyword: twin}), keyword) == held


def test_no_option_is_left_out_of_the_tables_above() -> None:
    login = {"login_token", "login", "password", "anonymous_login"}
    assert {row[2] for row in SEED} | login == set(attrs.fields_dict(ClientOptions))
    assert all(seed_name(keyword) == name for name, _, keyword, _ in SEED)


def test_the_defaults_of_the_seed() -> None:
    options = client()
    assert not options.keep_connection_alive_on_socket_close
    assert not options.skip_last_voice_sdk_id
    assert not options.use_canary_rtc_server
    assert options.ice_servers is None
    assert options.prefetch_ice_candidates
    assert not options.force_relay_candidate
    assert options.enable_call_reports
    assert options.call_report_interval == 5.0
    assert not options.debug
    assert options.debug_output is None
    assert not options.media_permissions_recovery.enabled
    assert (options.auto_reconnect, options.max_reconnect_attempts) == (True, 10)
    assert options.hangup_on_before_unload
    assert not options.early_sdp_answer
    assert not options.skip_trailing
    assert not options.trickle_ice
    assert not options.muted_mic_on_start


def test_none_means_not_given() -> None:
    fields = attrs.fields_dict(ClientOptions)
    assert ClientOptions.from_mapping({**dict.fromkeys(fields), **TOKEN}) == client()


def test_both_spellings_may_agree_and_must_not_differ() -> None:
    assert client(trickleIce=True, trickle_ice=True).trickle_ice
    assert client(callReportInterval=3000, call_report_interval=3).call_report_interval == 3.0
    assert "trickleIce and trickle_ice are the same option" in refusal(trickleIce=True, trickle_ice=False)
    assert "call_report_interval" in refusal(callReportInterval=3000, call_report_interval=4)
    assert "passwd" in refusal(password="one", passwd="two")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("iceServer", "iceServers"),
        ("loginToken", "login_token"),
        ("callreportinterval", "callReportInterval"),
        ("prefetchIceCandidate", "prefetchIceCandidates"),
        ("keep_alive_on_socket_close", "keep_connection_alive_on_socket_close"),
    ],
)
def test_an_unknown_name_is_an_error_that_suggests_the_nearest(name: str, nearest: str) -> None:
    assert refusal(**{name: True}) == f"there is no option {name!r}; did you mean {nearest!r}?"


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert refusal(zzz=1) == "there is no option 'zzz'"
    assert len(refusal(**{"z" * 10_000: 1})) < 100


@pytest.mark.parametrize("mapping", [None, 5, "login_token", [("login_token", "a.b.c")], {1: "a.b.c"}])
def test_options_come_in_a_mapping_with_names(mapping: object) -> None:
    with pytest.raises(OptionsError, match=r"^(options|the names in options) must be (a mapping|strings), not \w+$"):
        ClientOptions.from_mapping(mapping)  # type: ignore[arg-type]


# Types and ranges.


WRONG_VALUES: list[tuple[str, object, str]] = [
    ("debug", "yes", "debug must be True or False, not str"),
    ("trickleIce", 1, "trickle_ice (trickleIce) must be True or False, not int"),
    ("pushWhenActive", "true", "push_when_active (pushWhenActive) must be True or False, not str"),
    ("region", 5, "region must be a string, not int"),
    ("region", "eu/../evil.example#", "region must be usable as a part of a host name"),
    ("ringtoneFile", b"x", "ringtone_file (ringtoneFile) must be a string, not bytes"),
    ("rtcPort", "443", "rtc_port (rtcPort) must be a whole number, not str"),
    ("rtcPort", True, "rtc_port (rtcPort) must be a whole number, not bool"),
    ("rtcPort", 443.0, "rtc_port (rtcPort) must be a whole number, not float"),
    ("rtcPort", 0, "rtc_port (rtcPort) must be from 1 to 65535, not 0"),
    ("rtcPort", 65536, "rtc_port (rtcPort) must be from 1 to 65535, not 65536"),
    ("maxReconnectAttempts", -1, "max_reconnect_attempts (maxReconnectAttempts) must be at least 0, not -1"),
    ("maxReconnectAttempts", -(10**9999), "not a number of more than 64 bits"),
    ("callReportInterval", 0, "must be more than 0 and at most 600 seconds, not 0"),
    ("callReportInterval", -1, "must be more than 0"),
    ("callReportInterval", "5000", "must be a finite number of seconds, not str"),
    ("callReportInterval", float("nan"), "must be a finite number of seconds, not float"),
    ("callReportInterval", 10**400, "must be a finite number of seconds, not int"),
    ("call_report_interval", 5000, "at most 600 seconds, not 5000; were milliseconds meant? That would be 5"),
    ("callReportFlushInterval", "often", "must be a finite number of seconds, not str"),
    ("callRecordingFlushInterval", float("nan"), "must be a finite number of seconds, not float"),
    ("debugLogLevel", "trace", "must be 'debug', 'info', 'warn' or 'error'"),
    ("debugLogMaxEntries", 0, "must be from 1 to 100000, not 0"),
    ("callRecordingMaxBufferBytes", 99_999, "must be from 100000 to 1073741824, not 99999"),
    ("callRecordingSampleRate", 96_000, "must be from 8000 to 48000, not 96000"),
    ("callRecordingTracks", "local", "must be a list, not str"),
    ("callRecordingTracks", [], "must be 'local', 'remote', or both"),
    ("callRecordingTracks", ["left"], "must be 'local', 'remote', or both"),
    ("callRecordingEndpoint", "@evil.example/x", "must be a path that begins with /"),
    ("debugOutput", "console", "debug_output (debugOutput) must be 'socket' or 'file'"),
    ("debugOutput", ["file"], "debug_output (debugOutput) must be 'socket' or 'file'"),
    ("iceServers", {"urls": "stun:s.example"}, "ice_servers (iceServers) must be a list, not dict"),
    ("iceServers", "stun:s.example", "ice_servers (iceServers) must be a list, not str"),
    ("env", "http://rtc.example.com", "env is no address of a WebSocket server: the scheme is neither ws nor wss"),
    ("env", "wss://", "env is no address of a WebSocket server: there is no valid host name"),
    ("host", "h:99999", "host is no address of a WebSocket server"),
    ("userVariables", [1], "user_variables (userVariables) must be a mapping, not list"),
    ("userVariables", {1: 2}, "user_variables (userVariables) must have strings as keys, not int"),
    ("userVariables", {"a": {2}}, "holds a value that JSON cannot carry: set"),
    ("userVariables", {"a": float("inf")}, "holds a value that JSON cannot carry: float"),
    ("userVariables", {"a": 10**9999}, "holds a value that JSON cannot carry: int"),
    ("mediaPermissionsRecovery", True, "media_permissions_recovery must be a mapping, not bool"),
    ("mediaPermissionsRecovery", {"enabled": 1}, "media_permissions_recovery.enabled must be True or False"),
    ("mediaPermissionsRecovery", {"onSucces": print}, "did you mean 'onSuccess'?"),
    ("mediaPermissionsRecovery", {"onError": "x"}, "media_permissions_recovery.on_error (onError) must be callable"),
    ("mediaPermissionsRecovery", {"timeout": 3_600_001}, "at most 600 seconds"),
]


def numbered(index_and_row: tuple[int, tuple[object, ...]]) -> str:
    return f"{index_and_row[0]}-{index_and_row[1][0]}"


@pytest.mark.parametrize(("name", "value", "says"), WRONG_VALUES, ids=map(numbered, enumerate(WRONG_VALUES)))
def test_a_wrong_value_is_named(name: str, value: object, says: str) -> None:
    assert says in refusal(**{name: value})


def test_the_constructor_checks_too() -> None:
    with pytest.raises(OptionsError, match=r"rtc_port \(rtcPort\) must be from 1"):
        ClientOptions(login_token="a.b.c", rtc_port=0)
    with pytest.raises(OptionsError, match="debug must be True or False"):
        ClientOptions(login_token="a.b.c", debug="yes")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="max_reconnect_attempts"):
        attrs.evolve(client(), max_reconnect_attempts=-5)


def test_a_very_short_report_interval_becomes_a_tenth_of_a_second() -> None:
    """STATS-008."""
    assert client(callReportInterval=1).call_report_interval == 0.1
    assert client(callReportInterval=100).call_report_interval == 0.1
    assert client(callReportInterval=250).call_report_interval == 0.25


@pytest.mark.parametrize("port", [1, 65535])
def test_the_ends_of_the_port_range_are_ports(port: int) -> None:
    assert client(rtcPort=port).rtc_port == port


def test_user_variables_may_be_deep_but_not_bottomless() -> None:
    nested: dict[str, object] = {}
    for _ in range(MAX_JSON_DEPTH):
        nested = {"in": nested}
    assert client(userVariables=nested).user_variables == nested
    assert "is nested more than" in refusal(userVariables={"in": nested})


def test_a_mapping_nested_without_end_is_refused() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert f"is nested more than {MAX_JSON_DEPTH} deep" in refusal(userVariables=loop)


# Login methods.


def test_each_login_method() -> None:
    assert ClientOptions(login_token="a.b.c").login_token == "a.b.c"
    options = ClientOptions.from_mapping({"login": "alice", "password": "pw"})
    assert (options.login, options.password) == ("alice", "pw")
    assert ClientOptions.from_mapping({"login": "alice", "passwd": "pw"}) == options
    assert ClientOptions.from_mapping(ANONYMOUS).anonymous_login == AnonymousLogin("asst_abc123")


@pytest.mark.parametrize("blank", [{}, {"login_token": ""}, {"login": "", "password": ""}, {"login_token": None}])
def test_no_login_method(blank: dict[str, object]) -> None:
    with pytest.raises(OptionsError, match="login_token, or login and password, or anonymous_login"):
        ClientOptions.from_mapping(blank)


@pytest.mark.parametrize(
    ("several", "named"),
    [
        ({**TOKEN, **ANONYMOUS}, "login_token, anonymous_login"),
        ({**TOKEN, "login": "a", "password": "b"}, "login_token, login and password"),
        ({**TOKEN, "login": "a"}, "login_token, login and password"),
        ({**ANONYMOUS, "login": "a", "password": "b"}, "login and password, anonymous_login"),
        ({**TOKEN, **ANONYMOUS, "login": "a", "password": "b"}, "login_token, login and password, anonymous_login"),
    ],
)
def test_more_than_one_login_method(several: dict[str, object], named: str) -> None:
    """The seed: choose one."""
    with pytest.raises(OptionsError) as refused:
        ClientOptions.from_mapping(several)
    assert str(refused.value) == f"choose one login method; these were given: {named}"


@pytest.mark.parametrize(
    ("half", "missing"), [({"login": "a"}, "password is missing"), ({"password": "a"}, "login is missing")]
)
def test_half_a_login(half: dict[str, object], missing: str) -> None:
    with pytest.raises(OptionsError, match=missing):
        ClientOptions.from_mapping(half)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({}, "anonymous_login.target_id is missing"),
        ({"target_id": ""}, "anonymous_login.target_id must not be empty"),
        ({"target_id": 5}, "anonymous_login.target_id"),
        ({"target_id": "a", "target_type": "human"}, "anonymous_login.target_type must be 'ai_assistant'"),
        ({"target_id": "a", "target_params": []}, "anonymous_login.target_params"),
        ({"target_id": "a", "target_versionid": "v"}, "did you mean 'target_version_id'?"),
        ("asst_abc123", "anonymous_login must be a mapping, not str"),
    ],
)
def test_anonymous_login_is_checked(target: object, says: str) -> None:
    """AI-001."""
    with pytest.raises(OptionsError) as refused:
        ClientOptions.from_mapping({"anonymous_login": target})
    assert says in str(refused.value)


def test_target_params_pass_through() -> None:
    """SIG-120: known and unknown keys alike."""
    params = {"conversation_id": "conv_xyz789", "more": {"x": [1, 2.5, None, True]}}
    options = ClientOptions.from_mapping({"anonymous_login": {"target_id": "a", "target_params": params}})
    assert options.anonymous_login is not None
    assert options.anonymous_login.target_params == params


# Microphone recovery.


@pytest.mark.parametrize("timeout", [None, 0, -5, float("nan"), float("inf"), "20", True])
def test_a_recovery_timeout_that_is_no_duration_means_twenty_seconds(timeout: object) -> None:
    """MEDIA-303."""
    options = client(mediaPermissionsRecovery={"enabled": True, "timeout": timeout})
    assert options.media_permissions_recovery.timeout == 20.0


def test_recovery_times_are_milliseconds_under_the_seeds_name_and_seconds_under_the_keyword() -> None:
    assert client(mediaPermissionsRecovery={"timeout": 25_000}).media_permissions_recovery.timeout == 25.0
    assert client(media_permissions_recovery={"timeout": 25}).media_permissions_recovery.timeout == 25.0
    assert client(mediaPermissionsRecovery={"timeout": 500}).media_permissions_recovery.timeout == 0.5
    given = MediaPermissionsRecovery(enabled=True, timeout=7)
    assert client(mediaPermissionsRecovery=given).media_permissions_recovery is given
    assert client(media_permissions_recovery=given).media_permissions_recovery is given


def test_recovery_callbacks_under_both_names() -> None:
    def done() -> None: ...

    def failed(error: Exception) -> None: ...

    for names in (("onSuccess", "onError"), ("on_success", "on_error")):
        recovery = client(
            mediaPermissionsRecovery=dict(zip(names, (done, failed), strict=True))
        ).media_permissions_recovery
        assert (recovery.on_success, recovery.on_error) == (done, failed)


# The caller's own objects.


def test_the_callers_mapping_is_neither_changed_nor_kept() -> None:
    """SIG-551."""
    given = {
        "login": "alice",
        "passwd": "pw",
        "userVariables": {"list": [1, {"deep": "old"}]},
        "iceServers": [{"urls": ["stun:a.example"]}],
        "mediaPermissionsRecovery": {"enabled": True, "timeout": 1000},
    }
    before = copy.deepcopy(given)
    options = ClientOptions.from_mapping(given)
    assert given == before
    given["userVariables"]["list"][1]["deep"] = "new"  # type: ignore[index]
    given["iceServers"][0]["urls"].append("stun:b.example")  # type: ignore[index]
    assert options.user_variables == {"list": [1, {"deep": "old"}]}
    assert options.ice_servers == (IceServer("stun:a.example"),)


def test_copied_mappings_can_be_written_as_json() -> None:
    """What goes into a login frame must be plain, whatever kind of mapping the caller had."""

    class Mine(dict[str, object]):
        pass

    options = client(userVariables=Mine(a=(1, Mine(b=2))))
    assert json.dumps(options.user_variables) == '{"a": [1, {"b": 2}]}'


def test_options_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        client().debug = True  # type: ignore[misc]


# ICE servers in the options.


def test_ice_servers_of_the_seed() -> None:
    options = client(
        iceServers=[
            {"urls": "stun:stun.custom.com:3478"},
            {"urls": ["turn:turn.custom.com:443?transport=udp"], "username": "myuser", "credential": "mypass"},
        ]
    )
    assert options.ice_servers == (
        IceServer(("stun:stun.custom.com:3478",)),
        IceServer(("turn:turn.custom.com:443?transport=udp",), "myuser", "mypass"),
    )


def test_an_empty_list_of_ice_servers_is_not_the_default() -> None:
    """MEDIA-020."""
    assert client(iceServers=[]).ice_servers == ()


@pytest.mark.parametrize("urls", [5, ["stun:a.example", 5], None])
def test_an_ice_server_of_wrong_type_in_python(urls: object) -> None:
    with pytest.raises(OptionsError, match=r"IceServer\.urls must be"):
        IceServer(urls)  # type: ignore[arg-type]


# New credentials on a live session.

PASSWORD_LOGIN = ClientOptions.from_mapping({"login": "alice", "password": "old", "region": "eu"})
TOKEN_LOGIN = ClientOptions.from_mapping({"login_token": "old.token.x", "region": "eu"})
ANONYMOUS_LOGIN = ClientOptions.from_mapping({**ANONYMOUS, "region": "eu"})


def methods(options: ClientOptions) -> tuple[str | None, str | None, str | None, bool]:
    return options.login, options.password, options.login_token, options.anonymous_login is not None


@pytest.mark.parametrize(
    ("before", "credentials", "after"),
    [
        (PASSWORD_LOGIN, {"password": "new"}, ("alice", "new", None, False)),
        (PASSWORD_LOGIN, {"passwd": "new"}, ("alice", "new", None, False)),
        (PASSWORD_LOGIN, {"login": "bob"}, ("bob", "old", None, False)),
        (PASSWORD_LOGIN, {"login_token": "new"}, (None, None, "new", False)),
        (PASSWORD_LOGIN, ANONYMOUS, (None, None, None, True)),
        (PASSWORD_LOGIN, {}, ("alice", "old", None, False)),
        (TOKEN_LOGIN, {"login_token": "new"}, (None, None, "new", False)),
        (TOKEN_LOGIN, {"login": "bob", "password": "pw"}, ("bob", "pw", None, False)),
        (TOKEN_LOGIN, ANONYMOUS, (None, None, None, True)),
        (ANONYMOUS_LOGIN, {"login_token": "new"}, (None, None, "new", False)),
        (ANONYMOUS_LOGIN, {"login": "bob", "password": "pw"}, ("bob", "pw", None, False)),
        (ANONYMOUS_LOGIN, {"userVariables": {"a": 1}}, (None, None, None, True)),
    ],
)
def test_each_given_credential_replaces_its_predecessor(
    before: ClientOptions, credentials: Mapping[str, object], after: tuple[str | None, str | None, str | None, bool]
) -> None:
    """SIG-245; SIG-248: the members of the other methods go."""
    renewed = before.with_credentials(credentials)
    assert methods(renewed) == after
    assert renewed.region == "eu"


def test_user_variables_are_replaced_and_kept() -> None:
    before = client(userVariables={"a": 1})
    assert before.with_credentials({"login_token": "x"}).user_variables == {"a": 1}
    assert before.with_credentials({"userVariables": {"b": 2}}).user_variables == {"b": 2}


@pytest.mark.parametrize(
    ("before", "credentials"),
    [
        (TOKEN_LOGIN, {"password": "pw"}),
        (TOKEN_LOGIN, {"login_token": ""}),
        (TOKEN_LOGIN, {"login_token": 5}),
        (TOKEN_LOGIN, {"login_token": "x", "login": "bob", "password": "pw"}),
        (TOKEN_LOGIN, {"token": "x"}),
        (TOKEN_LOGIN, {"region": "eu"}),
        (TOKEN_LOGIN, {"anonymous_login": {}}),
        (TOKEN_LOGIN, {"userVariables": 5}),
        (ANONYMOUS_LOGIN, {"login": "bob"}),
        (TOKEN_LOGIN, ["login_token"]),
    ],
)
def test_unusable_credentials(before: ClientOptions, credentials: Mapping[str, object]) -> None:
    """SIG-247."""
    with pytest.raises(InvalidCredentials):
        before.with_credentials(credentials)


def test_same_credentials() -> None:
    assert client().same_credentials(client(region="eu", userVariables={"a": 1}))
    assert not client().same_credentials(TOKEN_LOGIN)
    assert not PASSWORD_LOGIN.same_credentials(PASSWORD_LOGIN.with_credentials({"password": "new"}))
    assert not PASSWORD_LOGIN.same_credentials(TOKEN_LOGIN)
    assert ANONYMOUS_LOGIN.same_credentials(ClientOptions.from_mapping(ANONYMOUS))


# Anything at all.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLIENT_NAMES = sorted({*(row[0] for row in SEED), *attrs.fields_dict(ClientOptions), "passwd"})
NESTED_NAMES = ["urls", "username", "credential", "enabled", "timeout", "onError", "target_id", "target_params"]
NESTED = st.dictionaries(st.sampled_from(NESTED_NAMES), JSON, max_size=4)


GOOD = st.lists(st.sampled_from(SEED), max_size=5).map(lambda rows: {name: value for name, value, _, _ in rows})
ANY = st.dictionaries(
    st.sampled_from(CLIENT_NAMES) | st.text(max_size=8), JSON | NESTED | st.lists(NESTED, max_size=3), max_size=3
)


@given(GOOD, ANY, st.booleans())
def test_any_mapping_builds_or_is_refused(good: dict[str, object], other: dict[str, object], with_login: bool) -> None:
    mapping = {**good, **other, **(TOKEN if with_login else {})}
    before = repr(mapping)
    with suppress(OptionsError):
        options = ClientOptions.from_mapping(mapping)
        json.dumps(options.user_variables, allow_nan=False)
        assert 0.1 <= options.call_report_interval <= 3600
    assert repr(mapping) == before


@given(GOOD)
def test_good_options_go_together(good: dict[str, object]) -> None:
    """So that the property above is not one about refusals only."""
    ClientOptions.from_mapping({**good, **TOKEN})


@given(st.dictionaries(st.sampled_from([*CLIENT_NAMES, "passwd"]), JSON | NESTED, max_size=4))
def test_any_credentials_are_taken_or_refused(mapping: dict[str, object]) -> None:
    with suppress(InvalidCredentials):
        PASSWORD_LOGIN.with_credentials(mapping)


# Secrets.

SECRET = "s3cr3t-PLANTED-9f1c"


@pytest.mark.parametrize(
    "value",
    [
        ClientOptions(login_token=SECRET),
        ClientOptions(login="alice", password=SECRET, user_variables={"key": SECRET}),
        ClientOptions(anonymous_login=AnonymousLogin("a", target_params={"key": SECRET})),
        ClientOptions(login_token="t", ice_servers=[IceServer("turn:t.example", SECRET, SECRET)]),
        CallOptions(ice_servers=[IceServer("turn:t.example", SECRET, SECRET)], user_variables={"key": SECRET}),
        IceServer("turn:t.example", SECRET, SECRET),
    ],
    ids=["token", "password", "anonymous", "ice", "call", "server"],
)
def test_no_repr_shows_a_secret(value: object) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value)


SECRET_PLACES: list[dict[str, object]] = [
    {"login_token": [SECRET]},
    {"login_token": SECRET, "login": SECRET},
    {"login": "a", "password": SECRET, "passwd": SECRET + "!"},
    {"login": "a", "password": {SECRET: SECRET}},
    {"login": "a", "password": SECRET, "debug": SECRET},
    {"login": "a", "password": SECRET, "rtcPort": SECRET},
    {"login": "a", "password": SECRET, "env": f"wss://user:{SECRET}@h.example"},
    {"login": "a", "password": SECRET, "env": f"wss://user:{SECRET}"},
    {"login": "a", "password": SECRET, "env": f"wss://{SECRET}\u2100"},
    {"login": "a", "password": SECRET, "env": f"{SECRET}://h.example"},
    {"login": "a", "password": SECRET, "region": f"{SECRET} "},
    {"login": "a", "password": SECRET, "debugOutput": SECRET},
    {"login": "a", "password": SECRET, "iceServers": SECRET},
    {"login": "a", "password": SECRET, "userVariables": {SECRET: {1}}},
    {"login": "a", "password": SECRET, "callReportInterval": SECRET},
    {"login": "a", "password": SECRET, "mediaPermissionsRecovery": SECRET},
    {"anonymous_login": {"target_id": [SECRET]}},
    {"anonymous_login": {"target_id": "a", "target_type": SECRET}},
    {"anonymous_login": {"target_id": "a", "target_params": {SECRET: {SECRET}}}},
    {"anonymous_login": SECRET},
]


@pytest.mark.parametrize("mapping", SECRET_PLACES, ids=range(len(SECRET_PLACES)))
def test_no_error_repeats_a_secret(mapping: dict[str, object]) -> None:
    with pytest.raises(OptionsError) as refused:
        ClientOptions.from_mapping(mapping)
    assert SECRET not in f"{refused.value!r} {refused.value}"
    assert refused.value.__cause__ is None, "a cause would be printed with the traceback"


def test_no_login_error_repeats_a_secret() -> None:
    with pytest.raises(InvalidCredentials) as refused:
        TOKEN_LOGIN.with_credentials({"password": SECRET})
    assert SECRET not in repr(refused.value)


def test_shared_values_check_their_types() -> None:
    with pytest.raises(OptionsError, match=r"CustomHeader\.value must be a string, not int"):
        CustomHeader("X-A", 1)  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match=r"Codec\.clock_rate \(clockRate\) must be at least 1"):
        Codec("audio/opus", 0)
