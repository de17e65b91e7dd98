"""Which STUN and TURN servers a call uses: the platform's list, the application's own, and what makes one unusable."""

import re
from typing import Final, TypeAlias

from attrs import evolve

from telnyx_core._options.values import IceServer
from telnyx_core._signalling.url import DEVELOPMENT as SIGNALLING_DEVELOPMENT
from telnyx_core._signalling.url import server_address
from telnyx_core.options import CallOptions, ClientOptions

# The platform's servers (MEDIA-022). User and credential are constants in every client of the platform. They give
# access only to its relays and are not secret.
_USER: Final = "testuser"
_CREDENTIAL: Final = "testpassword"

GOOGLE_STUN: Final = IceServer("stun:stun.l.google.com:19302")
TELNYX_STUN: Final = IceServer("stun:stun.telnyx.com:3478")
TELNYX_TURN_UDP_3478: Final = IceServer("turn:turn.telnyx.com:3478?transport=udp", _USER, _CREDENTIAL)
TELNYX_TURN_TCP_3478: Final = IceServer("turn:turn.telnyx.com:3478?transport=tcp", _USER, _CREDENTIAL)
TELNYX_TURNS_TCP_443_PRIMARY: Final = IceServer("turns:turn.telnyx.com:443", _USER, _CREDENTIAL)

PRODUCTION: Final = (
    TELNYX_STUN,
    GOOGLE_STUN,
    TELNYX_TURN_UDP_3478,
    TELNYX_TURN_TCP_3478,
    TELNYX_TURNS_TCP_443_PRIMARY,
)
"""The default list, in order of preference (MEDIA-021)."""

DEVELOPMENT: Final = (
    IceServer("stun:stundev.telnyx.com:3478"),
    GOOGLE_STUN,
    IceServer("turn:turndev.telnyx.com:3478?transport=udp", _USER, _CREDENTIAL),
    IceServer("turn:turndev.telnyx.com:3478?transport=tcp", _USER, _CREDENTIAL),
    IceServer("turns:turndev.telnyx.com:443", _USER, _CREDENTIAL),
)
"""The default list for ``env="development"`` (MEDIA-021)."""

Problems: TypeAlias = tuple[str, ...]

_URL: Final = re.compile(
    r"(?P<scheme>[a-z]+):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?(\?(?P<query>.*))?"
)
_TRANSPORTS: Final = {
    "stun": frozenset({""}),
    "stuns": frozenset({""}),
    "turn": frozenset({"", "transport=udp", "transport=tcp"}),
    "turns": frozenset({"", "transport=tcp"}),
}


def ice_servers_for(options: ClientOptions, call_options: CallOptions) -> tuple[IceServer, ...]:
    """The usable servers of one call: the call's own, or the client's, or the platform's (MEDIA-020, MEDIA-021)."""
    chosen = _chosen(options, call_options)
    if chosen is PRODUCTION or chosen is DEVELOPMENT:
        return chosen  # the built-in lists are valid: they need no check for each call
    candidates = (usable(server)[0] for server in chosen)
    return tuple(server for server in candidates if server is not None)


def ice_server_problems(options: ClientOptions, call_options: CallOptions) -> Problems:
    """What `ice_servers_for` left out and why, for the log (MEDIA-026). Free of secrets: URLs are not repeated."""
    return tuple(
        f"ice_servers[{index}]: {problem}"
        for index, server in enumerate(_chosen(options, call_options))
        for problem in usable(server)[1]
    )


def usable(server: IceServer) -> tuple[IceServer | None, Problems]:
    """The server with its usable URLs, or ``None`` if there are none, and what is wrong with the others (MEDIA-026)."""
    if not server.urls:
        return None, ("this is no RTCIceServer with at least one URL",)
    faults = [_fault(url, server) for url in server.urls]
    urls = tuple(url for url, fault in zip(server.urls, faults, strict=True) if fault is None)
    problems = tuple(f"urls[{index}] {fault}" for index, fault in enumerate(faults) if fault is not None)
    if not problems:
        return server, ()
    return (evolve(server, urls=urls) if urls else None), problems


def _chosen(options: ClientOptions, call_options: CallOptions) -> tuple[IceServer, ...]:
    if call_options.ice_servers is not None:
        return call_options.ice_servers
    if options.ice_servers is not None:
        return options.ice_servers
    server = server_address(options)
    if server.is_loopback:
        return ()  # a gateway on the same machine needs no STUN or TURN
    return DEVELOPMENT if server == SIGNALLING_DEVELOPMENT else PRODUCTION


def _fault(url: str, server: IceServer) -> str | None:
    """Why this URL cannot be used (RFC 7064, RFC 7065), or ``None``."""
    match = _URL.fullmatch(url)
    if match is None:
        return "is not of the form scheme:host[:port][?transport=...]"
    scheme, port, query = match["scheme"], match["port"], match["query"] or ""
    if scheme not in _TRANSPORTS:
        return "has a scheme other than stun, stuns, turn and turns"
    if port is not None and not 1 <= int(port) <= 65535:
        return "has a port outside 1 to 65535"
    if query not in _TRANSPORTS[scheme]:
        return f"has a transport that {scheme} does not know"
    if scheme.startswith("turn") and not (server.username and server.credential):
        return "needs a username and a credential"
    return None
