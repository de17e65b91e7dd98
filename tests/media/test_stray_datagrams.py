"""What a stranger sends to a media port: dropped and counted before any library sees it, at every stage of a path."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from random import Random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.actions import AddCandidate, ApplyRemote, CreateAnswer, CreateOffer, UseMedia
from telnyx_core.ice.generation import MAX_REMOTE
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc.ice import Gathering
from telnyx_drivers._webrtc.ice_plan import IcePlan
from telnyx_drivers._webrtc.ice_socket import Arrivals
from telnyx_drivers._webrtc.ice_transport import MOST_EARLY, IceTransport, Unwanted
from telnyx_drivers._webrtc.peer_transport import PeerTransport
from tests.ice.inside import checks_of, current
from tests.media import servers
from tests.media.rig import LOOPBACK, Pair, Side, ice_of, run, until
from tests.media.server_end import ServerEnd

pytestmark = pytest.mark.media

COOKIE = 0x2112A442


def stun(kind: int, body: bytes = b"", cookie: int = COOKIE, length: int | None = None) -> bytes:
    return pack("!HHI12s", kind, len(body) if length is None else length, cookie, b"0123456789ab") + body


def attribute(kind: int, value: bytes) -> bytes:
    return pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


STRAY: tuple[tuple[Unwanted, bytes], ...] = (
    ("empty", b""),
    ("STUN", b"\x00"),
    ("STUN", stun(1)[:19]),
    ("STUN", stun(1, length=8)),
    ("STUN", stun(1, cookie=1)),
    ("STUN", stun(0x03FF)),
    ("STUN", stun(1)),
    ("STUN", stun(0x011)),
    ("STUN", stun(0x101)),
    ("STUN", stun(0x111, attribute(0x0009, b"\0\0\x04\x01"))),
    # Attributes that are shorter or longer than their type allows, and text that is none.
    ("STUN", stun(1, attribute(0x0024, b"\1"))),
    ("STUN", stun(1, attribute(0x802A, b"\1\2"))),
    ("STUN", stun(1, attribute(0x0006, b"\xff\xfe"))),
    ("STUN", stun(0x101, attribute(0x0020, b"\0\1\0"))),
    ("STUN", stun(0x101, attribute(0x0008, bytes(20)) + attribute(0x8028, b"\1"))),
    ("media", b"\x80"),
    ("media", b"\x80" + bytes(11)),
    ("media", b"\x80\xc8" + bytes(40)),
    ("media", b"\xbf" + bytes(1500)),
    ("other", b"\x04" * 20),
    ("other", b"\x40" * 20),
    ("other", b"\xff" * 2_000),
    ("other", b"INVITE sip:9 SIP/2.0\r\n"),
)
HANDSHAKE = (b"\x16", b"\x14" * 13, b"\x16\xfe\xfd" + bytes(1_000), b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28")


class Stranger:
    """A socket that nobody has been told of."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, ice: IceTransport, *datagrams: bytes) -> None:
        for base in ice.sockets:
            for datagram in datagrams:
                self._socket.sendto(datagram, base)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    stranger = Stranger()
    yield stranger
    stranger.close()


async def bears(stranger: Stranger, ice: IceTransport) -> None:
    """All of it is dropped, and counted as what it looks like."""
    before = ice.dropped.total()
    stranger.send(ice, *(datagram for _, datagram in STRAY), *HANDSHAKE)
    await until(lambda: ice.dropped.total() >= before + len(STRAY))
    counted = {kind: sum(each == kind for each, _ in STRAY) for kind, _ in STRAY}
    assert {kind: ice.dropped[kind] for kind in counted} == counted


def test_strays_before_the_description_during_the_checks_and_after_the_handshake(
    stranger: Stranger, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty datagram alone ended a path; malformed STUN wrote a traceback each; the rest was kept for ever."""

    async def main() -> None:
        for stage in ("idle", "checking", "connected"):
            near = Side()
            async with ServerEnd() as far:
                media = near.open(1, "offer")
                near.perform(CreateOffer(media))
                offer = await near.description(media)
                if stage == "idle":
                    await bears(stranger, ice_of(near))
                # A server that is not there yet: the checks go on, and nothing else.
                far.loses = lambda data, lost=stage == "checking": lost  # type: ignore[misc]
                near.perform(ApplyRemote(media, "answer", far.answer(offer)), UseMedia(media))
                if stage == "checking":
                    await near.state("connecting")
                    await bears(stranger, ice_of(near))
                    far.loses = lambda data: False
                await near.state("connected")
                if stage == "connected":
                    await until(lambda: far.heard > 0)
                    await bears(stranger, ice_of(near))
                heard = far.heard
                await until(lambda heard=heard: far.heard > heard + 10)  # type: ignore[misc]
                assert near.states(media)[-1] == "connected"
            await near.engine.aclose()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not caplog.records


def test_an_idle_client_keeps_nothing(stranger: Stranger) -> None:
    """Of 100 MB that were sent to one, it kept 104 MB."""

    async def main() -> None:
        ground = PeerTransport((), LOOPBACK, relay_only=False)
        await ground.hosts_known()
        ice = ground.ice
        for _ in range(100):
            stranger.send(ice, *[os.urandom(1) + bytes(1_400) for _ in range(10)], HANDSHAKE[2])
            await asyncio.sleep(0)
        await until(lambda: len(ice._early) == MOST_EARLY)
        assert current(ice.agent).early == []
        assert len(checks_of(ice.agent).sent) == 0
        await ground.close()

    run(main())


@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([each for _, each in STRAY]).map(bytes)), max_size=30)
)
def test_no_datagram_makes_a_socket_raise(datagrams: list[bytes]) -> None:
    async def main() -> None:
        ice = IceTransport(Gathering(plan=IcePlan(), loopback=True, addresses=list))
        await ice.open()
        (socket,) = ice.sockets.values()
        sent: list[bytes] = []

        socket.transport.sendto = lambda data, addr=None: sent.append(data)  # type: ignore[method-assign, misc]
        for datagram in datagrams:
            socket.datagram_received(datagram, ("127.0.0.1", 10))
        assert ice.agent.remote_candidates == ()
        assert not sent, "and nobody who has no password gets an answer"
        await ice.close()

    asyncio.run(main())


def test_a_turn_servers_nonsense_is_dropped() -> None:
    async def main() -> None:
        server = servers.TurnServer()
        turn = IceServer((f"turn:127.0.0.1:{await servers.serve(server)}",), "user", "secret")
        pair = Pair()
        await pair.connect(caller={"ice_servers": (turn,), "force_relay": True})
        (client,) = server.allocations
        channel = 0x4000
        for _, datagram in STRAY:
            server.transport.sendto(datagram, client)
            server.transport.sendto(pack("!HH", channel, len(datagram)) + datagram, client)
        server.transport.sendto(pack("!HH", channel, 500) + bytes(3), client)
        dropped = ice_of(pair.caller).dropped
        await until(lambda: dropped["empty"] == 1)
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        await pair.aclose()
        server.close()

    run(main())


@pytest.mark.parametrize("when", ["early", "late"])
def test_the_far_ends_addresses_are_bounded_over_the_life_of_a_path(when: str) -> None:
    async def main() -> None:
        near, rng = Side(), Random(3)
        async with ServerEnd() as far:
            media = near.open(1, "answer", trickle=True)
            offer = far.offer().replace("a=end-of-candidates\r\n", "")
            many = [
                AddCandidate(
                    media,
                    f"candidate:{number} 1 udp {rng.getrandbits(30)} 127.0.0.9 {1_024 + number} typ host",
                    "0",
                    0,
                )
                for number in range(3 * MAX_REMOTE)
            ]
            if when == "early":
                near.perform(*many)
            near.perform(ApplyRemote(media, "offer", offer), CreateAnswer(media))
            if when == "late":
                near.perform(*many)
            await near.description(media)
            await until(lambda: len(ice_of(near).agent.remote_candidates) >= MAX_REMOTE)
            await asyncio.sleep(0.1)
            assert len(ice_of(near).agent.remote_candidates) == MAX_REMOTE
        await near.engine.aclose()

    run(main())


def test_it_is_looked_for_more_datagrams_where_there_may_be_some() -> None:
    """A loop that was held up reads all that came meanwhile; one that is in time does not look after each datagram."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        now = 100.0
        loop.time = lambda: now  # type: ignore[method-assign]
        arrivals = Arrivals(transport)
        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        far.connect(transport.get_extra_info("sockname"))

        def after(seconds: float, waiting: int) -> int:
            nonlocal now
            now += seconds
            for _ in range(waiting):
                far.send(b"more")
            return len(list(arrivals.more()))

        assert after(0.0, 0) == 0
        assert [after(0.02, 1) for _ in range(8)] == [0, 0, 0, 4, 1, 1, 1, 1]
        assert after(0.02, 0) == 0
        assert after(0.02, 5) == 0
        assert after(0.5, 5) == 10, "the loop was away"
        far.close()
        transport.close()

    asyncio.run(main())
