"""Which servers are asked, how long, and what is shown of this host (MEDIA-020 to 027, MEDIA-024, SRV-006)."""

import asyncio
import errno
import socket
import ssl

import pytest
from attrs import evolve

from telnyx_core._signalling.ice_servers import PRODUCTION
from telnyx_core.actions import CreateOffer
from telnyx_core.facts import (
    CandidateError,
    CandidateFound,
    LocalDescribed,
    NegotiationFailed,
    TransportStateChanged,
)
from telnyx_core.ids import MediaId
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc import ice
from telnyx_drivers._webrtc.ice import GatheringTimeouts
from telnyx_drivers._webrtc.ice_plan import IcePlan, StunServer, TurnServer, parse_url, plan
from telnyx_drivers._webrtc.settings import settings_for
from tests.media import servers
from tests.media.rig import LOOPBACK, Pair, Side, ground_of, run

QUICK = GatheringTimeouts(window=0.2, stun=0.05, turn=0.1, attempt=0.3)


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)")
BOTH = OSError(
    "Multiple exceptions: [Errno 101] Connect call failed ('2001:db8::1', 9, 0, 0), "
    "[Errno 111] Connect call failed ('192.0.2.1', 9), [Errno 111] Connect call failed ('192.0.2.2', 9)"
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (REFUSED, "connection refused"),
        (BOTH, "network is unreachable, connection refused"),
        (ConnectionResetError(), "the connection was cut"),
        (asyncio.IncompleteReadError(b"", 4), "the connection was cut"),
        (TimeoutError(), "no answer within 4 s"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "its name is not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "no name server answers"),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "TLS fails ([SSL: WRONG_VERSION_NUMBER] wrong version number)",
        ),
        (ValueError("what else"), "what else"),
        (KeyError(), "KeyError"),
    ],
)
def test_people_are_told_why_a_host_could_not_be_talked_to(error: Exception, told: str) -> None:
    assert ice.reason_of(error, 4.0) == told


def turn(port: int, credential: str = "secret") -> IceServer:
    return IceServer((f"turn:127.0.0.1:{port}",), "user", credential)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stun:stun.example.net", StunServer("stun.example.net", 3478)),
        ("stun:stun.example.net:19302", StunServer("stun.example.net", 19302)),
        ("stun:[2001:db8::1]:3479", StunServer("2001:db8::1", 3479)),
        ("turn:turn.example.net?transport=udp", TurnServer("turn.example.net", 3478, "udp", "u", "p")),
        ("turn:turn.example.net:3478?transport=tcp", TurnServer("turn.example.net", 3478, "tcp", "u", "p")),
        ("turn:turn.example.net", TurnServer("turn.example.net", 3478, "udp", "u", "p")),
        ("turns:turn.example.net:443", TurnServer("turn.example.net", 443, "tls", "u", "p")),
        ("turns:turn.example.net", TurnServer("turn.example.net", 5349, "tls", "u", "p")),
    ],
)
def test_a_server_url_is_read(url: str, expected: object) -> None:
    assert parse_url(url, "u", "p") == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://stun.example.net",
        "stun:",
        "stun:a b",
        "stun:host:0",
        "stun:host:70000",
        "stun:host?transport=udp",
        "stuns:host",
        "turn:host?transport=sctp",
        "turns:host?transport=udp",
        "turn:host:x",
    ],
)
def test_an_unusable_url_is_dropped_with_a_warning(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """MEDIA-026."""
    assert isinstance(parse_url(url, "u", "p"), str)
    chosen = plan([IceServer((url, "stun:good.example.net"), "u", "very-secret")])
    assert chosen == IcePlan((StunServer("good.example.net", 3478),))
    assert len(caplog.records) == 1
    assert "very-secret" not in caplog.text


def test_turn_without_credentials_is_dropped() -> None:
    assert plan([IceServer(("turn:turn.example.net",))]) == IcePlan()


def test_every_server_is_chosen_once_and_turn_the_cheapest_first() -> None:
    """MEDIA-027, MEDIA-505."""
    chosen = plan(
        [
            IceServer(("stun:b", "stun:a", "stun:b:3478")),
            IceServer(("turns:c:443",), "u", "p"),
            IceServer(("turn:d?transport=tcp", "turn:d?transport=udp"), "u", "p"),
            IceServer(("turn:e", "turn:e"), "u", "p"),
        ]
    )
    assert [each.url for each in chosen.stuns] == ["stun:b:3478", "stun:a:3478"]
    assert [each.url for each in chosen.turns] == [
        "turn:d:3478?transport=udp",
        "turn:e:3478?transport=udp",
        "turn:d:3478?transport=tcp",
        "turns:c:443?transport=tcp",
    ]


def test_a_url_names_an_address_as_urls_do() -> None:
    assert StunServer("2001:db8::1", 3478).url == "stun:[2001:db8::1]:3478"


def test_credentials_stay_out_of_the_representation() -> None:
    assert "secret" not in repr(plan([IceServer(("turn:t",), "user", "secret")]))


@pytest.mark.parametrize(
    ("url", "loopback", "reflexive_first"),
    [
        ("wss://rtc.telnyx.com", False, True),
        ("wss://203.0.113.5:8082/?x=1", False, False),  # a documentation address is not global
        ("wss://8.8.8.8", False, True),
        ("ws://127.0.0.1:8081", True, False),
        ("ws://localhost.", True, False),
        ("ws://gateway.localhost:80", True, False),
        ("ws://[::1]:8081", True, False),
        ("ws://192.168.1.9", False, False),
        ("ws://pbx.local", False, False),
        ("ws://127.0.0.1.example.com", False, True),
        ("", False, True),
    ],
)
def test_the_signalling_url_says_where_media_is(url: str, loopback: bool, reflexive_first: bool) -> None:
    settings = settings_for(url)
    assert (settings.loopback, settings.reflexive_first) == (loopback, reflexive_first)


def test_the_route_decides_which_address_stands_first() -> None:
    """SRV-006: such a server tries the first IPv4 candidate only."""
    rank = ice._likelihood("10.0.0.7")
    found = ["127.0.0.1", "fe80::1", "2001:db8::1", "172.17.0.1", "169.254.1.1", "10.0.0.7"]
    assert sorted(found, key=rank) == ["10.0.0.7", "172.17.0.1", "2001:db8::1", "127.0.0.1", "169.254.1.1", "fe80::1"]


def test_towards_this_host_servers_outside_are_not_waited_for() -> None:
    near, far = settings_for("ws://127.0.0.1").patience, settings_for("wss://rtc.telnyx.com").patience
    assert near.window < 0.5 < far.window
    assert near.turn == far.turn, "a relay that must be used is worth the same wait"


def test_the_last_of_the_platform_s_relays_has_time_to_answer_within_the_window() -> None:
    """MEDIA-061: behind a firewall that lets nothing out but TLS it is the only way, and TLS takes five round trips."""
    patience = GatheringTimeouts()
    ahead = len(plan(PRODUCTION).turns) - 1
    assert ahead == 2
    assert patience.window - patience.turn * ahead >= 5 * 0.1


async def gathered(side: Side, **config: object) -> list[str]:
    """The types and addresses of a fresh peer's candidates."""
    media = side.open(1, "offer", **config)
    side.perform(CreateOffer(media))
    await side.description(media)
    return [
        " ".join(fact.candidate.split()[i] for i in (7, 4)) for fact in side.facts if isinstance(fact, CandidateFound)
    ]


async def failure(side: Side, **config: object) -> NegotiationFailed:
    media = side.open(1, "offer", **config)
    side.perform(CreateOffer(media))
    return await side.fact(NegotiationFailed, media)


@pytest.mark.media
def test_loopback_is_offered_only_when_asked_for() -> None:
    async def main() -> None:
        asked = Side()
        assert await gathered(asked) == ["host 127.0.0.1"]
        await asked.engine.aclose()
        other = Side(evolve(LOOPBACK, loopback=False))
        fact = await failure(other)
        assert fact.stage == "set_local"
        assert fact.reason == "no ICE candidate (no network)"
        await other.engine.aclose()

    run(main())


def routable_address() -> str:
    address = ice._route_address()
    if address is None:
        pytest.skip("this host has no address but loopback")
    return address


@pytest.mark.media
def test_a_reflexive_candidate_comes_first_towards_the_internet_and_loopback_last() -> None:
    address = routable_address()

    async def main() -> None:
        stun = servers.StunServer(mapped=("198.51.100.1", 4000))
        port = await servers.serve(stun, address)
        settings = evolve(LOOPBACK, addresses=lambda: [address])
        for reflexive_first in (True, False):
            side = Side(evolve(settings, reflexive_first=reflexive_first))
            found = await gathered(side, ice_servers=(IceServer((f"stun:{address}:{port}",)),))
            near_and_far = [f"host {address}", "srflx 198.51.100.1"]
            assert found == [*sorted(near_and_far, reverse=reflexive_first), "host 127.0.0.1"]
            await side.engine.aclose()
        assert stun.asked == 2
        stun.transport.close()

    run(main())


@pytest.mark.media
def test_a_silent_stun_server_costs_the_window_and_no_more() -> None:
    """aioice would wait five seconds for one address that is not answered."""
    address = routable_address()

    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((address, 0))
            url = f"stun:{address}:{silent.getsockname()[1]}"
            side = Side(evolve(LOOPBACK, addresses=lambda: [address], patience=QUICK))
            async with asyncio.timeout(3):
                assert await gathered(side, ice_servers=(IceServer((url,)),)) == [f"host {address}", "host 127.0.0.1"]
            await side.engine.aclose()

    run(main())


@pytest.mark.media
@pytest.mark.parametrize("relay_only", [False, True])
def test_a_silent_turn_server_is_waited_for_only_where_nothing_else_may_be_used(relay_only: bool) -> None:
    """MEDIA-061, MEDIA-024: with an address of this host in hand the description leaves when the window is over.

    The server is silent for longer than the window, and would have been waited for for 20 s.
    """

    async def main() -> None:
        server = servers.TurnServer(mute=True)
        port = await servers.serve(server)
        side = Side(evolve(LOOPBACK, patience=GatheringTimeouts(window=0.1, attempt=20.0)))
        asyncio.get_running_loop().call_later(0.3, setattr, server, "mute", False)
        async with asyncio.timeout(3):
            found = await gathered(side, ice_servers=(turn(port),), force_relay=relay_only)
        assert found == (["relay 127.0.0.1"] if relay_only else ["host 127.0.0.1"])
        await side.engine.aclose()
        server.close()

    run(main())


@pytest.mark.media
@pytest.mark.parametrize("prefetch", [True, False])
def test_relay_only_shows_and_uses_nothing_but_the_relay(prefetch: bool) -> None:
    """MEDIA-024: a real call through a TURN server; no socket is opened that could reveal an address."""

    async def main() -> None:
        server = servers.TurnServer()
        port = await servers.serve(server)
        relayed = {"ice_servers": (turn(port),), "force_relay": True, "prefetch": prefetch}
        pair = Pair()
        media = await pair.connect(caller=relayed, callee=relayed)
        assert len(server.allocations) == 2
        for side in (pair.caller, pair.callee):
            found = [fact.candidate for fact in side.facts if isinstance(fact, CandidateFound)]
            assert [text.split()[7] for text in found] == ["relay"]
            assert found[0].endswith("raddr 0.0.0.0 rport 9")
            snapshot = side.engine.snapshot(media)
            assert snapshot is not None
            assert snapshot.pair is not None
            assert snapshot.pair.local.candidate_type == "relay"
        pair.caller.audio().hum(600)
        assert await pair.callee.audio().hears() == pytest.approx(600, abs=2)
        assert server.relayed > 20
        await pair.aclose()
        assert not server.allocations, "an allocation was not given back"
        server.close()

    run(main())


@pytest.mark.media
def test_the_next_turn_server_is_tried_when_one_gives_nothing() -> None:
    """MEDIA-027."""

    async def main() -> None:
        dead, strict, good = servers.TurnServer(mute=True), servers.TurnServer(), servers.TurnServer()
        ports = [await servers.serve(each) for each in (dead, strict, good)]
        offered = (turn(ports[0]), turn(ports[1], credential="wrong"), turn(ports[2]))
        side = Side(evolve(LOOPBACK, patience=QUICK))
        assert await gathered(side, ice_servers=offered, force_relay=True) == ["relay 127.0.0.1"]
        assert [len(each.allocations) for each in (dead, strict, good)] == [0, 0, 1]
        await side.engine.aclose()
        for each in (dead, strict, good):
            each.close()

    run(main())


@pytest.mark.media
def test_relay_only_without_a_relay_fails_with_the_reasons_and_shows_nothing() -> None:
    async def main() -> None:
        dead, strict = servers.TurnServer(mute=True), servers.TurnServer()
        ports = [await servers.serve(each) for each in (dead, strict)]
        side = Side(evolve(LOOPBACK, patience=QUICK))
        offered = (turn(ports[0]), turn(ports[1], credential="wrong"))
        fact = await failure(side, ice_servers=offered, force_relay=True)
        assert fact.stage == "set_local"
        assert fact.reason.startswith("no relay candidate, and only relays may be used")
        assert f"turn:127.0.0.1:{ports[0]}?transport=udp: no answer within 0.3 s" in fact.reason
        assert "401" in fact.reason
        assert "wrong" not in fact.reason
        assert not [each for each in side.facts if isinstance(each, (CandidateFound, LocalDescribed))]
        bare = Side()
        assert "no server to ask" in (await failure(bare, force_relay=True)).reason
        await bare.engine.aclose()
        await side.engine.aclose()
        for each in (dead, strict):
            each.close()

    run(main())


@pytest.mark.media
def test_closing_gives_up_on_a_turn_server_that_has_died() -> None:
    """Its confirmation would take 32 s; everything is closed within the five that a peer has."""

    async def main() -> None:
        server = servers.TurnServer()
        port = await servers.serve(server)
        side = Side()
        await gathered(side, ice_servers=(turn(port),), force_relay=True)
        server.mute = True
        async with asyncio.timeout(5.5):
            await side.engine.aclose()
        server.close()

    run(main())


@pytest.mark.media
def test_a_peer_may_be_closed_while_it_gathers() -> None:
    async def main() -> None:
        dead = servers.TurnServer(mute=True)
        port = await servers.serve(dead)
        side = Side()
        media = side.open(1, "offer", ice_servers=(turn(port),), force_relay=True)
        side.perform(CreateOffer(media))
        await asyncio.sleep(0.05)
        await side.engine.aclose()
        assert not [fact for fact in side.facts if not isinstance(fact, TransportStateChanged)]
        assert side.engine.snapshot(MediaId(1)) is None
        dead.close()

    run(main())


def errors(side: Side) -> list[tuple[str, int]]:
    return [(fact.url, fact.code) for fact in side.facts if isinstance(fact, CandidateError)]


@pytest.mark.media
def test_a_silent_stun_server_gives_way_to_the_next() -> None:
    address = routable_address()

    async def main() -> None:
        stun = servers.StunServer(mapped=("198.51.100.1", 4000))
        port = await servers.serve(stun, address)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((address, 0))
            urls = tuple(f"stun:{address}:{number}" for number in (silent.getsockname()[1], port))
            side = Side(evolve(LOOPBACK, addresses=lambda: [address], patience=QUICK))
            found = await gathered(side, ice_servers=(IceServer(urls),))
            assert found == ["srflx 198.51.100.1", f"host {address}", "host 127.0.0.1"]
            assert not errors(side)
            await side.engine.aclose()
        stun.transport.close()

    run(main())


@pytest.mark.media
def test_a_turn_server_that_says_nothing_holds_the_next_one_up_for_its_head_start_only() -> None:
    """MEDIA-027, MEDIA-612: each further server of a blocked network would cost its whole patience otherwise."""

    async def main() -> None:
        dead = [servers.TurnServer(mute=True) for _ in range(3)]
        good = servers.TurnServer()
        ports = [await servers.serve(each) for each in (*dead, good)]
        side = Side(evolve(LOOPBACK, patience=evolve(QUICK, turn=0.02, attempt=20.0)))
        async with asyncio.timeout(5):
            assert await gathered(side, ice_servers=tuple(map(turn, ports)), force_relay=True) == ["relay 127.0.0.1"]
        await side.engine.aclose()
        for each in (*dead, good):
            each.close()

    run(main())


@pytest.mark.media
def test_a_server_that_refuses_or_is_not_there_is_named_without_a_secret() -> None:
    async def main() -> None:
        strict, good = servers.TurnServer(), servers.TurnServer()
        ports = [await servers.serve(each) for each in (strict, good)]
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            gone = f"turn:127.0.0.1:{closed.getsockname()[1]}?transport=tcp"
            offered = (
                turn(ports[0], credential="very-wrong"),
                turn(ports[1]),
                IceServer((gone,), "user", "secret"),
            )
            side = Side(evolve(LOOPBACK, patience=evolve(QUICK, turn=1.0)))
            assert await gathered(side, ice_servers=offered) == ["relay 127.0.0.1", "host 127.0.0.1"]
            (fact,) = (fact for fact in side.facts if isinstance(fact, CandidateError))
            assert (fact.url, fact.code) == (f"turn:127.0.0.1:{ports[0]}?transport=udp", 401)
            assert fact.reason == "it refuses the username or the credential (401 Unauthorized)"
            await side.engine.aclose()
            other = Side()
            assert await gathered(other, ice_servers=(offered[2],)) == ["host 127.0.0.1"]
            assert errors(other) == [(gone, 701)]
            await other.engine.aclose()
        assert "very-wrong" not in repr((side.facts, other.facts))
        for each in (strict, good):
            each.close()

    run(main())


@pytest.mark.media
@pytest.mark.parametrize("prefetch", [True, False])
def test_with_trickle_the_description_waits_for_no_server(prefetch: bool) -> None:
    """MEDIA-100, MEDIA-101, MEDIA-104: what servers say follows, and then the end."""

    async def main() -> None:
        server = servers.TurnServer(mute=True)
        port = await servers.serve(server)
        side = Side()
        media = side.open(1, "offer", ice_servers=(turn(port),), trickle=True, prefetch=prefetch)
        side.perform(CreateOffer(media))
        first = await side.fact(LocalDescribed, media)
        assert not first.complete
        assert "typ host" in first.sdp
        assert "end-of-candidates" not in first.sdp
        server.mute = False
        last = await side.fact(LocalDescribed, media, lambda fact: fact.complete)
        assert "typ relay" in last.sdp
        kinds = [
            fact.candidate.split()[7] if isinstance(fact, CandidateFound) else type(fact).__name__
            for fact in side.facts
            if isinstance(fact, CandidateFound | LocalDescribed)
        ]
        assert kinds == ["LocalDescribed", "host", "relay", "LocalDescribed"]
        await side.engine.aclose()
        server.close()

    run(main())


@pytest.mark.media
@pytest.mark.parametrize("role", ["caller", "callee"])
def test_a_relay_found_late_still_carries_the_call(role: str) -> None:
    """MEDIA-024 and MEDIA-101 together, either role: first a description without any candidate, then the relay alone.

    The far end has long said that it has no more candidates: the library must not give up on that (RFC 8838 section 8).
    """

    async def main() -> None:
        server = servers.TurnServer(mute=True)
        port = await servers.serve(server)
        pair = Pair()
        late = {"ice_servers": (turn(port),), "force_relay": True, "trickle": True}
        media = await pair.connect(**{role: late}, wait=False)  # type: ignore[arg-type]
        side, other = (pair.caller, pair.callee) if role == "caller" else (pair.callee, pair.caller)
        assert "a=candidate" not in await side.description(media)
        await asyncio.sleep(0.1)
        assert side.states(media) in ([], ["connecting"])
        server.mute = False
        await pair.caller.state("connected", media)
        await pair.callee.state("connected", media)
        snapshot = other.engine.snapshot(media)
        assert snapshot is not None
        assert snapshot.pair is not None
        assert snapshot.pair.remote.port in [
            each.transport.get_extra_info("sockname")[1] for each in server.allocations.values()
        ]
        await pair.aclose()
        server.close()

    run(main())


@pytest.mark.media
def test_with_trickle_too_no_relay_is_a_failure() -> None:
    async def main() -> None:
        strict = servers.TurnServer()
        port = await servers.serve(strict)
        side = Side(evolve(LOOPBACK, patience=QUICK))
        media = side.open(1, "offer", ice_servers=(turn(port, "wrong"),), force_relay=True, trickle=True)
        side.perform(CreateOffer(media))
        fact = await side.fact(NegotiationFailed, media)
        assert "401" in fact.reason
        assert not [each for each in side.facts if isinstance(each, CandidateFound)]
        await side.engine.aclose()
        strict.close()

    run(main())


@pytest.mark.media
def test_servers_are_not_asked_any_more_once_the_call_is_connected() -> None:
    async def main() -> None:
        dead = servers.TurnServer(mute=True)
        port = await servers.serve(dead)
        pair = Pair()
        media = await pair.connect(caller={"ice_servers": (turn(port),), "trickle": True})
        async with asyncio.timeout(2):
            await pair.caller.fact(LocalDescribed, media, lambda fact: fact.complete)
        assert not ground_of(pair.caller).asking
        await pair.aclose()
        dead.close()

    run(main())
