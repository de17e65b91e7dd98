"""The interface between a peer and whatever finds and keeps its path, and the one implementation, on aioice."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

from aioice import Candidate as LibraryCandidate
from aioice.ice import CandidatePair
from aioice.turn import TurnTransport
from attrs import field, frozen

from telnyx_core.ice import Candidate
from telnyx_core.stats.snapshot import CandidateStats, PairStats
from telnyx_drivers._webrtc import private, sdp
from telnyx_drivers._webrtc.ice import Gathering
from telnyx_drivers._webrtc.ice_agent import Agent
from telnyx_drivers._webrtc.ice_serving import ServingAgent
from telnyx_drivers._webrtc.ice_socket import Address, Relay, Unwanted, sender_of

IceState: TypeAlias = Literal["new", "checking", "completed", "failed", "closed"]


@frozen
class IceParameters:
    """What each end says of its agent (RFC 8839 section 5)."""

    ufrag: str = field(repr=False)
    pwd: str = field(repr=False)
    lite: bool = False


class IceTransport(Protocol):
    """Carries datagrams to the far end and back. All on the media loop; closed once, and then nothing is reported."""

    on_state: Callable[[IceState], None]
    """Called on each change; the path can be used from ``completed`` on."""

    @property
    def state(self) -> IceState: ...

    @property
    def local(self) -> IceParameters: ...

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Of this end, as far as they have been found."""
        ...

    @property
    def pair(self) -> PairStats | None:
        """The selected pair (STATS-056)."""
        ...

    @property
    def dropped(self) -> Mapping[Unwanted, int]:
        """Datagrams that came and were not for this path, by what they looked like."""
        ...

    async def open(self) -> None:
        """Open the sockets of this host, whose candidates are there at once."""
        ...

    async def ask_servers(self) -> None:
        """Find the candidates that STUN and TURN servers give, until all have answered or failed, or cancelled."""
        ...

    def start(self, remote: IceParameters, *, controlling: bool) -> None:
        """Begin the checks. Needs open sockets."""
        ...

    async def add_remote(self, candidate: Candidate | None) -> bool:
        """Add a candidate of the far end; ``None``: there are no more. False: it is one too many."""
        ...

    def carry(self, dtls: Callable[[bytes], None]) -> None:
        """From now on DTLS is passed on, beginning with what has come so far."""
        ...

    def carry_media(self, media: Callable[[bytes], bool] | None) -> None:
        """From now on SRTP and SRTCP are passed on; the function says whether a datagram is authentic."""
        ...

    def settle(self) -> None:
        """The handshake over the path has ended: the far end has settled on it."""
        ...

    def send(self, data: bytes) -> None:
        """On the selected pair; without one the datagram is lost."""
        ...

    async def probe(self) -> None:
        """Ask for consent (RFC 7675). Raises ``TransactionError`` or ``OSError`` when it is not given."""
        ...

    def abandon(self) -> None:
        """Do not wait any longer for TURN servers to confirm that allocations are given back."""
        ...

    async def close(self) -> None: ...


class AioiceTransport:
    """Implements `IceTransport`."""

    def __init__(self, gathering: Gathering, *, serves: bool = False, delay: float = 0.0) -> None:
        """``serves`` and ``delay`` as in `PeerSettings`."""
        self._gathering = gathering
        self.agent: Agent = (ServingAgent if serves else Agent)(self._open_hosts, relay_only=gathering.relay_only)
        self.agent.door.delay = delay
        self.agent.selected = lambda: self._change("completed")
        self.agent.lost = lambda: self._change("failed")
        self.on_state: Callable[[IceState], None] = lambda state: None
        self._state: IceState = "new"
        self._checking: asyncio.Task[None] | None = None
        self._ended = False
        self._pair: CandidatePair | None = None
        self._sender: asyncio.DatagramTransport | Relay | None = None
        self._address: Address = ("", 0)

    @property
    def state(self) -> IceState:
        return self._state

    @property
    def local(self) -> IceParameters:
        return IceParameters(self.agent.local_username, self.agent.local_password)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(filter(None, (sdp.parse_candidate(each.to_sdp()) for each in self.agent.found)))

    @property
    def pair(self) -> PairStats | None:
        pair = private.nominated(self.agent)
        if pair is None:
            return None
        local, remote = pair.local_candidate, pair.remote_candidate
        return PairStats(
            id=f"{local.foundation}:{remote.foundation}:{remote.port}",
            local=CandidateStats(address=local.host, port=local.port, candidate_type=local.type),
            remote=CandidateStats(address=remote.host, port=remote.port, candidate_type=remote.type),
        )

    @property
    def dropped(self) -> Mapping[Unwanted, int]:
        return self.agent.door.dropped

    async def open(self) -> None:
        await self.agent.gather_candidates()

    async def _open_hosts(self) -> list[LibraryCandidate]:
        return await self._gathering.open_hosts(self.agent)

    async def ask_servers(self) -> None:
        await self._gathering.ask_servers(self.agent)

    def start(self, remote: IceParameters, *, controlling: bool) -> None:
        if self._checking is None and self._state == "new":
            agent = self.agent
            agent.ice_controlling = controlling
            agent.remote_is_lite, agent.remote_username, agent.remote_password = remote.lite, remote.ufrag, remote.pwd
            self._change("checking")
            # Never cancelled: it runs inside the library, and ends when that closes.
            self._checking = asyncio.create_task(self._check(), name="check ICE candidates")

    async def _check(self) -> None:
        try:
            await self.agent.connect()
        except ConnectionError:
            self._change("failed")

    async def add_remote(self, candidate: Candidate | None) -> bool:
        if self._ended:
            return True
        if candidate is None:
            self._ended = True
            await self.agent.add_remote_candidate(None)
        elif self.agent.door.full:
            return False
        else:
            await self.agent.add_remote_candidate(LibraryCandidate.from_sdp(str(candidate).removeprefix("candidate:")))
        return True

    def carry(self, dtls: Callable[[bytes], None]) -> None:
        self.agent.door.open(dtls)

    def carry_media(self, media: Callable[[bytes], bool] | None) -> None:
        self.agent.door.media = media

    def settle(self) -> None:
        self.agent.settled = True

    def send(self, data: bytes) -> None:
        pair = private.nominated(self.agent)
        if pair is not self._pair:
            self._pair = pair
            if pair is not None:
                self._sender, self._address = sender_of(pair), pair.remote_addr
        if pair is not None and self._sender is not None:
            self._sender.sendto(data, self._address)

    async def probe(self) -> None:
        await self.agent.probe()

    def abandon(self) -> None:
        for protocol in private.sockets(self.agent):
            if isinstance(protocol.transport, TurnTransport):
                farewell = private.turn_closing(protocol.transport)
                if farewell is not None:
                    farewell.cancel()

    async def close(self) -> None:
        self._change("closed")
        await self.agent.close()

    def _change(self, state: IceState) -> None:
        if state != self._state and self._state not in ("failed", "closed"):
            self._state = state
            self.on_state(state)
