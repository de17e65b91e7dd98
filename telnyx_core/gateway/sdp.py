"""Make an engine's SDP look like the platform's, and judge a client's."""

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address
from typing import Final, Literal, TypeAlias

from telnyx_core.gateway.options import Quirks

Kind: TypeAlias = Literal["answer", "invite", "attach", "renewal"]
"""What the description is for: an answer, the offer of a new call, of a re-attach, or in the middle of a call."""

_CANDIDATE: Final = "a=candidate:"
_MSID: Final = "a=msid:"
_SETUP: Final = "a=setup:"
_OF_A_PAYLOAD: Final = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
_STATIC: Final = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""Payload types that need no ``a=rtpmap`` (RFC 3551)."""
_REFUSED: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)
"""Where the platform does not send to (PS-040)."""


def disguise(sdp: str, quirks: Quirks, kind: Kind, *, codec: str | None = None, telephone_event: bool = True) -> str:
    """The description as it is sent. Profile and candidates are unusual in offers only."""
    offer = kind != "answer"
    if kind in ("attach", "renewal") and quirks.one_codec and codec is not None:
        sdp = _only(sdp, codec, telephone_event=telephone_event)
    elif kind == "invite" and quirks.no_telephone_event:
        sdp = _only(sdp, None, telephone_event=False)
    lines: list[str] = []
    for line in sdp.splitlines():
        if quirks.no_mid and (line.startswith("a=group:") or (kind in ("invite", "renewal") and _is_mid(line))):
            continue
        if offer and quirks.plain_profile and line.startswith("m="):
            line = line.replace(" UDP/TLS/RTP/SAVPF ", " RTP/SAVPF ")
        lines.append(line)
        if offer and quirks.double_candidates and (twin := _second_component(line)) is not None:
            lines.append(twin)
    return "".join(f"{line}\r\n" for line in lines)


def first_codec(sdp: str) -> str | None:
    """The codec named first, as of ``a=rtpmap``, such as ``opus/48000/2``."""
    lines = sdp.splitlines()
    names = _names(lines)
    return next((names[payload] for line in lines for payload in _payloads(line) if payload in names), None)


def stream_of(sdp: str) -> str | None:
    """The value of the first ``a=msid`` (RFC 8830)."""
    return next((line.removeprefix(_MSID) for line in sdp.splitlines() if line.startswith(_MSID)), None)


def with_stream(sdp: str, stream: str | None) -> str:
    """The same with another ``a=msid``. The platform's is that of the call, however often its path is renewed: a
    browser takes the track out of the stream that the application plays when it changes."""
    lines = (_MSID + stream if stream and line.startswith(_MSID) else line for line in sdp.splitlines())
    return "".join(f"{line}\r\n" for line in lines)


def setup_of(sdp: str) -> str | None:
    """The value of the first ``a=setup`` (RFC 8842)."""
    return next((line.removeprefix(_SETUP) for line in sdp.splitlines() if line.startswith(_SETUP)), None)


def with_setup(sdp: str, setup: str | None) -> str:
    """An offer with ``a=setup`` changed from ``actpass`` to this DTLS role of its sender. In a call the platform keeps
    the roles of the first handshake, because a browser cannot change its own any more."""
    return sdp if setup is None else sdp.replace(f"{_SETUP}actpass", f"{_SETUP}{setup}")


def fingerprints_of(sdp: str) -> frozenset[str]:
    """The values of ``a=fingerprint`` (RFC 8122), in one case."""
    return frozenset(line.lower() for line in sdp.splitlines() if line.startswith("a=fingerprint:"))


def has_telephone_event(sdp: str) -> bool:
    """RFC 4733."""
    return any(map(_is_telephone_event, _names(sdp.splitlines()).values()))


def reachable(sdp: str) -> bool:
    """Whether the platform would send to any of the candidates: UDP, component 1, IPv4, not private.

    A relay's address counts as much as any other: the rule is about where packets go, not about how the path was found.
    """
    return any(map(_reachable, sdp.splitlines()))


def _reachable(line: str) -> bool:
    parts = line.removeprefix(_CANDIDATE).split(" ")
    if not line.startswith(_CANDIDATE) or len(parts) < 6 or parts[1] != "1" or parts[2].lower() != "udp":
        return False
    try:
        address = ip_address(parts[4])
    except ValueError:
        return False  # A host name, such as of mDNS, is never resolved (RFC 8828).
    return address.version == 4 and not any(address in block for block in _REFUSED)


def _only(sdp: str, codec: str | None, *, telephone_event: bool) -> str:
    """With one codec, or with ``None`` with all of them, and with or without telephone-event."""
    lines = sdp.splitlines()
    names = _names(lines)
    known = codec is not None and any(name.lower() == codec.lower() for name in names.values())
    gone = {
        payload
        for payload, name in names.items()
        if (not telephone_event if _is_telephone_event(name) else known and name.lower() != (codec or "").lower())
    }
    return "".join(f"{line}\r\n" for line in _without(lines, gone))


def _without(lines: Iterable[str], gone: set[str]) -> Iterable[str]:
    for line in lines:
        if line.startswith("m="):
            media, port, profile, *payloads = line.split(" ")
            yield " ".join((media, port, profile, *(payload for payload in payloads if payload not in gone)))
        elif not line.startswith(_OF_A_PAYLOAD) or line.partition(":")[2].partition(" ")[0] not in gone:
            yield line


def _names(lines: Iterable[str]) -> dict[str, str]:
    """Codec by payload type."""
    names: dict[str, str] = {}
    for line in lines:
        names.update((payload, _STATIC[payload]) for payload in _payloads(line) if payload in _STATIC)
        if line.startswith("a=rtpmap:"):
            payload, _, name = line.removeprefix("a=rtpmap:").partition(" ")
            names[payload] = name
    return names


def _payloads(line: str) -> list[str]:
    return line.split(" ")[3:] if line.startswith("m=audio ") else []


def _is_telephone_event(name: str) -> bool:
    return name.lower().startswith("telephone-event/")


def _is_mid(line: str) -> bool:
    return line.startswith("a=mid:")


def _second_component(line: str) -> str | None:
    """The same candidate for component 2, which is unused with rtcp-mux (RFC 8839, RFC 5761)."""
    if not line.startswith(_CANDIDATE):
        return None
    foundation, component, rest = line.removeprefix(_CANDIDATE).split(" ", 2)
    return f"{_CANDIDATE}{foundation} 2 {rest}" if component == "1" else None
