"""Which ICE servers a call uses, and what makes one unusable (media.md 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._signalling import ice_servers
from telnyx_core._signalling.ice_servers import DEVELOPMENT, PRODUCTION, ice_server_problems, ice_servers_for, usable
from telnyx_core.options import CallOptions, ClientOptions, IceServer

OWN = IceServer("stun:own.example")
CALLS_OWN = IceServer("stun:call.example")


def client(**options: object) -> ClientOptions:
    return ClientOptions.from_mapping({"login_token": "a.b.c", **options})


def test_the_platforms_list_in_order() -> None:
    """MEDIA-021, MEDIA-727, PS-046: "`turns:turn2.telnyx.com:443` is **gone**"."""
    assert [server.urls for server in PRODUCTION] == [
        ("stun:stun.telnyx.com:3478",),
        ("stun:stun.l.google.com:19302",),
        ("turn:turn.telnyx.com:3478?transport=udp",),
        ("turn:turn.telnyx.com:3478?transport=tcp",),
        ("turns:turn.telnyx.com:443",),
    ]
    assert [server.urls for server in DEVELOPMENT] == [
        ("stun:stundev.telnyx.com:3478",),
        ("stun:stun.l.google.com:19302",),
        ("turn:turndev.telnyx.com:3478?transport=udp",),
        ("turn:turndev.telnyx.com:3478?transport=tcp",),
        ("turns:turndev.telnyx.com:443",),
    ]
    for server in (*PRODUCTION, *DEVELOPMENT):
        relay = server.urls[0].startswith("turn")
        assert (server.username, server.credential) == (("testuser", "testpassword") if relay else (None, None))
        assert usable(server) == (server, ()), "it is not looked at again for every call"


@pytest.mark.parametrize(
    "name",
    [
        "GOOGLE_STUN",
        "TELNYX_STUN",
        "TELNYX_TURN_UDP_3478",
        "TELNYX_TURN_TCP_3478",
        "TELNYX_TURNS_TCP_443_PRIMARY",
    ],
)
def test_the_named_catalogue(name: str) -> None:
    """MEDIA-022."""
    assert getattr(ice_servers, name) in PRODUCTION


def test_the_call_comes_before_the_client_and_the_client_before_the_platform() -> None:
    """MEDIA-020: a list given replaces the default completely, an empty one too."""
    assert ice_servers_for(client(), CallOptions()) == PRODUCTION
    assert ice_servers_for(client(env="development"), CallOptions()) == DEVELOPMENT
    assert ice_servers_for(client(env="development", host="h.example"), CallOptions()) == PRODUCTION
    own = client(iceServers=[OWN])
    assert ice_servers_for(own, CallOptions()) == (OWN,)
    assert ice_servers_for(own, CallOptions(ice_servers=[CALLS_OWN])) == (CALLS_OWN,)
    assert ice_servers_for(own, CallOptions(ice_servers=[])) == ()
    assert ice_servers_for(client(iceServers=[]), CallOptions()) == ()


@pytest.mark.parametrize(
    "url",
    [
        "stun:s.example",
        "stun:s.example:3478",
        "stuns:s.example",
        "stun:192.0.2.1:1",
        "stun:192.0.2.1:65535",
        "stun:[2001:db8::1]:3478",
        "turn:t.example",
        "turn:t.example?transport=udp",
        "turn:t.example:80?transport=tcp",
        "turns:t.example:443",
        "turns:t.example:443?transport=tcp",
    ],
)
def test_usable_urls(url: str) -> None:
    """RFC 7064, RFC 7065."""
    server = IceServer(url, "user", "pass")
    assert usable(server) == (server, ())


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://s.example", "is not of the form"),
        ("http:s.example", "has a scheme other than"),
        ("stun", "is not of the form"),
        ("stun:", "is not of the form"),
        ("stun::3478", "is not of the form"),
        ("stun://s.example", "is not of the form"),
        ("stun:s.example:0", "has a port outside"),
        ("stun:s.example:65536", "has a port outside"),
        ("stun:s.example?transport=udp", "has a transport that stun does not know"),
        ("turn:t.example?transport=tls", "has a transport that turn does not know"),
        ("turns:t.example?transport=udp", "has a transport that turns does not know"),
        ("turn:t.example?x=1", "has a transport that turn does not know"),
        ("turn:user:pw@t.example", "is not of the form"),
        ("stun:s.exa mple", "is not of the form"),
        ("stun:s.example\n", "is not of the form"),
        ("", "is not of the form"),
    ],
)
def test_unusable_urls(url: str, problem: str) -> None:
    """MEDIA-026."""
    server, problems = usable(IceServer(url, "user", "pass"))
    assert server is None
    assert len(problems) == 1
    assert problems[0].startswith(f"urls[0] {problem}")


def test_a_relay_needs_credentials() -> None:
    for server in (
        IceServer("turn:t.example"),
        IceServer("turns:t.example", "user"),
        IceServer("turn:t.example", "", ""),
    ):
        assert usable(server) == (None, ("urls[0] needs a username and a credential",))


def test_the_good_urls_of_a_server_stay() -> None:
    server = IceServer(("stun:a.example", "stun:b.example?transport=udp", "stun:c.example"))
    kept, problems = usable(server)
    assert kept == IceServer(("stun:a.example", "stun:c.example"))
    assert problems == ("urls[1] has a transport that stun does not know",)


def test_bad_entries_do_not_spoil_the_good_ones_and_are_told() -> None:
    """MEDIA-026: dropped with a log warning, never a broken call."""
    options = client(
        iceServers=[
            {"urls": "stun:a.example"},
            "stun:b.example",
            5,
            {"url": "stun:c.example"},
            {"urls": "turn:d.example", "username": 5, "credential": "x"},
            {"urls": ["stun:e.example", 7]},
            {"urls": "gopher:f.example"},
        ]
    )
    assert ice_servers_for(options, CallOptions()) == (IceServer("stun:a.example"), IceServer("stun:e.example"))
    nothing = "this is no RTCIceServer with at least one URL"
    assert ice_server_problems(options, CallOptions()) == (
        f"ice_servers[1]: {nothing}",
        f"ice_servers[2]: {nothing}",
        f"ice_servers[3]: {nothing}",
        f"ice_servers[4]: {nothing}",
        "ice_servers[6]: urls[0] has a scheme other than stun, stuns, turn and turns",
    )
    assert ice_server_problems(client(), CallOptions()) == ()


def test_problems_do_not_repeat_urls() -> None:
    """A URL may carry a credential that does not belong there."""
    options = client(iceServers=[{"urls": "turn:alice:s3cr3t@t.example", "username": "u", "credential": "s3cr3t"}])
    problems = ice_server_problems(options, CallOptions())
    assert problems
    assert "s3cr3t" not in " ".join(problems)


@given(st.text(max_size=30), st.none() | st.text(max_size=5), st.none() | st.text(max_size=5))
def test_any_url_is_usable_or_has_a_problem(url: str, username: str | None, credential: str | None) -> None:
    server = IceServer(url, username, credential)
    kept, problems = usable(server)
    assert (kept == server) == (problems == ())
    assert (kept is None) == (len(problems) == 1)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "ws://localhost", "ws://[::1]:9", "wss://gateway.localhost/x"])
def test_a_gateway_on_this_machine_needs_no_servers_outside(host: str) -> None:
    """Unless the application names some."""
    assert ice_servers_for(ClientOptions(login_token="t", env=host), CallOptions()) == ()
    own = ClientOptions(login_token="t", env=host, ice_servers=[{"urls": "stun:127.0.0.1:3478"}])
    assert ice_servers_for(own, CallOptions()) == own.ice_servers


def test_any_other_gateway_of_ones_own_gets_the_platforms_servers() -> None:
    assert ice_servers_for(ClientOptions(login_token="t", env="wss://sig.example.com"), CallOptions()) == PRODUCTION
