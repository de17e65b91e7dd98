"""The signalling URL: signaling.md section 1, its test vectors (1.2) among them."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.address import parse_address
from telnyx_core._signalling.url import SignallingUrl, build_url
from telnyx_core.errors import OptionsError
from telnyx_core.options import ClientOptions

LOGIN = {"login_token": "a.b.c"}


def build(
    options: dict[str, object] | None = None,
    token: str | None = None,
    *,
    first_canary: bool = True,
    regional_fallback: bool = False,
) -> SignallingUrl:
    client = ClientOptions.from_mapping({**LOGIN, **(options or {})})
    return build_url(
        client,
        voice_sdk_id=token,
        first_canary=first_canary,
        skip_last=client.skip_last_voice_sdk_id,
        regional_fallback=regional_fallback,
    )


VECTORS: list[tuple[dict[str, object], str | None, bool, str]] = [
    ({}, None, True, "wss://rtc.telnyx.com/"),
    ({"region": "eu"}, None, True, "wss://eu.rtc.telnyx.com/"),
    ({"env": "development", "region": "eu"}, None, True, "wss://eu.rtcdev.telnyx.com/"),
    ({"env": "wss://sig.example.com/x?y=1"}, None, True, "wss://sig.example.com/x?y=1"),
    ({"host": "rtc.example.com", "region": "eu"}, None, True, "wss://eu.rtc.example.com/"),
    ({"host": "wss://webrtc.example.com", "region": "eu"}, None, True, "wss://webrtc.example.com/"),
    ({"host": "wss://signal.example.com", "region": "eu"}, None, True, "wss://signal.example.com/"),
    ({"host": "wss://eu.rtc.telnyx.com", "region": "apac"}, None, True, "wss://apac.rtc.telnyx.com/"),
    ({"region": "auto"}, None, True, "wss://rtc.telnyx.com/"),
    ({}, "VSDK1 a+b/=_-~*", True, "wss://rtc.telnyx.com/?voice_sdk_id=VSDK1+a%2Bb%2F%3D_-%7E*"),
    ({"rtcIp": "10.0.0.1", "rtcPort": 443}, "T", True, "wss://rtc.telnyx.com/?rtc_ip=10.0.0.1&rtc_port=443"),
    ({"useCanaryRtcServer": True}, "T", True, "wss://rtc.telnyx.com/?canary=true"),
    ({"useCanaryRtcServer": True}, "T", False, "wss://rtc.telnyx.com/?voice_sdk_id=T&canary=true"),
    ({"useCanaryRtcServer": True}, None, True, "wss://rtc.telnyx.com/?canary=true"),
    ({"skipLastVoiceSdkId": True}, None, True, "wss://rtc.telnyx.com/"),
    ({"skipLastVoiceSdkId": True}, "T", True, "wss://rtc.telnyx.com/?voice_sdk_id=T&skip_last_voice_sdk_id=true"),
    ({"skipLastVoiceSdkId": True, "useCanaryRtcServer": True}, "T", True, "wss://rtc.telnyx.com/?canary=true"),
    ({"skipTrailing": True}, "T", True, "wss://rtc.telnyx.com/?voice_sdk_id=T&skip_trailing=true"),
    ({"host": "wss://h.example/p?x=1&voice_sdk_id=old"}, "new", True, "wss://h.example/p?x=1&voice_sdk_id=new"),
]


@pytest.mark.parametrize(("options", "token", "first_canary", "url"), VECTORS)
def test_vectors(options: dict[str, object], token: str | None, first_canary: bool, url: str) -> None:
    assert build(options, token, first_canary=first_canary).url == url


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"env": ""}, "wss://rtc.telnyx.com/"),
        ({"env": "production"}, "wss://rtc.telnyx.com/"),
        ({"env": "sig.example.com:8443"}, "wss://sig.example.com:8443/"),
        ({"env": "development", "host": "ws://127.0.0.1:9000"}, "ws://127.0.0.1:9000/"),
        ({"env": "WSS://Sig.Example.COM"}, "wss://sig.example.com/"),
    ],
)
def test_env_and_host_name_the_server(options: dict[str, object], url: str) -> None:
    """SIG-002: any other ``env`` is a server. SIG-003: ``host`` wins, the scheme is optional and of any case."""
    assert build(options).url == url


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("wss://h.example", "wss://h.example/"),
        ("wss://h.example:443/a", "wss://h.example/a"),
        ("ws://h.example:80", "ws://h.example/"),
        ("wss://h.example:80", "wss://h.example:80/"),
        ("ws://h.example:443", "ws://h.example:443/"),
        ("wss://h.example?q=a b#part", "wss://h.example/?q=a%20b"),
        ("wss://h.example/a b/%7Ec", "wss://h.example/a%20b/%7Ec"),
        ("ws://[::1]:8080/x", "ws://[::1]:8080/x"),
        ("wss://bücher.example", "wss://xn--bcher-kva.example/"),
    ],
)
def test_serialisation_follows_the_url_standard(address: str, written: str) -> None:
    """SIG-008."""
    assert str(parse_address(address)) == written


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://h.example", "scheme"),
        ("wss://", "host name"),
        ("wss:///path", "host name"),
        ("wss://a b", "host name"),
        ("wss://[::1", "malformed"),
        ("wss://h\u2100x.example", "malformed"),
        ("wss://" + "é" * 70, "malformed"),
        ("wss://user:pw@h.example", "user information"),
        ("wss://h:99999", "malformed"),
        ("wss://h:x", "malformed"),
    ],
)
def test_what_is_no_websocket_address(address: str, reason: str) -> None:
    """Such options are refused when they are built, so that `build_url` always has a URL to give."""
    with pytest.raises(ValueError, match=reason):
        parse_address(address)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("rtc.telnyx.com", "us-east.rtc.telnyx.com"),
        ("rtcdev.telnyx.com", "us-east.rtcdev.telnyx.com"),
        ("a.b.rtc.telnyx.com", "us-east.rtc.telnyx.com"),
        ("myrtc.example.com", "myrtc.example.com"),
        ("h.example.com/rtc/x", "h.example.com/rtc/x"),
    ],
)
def test_region_rewrites_only_the_host_name(host: str, expected: str) -> None:
    """SIG-005: the first label that *is* ``rtc`` or ``rtcdev``, and what stands before it is replaced."""
    url = build({"host": host, "region": "us-east"}).url
    assert url.removeprefix("wss://").removesuffix("/") == expected


def test_an_unknown_region_is_used_as_it_stands() -> None:
    """SIG-006."""
    assert build({"region": "moon-base"}).url == "wss://moon-base.rtc.telnyx.com/"


def test_regional_fallback_leaves_the_region_out_on_standard_hosts_only() -> None:
    """SIG-007."""
    assert build({"region": "eu"}, regional_fallback=True).url == "wss://rtc.telnyx.com/"
    assert build({"region": "eu", "env": "development"}, regional_fallback=True).url == "wss://rtcdev.telnyx.com/"
    custom = {"region": "eu", "host": "rtc.example.com"}
    assert build(custom, regional_fallback=True).url == "wss://eu.rtc.example.com/"


@pytest.mark.parametrize("options", [{"rtcIp": "10.0.0.1"}, {"rtcPort": 443}])
def test_half_an_rtc_address_is_ignored(options: dict[str, object]) -> None:
    """SIG-012."""
    assert build(options, "T").url == "wss://rtc.telnyx.com/?voice_sdk_id=T"


def test_an_rtc_address_switches_canary_off() -> None:
    """SIG-012."""
    built = build({"rtcIp": "10.0.0.1", "rtcPort": 443, "useCanaryRtcServer": True}, "T", first_canary=False)
    assert built.url == "wss://rtc.telnyx.com/?rtc_ip=10.0.0.1&rtc_port=443"
    assert not built.canary


def test_the_token_left_in_the_url_is_reported() -> None:
    """SIG-015: the snapshot is taken after the rtc address and the first-canary rule."""
    assert build({}, "T").voice_sdk_id == "T"
    assert build({}).voice_sdk_id is None
    assert build({}, "").voice_sdk_id is None
    assert build({"rtcIp": "10.0.0.1", "rtcPort": 443}, "T").voice_sdk_id is None
    first = build({"useCanaryRtcServer": True}, "T")
    assert (first.voice_sdk_id, first.canary) == (None, True)
    later = build({"useCanaryRtcServer": True}, "T", first_canary=False)
    assert (later.voice_sdk_id, later.canary) == ("T", True)
    assert build({"host": "wss://h.example/?voice_sdk_id=old"}).voice_sdk_id == "old"


def test_the_one_shot_flag_needs_no_option() -> None:
    """SIG-016: the caller joins option and one-shot flag."""
    options = ClientOptions.from_mapping(LOGIN)
    url = build_url(options, voice_sdk_id="T", first_canary=True, skip_last=True).url
    assert url == "wss://rtc.telnyx.com/?voice_sdk_id=T&skip_last_voice_sdk_id=true"


def test_the_query_of_a_custom_server_survives() -> None:
    """SIG-008: blank values too, and a repeated name only where it is set anew."""
    host = "wss://h.example/p?a=&b&c=1&c=2&canary=no&canary=never"
    assert build({"host": host}).url == host
    assert build({"host": host}, "T").url.endswith("?a=&b=&c=1&c=2&canary=no&canary=never&voice_sdk_id=T")
    assert build({"host": host, "useCanaryRtcServer": True}).url.endswith("?a=&b=&c=1&c=2&canary=true")


def test_parameters_come_in_the_order_of_the_steps() -> None:
    """SIG-018."""
    options = {"useCanaryRtcServer": True, "skipLastVoiceSdkId": True, "skipTrailing": True}
    query = urlsplit(build(options, "T", first_canary=False).url).query
    assert [name for name, _ in parse_qsl(query)] == [
        "voice_sdk_id",
        "canary",
        "skip_last_voice_sdk_id",
        "skip_trailing",
    ]


@given(st.text(min_size=1, alphabet=st.characters()), st.booleans(), st.booleans())
def test_any_token_survives_the_round_trip(token: str, canary: bool, skip: bool) -> None:
    """SIG-009: whatever the server stored comes back; a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD."""
    built = build({"useCanaryRtcServer": canary, "skipLastVoiceSdkId": skip}, token, first_canary=False)
    query = urlsplit(built.url).query
    assert query.isascii()
    assert not set(query) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-._+%=&")
    expected = "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in token)
    assert dict(parse_qsl(query, keep_blank_values=True))["voice_sdk_id"] == expected


def test_credentials_and_tokens_stay_out_of_sight() -> None:
    """SIG-021: no credential in the URL; and the routing token is in no repr."""
    options = ClientOptions.from_mapping({"login": "alice", "password": "hunter2-secret"})
    built = build_url(options, voice_sdk_id="routing-token", first_canary=True, skip_last=False)
    assert "alice" not in built.url
    assert "hunter2-secret" not in built.url
    assert "routing-token" not in repr(built)


@given(
    st.text(alphabet=st.sampled_from("aw:/.?&=@[]% #é\udc00rtc0") | st.characters(), max_size=20),
    st.sampled_from(["", "eu"]),
)
def test_every_accepted_server_gives_a_url(server: str, region: str) -> None:
    """What `ClientOptions` lets through, `build_url` can spell; and its own spelling is a fixed point."""
    try:
        options = ClientOptions.from_mapping({**LOGIN, "host": server, "region": region})
    except OptionsError:
        return
    url = build_url(options, voice_sdk_id="T", first_canary=True, skip_last=True).url
    assert url.isascii()
    assert url.startswith(("wss://", "ws://"))
    assert str(parse_address(url)) == url
