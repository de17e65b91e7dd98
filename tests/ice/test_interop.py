"""Real sockets on loopback: against aioice in both roles, and through coturn over UDP and TCP."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioice
import aioice.ice
import pytest

from telnyx_core.ice import (
    Address,
    Agent,
    Candidate,
    CandidateGathered,
    CloseStream,
    Credentials,
    DataReceived,
    GatheringFinished,
    IceState,
    OpenStream,
    ServerFailed,
    StateChanged,
    StunServer,
    Transmit,
    TransmitStream,
    TurnServer,
)
from telnyx_core.ice.gathering import Server
from tests.network.coturn import CREDENTIAL, LISTENS_ON, PROGRAM, RELAYS_FROM, USER, Coturn

pytestmark = [pytest.mark.net, pytest.mark.interop]
SECONDS = 20.0


class Endpoint(asyncio.DatagramProtocol):
    """An agent with one UDP socket on loopback, and streams to TURN servers."""

    def __init__(self, **options: Any) -> None:
        self.agent = Agent(rng=random.SystemRandom(), **options)
        self.told: list[object] = []
        self.news = asyncio.Event()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def open(self, *servers: Server) -> None:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LISTENS_ON, 0))
        self.base = Address.of(*self.transport.get_extra_info("sockname")[:2])
        self.tell(self.agent.gather, [self.base], servers)
        await self.until(GatheringFinished)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.tell(self.agent.receive, data, self.base, Address.of(*addr[:2]))

    def tell(self, what: Any, *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        what(*arguments, loop.time())
        while (action := self.agent.next_action()) is not None:
            match action:
                case Transmit(_, remote, data):
                    self.transport.sendto(data, remote)
                case OpenStream(stream, server):
                    self._readers.add(loop.create_task(self._stream(stream, server.address)))
                case TransmitStream(stream, data):
                    self._writers[stream].write(data)
                case CloseStream(stream):
                    if stream in self._writers:
                        self._writers.pop(stream).close()
                case DataReceived(data):
                    self.received.put_nowait(data)
                case _:
                    self.told.append(action)
        self.news.set()
        if self._timer is not None:
            self._timer.cancel()
        due = self.agent.next_timeout()
        if due is not None:
            self._timer = loop.call_at(due, self.tell, self.agent.handle_timeout)

    async def _stream(self, stream: int, server: Address) -> None:
        reader, self._writers[stream] = await asyncio.open_connection(*server)
        self.tell(self.agent.stream_opened, stream)
        while data := await reader.read(65_536):
            self.tell(self.agent.stream_received, stream, data)
        self.tell(self.agent.stream_closed, stream, "end of stream")

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not any(each == what or (isinstance(what, type) and isinstance(each, what)) for each in self.told):
                self.news.clear()
                await self.news.wait()

    def meet(self, credentials: Credentials, candidates: list[Candidate]) -> None:
        self.tell(self.agent.set_remote, credentials)
        for candidate in candidates:
            self.tell(self.agent.add_remote_candidate, candidate)
        self.tell(self.agent.end_of_remote_candidates)

    async def close(self) -> None:
        if self.agent.state is not IceState.CLOSED:
            self.tell(self.agent.close)
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self.transport.close()


@asynccontextmanager
async def endpoint(*servers: Server, **options: Any) -> AsyncIterator[Endpoint]:
    each = Endpoint(**options)
    try:
        await each.open(*servers)
        yield each
    finally:
        await each.close()


@pytest.mark.parametrize("controlling", [True, False])
@pytest.mark.parametrize("conflict", [False, True])
def test_with_aioice(monkeypatch: pytest.MonkeyPatch, controlling: bool, conflict: bool) -> None:
    """Both roles; and where both ends claim the same one, they settle it."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [LISTENS_ON])

    async def main() -> None:
        far = aioice.Connection(ice_controlling=controlling is conflict)
        async with endpoint(controlling=controlling) as one:
            await far.gather_candidates()
            for candidate in one.agent.local_candidates:
                await far.add_remote_candidate(aioice.Candidate.from_sdp(str(candidate).removeprefix("candidate:")))
            await far.add_remote_candidate(None)
            far.remote_username, far.remote_password = (
                one.agent.local_credentials.ufrag,
                (one.agent.local_credentials.password),
            )
            theirs = [Candidate.parse(f"candidate:{each.to_sdp()}") for each in far.local_candidates]
            one.meet(Credentials(far.local_username, far.local_password), theirs)
            async with asyncio.timeout(SECONDS):
                await far.connect()
                await one.until(StateChanged(IceState.CONNECTED))
                await far.send(b"\x80from aioice")
                assert await one.received.get() == b"\x80from aioice"
                one.tell(one.agent.send, b"\x80to aioice")
                assert await far.recv() == b"\x80to aioice"
            assert one.agent.controlling is not far.ice_controlling
            await far.close()

    asyncio.run(main())


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if PROGRAM is None:
        pytest.skip("coturn is not installed (apt-get install coturn)")
    server = Coturn(tmp_path_factory.mktemp("coturn"))
    yield server
    server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="every address of 127/8 is there on Linux alone")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_through_coturn(coturn: Coturn, transport: Any) -> None:
    """By relays alone, towards an agent that has asked it for a reflexive address; channels carry the data."""
    place = Address(LISTENS_ON, coturn.port)

    async def main() -> None:
        turn = TurnServer(place, USER, CREDENTIAL, transport)
        async with (
            endpoint(turn, controlling=True, relay_only=True) as one,
            endpoint(StunServer(place), controlling=False) as other,
        ):
            assert [each.address.host for each in one.agent.local_candidates] == [RELAYS_FROM]
            one.meet(other.agent.local_credentials, list(other.agent.local_candidates))
            other.meet(one.agent.local_credentials, list(one.agent.local_candidates))
            async with asyncio.timeout(SECONDS):
                await one.until(StateChanged(IceState.CONNECTED))
                await other.until(StateChanged(IceState.CONNECTED))
                for size in (1, 4, 7, 1200):
                    for here, there in ((one, other), (other, one)):
                        here.tell(here.agent.send, b"\x80" * size)
                        assert await there.received.get() == b"\x80" * size
            assert other.agent.selected is not None
            assert other.agent.selected[1].address == one.agent.local_candidates[0].address
            assert not any(isinstance(each, ServerFailed) for each in one.told)
            relay = one.agent._gatherer.relay
            assert relay is not None
            assert [each.bound for each in relay.client._channels.values()] == [True]

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="every address of 127/8 is there on Linux alone")
def test_coturn_refuses_a_wrong_password(coturn: Coturn) -> None:
    async def main() -> None:
        turn = TurnServer(Address(LISTENS_ON, coturn.port), USER, "wrong")
        async with endpoint(turn, controlling=True, relay_only=True) as one:
            assert [each.code for each in one.told if isinstance(each, ServerFailed)] == [401]
            assert not any(isinstance(each, CandidateGathered) for each in one.told)

    asyncio.run(main())
