"""Remote descriptions of every make are read, or `SdpError` says why not (SRV-001 to SRV-004)."""

from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.actions import DescriptionKind
from telnyx_core.ice import CandidateType
from telnyx_drivers._webrtc.remote_sdp import RemoteDescription, parse_remote
from telnyx_drivers._webrtc.sdp import MAX_CANDIDATES, MAX_LENGTH, SdpError, parse_candidate

CORPUS = Path(__file__).parent / "sdp_corpus"
USABLE = sorted(path.stem for path in CORPUS.glob("*.sdp") if not path.stem.startswith("refuse"))
DIGEST = ":".join(["AB"] * 32)
MINIMAL = (
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    "a=mid:0",
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuv",
    f"a=fingerprint:sha-256 {DIGEST}",
    "a=setup:active",
)


def read(name: str) -> str:
    """A corpus file with the line ends of the wire."""
    return (CORPUS / f"{name}.sdp").read_text().replace("\n", "\r\n")


def kind_of(name: str) -> DescriptionKind:
    return "answer" if name.startswith("answer") else "offer"


def remote(name: str) -> RemoteDescription:
    return parse_remote(read(name), kind_of(name))


def minimal(*more: str, without: str = "", kind: DescriptionKind = "answer") -> RemoteDescription:
    """The smallest usable description, with lines added and those starting with ``without`` taken out."""
    lines = [line for line in MINIMAL if not (without and line.startswith(without))]
    return parse_remote("\r\n".join([*lines, *more]), kind)


@pytest.mark.parametrize("name", USABLE)
def test_every_make_is_understood(name: str) -> None:
    description = remote(name)
    assert description.audio.kind == "audio"
    assert description.fingerprints
    assert {codec.name.lower() for codec in description.codecs} <= {"opus", "g722", "pcmu", "pcma"}


@pytest.mark.parametrize("name", USABLE)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_ends_make_no_difference(name: str, end: str) -> None:
    assert parse_remote(read(name).replace("\r\n", end), kind_of(name)) == remote(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("refuse-no-audio", "no audio section"),
        ("refuse-rejected", "rejected"),
        ("refuse-plain-rtp", "does not speak ICE"),
        ("refuse-sha1", r"no usable certificate fingerprint \(sha-1\)"),
        ("refuse-no-common-codec", "G729/8000, GSM/8000|GSM/8000"),
    ],
)
def test_what_cannot_become_a_call_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(SdpError, match=reason):
        parse_remote(read(name), "answer")


def test_freeswitch_numbers_no_sections() -> None:
    """SRV-001."""
    description = remote("answer-freeswitch")
    assert description.mid is None
    assert not description.bundled


def test_candidates_of_component_two_are_left_out() -> None:
    """SRV-003: FreeSWITCH lists each candidate twice."""
    (candidate,) = remote("offer-freeswitch").candidates
    assert (candidate.address, candidate.type) == (("203.0.113.20", 26418), CandidateType.HOST)
    host, reflexive = remote("answer-freeswitch-pcmu").candidates
    assert (host.type.value, reflexive.type.value, reflexive.related) == ("host", "srflx", ("203.0.113.20", 19016))


def test_a_call_from_the_telephone_network_keeps_its_codecs_and_both_addresses() -> None:
    """SRV-003, SRV-005: what Telnyx makes of FreeSWITCH."""
    description = remote("offer-telnyx")
    assert [codec.name for codec in description.codecs] == ["PCMU", "PCMA", "G722", "opus"]
    assert [(event.payload_type, event.clock_rate) for event in description.telephone_events] == [(101, 8_000)]
    host, public = description.candidates
    assert (host.address.host, public.address.host) == ("10.114.3.20", "198.51.100.64")
    assert public.related == ("10.114.3.20", 22846)
    assert description.direction == "sendrecv"


def test_tcp_and_named_candidates_are_left_out() -> None:
    (candidate,) = remote("answer-chromium").candidates
    assert candidate.address.host == "198.51.100.9"


def test_every_strong_hash_is_accepted() -> None:
    """SRV-004: an attach may come with sha-512."""
    assert [algorithm for algorithm, _ in remote("offer-freeswitch-attach").fingerprints] == ["sha-512"]
    assert [algorithm for algorithm, _ in remote("offer-aiortc").fingerprints] == ["sha-256", "sha-384", "sha-512"]


def test_a_fingerprint_of_the_wrong_length_is_none() -> None:
    with pytest.raises(SdpError, match="fingerprint"):
        minimal("a=fingerprint:sha-512 " + DIGEST, without="a=fingerprint")


def test_the_section_of_audio_is_found_between_others() -> None:
    description = remote("offer-chromium-video-data")
    assert [section.kind for section in description.sections] == ["video", "audio", "application"]
    assert description.audio_index == 1
    assert description.bundled
    assert [section.kind for section in remote("offer-careless").sections] == ["image", "audio", "video"]


def test_ice_lite_and_session_level_attributes_are_found() -> None:
    description = remote("answer-ice-lite")
    assert description.ice_lite
    assert description.fingerprints[0][0] == "sha-256"
    assert not description.candidates_complete
    assert remote("offer-firefox").setup == "actpass"


def test_a_static_payload_type_needs_no_rtpmap() -> None:
    assert [codec.name for codec in remote("answer-static-without-rtpmap").codecs] == ["PCMU", "PCMA"]


def test_codecs_keep_the_order_of_the_section_not_of_the_rtpmaps() -> None:
    description = minimal(
        "m=audio 9 UDP/TLS/RTP/SAVPF 8 111 0",
        *MINIMAL[5:],
        "a=rtpmap:111 opus/48000/2",
        without="m=",
    )
    assert [codec.payload_type for codec in description.codecs] == [8, 111, 0]


def test_one_codec_under_two_numbers_is_taken_under_the_first() -> None:
    description = minimal(
        "m=audio 9 UDP/TLS/RTP/SAVPF 112 111",
        *MINIMAL[5:],
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:112 opus/48000/2",
        without="m=",
    )
    assert [codec.payload_type for codec in description.codecs] == [112]


def test_payload_types_that_rtp_cannot_carry_are_left_out() -> None:
    """RFC 5761 section 4: 72 to 76 would be read as RTCP; the field has seven bits."""
    description = minimal(
        "m=audio 9 UDP/TLS/RTP/SAVPF 72 200 128 8",
        *MINIMAL[5:],
        *(f"a=rtpmap:{number} {name}/8000" for number, name in ((72, "PCMU"), (200, "G722"), (128, "PCMU"))),
        without="m=",
    )
    assert [codec.payload_type for codec in description.codecs] == [8]


def test_telephone_events_are_kept_apart_from_codecs() -> None:
    """SRV-005."""
    events = remote("offer-freeswitch").telephone_events
    assert [(event.payload_type, event.clock_rate) for event in events] == [(103, 48_000), (101, 8_000)]


@pytest.mark.parametrize("line", ["", "a=setup:holdconn", "a=setup:actpass", "a=setup:passive-aggressive"])
@pytest.mark.parametrize(("kind", "expected"), [("offer", "actpass"), ("answer", "active")])
def test_a_missing_or_useless_setup_still_allows_a_handshake(line: str, kind: DescriptionKind, expected: str) -> None:
    assert minimal(line, without="a=setup", kind=kind).setup == expected


@pytest.mark.parametrize(
    "line",
    [
        "a=fmtp:99 mode-set=7",
        "a=fmtp:0 minptime=10.0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on",
        "a=extmap:0 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:x",
        "a=ssrc:1",
        "a=ssrc:1 foo",
        "a=candidate:1 1 udp 1 203.0.113.9 0 typ host",
        "a=rtpmap:0",
        "a=rtpmap:300 PCMU/8000",
        "a=rtcp:x",
        "a=mid: ",
        "a=sctp-port:x",
        "b=AS:x",
        "c=IN IP4 pbx.example.com",
        "m=video 0 RTP/AVP 31",
    ],
)
def test_lines_that_mean_nothing_change_nothing(line: str) -> None:
    assert evolve(minimal(line), sections=()) == evolve(minimal(), sections=())


def test_a_missing_direction_is_both_ways() -> None:
    assert minimal().direction == "sendrecv"
    assert minimal("a=inactive").direction == "inactive"


def test_candidates_are_bounded() -> None:
    many = [f"a=candidate:1 1 udp 1 203.0.113.9 {port} typ host" for port in range(1, 2 * MAX_CANDIDATES)]
    assert len(minimal(*many).candidates) == MAX_CANDIDATES
    assert len(minimal(*many[:1] * 5).candidates) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no media section"),
        ("v=0\r\n" * MAX_LENGTH, "longer than"),
        ("m=audio", "not a media line"),
        ("m=audio 65536 RTP/SAVPF 0", "not a media line"),
        ("m=audio 9 RTP/SAVPF 0\r\n" * 17, "more than 16"),
        ("\r\n".join(MINIMAL).replace("abcdefghijklmnopqrstuv", "a b"), "a=ice-pwd is malformed"),
    ],
)
def test_nonsense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SdpError, match=reason):
        parse_remote(text, "offer")


def test_secrets_stay_out_of_the_representation() -> None:
    description = remote("offer-freeswitch")
    assert description.ice_pwd not in repr(description)
    assert description.ice_ufrag not in repr(description)


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_a_candidate_is_read_with_or_without_its_prefix(prefix: str) -> None:
    """MEDIA-111."""
    candidate = parse_candidate(f"{prefix}1 1 UDP 2130706431 2001:DB8::1 4444 typ host generation 0 ufrag x")
    assert str(candidate) == "candidate:1 1 udp 2130706431 2001:db8::1 4444 typ host"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 1 udp 1 203.0.113.9 9",
        "1 2 udp 1 203.0.113.9 9 typ host",
        "1 1 tcp 1 203.0.113.9 9 typ host tcptype active",
        "1 1 udp 1 host.local 9 typ host",
        "1 1 udp 1 fe80::1%eth0 9 typ host",
        "1 1 udp 1 224.0.0.1 9 typ host",
        "1 1 udp 1 203.0.113.9 65536 typ host",
        "1 1 udp -1 203.0.113.9 9 typ host",
        "1 1 udp ¹ 203.0.113.9 9 typ host",
        "1 1 udp 1 203.0.113.9 9 typ prflx",
        "1 1 udp 1 203.0.113.9 9 type host",
    ],
)
def test_a_useless_candidate_is_none(text: str) -> None:
    assert parse_candidate(text) is None


# Whatever arrives: an answer of ours, or `SdpError`.

KINDS = st.sampled_from(["offer", "answer"])


def accept_or_refuse(text: str, kind: DescriptionKind) -> None:
    try:
        description = parse_remote(text, kind)
    except SdpError:
        return
    assert description.codecs
    assert all(each.payload_type < 128 for each in description.codecs)
    assert len(description.fingerprints) >= 1
    assert len(description.candidates) <= MAX_CANDIDATES


@given(st.text(max_size=400), KINDS)
def test_any_text_is_accepted_or_refused(text: str, kind: DescriptionKind) -> None:
    accept_or_refuse(text, kind)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A corpus file with lines dropped, doubled, swapped between files, cut or overwritten."""
    lines = read(draw(st.sampled_from(USABLE))).split("\r\n")
    others = read(draw(st.sampled_from(USABLE))).split("\r\n")
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "borrow", "cut", "scribble"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "borrow":
                lines.insert(at, draw(st.sampled_from(others)))
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case _:
                place = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:place] + draw(st.text(max_size=6)) + lines[at][place + 1 :]
    return draw(st.sampled_from(["\r\n", "\n"])).join(lines)


@given(mutated(), KINDS)
def test_any_damage_to_a_real_description_is_accepted_or_refused(text: str, kind: DescriptionKind) -> None:
    accept_or_refuse(text, kind)


FIELDS = (
    st.sampled_from(["1", "H+1/", "é", "a=candidate:7", "x" * 65]),
    st.sampled_from(["1", "1", "1", "2", "01"]),
    st.sampled_from(["udp", "UDP", "Udp", "tcp"]),
    st.sampled_from(["1", "0", "4294967295", "4294967296", "-1", "1e3"]),
    st.sampled_from(["203.0.113.9", "::1", "::ffff:1.2.3.4", "0.0.0.0", "a.local", "ff02::1", "1.2.3"]),
    st.sampled_from(["9", "0", "65535", "65536", "x"]),
    st.sampled_from(["typ", "typ", "type"]),
    st.sampled_from(["host", "srflx", "relay", "prflx", "HOST"]),
    st.sampled_from(["", "raddr", "raddr 10.0.0.1", "raddr 10.0.0.1 rport 7", "rport x raddr y", "generation 0"]),
)


@given(st.tuples(*FIELDS))
def test_any_candidate_is_read_and_written_alike_or_none(words: tuple[str, ...]) -> None:
    candidate = parse_candidate(" ".join(words))
    assert candidate is None or parse_candidate(str(candidate)) == candidate
