"""Gathering of candidates: the addresses of this host, and those that STUN and TURN servers report.

aioice asks one STUN and one TURN server, in one go, and always waits five seconds when a single local address (a
container bridge, a VPN) is not answered. Here every server of the plan gets its chance, and how long a call waits for
them is the call's own decision: see `Gathering.worth_waiting_for`.
"""

import asyncio
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

from aioice import Candidate
from aioice.ice import relayed_candidate, server_reflexive_candidate
from aioice.stun import Class, Message, Method, TransactionError
from aioice.turn import TurnTransport
from attrs import define, field, frozen

from telnyx_core.ice import Candidate as IceCandidate
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.host_addresses import host_addresses
from telnyx_drivers._webrtc.ice_agent import Agent
from telnyx_drivers._webrtc.ice_plan import IcePlan, Server, StunServer, TurnServer
from telnyx_drivers._webrtc.ice_socket import IceSocket

log = logs.of_module(__name__)
T = TypeVar("T")
S = TypeVar("S", StunServer, TurnServer)

MAX_ADDRESSES: Final = 10
"""Local addresses that are used; each costs a socket and, towards every remote candidate, a check."""
LOOPBACK: Final = "127.0.0.1"
UNREACHED: Final = 701
"""The code of a server that has not answered, as the W3C's ``RTCPeerConnectionIceErrorEvent`` has it."""
_UNAUTHORIZED: Final = (401, 403, 441)
"""RFC 8489 and RFC 8656: not, or not any more, with these credentials."""
_ERRNO: Final = re.compile(r"\[Errno (\d{1,4})\]")


@frozen
class GatheringTimeouts:
    """How long gathering may take, in seconds."""

    window: float = 1.0
    """For further candidates once the first one is known (MEDIA-061)."""
    stun: float = 0.25
    """The start that one STUN server has over the next."""
    turn: float = 0.2
    """The start that one TURN server has over the next: the third of the platform's, which is asked over TLS and takes
    five round trips, shall be heard within the window.
    """
    attempt: float = 4.0
    """For one server to answer, and the longest that a description without any candidate waits for the last one."""


@frozen
class ServerFailure:
    """Why a server gave nothing. ``code`` is its own (RFC 8489 section 14.8), or `UNREACHED`. Holds no secret."""

    url: str
    code: int
    reason: str

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


@frozen(eq=False)
class Found:
    """A candidate that a server gave, and what it takes to see whether that still holds."""

    candidate: Candidate
    server: Server
    protocol: IceSocket
    """The socket behind it: of the host's address, or of the allocation."""


Addresses: TypeAlias = Callable[[], list[str]]


@define(kw_only=True, eq=False)
class Gathering:
    """How one peer finds its candidates.

    Host candidates are there at once (`open_hosts`). Then all servers are asked (`ask_servers`): STUN from each local
    address, and TURN beside it. Servers of a kind follow each other with a short head start each, because one that is
    out of reach says nothing for seconds; the first that answers ends the race. With ``relay_only`` nothing but TURN
    is touched: no socket is opened that could reveal an address (MEDIA-024).
    """

    plan: IcePlan
    relay_only: bool = False
    loopback: bool = False
    """Offer 127.0.0.1 too, after every other address (SRV-006): for a server on this host."""
    patience: GatheringTimeouts = field(factory=GatheringTimeouts)
    addresses: Addresses = host_addresses
    tls: ssl.SSLContext | None = None
    """For TURN over TLS; without it the system's authorities and the server's name are checked."""
    found: list[Found] = field(factory=list[Found], init=False)
    news: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set with every candidate that is found, and when no relay can come any more."""
    _hosts: list[IceSocket] = field(factory=list[IceSocket], init=False)
    _opened: list[str] = field(factory=list[str], init=False)
    _failures: dict[Server, ServerFailure] = field(factory=dict[Server, ServerFailure], init=False)
    _relaying: bool = field(default=False, init=False)

    async def open_hosts(self, agent: Agent) -> list[Candidate]:
        """Open a socket on each address of this host; none with ``relay_only``."""
        if not self.relay_only:
            self._opened = self._addresses()
            self._hosts = await agent.open_sockets(self._opened)
        return [protocol.local_candidate for protocol in self._hosts]

    async def ask_servers(self, agent: Agent) -> None:
        """Ask until one server of each kind has answered or all have failed. If cancelled, it keeps what was found."""
        self._relaying = bool(self.plan.turns)
        jobs = [self._reflexive(agent, protocol) for protocol in self._hosts if _speaks_stun(protocol)]
        await _together([*jobs, self._relay(agent)])

    def worth_waiting_for(self) -> float:
        """Seconds from the beginning: for how long a description should wait for more candidates.

        The window begins with the first candidate: those of this host are there at once. As long as there is none,
        because nothing but relays may be used, the description would be of no use, and every server gets its chance.
        """
        if self._hosts or self.found or not self._relaying:
            return self.patience.window
        return self.patience.turn * (len(self.plan.turns) - 1) + self.patience.attempt

    @property
    def failures(self) -> tuple[ServerFailure, ...]:
        """Of the servers that failed and never answered, also not from another address."""
        answered = {each.server for each in self.found}
        return tuple(failure for server, failure in self._failures.items() if server not in answered)

    def url_of(self, candidate: IceCandidate) -> str | None:
        """Of the server that gave it."""
        given = (each for each in self.found if (each.candidate.host, each.candidate.port) == candidate.address)
        return next((each.server.url for each in given if each.candidate.type == candidate.type.value), None)

    async def still_true(self) -> bool:
        """Whether this host still has the addresses, and the servers still see them as they did.

        Asking keeps bindings in NATs, and allocations, alive. Untrue as well when nothing was found at all.
        """
        if not self.unmoved() or not (self._hosts or self.found):
            return False
        return all(await _together([_confirm(each, self.patience.attempt) for each in self.found]))

    def unmoved(self) -> bool:
        """Whether this host has the addresses that it had."""
        return self.relay_only or self._opened == self._addresses()

    def _addresses(self) -> list[str]:
        usable = sorted(self.addresses(), key=_likelihood(_route_address()))[:MAX_ADDRESSES]
        return [*usable, LOOPBACK] if self.loopback and LOOPBACK not in usable else usable

    async def _reflexive(self, agent: Agent, protocol: IceSocket) -> None:
        async def ask(server: StunServer) -> bool:
            candidate = await self._answer(server, lambda: reflexive(protocol, server))
            if candidate is not None:
                agent.add(candidate)
                self._note(Found(candidate, server, protocol))
            return candidate is not None

        await _race(self.plan.stuns, ask, self.patience.stun)

    async def _relay(self, agent: Agent) -> None:
        async def ask(server: TurnServer) -> bool:
            protocol = await self._answer(
                server, lambda: relayed(agent, server, hide_related=self.relay_only, tls=self.tls)
            )
            if protocol is not None:
                agent.add(protocol.local_candidate, protocol)
                self._note(Found(protocol.local_candidate, server, protocol))
            return protocol is not None

        try:
            await _race(self.plan.turns, ask, self.patience.turn)
        finally:
            self._relaying = False
            self.news.set()

    def _note(self, found: Found) -> None:
        self.found.append(found)
        self.news.set()

    async def _answer(self, server: Server, ask: Callable[[], Coroutine[object, object, T]]) -> T | None:
        """The server's answer. Any exception of the library here is the server's failure, not this package's."""
        try:
            async with asyncio.timeout(self.patience.attempt):
                return await ask()
        except Exception as error:  # noqa: BLE001  servers on the internet do anything
            failure = self._failures[server] = failure_of(server, error, self.patience.attempt)
            log.info("ICE server gave no candidate: %s", failure)
            return None


async def reflexive(protocol: IceSocket, server: StunServer) -> Candidate:
    """How a STUN server sees a socket of this host. Raises what `failure_of` understands."""
    return (await server_reflexive_candidate(protocol, (server.host, server.port)))[0]


async def relayed(
    agent: Agent, server: TurnServer, *, hide_related: bool = False, tls: ssl.SSLContext | None = None
) -> IceSocket:
    """An allocation on a TURN server, to be closed. Raises what `failure_of` understands."""
    _, protocol = await relayed_candidate(
        component=1,
        hide_related_address=hide_related,
        protocol_factory=agent.make_socket,
        turn_server=(server.host, server.port),
        turn_username=server.username,
        turn_password=server.credential,
        turn_ssl=(tls or True) if server.transport == "tls" else False,  # type: ignore[arg-type]  # asyncio's `ssl`
        turn_transport="udp" if server.transport == "udp" else "tcp",
    )
    assert isinstance(protocol, IceSocket), "the factory's"
    return protocol


def failure_of(server: Server, error: Exception, timeout: float | None = None) -> ServerFailure:
    """What went wrong with a server, for people. ``timeout`` is how long it had, in seconds."""
    match error:
        case TransactionError(response=response) if response is not None:
            code, phrase = response.attributes.get("ERROR-CODE", (0, ""))
            said = f"{code} {''.join(filter(str.isprintable, phrase))[:60]}".strip()
            if code in _UNAUTHORIZED:
                return ServerFailure(server.url, code, f"it refuses the username or the credential ({said})")
            return ServerFailure(server.url, code, f"it refuses ({said})")
        case TransactionError():
            reason = "no answer"
        case _:
            reason = reason_of(error, timeout)
    return ServerFailure(server.url, UNREACHED, reason)


def reason_of(error: Exception, timeout: float | None = None) -> str:
    """Why a host on the network could not be talked to, for people."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS fails ({str(error).partition(' (_ssl')[0]})"
        case TimeoutError() if timeout is not None:
            return f"no answer within {timeout:g} s"
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "no name server answers"
        case socket.gaierror():
            return "its name is not known"
        case ConnectionResetError() | BrokenPipeError() | EOFError():
            return "the connection was cut"
        case OSError() if numbers := dict.fromkeys(_ERRNO.findall(str(error))):  # one for each address of the host
            return ", ".join(os.strerror(int(number)).lower() for number in numbers)
        case _:
            return str(error) or type(error).__name__


async def _confirm(found: Found, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            if isinstance(found.server, TurnServer):
                await _refresh(found.protocol)
                return True
            now = await reflexive(found.protocol, found.server)
            return (now.host, now.port) == (found.candidate.host, found.candidate.port)
    except Exception as error:  # noqa: BLE001  whatever it is, the candidate can no longer be relied upon
        log.debug("ICE candidate is stale: %s", failure_of(found.server, error, timeout))
        return False


async def _refresh(protocol: IceSocket) -> None:
    """Ask a TURN server to keep an allocation (RFC 8656 section 7). Raises `TransactionError`, ``ConnectionError``."""
    assert isinstance(protocol.transport, TurnTransport), "an allocation"
    client = private.turn_client(protocol.transport)
    request = Message(message_method=Method.REFRESH, message_class=Class.REQUEST)
    request.attributes["LIFETIME"] = client.lifetime
    await client.request_with_retry(request)


async def _race(servers: Sequence[S], ask: Callable[[S], Coroutine[object, object, bool]], head_start: float) -> None:
    """Ask one server after the other, sooner when one fails, until one answers; the others are let go."""
    waiting = list(servers)
    running: set[asyncio.Task[bool]] = set()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(ask(waiting.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=head_start if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            if any(task.result() for task in done):
                return
    finally:
        await _end(running)


async def _together(jobs: Iterable[Coroutine[object, object, T]]) -> list[T]:
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def _end(tasks: Iterable["asyncio.Task[T]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _speaks_stun(protocol: IceSocket) -> bool:
    """aioice speaks STUN over IPv4 only, and nothing outside answers to loopback."""
    address = ipaddress.ip_address(protocol.local_candidate.host)
    return address.version == 4 and not address.is_loopback


def _route_address() -> str | None:
    """The address that the default route sends from. Connecting a UDP socket looks up the route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def _likelihood(route: str | None) -> Callable[[str], tuple[bool, bool, int]]:
    def rank(text: str) -> tuple[bool, bool, int]:
        address = ipaddress.ip_address(text)
        return address.is_loopback or address.is_link_local, text != route, address.version

    return rank
