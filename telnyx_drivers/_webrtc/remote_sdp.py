"""The reader of descriptions: the dozen facts that an audio call needs, or `SdpError`.

Real servers leave out what a standard asks for (``a=mid``, ``a=setup``, the rtpmap of a static payload type), repeat
what means nothing (an fmtp without a codec, an ``a=ssrc`` without a colon) and mention what is not for us (video,
component 2). What is not understood is passed over (SRV-001 to SRV-004, MEDIA-039).
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core.actions import DescriptionKind
from telnyx_core.ice import Address, Candidate, CandidateError, Credentials
from telnyx_drivers._webrtc import bit_rate, sdp
from telnyx_drivers._webrtc.sdp import Direction, Document, RtpMap, SdpError, Section

Setup: TypeAlias = Literal["active", "passive", "actpass"]

_CLOCK_RATES: Final = {each.name.lower(): each.clock_rate for each in sdp.CODECS}
_DIGEST_SIZES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Bytes, for the hashes that count; weaker ones are no protection (RFC 8122 section 5)."""
_MID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}")
_FINGERPRINT: Final = re.compile(r"([A-Za-z0-9-]{1,16}) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)")


@frozen(kw_only=True)
class RemoteDescription:
    """One remote description, reduced to its audio. ``sections`` keeps every m-line, for the answer's refusals."""

    kind: DescriptionKind
    sections: tuple[Section, ...] = field(repr=False)
    audio_index: int
    mid: str | None
    """The audio's ``a=mid``, or ``None`` where the far end does not number its sections (SRV-001)."""
    bundled: bool
    direction: Direction
    """As the far end sees it."""
    codecs: tuple[RtpMap, ...]
    telephone_events: tuple[RtpMap, ...]
    candidates: tuple[Candidate, ...] = field(repr=False)
    candidates_complete: bool
    ice_lite: bool
    ice_ufrag: str = field(repr=False)
    ice_pwd: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...] = field(repr=False)
    setup: Setup
    max_bit_rate: int | None
    """Bits per second of payload that the far end wants at most."""

    @property
    def audio(self) -> Section:
        return self.sections[self.audio_index]

    def is_audio(self, mid: str | None, index: int) -> bool:
        """Whether a candidate is the audio's: by its ``sdpMid`` if that is known, else by its section's number."""
        named = [number for number, section in enumerate(self.sections) if mid and section.first("mid") == mid]
        return self.audio_index in named if named else len(self.sections) == 1 or index == self.audio_index


def parse_remote(text: str, kind: DescriptionKind) -> RemoteDescription:
    """Read a remote description of whatever shape. Raises `SdpError` when no audio call can come of it."""
    document = sdp.parse(text)
    index = _audio_index(document)
    audio = document.sections[index]
    maps = sdp.rtp_maps(audio)
    codecs = tuple(_first_of_each(maps))
    if not codecs:
        raise SdpError(f"no codec in common: the far end speaks {_names(maps) or 'none that it names'}")
    ufrag, pwd = _credentials(document, audio)
    mid = audio.first("mid")
    if mid is not None and not _MID.fullmatch(mid):
        mid = None
    return RemoteDescription(
        kind=kind,
        sections=document.sections,
        audio_index=index,
        mid=mid,
        bundled=any(words[:1] == ["BUNDLE"] and mid in words[1:] for words in map(str.split, document.values("group"))),
        direction=_direction(document, audio),
        codecs=codecs,
        telephone_events=tuple(_telephone_events(maps)),
        candidates=_candidates(audio),
        candidates_complete=audio.has("end-of-candidates"),
        ice_lite=document.has("ice-lite") or audio.has("ice-lite"),
        ice_ufrag=ufrag,
        ice_pwd=pwd,
        fingerprints=_fingerprints(document, audio),
        setup=_setup(document, audio, kind),
        max_bit_rate=bit_rate.asked_of_us(audio),
    )


def _audio_index(document: Document) -> int:
    spoken = [index for index, section in enumerate(document.sections) if section.kind == "audio"]
    if not spoken:
        raise SdpError("no audio section")
    for index in spoken:
        if document.sections[index].port or document.sections[index].has("bundle-only"):
            return index
    raise SdpError("the audio section is rejected (port 0)")


def _first_of_each(maps: tuple[RtpMap, ...]) -> Iterator[RtpMap]:
    """Each codec once, under the payload type that the far end likes best."""
    seen: set[str] = set()
    for entry in maps:
        name = entry.name.lower()
        if _CLOCK_RATES.get(name) == entry.clock_rate and name not in seen:
            seen.add(name)
            yield entry


def _telephone_events(maps: tuple[RtpMap, ...]) -> Iterator[RtpMap]:
    """RFC 4733 payload types, one for each clock rate of a codec that can be spoken."""
    rates = set(_CLOCK_RATES.values())
    for entry in maps:
        if entry.name.lower() == sdp.TELEPHONE_EVENT and entry.clock_rate in rates:
            rates.remove(entry.clock_rate)
            yield entry


def _names(maps: tuple[RtpMap, ...]) -> str:
    return ", ".join(f"{entry.name}/{entry.clock_rate}" for entry in maps[:8])


def _direction(document: Document, audio: Section) -> Direction:
    """``sendrecv`` when nothing is said (RFC 8866 section 6.7)."""
    for scope in (audio, document):
        for direction in sdp.DIRECTIONS:
            if scope.has(direction):
                return direction
    return "sendrecv"


def _candidates(audio: Section) -> tuple[Candidate, ...]:
    found: dict[Address, Candidate] = {}
    for value in audio.values("candidate"):
        candidate = sdp.parse_candidate(value)
        if candidate is not None and len(found) < sdp.MAX_CANDIDATES:
            found.setdefault(candidate.address, candidate)
    return tuple(found.values())


def _credentials(document: Document, audio: Section) -> tuple[str, str]:
    ufrag, pwd = (audio.first(name) or next(document.values(name), None) for name in ("ice-ufrag", "ice-pwd"))
    if ufrag is None or pwd is None:
        raise SdpError(f"no a=ice-{'ufrag' if ufrag is None else 'pwd'}: the far end does not speak ICE")
    try:
        Credentials(ufrag, pwd)
    except CandidateError as error:
        raise SdpError(f"a={str(error).partition(':')[0]} is malformed") from None
    return ufrag, pwd


def _fingerprints(document: Document, audio: Section) -> tuple[tuple[str, str], ...]:
    """The media section's own when it has some, else the session's (RFC 8122 section 5); SRV-004: any strong hash."""
    values = list(audio.values("fingerprint")) or list(document.values("fingerprint"))
    usable: dict[tuple[str, str], None] = {}
    for value in values:
        match = _FINGERPRINT.fullmatch(value)
        if match is not None and len(match[2]) == 3 * _DIGEST_SIZES.get(match[1].lower(), 0) - 1:
            usable[match[1].lower(), match[2].upper()] = None
    if not usable:
        offered = ", ".join(value.split()[0][:16] for value in values[:4] if value)
        raise SdpError(f"no usable certificate fingerprint ({offered or 'none given'}): media would not be encrypted")
    return tuple(usable)


def _setup(document: Document, audio: Section, kind: DescriptionKind) -> Setup:
    """The DTLS role. What is missing or ``holdconn`` is read so that a handshake can happen (RFC 5763 section 5)."""
    value = audio.first("setup") or next(document.values("setup"), None)
    match value:
        case "active":
            return "active"
        case "passive":
            return "passive"
        case _:
            return "actpass" if kind == "offer" else "active"
