"""The local description as it is sent: the library's text, corrected where a telephony server would fail on it.

aiortc prints three fingerprints, of which FreeSWITCH believes the last; a session id that changes from one description
to the next; no parameters for opus, no packet time, no telephone-event; an empty BUNDLE group towards a server that
numbers no sections; and it can refuse no section. All of that is put right here, in the text only.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import field, frozen

from telnyx_drivers._webrtc import bit_rate, sdp
from telnyx_drivers._webrtc.remote_sdp import RemoteDescription
from telnyx_drivers._webrtc.sdp import Candidate, Document, RtpMap, SdpError, Section

PACKET_TIME: Final = 20
"""Milliseconds of audio in a packet that we send."""
_TELEPHONE_EVENTS: Final = (RtpMap(101, sdp.TELEPHONE_EVENT, 8_000), RtpMap(110, sdp.TELEPHONE_EVENT, 48_000))
"""What an offer proposes: one for each clock rate that the codecs use (RFC 4733 section 2.1)."""
_DIGITS: Final = "0-16"
_OPUS_PARAMETERS: Final = "minptime=10;useinbandfec=1"
_DTX: Final = ";usedtx=1"
_STEREO: Final = ";stereo=1;sprop-stereo=1"
_NOISE: Final = RtpMap(13, sdp.COMFORT_NOISE, 8_000)
_UNROUTED: Final = "IN IP4 0.0.0.0"


@frozen(kw_only=True)
class Style:
    """Settings of a call's description. ``max_kbps`` is kilobits per second (MEDIA-045), a limit for Opus as well."""

    stereo: bool = False
    max_kbps: int | None = None
    trickle: bool = False
    silence_suppression: bool = False
    """Pauses need not be sent: comfort noise (RFC 3389), and ``usedtx`` for Opus (RFC 7587 section 6.1)."""
    reflexive_first: bool = True
    """List the address that a STUN or TURN server saw before the host's own (see `by_likelihood`)."""


@frozen
class LocalDescription:
    sdp: str = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    mid: str
    telephone_events: Mapping[int, int]
    """Payload type to clock rate, as offered or accepted."""
    rtp_maps: tuple[RtpMap, ...]


def finish(
    text: str,
    candidates: Iterable[Candidate],
    *,
    complete: bool,
    session_id: int,
    version: int,
    style: Style,
    remote: RemoteDescription | None = None,
) -> LocalDescription:
    """Correct the library's local description; ``remote`` is the offer that it answers, or ``None`` for an offer.

    It shows these candidates and no others, and, if ``complete``, that there will be no more.
    ``session_id`` stays the same for the life of a peer while ``version`` grows (RFC 8866 section 5.2).
    """
    document = sdp.parse(text)
    audio = next((section for section in document.sections if section.kind == "audio"), None)
    if audio is None:
        raise SdpError("the library described no audio")
    maps = sdp.rtp_maps(audio)
    events = _TELEPHONE_EVENTS if remote is None else remote.telephone_events
    events = tuple(event for event in events if _wanted(event, maps))
    noise = style.silence_suppression and (remote is None or _NOISE in sdp.rtp_maps(remote.audio))
    if noise and any(entry.clock_rate == _NOISE.clock_rate for entry in maps):
        maps = (*maps, _NOISE)
    ordered = by_likelihood(candidates, style)
    mid = audio.first("mid") or ""
    numbered = remote is None or remote.mid is not None
    section = _audio(audio, maps + events, ordered, style, remote, numbered=numbered, complete=complete)
    lines = [
        *_session(document, session_id, version, grouped=numbered and (remote is None or remote.bundled), mid=mid),
        *([section] if remote is None else _in_order(section, remote)),
    ]
    return LocalDescription(
        "\r\n".join(lines) + "\r\n",
        ordered,
        mid,
        {event.payload_type: event.clock_rate for event in events},
        maps,
    )


def by_likelihood(candidates: Iterable[Candidate], style: Style) -> tuple[Candidate, ...]:
    """The candidate most likely to work first: some servers try only one, the first IPv4 one (SRV-006).

    Towards a server on the internet that is an address which was seen there; towards one on this host or network, the
    host's own. Link-local and loopback addresses always come last. The order says nothing to ICE, which has priorities.
    """

    def rank(candidate: Candidate) -> tuple[int, int, int]:
        address = ipaddress.ip_address(candidate.address)
        scope = 2 if address.is_loopback else 1 if address.is_link_local else 0
        types: tuple[str, ...] = ("srflx", "relay", "host") if style.reflexive_first else ("host", "srflx", "relay")
        return scope, types.index(candidate.type), address.version

    return tuple(sorted(candidates, key=rank))


def _wanted(event: RtpMap, maps: tuple[RtpMap, ...]) -> bool:
    """8000 is what gateways expect beside every codec; 48000 makes sense beside opus only."""
    return event.clock_rate == 8_000 or any(entry.clock_rate == event.clock_rate for entry in maps)


def _session(document: Document, session_id: int, version: int, *, grouped: bool, mid: str) -> Iterator[str]:
    for line in document.session:
        if line.startswith("o="):
            yield f"o=- {session_id} {version} {_UNROUTED}"
        elif line.startswith("a=group:"):
            if grouped:
                yield f"a=group:BUNDLE {mid}"
        else:
            yield line


def _audio(
    audio: Section,
    maps: tuple[RtpMap, ...],
    candidates: tuple[Candidate, ...],
    style: Style,
    remote: RemoteDescription | None,
    *,
    numbered: bool,
    complete: bool,
) -> str:
    protocol = audio.protocol if remote is None else remote.audio.protocol
    port, connection = 9, _UNROUTED
    if candidates:
        likeliest = candidates[0]
        port = likeliest.port
        connection = f"IN IP{ipaddress.ip_address(likeliest.address).version} {likeliest.address}"
    lines = [
        f"m=audio {port} {protocol} {' '.join(str(entry.payload_type) for entry in maps)}",
        f"c={connection}",
        *([] if style.max_kbps is None else [f"b=AS:{style.max_kbps}"]),
        *_kept(audio, numbered=numbered),
        *_formats(maps, style),
        f"a=ptime:{PACKET_TIME}",
        *(["a=ice-options:trickle"] if style.trickle else []),
        *(f"a=candidate:{candidate}" for candidate in candidates),
        *(["a=end-of-candidates"] if complete else []),
    ]
    return "\r\n".join(lines)


_REWRITTEN: Final = (
    "c=",
    "b=",
    "a=rtpmap:",
    "a=fmtp:",
    "a=ptime:",
    "a=candidate:",
    "a=end-of-candidates",
    "a=ice-options:",
)


def _kept(audio: Section, *, numbered: bool) -> Iterator[str]:
    for line in audio.lines:
        if line.startswith(_REWRITTEN):
            continue
        if line.startswith("a=fingerprint:") and not line.startswith("a=fingerprint:sha-256 "):
            continue
        if line.startswith("a=mid:") and not numbered:
            continue
        yield line


def _formats(maps: tuple[RtpMap, ...], style: Style) -> Iterator[str]:
    opus = f"{_OPUS_PARAMETERS}{_STEREO if style.stereo else ''}{_DTX if style.silence_suppression else ''}"
    if style.max_kbps is not None:
        opus += f";maxaveragebitrate={bit_rate.of_bandwidth(style.max_kbps)}"
    for entry in maps:
        yield f"a=rtpmap:{entry}"
        if entry.name.lower() == "opus":
            yield f"a=fmtp:{entry.payload_type} {opus}"
        elif entry.name.lower() == sdp.TELEPHONE_EVENT:
            yield f"a=fmtp:{entry.payload_type} {_DIGITS}"


def _in_order(audio: str, remote: RemoteDescription) -> Iterator[str]:
    """The answer's sections: as many as were offered, in that order, all but the audio refused (MEDIA-039)."""
    for index, offered in enumerate(remote.sections):
        if index == remote.audio_index:
            yield audio
            continue
        yield f"m={offered.kind} 0 {offered.protocol} {' '.join(offered.formats)}"
        yield f"c={_UNROUTED}"
        mid = offered.first("mid")
        if mid is not None and remote.mid is not None:
            yield f"a=mid:{mid}"
        yield "a=inactive"
