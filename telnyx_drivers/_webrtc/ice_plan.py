"""Which STUN and TURN servers a call may ask, read from their URLs, in the order in which it asks them."""

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core.options import IceServer
from telnyx_drivers import _logs as logs

log = logs.of_module(__name__)

Transport: TypeAlias = Literal["udp", "tcp", "tls"]
_TURN_ORDER: Final[tuple[Transport, ...]] = ("udp", "tcp", "tls")


@frozen
class StunServer:
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"stun:{_host(self.host)}:{self.port}"


@frozen
class TurnServer:
    host: str
    port: int
    transport: Transport
    username: str = field(repr=False)
    credential: str = field(repr=False)

    @property
    def url(self) -> str:
        scheme, transport = ("turns", "tcp") if self.transport == "tls" else ("turn", self.transport)
        return f"{scheme}:{_host(self.host)}:{self.port}?transport={transport}"


Server: TypeAlias = StunServer | TurnServer


@frozen
class IcePlan:
    """Every usable server once: STUN in the order given, TURN the cheapest transport first (MEDIA-027)."""

    stuns: tuple[StunServer, ...] = ()
    turns: tuple[TurnServer, ...] = ()


_URL: Final = re.compile(
    r"(?P<scheme>stun|turn|turns):(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


def plan(servers: Iterable[IceServer]) -> IcePlan:
    """Choose from a list of servers. An unusable URL is dropped with a warning (MEDIA-026)."""
    stuns: dict[StunServer, None] = {}
    turns: dict[TurnServer, None] = {}
    for server in servers:
        for url in server.urls:
            match parse_url(url, server.username, server.credential):
                case StunServer() as stun:
                    stuns[stun] = None
                case TurnServer() as turn:
                    turns[turn] = None
                case str() as complaint:
                    log.warning("ICE server %s is not used: %s", url.partition("?")[0][:120], complaint)
    return IcePlan(tuple(stuns), tuple(sorted(turns, key=lambda turn: _TURN_ORDER.index(turn.transport))))


def parse_url(url: str, username: str | None = None, credential: str | None = None) -> Server | str:
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


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
