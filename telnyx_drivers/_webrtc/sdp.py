"""Session descriptions (RFC 8866) as lines and sections, and the few attributes that both directions read.

What a far end sent is untrusted text: it is bounded, and whatever is passed on has
been parsed into a value first. The only exception out of this module and `remote_sdp` is `SdpError`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("sendrecv", "sendonly", "recvonly", "inactive")
REVERSED: Final[Mapping[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
"""As the other end sees it."""
DEFAULT_MID: Final = "0"
CandidateType: TypeAlias = Literal["host", "srflx", "relay"]
CANDIDATE_TYPES: Final[tuple[CandidateType, ...]] = ("host", "srflx", "relay")

MAX_LENGTH: Final = 65_536
"""Characters. A browser's offer with audio and video has about 8 000."""
MAX_SECTIONS: Final = 16
MAX_CANDIDATES: Final = 64

TELEPHONE_EVENT: Final = "telephone-event"
COMFORT_NOISE: Final = "CN"


def both(one: Direction, other: Direction) -> Direction:
    """What two ends do, each seen from the same one (RFC 3264 section 6.1)."""
    sends, receives = (all(each in ("sendrecv", way) for each in (one, other)) for way in ("sendonly", "recvonly"))
    return "sendrecv" if sends and receives else "sendonly" if sends else "recvonly" if receives else "inactive"


class SdpError(ValueError):
    """A session description that cannot be used; the text says what is wrong with it."""


@frozen
class RtpMap:
    """One payload type of a media section: ``a=rtpmap`` or, for a static number, what RFC 3551 says it is."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"


STATIC: Final[Mapping[int, RtpMap]] = {
    0: RtpMap(0, "PCMU", 8_000),
    8: RtpMap(8, "PCMA", 8_000),
    9: RtpMap(9, "G722", 8_000),
    13: RtpMap(13, COMFORT_NOISE, 8_000),
}


CODECS: Final[tuple[RtpMap, ...]] = (
    RtpMap(96, "opus", 48_000, 2),
    RtpMap(9, "G722", 8_000),
    RtpMap(0, "PCMU", 8_000),
    RtpMap(8, "PCMA", 8_000),
)
"""What can be spoken, as it is offered (MEDIA-042): the clock is that of RTP timestamps (RFC 3551, RFC 7587)."""


@frozen
class Candidate:
    """One ICE candidate (RFC 8839) that this client can pair with: component 1, UDP, an address, no name."""

    foundation: str
    priority: int
    address: str
    port: int
    type: CandidateType
    related: tuple[str, int] | None = None
    """``raddr`` and ``rport``: the address behind a reflexive or relayed one."""

    @property
    def where(self) -> tuple[str, int]:
        return self.address, self.port

    def __str__(self) -> str:
        related = "" if self.related is None else f" raddr {self.related[0]} rport {self.related[1]}"
        return f"{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.type}{related}"


@frozen
class Section:
    """One m-line and what stands below it."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...] = field(repr=False)

    def values(self, name: str) -> Iterator[str]:
        """The values of every ``a=name:value``, in order, without surrounding space."""
        return _values(self.lines, name)

    def first(self, name: str) -> str | None:
        return next(self.values(name), None)

    def has(self, name: str) -> bool:
        """Whether there is an ``a=name`` without a value."""
        return f"a={name}" in self.lines


@frozen
class Document:
    session: tuple[str, ...] = field(repr=False)
    sections: tuple[Section, ...]

    def values(self, name: str) -> Iterator[str]:
        """The values of every session-level ``a=name:value``."""
        return _values(self.session, name)

    def has(self, name: str) -> bool:
        return f"a={name}" in self.session


def _values(lines: tuple[str, ...], name: str) -> Iterator[str]:
    prefix = f"a={name}:"
    return (line[len(prefix) :].strip() for line in lines if line.startswith(prefix))


_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_M_LINE: Final = re.compile(r"m=([A-Za-z0-9-]{1,32}) +([0-9]{1,5})(?:/[0-9]{1,5})? +([A-Za-z0-9/._-]{1,64}) +(.+)")


def parse(text: str) -> Document:
    """Split a description into its session lines and media sections. Raises `SdpError`."""
    if len(text) > MAX_LENGTH:
        raise SdpError(f"longer than {MAX_LENGTH} characters")
    session: list[str] = []
    blocks: list[list[str]] = []
    for raw in _LINE_END.split(text):
        line = raw.strip()
        if line.startswith("m="):
            blocks.append([line])
        elif line:
            (blocks[-1] if blocks else session).append(line)
    if not blocks:
        raise SdpError("no media section")
    if len(blocks) > MAX_SECTIONS:
        raise SdpError(f"more than {MAX_SECTIONS} media sections")
    return Document(tuple(session), tuple(_section(block) for block in blocks))


def _section(block: list[str]) -> Section:
    match = _M_LINE.fullmatch(block[0])
    if match is None or int(match[2]) > 65_535:
        raise SdpError(f"not a media line: {block[0][:80]!r}")
    return Section(match[1], int(match[2]), match[3], tuple(match[4].split()), tuple(block[1:]))


_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([A-Za-z0-9._+-]{1,64})/([0-9]{1,6})(?:/([0-9]{1,2}))?(?:[ /].*)?")
_RTCP_COLLISION: Final = range(72, 77)
"""Payload types that look like RTCP when both share a port (RFC 5761 section 4)."""


def rtp_maps(section: Section) -> tuple[RtpMap, ...]:
    """The usable payload types of a section in its order of preference; unreadable ones are left out."""
    named: dict[int, RtpMap] = dict(STATIC)
    for value in section.values("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is not None:
            number = int(match[1])
            named[number] = RtpMap(number, match[2], int(match[3]), int(match[4] or 1))
    numbers = dict.fromkeys(int(text) for text in section.formats if re.fullmatch(r"[0-9]{1,3}", text))
    return tuple(named[n] for n in numbers if n in named and n < 128 and n not in _RTCP_COLLISION)


_FOUNDATION: Final = re.compile(r"[A-Za-z0-9+/_.-]{1,64}")


def parse_candidate(text: str) -> Candidate | None:
    """Read a candidate, with or without ``a=`` and ``candidate:`` (MEDIA-111); ``None`` when it is of no use here.

    Of no use: component 2 (RTCP is multiplexed; SRV-003), TCP, a name instead of an address, peer-reflexive, and what
    does not parse.
    """
    words = text.strip().removeprefix("a=").removeprefix("candidate:").split()
    if len(words) < 8 or words[1] != "1" or words[2].lower() != "udp" or words[6] != "typ":
        return None
    foundation, priority, address, port = words[0], words[3], words[4], words[5]
    if not (_FOUNDATION.fullmatch(foundation) and _is_number(priority, 2**32 - 1) and _is_number(port, 65_535)):
        return None
    ip = _address(address)
    kind: CandidateType | None = next((known for known in CANDIDATE_TYPES if known == words[7]), None)
    if ip is None or ip.is_unspecified or ip.is_multicast or int(port) == 0 or kind is None:
        return None
    return Candidate(foundation, int(priority), str(ip), int(port), kind, _related(words[8:]))


def _related(words: list[str]) -> tuple[str, int] | None:
    named = dict(zip(words[::2], words[1::2], strict=False))
    ip, port = _address(named.get("raddr", "")), named.get("rport", "")
    return (str(ip), int(port)) if ip is not None and _is_number(port, 65_535) else None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address without a zone: another host's zones mean nothing here."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_number(text: str, highest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= highest
