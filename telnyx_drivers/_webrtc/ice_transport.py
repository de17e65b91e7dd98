"""A path's driver: the sockets, names and clock of one `telnyx_core.ice.Agent`, and a filter for what comes.

A media port is open to the whole internet. What is neither STUN for this agent, nor DTLS from an address that has
proved to know its password, nor SRTP that is authentic, is dropped and counted.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Final, Literal, TypeAlias, assert_never

from attrs import define, evolve, field, frozen

from telnyx_core.ice import (
    Address,
    Agent,
    Candidate,
    CandidateGathered,
    CloseStream,
    Credentials,
    DataReceived,
    Dropped,
    GatheringFinished,
    OpenStream,
    PairSelected,
    RestartFailed,
    ServerFailed,
    StateChanged,
    StunServer,
    Timing,
    Transmit,
    TransmitStream,
    TurnServer,
)
from telnyx_core.ice import IceState as AgentState
from telnyx_core.ice.actions import Action
from telnyx_core.ice.gathering import Server
from telnyx_core.stats.snapshot import CandidateStats, PairStats
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import ice, ice_plan
from telnyx_drivers._webrtc.ice import Gathering, ServerFailure, reason_of, refusal, resolve
from telnyx_drivers._webrtc.ice_serving import CHECK_SECONDS, ServingAgent
from telnyx_drivers._webrtc.ice_socket import IceSocket, Sender

log = logs.of_module(__name__)

IceState: TypeAlias = Literal["new", "checking", "completed", "disconnected", "failed", "closed"]
Unwanted: TypeAlias = Literal["empty", "STUN", "DTLS", "media", "other"]

MOST_EARLY: Final = 16
"""DTLS datagrams kept until the handshake begins here, the latest ones: one flight, and some of its repeats."""
_MOST_WAITING: Final = 65_536
"""Bytes that wait to be sent to a TURN server over TCP; audio that comes on top of them would be too late."""
_TOLD_EVERY: Final = 0.75
"""Seconds between two times that the agent is told of SRTP, as long as it comes: less than it takes for a pause."""
_LOOK_EVERY: Final = 0.1
"""Seconds between two looks at the addresses of this host while nothing can be sent."""
_RNG: Final = SystemRandom()


@frozen
class IceParameters:
    """What each end says of its agent (RFC 8839 section 5)."""

    ufrag: str = field(repr=False)
    pwd: str = field(repr=False)
    lite: bool = False


@define(eq=False)
class _Stream:
    task: "asyncio.Task[None]"
    writer: asyncio.StreamWriter | None = None


class IceTransport:
    """Carries datagrams to the far end and back. All on the running loop; closed once, and then nothing is reported."""

    def __init__(
        self, gathering: Gathering, *, timing: Timing | None = None, serves: bool = False, delay: float = 0.0
    ) -> None:
        """``serves`` and ``delay`` as in `PeerSettings`."""
        self.gathering = gathering
        self.on_state: Callable[[IceState], None] = lambda state: None
        """Called on each change; the path can be used from ``completed`` on."""
        self.on_renewed: Callable[[], None] = lambda: None
        """Called when a restarted agent has found a pair, which is used from now on."""
        self.state: IceState = "new"
        self.dropped: Counter[Unwanted] = Counter()
        """Datagrams that came and were not for this path, by what they looked like."""
        self.news = asyncio.Event()
        """Set with every candidate that is found, with every server that fails, and when no more can come."""
        self.sockets: dict[Address, IceSocket] = {}
        patience = gathering.patience
        self.timing = evolve(
            timing or Timing(),
            stun_head_start=patience.stun,
            turn_head_start=patience.turn,
            server=patience.attempt,
        )
        self._serving: ServingAgent | None = None
        # The offerer is controlling (RFC 8445 section 6.1.1), but some servers think so of themselves: the larger
        # number keeps the role, and theirs is often made of letters, which leaves the highest bit unset.
        strength = _RNG.getrandbits(63) | 1 << 63
        if serves:
            steady = evolve(self.timing, consent=CHECK_SECONDS, nominate=CHECK_SECONDS)
            self._serving = ServingAgent(controlling=True, rng=_RNG, timing=steady, tie_breaker=strength)
        self.agent: Agent = self._serving or Agent(
            controlling=True, rng=_RNG, timing=self.timing, relay_only=gathering.relay_only, tie_breaker=strength
        )
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._performing = False
        self._streams: dict[int, _Stream] = {}
        self._planned: dict[str, ice_plan.Server] = {}
        """By the names that the agent knows servers by: their URLs."""
        self._urls: dict[Address, str] = {}
        self._failures: dict[str, ServerFailure] = {}
        self._opened: list[str] = []
        self._dtls: Callable[[bytes], None] | None = None
        self._media: Callable[[bytes], bool] | None = None
        self._early: deque[Dropped | bytes] = deque(maxlen=MOST_EARLY)
        self._path: tuple[Address, Address] | None = None
        self._socket: IceSocket | None = None
        """What sends on the path; ``None`` without one, and for a relay, to which the agent speaks."""
        self._remote = Address("", 0)
        self._heard_at = 0.0
        """When SRTP last came."""
        self._told_at = 0.0
        """When the agent was last told of it."""
        self._looked_at = -_LOOK_EVERY
        """When it was last asked which addresses this host has."""
        self._renewing = False
        """A restart has found no pair yet."""
        self._farewell: asyncio.Event | None = None

    # What is known

    @property
    def local(self) -> IceParameters:
        mine = self.agent.local_credentials
        return IceParameters(mine.ufrag, mine.password)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Of this end, as far as they have been found."""
        return self.agent.local_candidates

    @property
    def pair(self) -> PairStats | None:
        """The selected pair (STATS-056)."""
        pair = self.agent.selected
        if pair is None:
            return None
        (local, remote), (requests, answers) = pair, self.agent.checks
        return PairStats(
            id=f"{local.foundation}:{remote.foundation}:{remote.address.port}",
            local=_stats(local),
            remote=_stats(remote),
            requests_sent=requests,
            responses_received=answers,
        )

    @property
    def round_trip(self) -> float | None:
        """Seconds, of the last check of the selected pair that was answered."""
        return self.agent.round_trip

    @property
    def failures(self) -> tuple[ServerFailure, ...]:
        """Of the servers that failed and have given nothing, also not to another address."""
        return tuple(each for url, each in self._failures.items() if url not in self._urls.values())

    def url_of(self, candidate: Candidate) -> str | None:
        """Of the server that gave it."""
        return self._urls.get(candidate.address)

    @property
    def holds(self) -> bool:
        """Whether this host has the addresses that it had, and servers still confirm what they have given."""
        given = (self._urls.get(each.address) for each in self.candidates)
        stands = self.candidates and not any(url in self._failures for url in given)
        asking = not self.agent.gathering_finished
        return bool(asking or stands) and self._opened == self.gathering.local_addresses()

    @property
    def worth_waiting_for(self) -> float:
        """Seconds from the beginning: for how long a description should wait for more candidates.

        The window begins with the first candidate: those of this host are there at once. As long as there is none,
        because nothing but relays may be used, the description would be of no use, and every server gets its chance.
        """
        patience, relays = self.gathering.patience, len(self.gathering.plan.turns)
        if self.candidates or not relays:
            return patience.window
        return patience.turn * (relays - 1) + patience.attempt

    # Candidates

    async def open(self) -> None:
        """Open the sockets of this host, whose candidates are there at once; those that it has lost are closed."""
        before, self._opened = self._opened, self.gathering.local_addresses()
        for base, socket in tuple(self.sockets.items()):
            if base.host in before and base.host not in self._opened:
                self._close_socket(socket)
        fresh = [each for each in self._opened if each not in before]
        hosts = [opened for each in fresh if (opened := await self._open_socket(each)) is not None]
        self._tell(lambda now: self.agent.gather(hosts, (), now, more=True))

    async def ask_servers(self) -> None:
        """Find the candidates that STUN and TURN servers give, until all have answered or failed, or cancelled."""
        plan = self.gathering.plan
        servers: tuple[ice_plan.Server, ...] = plan.turns if self.gathering.relay_only else (*plan.stuns, *plan.turns)
        known, self._planned = self._planned, {each.url: each for each in servers}
        by_name: dict[str, list[ice_plan.Server]] = {}
        for each in () if known else servers:
            by_name.setdefault(each.host, []).append(each)
        try:
            async with asyncio.TaskGroup() as group:
                for name, of_name in by_name.items():
                    group.create_task(self._ask(name, of_name), name=f"ask {name}")
            self._tell(lambda now: self.agent.gather((), (), now))
            while not self.agent.gathering_finished:
                self.news.clear()
                await self.news.wait()
        finally:
            if self.state != "closed":
                self._tell(self.agent.end_gathering)

    def ask_again(self) -> None:
        """Have the servers confirm what they have given; it keeps bindings in NATs, and allocations, alive."""
        self._tell(self.agent.ask_again)

    async def _ask(self, name: str, servers: "list[ice_plan.Server]") -> None:
        """Servers of one name, as soon as its address is known."""
        try:
            async with asyncio.timeout(self.gathering.patience.attempt):
                host = await resolve(name, servers[0].port)
        except OSError as error:
            for each in servers:
                self._fail(each.url, ice.UNREACHED, reason_of(error, self.gathering.patience.attempt))
            return
        outlets: list[Address] = []
        found = [_server(each, host) for each in servers]
        if any(isinstance(each, TurnServer) and each.transport == "udp" for each in found):
            anywhere = "::" if ":" in host else "0.0.0.0"  # noqa: S104  it sends to the server alone
            if not any(each.host == anywhere for each in self.sockets):
                opened = await self._open_socket(anywhere)
                outlets = [] if opened is None else [opened]
        self._tell(lambda now: self.agent.gather((), found, now, more=True, outlets=outlets))

    async def _open_socket(self, address: str) -> Address | None:
        try:
            _, opened = await self._loop.create_datagram_endpoint(
                lambda: IceSocket(self._take, self._gone, self._suspect, self._delay), local_addr=(address, 0)
            )
        except OSError as error:
            log.info("no socket on %s: %s", address, error)
            return None
        if self.state == "closed":
            opened.transport.close()
            return None
        self.sockets[opened.base] = opened
        return opened.base

    def _gone(self, socket: IceSocket) -> None:
        if self.sockets.pop(socket.base, None) is not None and self.state != "closed":
            self._tell(lambda now: self.agent.remove_host(socket.base, now))

    def _suspect(self, socket: IceSocket) -> None:
        """Something could not be sent from there: if this host has lost the address, another path is looked for now."""
        now, host = self._loop.time(), socket.base.host
        if host in self._opened and now - self._looked_at > _LOOK_EVERY and self.state != "closed":
            self._looked_at = now
            if host not in self.gathering.local_addresses():
                log.info("this host has lost the address %s", host)
                self._close_socket(socket)

    def _close_socket(self, socket: IceSocket) -> None:
        socket.transport.close()
        self._gone(socket)

    def _fail(self, url: str, code: int, reason: str) -> None:
        failure = refusal(url, code, reason, self.gathering.patience.attempt)
        log.info("ICE server gave no candidate: %s", failure)
        self._failures[url] = failure
        self.news.set()

    # The path

    def start(self, remote: IceParameters, *, controlling: bool) -> None:
        """Begin the checks. Needs open sockets. Raises `CandidateError`."""
        credentials = Credentials(remote.ufrag, remote.pwd)
        self.agent.take_role(controlling=controlling)
        self._tell(lambda now: self.agent.set_remote(credentials, now, lite=remote.lite))

    def add_remote(self, candidate: Candidate) -> bool:
        """Add a candidate of the far end. False: it is of no use, or one too many."""
        taken = self.agent.add_remote_candidate(candidate, self._loop.time())
        self._perform()
        return taken

    def end_of_remote(self) -> None:
        self._tell(self.agent.end_of_remote_candidates)

    def carry(self, dtls: Callable[[bytes], None]) -> None:
        """From now on DTLS is passed on, beginning with what has come so far."""
        self._dtls = dtls
        early = list(self._early)
        self._early.clear()
        for each in early:
            if isinstance(each, bytes):
                dtls(each)
            else:
                self._receive(each.data, each.base, each.source)

    def carry_media(self, media: Callable[[bytes], bool] | None) -> None:
        """From now on SRTP and SRTCP are passed on; the function says whether a datagram is authentic."""
        self._media = media

    def restart(self) -> None:
        """Begin a new ICE session (RFC 8445 section 2.4), for `start`; the pair in use stays until one of it works."""
        self._renewing = True
        self._tell(self.agent.restart)

    def abandon_restart(self) -> None:
        """Stay with the session that works, if one does."""
        self._renewing = False
        if self.state == "closed":
            return
        if self.agent.restarting:
            self._tell(self.agent.abandon_restart)
        elif self.agent.path is None:
            self._change("failed")

    def settle(self) -> None:
        """The handshake over the path has ended: the far end has settled on it."""
        if self.state != "closed":
            self._tell(self.agent.confirm)

    def send(self, data: bytes) -> None:
        """On the selected pair; without one the datagram is lost."""
        if self._socket is None:
            if self._path is not None:
                self.agent.send(data, self._loop.time())
                self._perform()
        elif self._delay:
            self._socket.send(data, self._remote)
        else:
            self._socket.transport.sendto(data, self._remote)

    # What comes

    def _take(self, socket: IceSocket, data: bytes, sender: Sender) -> None:
        if data and 127 < data[0] < 192:
            self._take_media(data, sender[0], sender[1])
            return
        source = Address(*sender) if len(sender) == 2 else Address.of(*sender[:2])
        self._receive(data, socket.base, source)

    def _receive(self, data: bytes, base: Address, source: Address) -> None:
        self._tell(lambda now: self.agent.receive(data, base, source, now))

    def _take_media(self, data: bytes, host: str = "", port: int = 0) -> None:
        """SRTP says by itself whether it is the far end's: no address is looked at, but where a server would."""
        serving = self._serving
        elsewhere = serving is not None and host != "" and serving.listens_to != (host, port)
        if elsewhere or self._media is None or len(data) < 12 or not self._media(data):
            self.dropped["media"] += 1
            return
        self._heard_at = now = self._loop.time()
        if now - self._told_at > _TOLD_EVERY or self.agent.state is AgentState.DISCONNECTED:
            self._told_at = now
            self._tell(self.agent.heard)

    def _received(self, data: bytes) -> None:
        match _kind(data):
            case "DTLS" if self._dtls is not None:
                self._dtls(data)
            case "DTLS":
                self._early.append(data)
            case "media":
                self._take_media(data)  # of a relay
            case _:
                self.dropped["other"] += 1

    def _drop(self, what: Dropped) -> None:
        kind = _kind(what.data)
        if kind == "DTLS" and self._dtls is None:
            self._early.append(what)
        else:
            self.dropped[kind] += 1

    # The agent

    def _tell(self, what: Callable[[float], object]) -> None:
        """Give the agent a fact with its time, and do what it wants."""
        what(self._loop.time())
        self._perform()

    def _perform(self) -> None:
        if self._performing:
            return  # what is wanted from within an action is done after it
        self._performing = True
        try:
            while (action := self.agent.next_action()) is not None:
                self._do(action)
        finally:
            self._performing = False
        self._look()

    def _do(self, action: Action) -> None:
        match action:
            case Transmit(base, remote, data):
                if (socket := self.sockets.get(base)) is not None:
                    socket.send(data, remote)
            case DataReceived(data):
                self._received(data)
            case Dropped():
                self._drop(action)
            case OpenStream(stream, server):
                task = self._loop.create_task(self._converse(stream, server), name="TURN connection")
                self._streams[stream] = _Stream(task)
            case TransmitStream(stream, data):
                writer = self._streams[stream].writer if stream in self._streams else None
                if writer is not None and writer.transport.get_write_buffer_size() < _MOST_WAITING:
                    writer.write(data)
            case CloseStream(stream):
                self._hang_up(stream)
            case CandidateGathered(candidate, _, server):
                if server:
                    self._urls[candidate.address] = server
                    self._failures.pop(server, None)
                self.news.set()
            case ServerFailed(_, name, code, reason):
                self._fail(name, code, reason)
            case GatheringFinished():
                self.news.set()
            case StateChanged() | RestartFailed():
                pass
            case PairSelected(local, remote):
                log.debug("the path is %s to %s", local, remote)
            case _:
                assert_never(action)

    def _look(self) -> None:
        """After each change: where is sent to, what is told, and when the agent is to be woken."""
        path = self.agent.path
        if path != self._path:
            self._path = path
            self._socket = None if path is None else self.sockets.get(path[0])
            self._remote = Address("", 0) if path is None else path[1]
        due, silent_at = self.agent.next_timeout(), self._heard_at + self.timing.disconnected
        state = _STATES[self.agent.state]
        if state == "disconnected" and self.state == "completed" and self._loop.time() < silent_at:
            # Checks are not answered, but packets come: that is a far end which is there (SRV-008).
            state, due = "completed", silent_at if due is None else min(due, silent_at)
        if self._timer is None or due != self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None if due is None else self._loop.call_at(due, self._wake)
        if self._farewell is not None and not self.agent.relayed:
            self._farewell.set()
        self._change(state)
        if self._renewing and state == "completed" and not self.agent.restarting and self.agent.path is not None:
            self._renewing = False
            self.on_renewed()

    def _wake(self) -> None:
        self._timer = None
        self._tell(self.agent.handle_timeout)

    def _change(self, state: IceState) -> None:
        if state != self.state and self.state not in ("failed", "closed"):
            self.state = state
            self.on_state(state)

    # TURN over TCP and TLS

    async def _converse(self, stream: int, server: TurnServer) -> None:
        reason = "the connection was cut"
        try:
            reader = await self._connect(stream, server)
            self._tell(lambda now: self.agent.stream_opened(stream, now))
            while data := await reader.read(65_536):
                self._tell(lambda now, data=data: self.agent.stream_received(stream, data, now))  # type: ignore[misc]
        except OSError as error:
            reason = reason_of(error, self.gathering.patience.attempt)
        self._hang_up(stream)
        self._tell(lambda now: self.agent.stream_closed(stream, reason, now))

    async def _connect(self, stream: int, server: TurnServer) -> asyncio.StreamReader:
        planned = self._planned.get(server.name)
        tls = (self.gathering.tls or True) if server.transport == "tls" else None
        async with asyncio.timeout(self.gathering.patience.attempt):
            reader, writer = await asyncio.open_connection(
                *server.address, ssl=tls, server_hostname=planned.host if tls and planned is not None else None
            )
        self._streams[stream].writer = writer
        return reader

    def _hang_up(self, stream: int) -> None:
        found = self._streams.pop(stream, None)
        if found is not None:
            if found.writer is not None:
                found.writer.close()
            if found.task is not asyncio.current_task():
                found.task.cancel()

    # The end

    async def close(self, patience: float = 1.0) -> None:
        """Close sockets and connections. A TURN server that has an allocation is given time to hear that it is over."""
        if self.state == "closed":
            return
        self._socket = self._path = None
        self._change("closed")
        self.state = "closed"
        self._tell(self.agent.close)
        if self.agent.relayed:
            self._farewell = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._farewell.wait(), patience)
        tasks = [each.task for each in self._streams.values()]
        for stream in tuple(self._streams):
            self._hang_up(stream)
        for socket in self.sockets.values():
            socket.transport.close()
        self.sockets.clear()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_STATES: Final[Mapping[AgentState, IceState]] = {
    AgentState.NEW: "new",
    AgentState.CHECKING: "checking",
    AgentState.CONNECTED: "completed",
    AgentState.DISCONNECTED: "disconnected",
    AgentState.FAILED: "failed",
    AgentState.CLOSED: "closed",
}


def _server(planned: ice_plan.Server, host: str) -> Server:
    address = Address.of(host, planned.port)
    if isinstance(planned, ice_plan.StunServer):
        return StunServer(address, planned.url)
    return TurnServer(address, planned.username, planned.credential, planned.transport, planned.url)


def _stats(candidate: Candidate) -> CandidateStats:
    return CandidateStats(
        address=candidate.address.host, port=candidate.address.port, candidate_type=candidate.type.value
    )


def _kind(data: bytes) -> Unwanted:
    """By the first byte (RFC 7983)."""
    match data[0] if data else None:
        case None:
            return "empty"
        case first if first < 4:
            return "STUN"
        case first if 19 < first < 64:
            return "DTLS"
        case first if 127 < first < 192:
            return "media"
        case _:
            return "other"
