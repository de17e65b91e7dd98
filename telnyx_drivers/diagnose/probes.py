"""Trying one address by itself: the signalling server's name and port, a STUN URL, a TURN URL."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from telnyx_core.options import IceServer
from telnyx_drivers._webrtc.ice import UNREACHED, ServerFailure, reason_of
from telnyx_drivers._webrtc.ice_plan import Server, StunServer, parse_url
from telnyx_drivers.diagnose.findings import Probe
from telnyx_drivers.diagnose.stun import allocate, bind

PATIENCE: Final = 5.0
"""Seconds for any one of them."""
AT_ONCE: Final = 3
"""Servers tried at the same time, so that the check does not starve itself (DIAG-030)."""


@frozen
class Names:
    """What a host name stands for."""

    host: str
    addresses: tuple[str, ...]
    seconds: float
    error: str | None = None


async def look_up(url: str) -> Names:
    """The addresses of the host that a WebSocket URL names."""
    host, _ = _host_and_port(url)
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return Names(host, (), time.perf_counter() - began, reason_of(error, PATIENCE))
    return Names(host, tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), time.perf_counter() - began)


async def try_websocket(url: str, tls: ssl.SSLContext | None) -> Probe:
    """Open a WebSocket, over TLS where the URL says so, and close it again."""
    host, port = _host_and_port(url)
    secure = url.startswith("wss:")
    began = time.perf_counter()
    error: str | None = None
    try:
        async with (
            asyncio.timeout(PATIENCE),
            connect(url, compression=None, proxy=None, open_timeout=None, ssl=(tls or True) if secure else None),
        ):
            pass
    except (OSError, EOFError, WebSocketException) as failure:
        error = reason_of(failure, PATIENCE)
    return Probe(
        layer="signaling",
        url=url.partition("?")[0],
        host=host,
        port=port,
        protocol="tls" if secure else "tcp",
        seconds=None if error else time.perf_counter() - began,
        unreachable=error is not None and _is_silence(error),
        error=error,
    )


def servers_of(ice_servers: Iterable[IceServer]) -> list[Server]:
    """Every usable URL once, in the order given."""
    found: dict[Server, None] = {}
    for server in ice_servers:
        for url in server.urls:
            parsed = parse_url(url, server.username, server.credential)
            if not isinstance(parsed, str):
                found[parsed] = None
    return list(found)


async def try_server(server: Server, tls: ssl.SSLContext | None) -> Probe:
    """A binding from a STUN server, or an allocation on a TURN server, which is given back."""
    began = time.perf_counter()
    answer = await (bind(server, PATIENCE) if isinstance(server, StunServer) else allocate(server, tls, PATIENCE))
    failure = answer if isinstance(answer, ServerFailure) else None
    return Probe(
        layer="server",
        url=server.url,
        host=server.host,
        port=server.port,
        protocol="udp" if isinstance(server, StunServer) else server.transport,
        seconds=None if failure is not None else time.perf_counter() - began,
        address=None if isinstance(answer, ServerFailure) else answer,
        unreachable=failure is not None and failure.code == UNREACHED and _is_silence(failure.reason),
        error=None if failure is None else failure.reason,
    )


def _is_silence(reason: str) -> bool:
    """What a firewall does: nothing comes back, or a refusal in the server's name."""
    return any(sign in reason for sign in ("no answer", "refused", "no route to host"))


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
