"""ICE candidates and credentials, and how they stand in a session description (RFC 8445, RFC 8839).

What a far end says is untrusted text: it is bounded, and either read into a value or refused by a `CandidateError`.
"""

import ipaddress
import re
import zlib
from collections.abc import Iterable
from enum import Enum
from random import Random
from typing import Final

from attrs import field, frozen

from telnyx_core.ice.stun import Address

MAX_LINE: Final = 1_024
"""Characters of a candidate line. Browsers' have about 120; extensions are allowed, but not without an end."""
_ICE_CHARS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_LINE: Final = re.compile(
    r"(?:a=)?candidate:(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>[0-9]{1,3}) (?P<transport>[A-Za-z0-9-]{1,16})"
    r" (?P<priority>[0-9]{1,10}) (?P<host>[^ ]{1,255}) (?P<port>[0-9]{1,5}) typ (?P<type>host|srflx|prflx|relay)"
    r"(?: raddr (?P<raddr>[^ ]{1,255}) rport (?P<rport>[0-9]{1,5}))?(?: (?P<extensions>.*))?"
)


class CandidateError(ValueError):
    """A candidate or a credential that cannot be used; the text says why."""


class CandidateType(Enum):
    """Where a candidate's address is from (RFC 8445 section 5.1.1)."""

    HOST = "host"
    SERVER_REFLEXIVE = "srflx"
    PEER_REFLEXIVE = "prflx"
    RELAYED = "relay"

    @property
    def preference(self) -> int:
        """The type preference, as RFC 8445 section 5.1.2.2 recommends it."""
        return _PREFERENCES[self]


_PREFERENCES: Final = {
    CandidateType.HOST: 126,
    CandidateType.PEER_REFLEXIVE: 110,
    CandidateType.SERVER_REFLEXIVE: 100,
    CandidateType.RELAYED: 0,
}


@frozen
class Credentials:
    """A username fragment and a password (RFC 8839 section 5.4). Raises `CandidateError` for what is neither."""

    ufrag: str
    password: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not _UFRAG.fullmatch(self.ufrag):
            raise CandidateError("ice-ufrag: 4 to 256 letters, digits, + and /")
        if not _PASSWORD.fullmatch(self.password):
            raise CandidateError("ice-pwd: 22 to 256 letters, digits, + and /")

    @classmethod
    def fresh(cls, rng: Random) -> "Credentials":
        """48 bits of fragment and 144 of password; RFC 8445 section 5.3 asks for 24 and 128 at least."""
        letters = rng.choices(_ICE_CHARS, k=8 + 24)
        return cls("".join(letters[:8]), "".join(letters[8:]))


@frozen
class Candidate:
    """One address at which an agent may be reached (RFC 8445 section 5.1)."""

    foundation: str
    component: int
    transport: str
    """In small letters; this agent pairs ``udp`` alone."""
    priority: int
    address: Address
    type: CandidateType
    related: Address | None = None
    """``raddr`` and ``rport``: what is behind a reflexive or relayed address."""

    @classmethod
    def parse(cls, line: str) -> "Candidate":
        """Read ``candidate:...``, with or without ``a=``. Raises `CandidateError`.

        Extensions are passed over. A host name, as browsers use to hide an address (``….local``), is for the caller to
        resolve: it is refused here.
        """
        line = line.strip()
        found = _LINE.fullmatch(line) if len(line) <= MAX_LINE else None
        if found is None:
            raise CandidateError("no candidate line")
        component, priority = int(found["component"]), int(found["priority"])
        if not 1 <= component <= 256:
            raise CandidateError("a component is 1 to 256")
        if not 1 <= priority < 1 << 31:
            raise CandidateError("a priority is 1 to 2147483647")
        try:
            address = Address.of(found["host"], int(found["port"]))
        except ValueError:
            raise CandidateError("not an IP address and a port") from None
        try:
            related = Address.of(found["raddr"], int(found["rport"])) if found["raddr"] else None
        except ValueError:
            related = None  # it is for diagnosis alone, and some write a name there
        kind = CandidateType(found["type"])
        return cls(found["foundation"], component, found["transport"].lower(), priority, address, kind, related)

    def __str__(self) -> str:
        """The line, without ``a=``, as a description or a trickled candidate has it."""
        related = "" if self.related is None else f" raddr {self.related.host} rport {self.related.port}"
        return (
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address.host} {self.address.port} typ {self.type.value}{related}"
        )

    @property
    def routable(self) -> bool:
        """Whether it is worth sending to from the internet: no private, link-local, carrier-grade or special range."""
        return ipaddress.ip_address(self.address.host).is_global


def priority_of(kind: CandidateType, local_preference: int, component: int = 1) -> int:
    """RFC 8445 section 5.1.2.1."""
    return kind.preference << 24 | local_preference << 8 | 256 - component


def foundation_of(kind: CandidateType, base: str, server: str = "") -> str:
    """Equal for candidates of one type, base address and server (RFC 8445 section 5.1.1.3). It hides them."""
    return str(zlib.crc32(f"{kind.value} {base} {server}".encode()))


def local_candidate(
    kind: CandidateType, address: Address, base: Address, preference: int, *, server: str = "", hidden: bool = False
) -> Candidate:
    """One of our own. ``hidden`` leaves the related address out (RFC 8839 section 5.1: all zeros stand for it)."""
    related: Address | None = None
    if kind is not CandidateType.HOST:
        related = Address("0.0.0.0" if address.version == 4 else "::", 9) if hidden else base  # noqa: S104
    foundation = foundation_of(kind, "" if hidden else base.host, server)
    return Candidate(foundation, 1, "udp", priority_of(kind, preference), address, kind, related)


def in_server_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The order for a description that a server reads which sends to the first address that its access list allows.

    Such a list refuses private ranges. So: what can be routed first, IPv4 first, then server-reflexive, relayed, host.
    A browser or another full agent goes by the priorities, whatever the order.
    """
    order = (CandidateType.SERVER_REFLEXIVE, CandidateType.RELAYED, CandidateType.HOST)
    ranks = {kind: place for place, kind in enumerate(order)}

    def rank(each: Candidate) -> tuple[bool, int, int, int]:
        return not each.routable, each.address.version, ranks.get(each.type, 3), -each.priority

    return sorted(candidates, key=rank)
