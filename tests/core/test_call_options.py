"""Call options: names, types, and what is passed over (calls.md section 2)."""

import json
from contextlib import suppress
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.values import read_custom_headers
from telnyx_core.errors import InvalidCallParameters
from telnyx_core.options import CallOptions, Codec, CustomHeader, IceServer


def call(**options: object) -> CallOptions:
    return CallOptions.from_mapping(options)


def refusal(**options: object) -> str:
    with pytest.raises(InvalidCallParameters) as refused:
        call(**options)
    assert refused.value.code == 44002
    return str(refused.value)


OPUS = Codec("audio/opus", 48000, 2, "useinbandfec=1")
OPUS_GIVEN = {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "sdpFmtpLine": "useinbandfec=1"}

DOCUMENTED: list[tuple[str, object, str, object]] = [
    ("destinationNumber", "+15551230000", "destination_number", "+15551230000"),
    ("callerNumber", "+15559990000", "caller_number", "+15559990000"),
    ("callerName", "Alice", "caller_name", "Alice"),
    ("remoteCallerName", "Bob", "remote_caller_name", "Bob"),
    ("remoteCallerNumber", "+1555", "remote_caller_number", "+1555"),
    ("id", "call-1", "id", "call-1"),
    ("customHeaders", [{"name": "X-A", "value": "1"}], "custom_headers", (CustomHeader("X-A", "1"),)),
    ("clientState", "c3RhdGU=", "client_state", "c3RhdGU="),
    ("userVariables", {"a": [1]}, "user_variables", {"a": [1]}),
    ("audio", {"echoCancellation": True}, "audio", {"echoCancellation": True}),
    ("receiveOnlyAudio", True, "receive_only_audio", True),
    ("micId", "desk", "mic_id", "desk"),
    ("speakerId", "desk", "speaker_id", "desk"),
    ("iceServers", [{"urls": "stun:a.example"}], "ice_servers", (IceServer("stun:a.example"),)),
    ("prefetchIceCandidates", False, "prefetch_ice_candidates", False),
    ("forceRelayCandidate", True, "force_relay_candidate", True),
    ("trickleIce", False, "trickle_ice", False),
    ("mutedMicOnStart", True, "muted_mic_on_start", True),
    ("ringtoneFile", "in.wav", "ringtone_file", "in.wav"),
    ("ringbackFile", "out.wav", "ringback_file", "out.wav"),
    ("preferred_codecs", [OPUS_GIVEN], "preferred_codecs", (OPUS,)),
    ("useStereo", True, "use_stereo", True),
    ("sdpASBandwidthKbps", 64, "max_kbps", 64),
    ("telnyxCallControlId", "v3:abc", "telnyx_call_control_id", "v3:abc"),
    ("telnyxSessionId", "s", "telnyx_session_id", "s"),
    ("telnyxLegId", "l", "telnyx_leg_id", "l"),
    ("timeoutSecs", 30, "setup_timeout", 30.0),
    ("recoverCall", False, "recover", False),
]


@pytest.mark.parametrize(("name", "value", "keyword", "held"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_every_option_under_both_names(name: str, value: object, keyword: str, held: object) -> None:
    """CALL-020 to CALL-052."""
    assert getattr(call(**{name: value}), keyword) == held
    assert getattr(call(**{keyword: value}), keyword) == held
    assert call(**{name: value}) != call(), "the value given must not be the default, or this proves nothing"


def test_no_option_is_left_out_of_the_table_above() -> None:
    assert {row[2] for row in DOCUMENTED} == set(attrs.fields_dict(CallOptions))


def test_defaults() -> None:
    options = call()
    assert options == CallOptions()
    assert (options.destination_number, options.caller_number, options.caller_name) == ("", "", "")
    assert options.remote_caller_name == "Outbound Call"
    assert options.audio is True
    assert options.setup_timeout is None
    inherited = ("ice_servers", "trickle_ice", "prefetch_ice_candidates", "force_relay_candidate", "muted_mic_on_start")
    assert all(getattr(options, name) is None for name in inherited)


def test_none_means_not_given() -> None:
    assert call(**dict.fromkeys(attrs.fields_dict(CallOptions)), destinationNumber=None, mediaSettings=None) == call()


@pytest.mark.parametrize(
    "name",
    [
        "skipNotifications",  # CALL-050
        "attach",  # CALL-051
        "recoveredCallId",
        "wasHeldBeforeRecovery",
        "remoteSdp",
        "screenShare",
        "retryBucketId",  # CALL-053
        "sessionId",
        "telnyxCallId",
        "isRecovered",
        "googleMaxBitrate",  # CALL-046
        "negotiateAudio",
        "keepConnectionAliveOnSocketClose",  # CALL-041
        "keep_connection_alive_on_socket_close",
        "debugOutput",
        "micLabel",
    ],
)
def test_names_that_mean_nothing_here_are_passed_over(name: str) -> None:
    assert call(destinationNumber="echo", **{name: "anything"}) == call(destinationNumber="echo")


def test_video_is_refused_unless_it_is_off() -> None:
    """CALL-032."""
    assert call(video=False) == call()
    assert "video is not supported" in refusal(video=True)
    assert "video is not supported" in refusal(video={"width": 640})


@pytest.mark.parametrize(
    ("given_options", "says"),
    [
        ({"destination": "x"}, "there is no option 'destination'; did you mean 'destinationNumber'?"),
        ({"callerNumber": 15551230000}, "caller_number (callerNumber) must be a string, not int"),
        ({"destinationNumber": ["x"]}, "destination_number (destinationNumber) must be a string, not list"),
        ({"trickleIce": "yes"}, "trickle_ice (trickleIce) must be True or False, not str"),
        ({"callerName": "a", "caller_name": "b"}, "callerName and caller_name are the same option"),
        ({"id": [1]}, "id must be a string, not list"),
        ({"id": True}, "id must be a string, not bool"),
        ({"id": "x" * 1_025}, "id must have at most 1024 characters"),
        ({"timeoutSecs": 0}, "setup_timeout (timeoutSecs) must be more than 0"),
        ({"timeoutSecs": "30"}, "setup_timeout (timeoutSecs) must be a finite number of seconds, not str"),
        ({"timeoutSecs": 30, "setup_timeout": 31}, "timeoutSecs and setup_timeout are the same option"),
        ({"iceServers": "stun:a.example"}, "ice_servers (iceServers) must be a list, not str"),
        ({"audio": 5}, "audio must be a mapping, not int"),
        ({"userVariables": "a"}, "user_variables (userVariables) must be a mapping, not str"),
        ({"customHeaders": {"name": "X", "value": "1"}}, "custom_headers (customHeaders) must be a list, not dict"),
        ({"customHeaders": ["X: 1"]}, "custom_headers[0] must be a mapping, not str"),
        ({"customHeaders": [{"name": "X-A"}]}, "custom_headers[0].value must be a string"),
        ({"customHeaders": [{"name": "X-A", "value": 1}]}, "custom_headers[0].value must be a string"),
        (
            {"customHeaders": [{"name": "X-A", "val": "1"}]},
            "custom_headers[0] has no member 'val'; did you mean 'value'?",
        ),
        ({"preferred_codecs": "opus"}, "preferred_codecs must be a list, not str; for example [{"),
        (
            {"preferred_codecs": ["opus"]},
            'preferred_codecs[0] must be a mapping, not str; for example preferred_codecs=[{"mi',
        ),
        (
            {"custom_headers": {"X-A": "1"}},
            'must be a list, not dict; for example [{"name": "X-Order", "value": "17"}]',
        ),
        ({"preferred_codecs": [{"clockRate": 8000}]}, "preferred_codecs[0].mime_type (mimeType) is missing"),
        ({"preferred_codecs": [{"mimeType": "audio/PCMU"}]}, "preferred_codecs[0].clock_rate (clockRate) is missing"),
        ({"preferred_codecs": [{"mimeType": "audio/PCMU", "clockRate": "8000"}]}, "must be a whole number, not str"),
        ({"preferred_codecs": [{**OPUS_GIVEN, "channels": 0}]}, "Codec.channels must be at least 1, not 0"),
        ({"mediaSettings": 64}, "mediaSettings must be a mapping, not int"),
        ({"mediaSettings": {"useSdpASBandwidthKbps": 1}}, "useSdpASBandwidthKbps must be True or False"),
        ({"sdpASBandwidthKbps": 0}, "max_kbps (sdpASBandwidthKbps) must be at least 1, not 0"),
    ],
    ids=range(29),
)
def test_a_wrong_option_is_named(given_options: dict[str, object], says: str) -> None:
    assert says in refusal(**given_options)


def test_the_constructor_checks_too() -> None:
    with pytest.raises(InvalidCallParameters, match="caller_number"):
        CallOptions(caller_number=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidCallParameters, match="must be a mapping"):
        CallOptions.from_mapping("echo")  # type: ignore[arg-type]


def test_the_constructor_takes_the_documents_shapes() -> None:
    """Keywords with plain lists and dicts, as in ``new_call(custom_headers=[{...}])``."""
    options = CallOptions(
        custom_headers=[{"name": "X-A", "value": "1"}],
        preferred_codecs=[{"mime_type": "audio/opus", "clock_rate": 48000}],
        ice_servers=[{"urls": "stun:a.example"}],
    )
    assert options.custom_headers == (CustomHeader("X-A", "1"),)
    assert options.preferred_codecs == (Codec("audio/opus", 48000),)
    assert options.ice_servers == (IceServer("stun:a.example"),)
    assert attrs.evolve(options, caller_name="x").custom_headers == options.custom_headers


def test_an_id_is_made_a_string() -> None:
    """CALL-025."""
    uuid = UUID("6f1c0000-0000-4000-8000-000000000001")
    assert call(id=uuid).id == str(uuid)
    assert call(id=7).id == "7"
    assert call(id="").id is None


def test_bandwidth_needs_its_flag_or_the_short_name() -> None:
    """CALL-045."""
    assert call(mediaSettings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64}).max_kbps == 64
    assert call(mediaSettings={"useSdpASBandwidthKbps": False, "sdpASBandwidthKbps": 64}).max_kbps is None
    assert call(mediaSettings={"sdpASBandwidthKbps": 64}).max_kbps is None
    assert call(media_settings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64}).max_kbps == 64
    assert call(sdpASBandwidthKbps=64).max_kbps == 64
    assert "different values" in refusal(
        sdpASBandwidthKbps=32, mediaSettings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 64}
    )


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X-A\r\nVia", "X-Ä", "X\0"])
def test_a_header_name_is_a_sip_token(name: str) -> None:
    assert "custom_headers[0].name must be a SIP header name" in refusal(customHeaders=[{"name": name, "value": "1"}])


@pytest.mark.parametrize("value", ["a\r\nX-B: 2", "a\nb", "a\rb", "a\0b"])
def test_a_header_value_stays_on_its_line(value: str) -> None:
    """A value that a user typed must not become a second header."""
    assert "without line breaks" in refusal(customHeaders=[{"name": "X-A", "value": value}])
    assert "without line breaks" in refusal(customHeaders=[CustomHeader("X-A", value)])
    with pytest.raises(InvalidCallParameters, match="without line breaks"):
        read_custom_headers([CustomHeader("X-A", value)])


def test_headers_of_the_far_end_make_options_whatever_they_hold() -> None:
    """The core describes an incoming call with these options; no message of a peer may make it raise."""
    received = (CustomHeader("not a token", "a\r\nb"),)
    assert CallOptions(custom_headers=received).custom_headers == received


def test_lists_may_be_any_iterable() -> None:
    assert CallOptions(ice_servers=iter([IceServer("stun:a.example")])).ice_servers == (IceServer("stun:a.example"),)


def test_header_errors_do_not_repeat_the_value() -> None:
    assert "s3cr3t" not in refusal(customHeaders=[{"name": "X-Auth", "value": "s3cr3t\n"}])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({*(row[0] for row in DOCUMENTED), *(row[2] for row in DOCUMENTED), "mediaSettings", "video", "attach"})
MEMBERS = ["name", "value", "mimeType", "clockRate", "urls", "username", "useSdpASBandwidthKbps", "sdpASBandwidthKbps"]
NESTED = st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3)


@given(
    st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=8), JSON | NESTED | st.lists(NESTED, max_size=3), max_size=5
    )
)
def test_any_mapping_builds_or_is_refused(mapping: dict[str, object]) -> None:
    before = repr(mapping)
    with suppress(InvalidCallParameters):
        options = CallOptions.from_mapping(mapping)
        json.dumps([options.user_variables, options.audio], allow_nan=False)
        assert options.max_kbps is None or options.max_kbps > 0
    assert repr(mapping) == before
