"""The writer of descriptions: an offer or an answer of one audio section, as a telephony server understands it.

RFC 8829 section 5 and RFC 8866. One fingerprint, because FreeSWITCH believes the last one; a session id that stays
while the version grows; neither mid nor BUNDLE group towards a server that numbers no sections; and every other section
of an offer refused in its place.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import evolve, field, frozen

from telnyx_core.ice import Candidate
from telnyx_drivers._webrtc import bit_rate, sdp
from telnyx_drivers._webrtc.remote_sdp import RemoteDescription, Setup
from telnyx_drivers._webrtc.sdp import Direction, RtpMap

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


@frozen(kw_only=True)
class LocalEnd:
    """What stays the same for the life of a peer. ``session_id``: RFC 8866 section 5.2."""

    session_id: int
    ice_ufrag: str = field(repr=False)
    ice_pwd: str = field(repr=False)
    fingerprint: str = field(repr=False)
    """Of the certificate, by SHA-256."""
    ssrc: int
    cname: str


@frozen
class LocalDescription:
    sdp: str = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    mid: str
    direction: Direction
    """As this end sees it."""
    setup: Setup
    telephone_events: Mapping[int, int]
    """Payload type to clock rate, as offered or accepted."""
    rtp_maps: tuple[RtpMap, ...]


def write(
    end: LocalEnd,
    codecs: Iterable[RtpMap],
    candidates: Iterable[Candidate],
    *,
    direction: Direction,
    complete: bool,
    version: int,
    style: Style,
    remote: RemoteDescription | None = None,
) -> LocalDescription:
    """Write the answer to the offer ``remote``, or an offer.

    It shows these candidates and no others, and, if ``complete``, that there will be no more. ``direction`` is what
    this end would do; ``version`` grows with each description of one peer.
    """
    maps = tuple(codecs)
    events = _TELEPHONE_EVENTS if remote is None else remote.telephone_events
    events = tuple(event for event in events if _wanted(event, maps))
    noise = style.silence_suppression and (remote is None or _NOISE in sdp.rtp_maps(remote.audio))
    if noise and any(entry.clock_rate == _NOISE.clock_rate for entry in maps):
        maps = (*maps, _NOISE)
    described = LocalDescription(
        "",
        by_likelihood(candidates, style),
        (remote and remote.mid) or sdp.DEFAULT_MID,
        direction if remote is None else sdp.both(direction, sdp.REVERSED[remote.direction]),
        "actpass" if remote is None else "passive" if remote.setup == "active" else "active",
        {event.payload_type: event.clock_rate for event in events},
        maps,
    )
    grouped = remote is None or remote.bundled
    lines = [
        "v=0",
        f"o=- {end.session_id} {version} {_UNROUTED}",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {described.mid}"] if grouped else []),
        "a=msid-semantic:WMS *",
        *_sections(_audio(end, described, maps + events, style, remote, complete=complete), remote),
    ]
    return evolve(described, sdp="\r\n".join(lines) + "\r\n")


def by_likelihood(candidates: Iterable[Candidate], style: Style) -> tuple[Candidate, ...]:
    """The candidate most likely to work first: some servers try only one, the first IPv4 one (SRV-006).

    Towards a server on the internet that is an address which was seen there; towards one on this host or network, the
    host's own. Link-local and loopback addresses always come last. The order says nothing to ICE, which has priorities.
    """

    def rank(candidate: Candidate) -> tuple[int, int, int]:
        address = ipaddress.ip_address(candidate.address.host)
        scope = 2 if address.is_loopback else 1 if address.is_link_local else 0
        types: tuple[str, ...] = ("srflx", "relay", "host") if style.reflexive_first else ("host", "srflx", "relay")
        return scope, types.index(candidate.type.value), address.version

    return tuple(sorted(candidates, key=rank))


def _wanted(event: RtpMap, maps: tuple[RtpMap, ...]) -> bool:
    """8000 is what gateways expect beside every codec; 48000 makes sense beside opus only."""
    return event.clock_rate == 8_000 or any(entry.clock_rate == event.clock_rate for entry in maps)


def _audio(
    end: LocalEnd,
    described: LocalDescription,
    formats: tuple[RtpMap, ...],
    style: Style,
    remote: RemoteDescription | None,
    *,
    complete: bool,
) -> Iterator[str]:
    port, connection = 9, _UNROUTED
    if described.candidates:
        likeliest = described.candidates[0]
        port = likeliest.address.port
        connection = f"IN IP{likeliest.address.version} {likeliest.address.host}"
    protocol = "UDP/TLS/RTP/SAVPF" if remote is None else remote.audio.protocol
    yield f"m=audio {port} {protocol} {' '.join(str(entry.payload_type) for entry in formats)}"
    yield f"c={connection}"
    if style.max_kbps is not None:
        yield f"b=AS:{style.max_kbps}"
    yield f"a={described.direction}"
    if remote is None or remote.mid is not None:
        yield f"a=mid:{described.mid}"
    yield f"a=msid:{end.cname} {end.cname}"
    yield "a=rtcp:9 IN IP4 0.0.0.0"
    yield "a=rtcp-mux"
    yield f"a=ssrc:{end.ssrc} cname:{end.cname}"
    yield f"a=ice-ufrag:{end.ice_ufrag}"
    yield f"a=ice-pwd:{end.ice_pwd}"
    yield f"a=fingerprint:sha-256 {end.fingerprint}"
    yield f"a=setup:{described.setup}"
    yield from _formats(formats, style)
    yield f"a=ptime:{PACKET_TIME}"
    if style.trickle:
        yield "a=ice-options:trickle"
    yield from (f"a={candidate}" for candidate in described.candidates)
    if complete:
        yield "a=end-of-candidates"


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


def _sections(audio: Iterable[str], remote: RemoteDescription | None) -> Iterator[str]:
    """The answer's sections: as many as were offered, in that order, all but the audio refused (MEDIA-039)."""
    if remote is None:
        yield from audio
        return
    for index, offered in enumerate(remote.sections):
        if index == remote.audio_index:
            yield from audio
            continue
        yield f"m={offered.kind} 0 {offered.protocol} {' '.join(offered.formats)}"
        yield f"c={_UNROUTED}"
        mid = offered.first("mid")
        if mid is not None and remote.mid is not None:
            yield f"a=mid:{mid}"
        yield "a=inactive"
