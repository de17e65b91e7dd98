"""What a path is looked for with: the addresses of this host, the servers' time, and why a server gave nothing."""

import asyncio
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import field, frozen

from telnyx_core.ice.gathering import NOT_REACHED
from telnyx_drivers._webrtc.host_addresses import host_addresses
from telnyx_drivers._webrtc.ice_plan import IcePlan

MAX_ADDRESSES: Final = 10
"""Local addresses that are used; each costs a socket and, towards every remote candidate, a check."""
LOOPBACK: Final = "127.0.0.1"
UNREACHED: Final = NOT_REACHED
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


Addresses: TypeAlias = Callable[[], list[str]]


@frozen(kw_only=True)
class Gathering:
    """How one peer finds its candidates.

    With ``relay_only`` nothing but TURN servers is asked, and no address of this host is told (MEDIA-024).
    """

    plan: IcePlan
    relay_only: bool = False
    loopback: bool = False
    """Offer 127.0.0.1 too, after every other address (SRV-006): for a server on this host."""
    patience: GatheringTimeouts = field(factory=GatheringTimeouts)
    addresses: Addresses = host_addresses
    tls: ssl.SSLContext | None = None
    """For TURN over TLS; without it the system's authorities and the server's name are checked."""

    def local_addresses(self) -> list[str]:
        """Those that may be used now, the likeliest first."""
        if self.relay_only:
            return []
        usable = sorted(self.addresses(), key=_likelihood(_route_address()))[:MAX_ADDRESSES]
        return [*usable, LOOPBACK] if self.loopback and LOOPBACK not in usable else usable


def refusal(url: str, code: int, reason: str, timeout: float) -> ServerFailure:
    """What went wrong with a server, for people. ``timeout`` is how long it had, in seconds."""
    if code == UNREACHED:
        return ServerFailure(url, code, f"no answer within {timeout:g} s" if reason == "no answer" else reason)
    said = f"{code} {reason[:60]}".strip()
    if code in _UNAUTHORIZED:
        return ServerFailure(url, code, f"it refuses the username or the credential ({said})")
    return ServerFailure(url, code, f"it refuses ({said})")


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


async def resolve(host: str, port: int) -> str:
    """An address of a host, IPv4 if it has one; addresses are themselves. Raises ``OSError``."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


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
