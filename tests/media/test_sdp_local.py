"""What goes out (research notes on FreeSWITCH's parser, MEDIA-039 to 045)."""

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice import Address, Candidate, CandidateType
from telnyx_drivers._webrtc import sdp
from telnyx_drivers._webrtc.local_sdp import LocalDescription, LocalEnd, Style, by_likelihood, write
from telnyx_drivers._webrtc.preferences import in_common
from telnyx_drivers._webrtc.remote_sdp import RemoteDescription, parse_remote
from telnyx_drivers._webrtc.sdp import CODECS, Direction, RtpMap, Section
from tests.media.test_sdp_remote import DIGEST, USABLE, kind_of, read, remote

END = LocalEnd(
    session_id=77, ice_ufrag="Qw3E", ice_pwd="tY6uI8oP0aS2dF4gH6jK8l", fingerprint=DIGEST, ssrc=715203948, cname="us"
)
HOST = Candidate("h", 1, "udp", 9, Address("192.0.2.79", 40404), CandidateType.HOST)
REFLEXIVE = Candidate(
    "s", 1, "udp", 8, Address("198.51.100.8", 5555), CandidateType.SERVER_REFLEXIVE, Address("192.0.2.79", 40404)
)


def finished(
    *candidates: Candidate,
    codecs: tuple[RtpMap, ...] = CODECS,
    direction: Direction = "sendrecv",
    complete: bool = True,
    version: int = 1,
    style: Style | None = None,
    to: RemoteDescription | None = None,
) -> LocalDescription:
    spoken = codecs if to is None else in_common((), to.codecs)
    style = style or Style()
    return write(
        END, spoken, candidates, direction=direction, complete=complete, version=version, style=style, remote=to
    )


def offer(style: Style | None = None, *, version: int = 1) -> LocalDescription:
    return finished(version=version, style=style)


def answer(to: RemoteDescription, style: Style | None = None) -> LocalDescription:
    return finished(style=style, to=to)


def audio(description: LocalDescription) -> Section:
    (section,) = (each for each in sdp.parse(description.sdp).sections if each.kind == "audio")
    return section


def test_only_the_sha_256_fingerprint_goes_out() -> None:
    """FreeSWITCH believes the last line, and takes three for a new certificate at each re-invite."""
    (fingerprint,) = audio(offer()).values("fingerprint")
    assert fingerprint.startswith("sha-256 ")


def test_the_session_id_stays_and_the_version_grows() -> None:
    lines = [offer(version=version).sdp.split("\r\n")[1] for version in (1, 2)]
    assert lines == ["o=- 77 1 IN IP4 0.0.0.0", "o=- 77 2 IN IP4 0.0.0.0"]


def test_opus_packet_time_and_telephone_events_are_described() -> None:
    """SRV-005: digits are sent to us only when we offer to hear them."""
    section = audio(offer())
    assert list(section.values("rtpmap"))[-2:] == ["101 telephone-event/8000", "110 telephone-event/48000"]
    assert section.formats == ("96", "9", "0", "8", "101", "110")
    assert list(section.values("fmtp")) == ["96 minptime=10;useinbandfec=1", "101 0-16", "110 0-16"]
    assert section.first("ptime") == "20"
    assert dict(offer().telephone_events) == {101: 8_000, 110: 48_000}


def test_silence_suppression_is_offered_when_asked_for_and_answered_when_offered() -> None:
    """RFC 3389 and RFC 7587 section 6.1; without the option nothing of it is said."""
    section = audio(offer(Style(silence_suppression=True)))
    assert "13 CN/8000" in section.values("rtpmap")
    assert "13" in section.formats
    assert next(iter(section.values("fmtp"))).endswith(";usedtx=1")
    assert "13" not in audio(offer()).formats
    invited = remote("offer-freeswitch")
    assert ("13" in audio(answer(invited, Style(silence_suppression=True))).formats) == ("13" in invited.audio.formats)
    assert "13" not in audio(answer(invited)).formats


def test_an_offer_without_opus_has_no_wide_telephone_event() -> None:
    assert dict(finished(codecs=CODECS[2:]).telephone_events) == {101: 8_000}


def test_an_answer_takes_only_the_events_that_were_offered_under_their_numbers() -> None:
    assert dict(answer(remote("offer-freeswitch")).telephone_events) == {103: 48_000, 101: 8_000}
    assert dict(answer(remote("offer-aiortc")).telephone_events) == {}


def test_stereo_is_asked_for_on_the_line_of_opus() -> None:
    """MEDIA-044."""
    assert audio(offer(Style(stereo=True))).first("fmtp") == "96 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1"


def test_bandwidth_stands_directly_after_the_connection() -> None:
    """MEDIA-045."""
    lines = audio(offer(Style(max_kbps=64))).lines
    assert lines[0].startswith("c=")
    assert lines[1] == "b=AS:64"
    assert "b=AS" not in offer().sdp


def test_trickle_is_said() -> None:
    """MEDIA-043."""
    assert audio(offer(Style(trickle=True))).first("ice-options") == "trickle"
    assert "ice-options" not in offer().sdp


def test_what_has_been_found_is_shown_and_whether_that_is_all() -> None:
    """MEDIA-101: with trickle the first description has what there is. Without it all candidates are in the
    description, for the server takes no others (PS-043).
    """
    begun = audio(finished(HOST, complete=False))
    assert list(begun.values("candidate")) == [str(HOST).removeprefix("candidate:")]
    assert not begun.has("end-of-candidates")
    done = audio(finished(HOST, REFLEXIVE))
    assert list(done.values("candidate")) == [str(each).removeprefix("candidate:") for each in (REFLEXIVE, HOST)]
    assert done.has("end-of-candidates")


def test_nothing_found_yet_is_no_address() -> None:
    nothing = audio(finished(complete=False))
    assert (nothing.port, nothing.lines[0]) == (9, "c=IN IP4 0.0.0.0")


def test_an_answer_to_a_server_without_mids_has_neither_mid_nor_group() -> None:
    """PS-011."""
    text = answer(remote("offer-freeswitch")).sdp
    assert "a=mid" not in text
    assert "a=group" not in text
    assert "a=mid:0" in answer(remote("offer-chromium")).sdp
    assert "a=group:BUNDLE 0" in answer(remote("offer-chromium")).sdp


def test_an_answer_speaks_the_profile_of_the_offer() -> None:
    """SRV-003."""
    assert audio(answer(remote("offer-freeswitch"))).protocol == "RTP/SAVPF"
    assert audio(answer(remote("offer-chromium"))).protocol == "UDP/TLS/RTP/SAVPF"


def test_other_sections_are_refused_in_their_places() -> None:
    """MEDIA-039."""
    document = sdp.parse(answer(remote("offer-chromium-video-data")).sdp)
    assert [(each.kind, each.port == 0, each.first("mid")) for each in document.sections] == [
        ("video", True, "v"),
        ("audio", False, "0"),
        ("application", True, "data"),
    ]
    assert document.sections[0].has("inactive")
    assert document.sections[2].formats == ("webrtc-datachannel",)
    assert list(document.values("group")) == ["BUNDLE 0"]


def test_every_line_ends_with_crlf() -> None:
    """MEDIA-043."""
    text = answer(remote("offer-chromium-video-data")).sdp
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert "\r\n\r\n" not in text


def test_the_connection_names_the_likeliest_candidate() -> None:
    far = finished(HOST, REFLEXIVE)
    assert (audio(far).port, audio(far).lines[0]) == (5555, "c=IN IP4 198.51.100.8")
    near = finished(HOST, REFLEXIVE, style=Style(reflexive_first=False))
    assert (audio(near).port, audio(near).lines[0]) == (40404, "c=IN IP4 192.0.2.79")
    assert "typ srflx raddr 192.0.2.79 rport 40404" in near.sdp


@pytest.mark.parametrize("name", [name for name in USABLE if name.startswith("offer")])
def test_a_stock_library_reads_our_offer_and_our_answers(name: str) -> None:
    """aiortc's parser, which is stricter than a browser's; and our own reader finds what was meant."""
    for described in (offer(), answer(remote(name))):
        session, *sections = described.sdp.split("\r\nm=")
        (spoken,) = (each for each in sections if not each.startswith(("audio 0 ", "video", "image", "application")))
        (media,) = SessionDescription.parse(f"{session}\r\nm={spoken}").media
        assert media.rtcp_mux
        assert media.ice.usernameFragment == END.ice_ufrag
        assert media.dtls is not None
        assert [(each.algorithm, each.value) for each in media.dtls.fingerprints] == [("sha-256", DIGEST)]
        assert [(each.ssrc, each.cname) for each in media.ssrc] == [(END.ssrc, END.cname)]
        again = parse_remote(described.sdp, "offer" if described.setup == "actpass" else "answer")
        assert [each.payload_type for each in again.codecs] == [each.payload_type for each in described.rtp_maps]
        assert (again.direction, again.setup, again.ice_pwd) == (described.direction, described.setup, END.ice_pwd)


@pytest.mark.parametrize("name", USABLE)
def test_an_answer_does_no_more_than_was_offered(name: str) -> None:
    """RFC 3264 section 6.1, and RFC 5763 section 5 for the part in the handshake."""
    theirs = parse_remote(read(name), kind_of(name))
    for mine in sdp.DIRECTIONS:
        described = finished(direction=mine, to=theirs)
        sends, receives = (described.direction in ("sendrecv", way) for way in ("sendonly", "recvonly"))
        assert sends == (mine in ("sendrecv", "sendonly") and theirs.direction in ("sendrecv", "recvonly"))
        assert receives == (mine in ("sendrecv", "recvonly") and theirs.direction in ("sendrecv", "sendonly"))
        assert described.setup == ("passive" if theirs.setup == "active" else "active")


ADDRESSES = st.sampled_from(["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "10.0.0.1", "192.0.2.1", "2001:db8::1"])
TYPES = (CandidateType.HOST, CandidateType.SERVER_REFLEXIVE, CandidateType.RELAYED)
CANDIDATES = st.builds(
    Candidate,
    st.just("f"),
    st.just(1),
    st.just("udp"),
    st.just(1),
    st.builds(Address, ADDRESSES, st.integers(1, 9)),
    st.sampled_from(TYPES),
)


@given(st.lists(CANDIDATES), st.booleans())
def test_loopback_and_link_local_never_stand_before_a_routable_candidate(
    candidates: list[Candidate], reflexive_first: bool
) -> None:
    """SRV-006."""
    ordered = by_likelihood(candidates, Style(reflexive_first=reflexive_first))
    unroutable = [each.address.host.startswith(("127.", "::1", "169.254.", "fe80:")) for each in ordered]
    assert unroutable == sorted(unroutable)
    assert sorted(map(str, ordered)) == sorted(map(str, candidates))
    routable = [each for each, skip in zip(ordered, unroutable, strict=True) if not skip]
    if reflexive_first and any(each.type is CandidateType.SERVER_REFLEXIVE for each in routable):
        assert routable[0].type is CandidateType.SERVER_REFLEXIVE


@given(st.lists(CANDIDATES))
def test_an_ipv6_address_stands_behind_the_ipv4_addresses_of_its_kind(candidates: list[Candidate]) -> None:
    """PS-042: a server without an IPv6 media address drops such candidates, and of the others it takes the first."""
    ordered = by_likelihood(candidates, Style(reflexive_first=True))
    for kind in TYPES:
        routable = [each for each in ordered if each.type == kind and not each.address.host.startswith(("127.", "::1"))]
        versions = [
            ":" in each.address.host for each in routable if not each.address.host.startswith(("169.254.", "fe80:"))
        ]
        assert versions == sorted(versions)
