"""Where candidates come from: which STUN and TURN servers are asked, how long, and from which addresses.

aioice asks one STUN and one TURN server, in one go, and always waits five seconds when a single local address (a
container bridge, a VPN) is not answered. Here a call waits for what is still worth waiting for: see `Gathering`.
"""

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, Literal, TypeVar

from aioice import Candidate, Connection
from aioice.ice import get_host_addresses
from attrs import define, field, frozen

from telnyx_core.options import IceServer
from telnyx_drivers.media import aiortc_private as private

log = logging.getLogger(__name__)
T = TypeVar("T")

Transport = Literal["udp", "tcp", "tls"]
_TURN_ORDER: Final[tuple[Transport, ...]] = ("udp", "tcp", "tls")

MAX_ADDRESSES: Final = 10
"""Local addresses that are used; each costs a socket and, towards every remote candidate, a check."""
LOOPBACK: Final = "127.0.0.1"


@frozen
class StunServer:
    host: str
    port: int


@frozen
class TurnServer:
    host: str
    port: int
    transport: Transport
    username: str = field(repr=False)
    credential: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.transport}"


@frozen
class IcePlan:
    """The servers to ask: the first usable STUN server, and every usable TURN server, cheapest transport first."""

    stun: StunServer | None = None
    turns: tuple[TurnServer, ...] = ()


_URL: Final = re.compile(
    r"(?P<scheme>stun|turn|turns):(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


def plan(servers: Iterable[IceServer]) -> IcePlan:
    """Choose from a list of servers (MEDIA-027). An unusable URL is dropped with a warning (MEDIA-026)."""
    stuns: list[StunServer] = []
    turns: list[TurnServer] = []
    for server in servers:
        for url in server.urls:
            match parse_url(url, server.username, server.credential):
                case StunServer() as stun:
                    stuns.append(stun)
                case TurnServer() as turn:
                    turns.append(turn)
                case str() as complaint:
                    log.warning("ICE server %s is not used: %s", url.partition("?")[0][:120], complaint)
    turns.sort(key=lambda turn: _TURN_ORDER.index(turn.transport))
    return IcePlan(stuns[0] if stuns else None, tuple(turns))


def parse_url(url: str, username: str | None = None, credential: str | None = None) -> StunServer | TurnServer | str:
    """Read a ``stun:``, ``turn:`` or ``turns:`` URL (RFC 7064, RFC 7065); a string says why it cannot be used."""
    match = _URL.fullmatch(url)
    if match is None:
        return "neither a stun:, turn: nor turns: URL"
    host = match["ipv6"] or match["host"]
    port = int(match["port"] or (5349 if match["scheme"] == "turns" else 3478))
    if not 0 < port < 65_536:
        return "no such port"
    if match["scheme"] == "stun":
        return "stun: takes no transport" if match["transport"] else StunServer(host, port)
    if not username or not credential:
        return "TURN needs a username and a credential"
    if match["scheme"] == "turns":
        return (
            "DTLS to TURN servers is not supported"
            if match["transport"] == "udp"
            else TurnServer(host, port, "tls", username, credential)
        )
    return TurnServer(host, port, "tcp" if match["transport"] == "tcp" else "udp", username, credential)


@frozen
class Patience:
    """How long gathering may take, in seconds."""

    window: float = 1.0
    """For further candidates once an address from outside is known, or when only STUN is asked (MEDIA-061)."""
    turn: float = 2.0
    """For one TURN server, before the next is tried (MEDIA-612)."""
    limit: float = 5.0
    """For everything, when candidates of the host can be used as well (MEDIA-613)."""


Addresses = Callable[[], list[str]]


def host_addresses() -> list[str]:
    """Every address of this host but loopback and scoped ones, as aioice finds them."""
    return get_host_addresses(use_ipv4=True, use_ipv6=True)


@define(kw_only=True, eq=False)
class Gathering:
    """How one peer finds its candidates.

    Host candidates are there at once. STUN from each of them and the TURN servers, one after the other, are asked in
    parallel; gathering ends when all have answered, or a `Patience.window` after it began if one of them has, or when
    nothing that could still answer is worth the wait. With ``relay_only`` nothing but TURN is touched: no socket is
    opened that could reveal an address (MEDIA-024).
    """

    plan: IcePlan
    relay_only: bool = False
    loopback: bool = False
    """Offer 127.0.0.1 too, after every other address (SRV-006): for a server on this host."""
    patience: Patience = field(factory=Patience)
    addresses: Addresses = host_addresses
    failures: list[str] = field(factory=list[str], init=False)
    """Why servers gave nothing, for people."""

    async def __call__(self, connection: Connection) -> list[Candidate]:
        protocols = [] if self.relay_only else await private.gather_hosts(connection, self._addresses())
        candidates = [protocol.local_candidate for protocol in protocols]
        tasks = {asyncio.create_task(self._reflexive(protocol)) for protocol in protocols if self._asks_stun(protocol)}
        relaying = asyncio.create_task(self._relay(connection))
        tasks.add(relaying)
        try:
            candidates += await self._collect(tasks, relaying)
        finally:
            await _end(tasks)
        return candidates

    def _addresses(self) -> list[str]:
        usable = sorted(self.addresses(), key=_likelihood(_route_address()))[:MAX_ADDRESSES]
        return [*usable, LOOPBACK] if self.loopback and LOOPBACK not in usable else usable

    async def _collect(
        self, tasks: set[asyncio.Task[Candidate | None]], relaying: asyncio.Task[Candidate | None]
    ) -> list[Candidate]:
        now = asyncio.get_running_loop().time
        started = now()
        found: list[Candidate] = []
        pending = tasks
        while pending:
            limit = self._limit(wants_relay=relaying in pending and not found)
            done, pending = await asyncio.wait(
                pending, timeout=max(0.0, started + limit - now()), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            found += [candidate for task in done if (candidate := task.result()) is not None]
        return found

    def _limit(self, *, wants_relay: bool) -> float:
        if not wants_relay:
            return self.patience.window
        attempts = self.patience.turn * len(self.plan.turns)
        return attempts if self.relay_only else min(attempts, self.patience.limit)

    def _asks_stun(self, protocol: private.StunProtocol) -> bool:
        """aioice speaks STUN over IPv4 only, and nothing outside answers to loopback."""
        address = ipaddress.ip_address(protocol.local_candidate.host)
        return self.plan.stun is not None and address.version == 4 and not address.is_loopback

    async def _reflexive(self, protocol: private.StunProtocol) -> Candidate | None:
        assert self.plan.stun is not None, "asked by `_asks_stun`"
        query = private.server_reflexive_candidate(protocol, (self.plan.stun.host, self.plan.stun.port))
        return await _attempt(query, None, f"{self.plan.stun.host}:{self.plan.stun.port}/stun", self.failures)

    async def _relay(self, connection: Connection) -> Candidate | None:
        """Allocate on the first TURN server that lets us."""
        for server in self.plan.turns:
            candidate = await _attempt(
                self._allocate(connection, server), self.patience.turn, str(server), self.failures
            )
            if candidate is not None:
                return candidate
        return None

    async def _allocate(self, connection: Connection, server: TurnServer) -> tuple[Candidate, object]:
        candidate, protocol = await private.relayed_candidate(
            component=1,
            hide_related_address=self.relay_only,
            protocol_factory=lambda: private.StunProtocol(connection),
            turn_server=(server.host, server.port),
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=server.transport == "tls",
            turn_transport="udp" if server.transport == "udp" else "tcp",
        )
        private.keep_relay(connection, protocol)
        return candidate, protocol


async def _attempt(
    query: Coroutine[object, object, tuple[Candidate, object]],
    timeout: float | None,
    server: str,
    failures: list[str],
) -> Candidate | None:
    """The candidate that a server gave, or ``None`` and a line in ``failures``. Nothing of the query outlives this.

    Whatever a server on the internet makes the library raise is that server's failure, not ours.
    """
    task = asyncio.create_task(query)
    try:
        await asyncio.wait({task}, timeout=timeout)
    finally:
        await _end({task})
    if task.cancelled():
        failures.append(f"{server}: no answer within {timeout} s")
    elif (error := task.exception()) is not None:
        failures.append(f"{server}: {str(error) or type(error).__name__}")
    else:
        return task.result()[0]
    log.info("ICE server gave no candidate: %s", failures[-1])
    return None


async def _end(tasks: set[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
