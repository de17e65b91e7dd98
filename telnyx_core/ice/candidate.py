"""ICE candidates and credentials, and how they stand in a session description (RFC 8445, RFC 8839).

What a far end says is untrusted text: it is bounded, and either read into a value or refused by a `CandidateError`.
"""

import contextlib
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
_UFRAG: Final = re.compile(r"[!-9;-~]{1,256}")
_PASSWORD: Final = re.compile(r"[!-~]{1,256}")
_FOUNDATION: Final = re.compile(r"[A-Za-z0-9+/_.-]{1,64}")
_TRANSPORT: Final = re.compile(r"[A-Za-z0-9-]{1,16}")


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
    """A username fragment and a password (RFC 8839 section 5.4). Raises `CandidateError` for what is neither.

    Other characters and lengths than the standard's are taken, as far as a check can carry them: how hard its password
    is to guess is the far end's own affair.
    """

    ufrag: str
    password: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not _UFRAG.fullmatch(self.ufrag):
            raise CandidateError("ice-ufrag: 1 to 256 visible characters, and no colon")
        if not _PASSWORD.fullmatch(self.password):
            raise CandidateError("ice-pwd: 1 to 256 visible characters")

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
        """Read ``candidate:...``, with or without ``a=``, and the value alone. Raises `CandidateError`.

        Extensions are passed over. A host name, as browsers use to hide an address (``….local``), is for the caller to
        resolve: it is refused here. A priority may have all its 32 bits: some set the highest.
        """
        line = line.strip()
        if len(line) > MAX_LINE or not line.isprintable():
            raise CandidateError("no candidate line")
        words = line.removeprefix("a=").removeprefix("candidate:").split()
        if (
            len(words) < 8
            or words[6] != "typ"
            or not (_FOUNDATION.fullmatch(words[0]) and _TRANSPORT.fullmatch(words[2]))
        ):
            raise CandidateError("no candidate line")
        component, priority = _number(words[1], 256), _number(words[3], (1 << 32) - 1)
        if not component:
            raise CandidateError("a component is 1 to 256")
        try:
            kind = CandidateType(words[7])
        except ValueError:
            raise CandidateError("no such type") from None
        address = _address(words[4], words[5])
        named = dict(zip(words[8::2], words[9::2], strict=False))
        related: Address | None = None
        with contextlib.suppress(CandidateError):  # it is for diagnosis alone, and some write a name there
            related = _address(named.get("raddr", ""), named.get("rport", ""))
        return cls(words[0], component, words[2].lower(), priority, address, kind, related)

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


def _number(text: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= highest):
        raise CandidateError(f"not a number up to {highest}")
    return int(text)


def _address(host: str, port: str) -> Address:
    """Without a zone: another host's zones mean nothing here."""
    number = _number(port, 0xFFFF)
    try:
        if "%" in host:
            raise ValueError(host)
        return Address.of(host, number)
    except ValueError:
        raise CandidateError("no IP address") from None


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
