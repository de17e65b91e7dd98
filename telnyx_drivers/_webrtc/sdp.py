"""Session descriptions (RFC 8866) as lines and sections, and the few attributes that both directions read.

What a far end sent is untrusted text: it is bounded, and whatever is passed on has
been parsed into a value first. The only exception out of this module and `remote_sdp` is `SdpError`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core.ice import Candidate, CandidateError, CandidateType

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


def parse_candidate(text: str) -> Candidate | None:
    """Read a candidate, with or without ``a=`` and ``candidate:`` (MEDIA-111); ``None`` when it is of no use here.

    Of no use: component 2 (RTCP is multiplexed; SRV-003), TCP, a name instead of an address, peer-reflexive, and what
    does not parse.
    """
    try:
        found = Candidate.parse(text)
    except CandidateError:
        return None
    ip = ipaddress.ip_address(found.address.host)
    usable = found.component == 1 and found.transport == "udp" and found.address.port != 0
    told = found.type is not CandidateType.PEER_REFLEXIVE
    return found if usable and told and not (ip.is_unspecified or ip.is_multicast) else None
