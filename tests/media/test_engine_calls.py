"""Real calls between two engines over loopback: ICE, DTLS, SRTP, codecs, and audio that is measured."""

import asyncio
import logging
import re
import time
from typing import Any

import pytest
from attrs import evolve

from telnyx_core.actions import AddCandidate, ApplyRemote, ClosePeer, CreateAnswer, CreateOffer, TakeStats, UseMedia
from telnyx_core.facts import CandidateFound, LocalDescribed, MediaHeard, RemoteApplied, RemoteRefused, StatsTaken
from telnyx_core.ice import Timing
from telnyx_core.ids import MediaId
from telnyx_core.options import Codec
from telnyx_core.stats.snapshot import CodecStats, StatsSnapshot
from telnyx_drivers._webrtc import dtls, sdp
from telnyx_drivers._webrtc.direct_rtp import DirectRtpPath
from telnyx_drivers._webrtc.readings import PAIR_ROUND_TRIP
from telnyx_drivers._webrtc.rtp_path import AgreedAudio
from tests.drivers.servers import Servers
from tests.ice.inside import current
from tests.media.rig import LOOPBACK, HeardAudio, Pair, Side, ground_of, ice_of, peer_of, run, silent, until
from tests.media.rsa_peer import give_rsa_certificate
from tests.media.server_end import ServerEnd
from tests.media.test_sdp_remote import USABLE, read

pytestmark = pytest.mark.media

PCMU, OPUS = Codec("audio/PCMU", 8_000), Codec("audio/opus", 48_000, 2)


@pytest.mark.parametrize(
    ("codec", "name"),
    [(PCMU, "PCMU"), (OPUS, "opus"), (Codec("audio/G722", 8_000), "G722"), (Codec("audio/PCMA", 8_000), "PCMA")],
)
def test_a_tone_crosses_in_both_directions(codec: Codec, name: str) -> None:
    async def main() -> None:
        pair = Pair()
        media = await pair.connect(caller={"preferred_codecs": (codec,)})
        pair.caller.audio().hum(440)
        pair.callee.audio().hum(1_000)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert await pair.caller.audio().hears() == pytest.approx(1_000, abs=2)
        for side in (pair.caller, pair.callee):
            assert [fact.media for fact in side.facts if isinstance(fact, MediaHeard)] == [media]
            assert side.states(media) == ["connecting", "connected"]
            snapshot = side.engine.snapshot(media)
            assert snapshot is not None
            assert snapshot.codec is not None
            assert snapshot.codec.mime_type == f"audio/{name}"
        await pair.aclose()

    run(main())


def test_a_reading_counts_measures_and_names() -> None:
    """STATS-010, STATS-031, STATS-033, STATS-056 to STATS-058."""

    async def main() -> None:
        quick = Timing(consent=0.05)
        pair = Pair(caller=Side(evolve(LOOPBACK, timing=quick)))
        media = await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.callee.audio().hum(440)
        await pair.caller.audio().hears(1.0)

        async def reading() -> StatsSnapshot:
            pair.caller.facts.clear()
            pair.caller.perform(TakeStats(media))
            assert not pair.caller.facts
            return (await pair.caller.fact(StatsTaken, media)).reading

        await reading()
        await pair.caller.audio().hears(0.3)
        taken = await reading()
        assert taken.packets_sent is not None
        assert taken.packets_received is not None
        assert taken.bytes_received is not None
        assert taken.packets_sent > 30
        assert taken.bytes_received >= 160 * (taken.packets_received - 1)
        assert taken.packets_lost == 0
        assert taken.jitter is not None
        assert 0 <= taken.jitter < 1
        assert taken.round_trip_time_source == PAIR_ROUND_TRIP
        assert taken.round_trip_time is not None
        assert 0 < taken.round_trip_time < 1
        assert taken.remote_level == pytest.approx(0.3 / 2**0.5, rel=0.1)
        assert taken.local_level == 0
        assert taken.intentionally_silent
        assert taken.codec == CodecStats(mime_type="audio/PCMU", clock_rate=8_000, payload_type=0, channels=1)
        assert taken.pair is not None
        assert (taken.pair.local.address, taken.pair.local.candidate_type) == ("127.0.0.1", "host")
        assert taken.pair.id.endswith(f":{taken.pair.remote.port}")
        assert taken.pair.requests_sent is not None
        assert taken.pair.responses_received is not None
        assert 0 < taken.pair.responses_received <= taken.pair.requests_sent
        assert (taken.ice_state, taken.dtls_state) == ("completed", "connected")
        assert taken.srtp_cipher in ("SRTP_AES128_CM_HMAC_SHA1_80", "SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM")
        assert taken.tls_version == "FEFD", "DTLS 1.2 (RFC 6347)"
        assert taken.transport_packets_sent is not None
        assert taken.transport_bytes_sent is not None
        assert 12 * taken.transport_packets_sent <= taken.transport_bytes_sent
        assert taken.packets_sent is not None
        assert taken.header_bytes_sent == 12 * taken.packets_sent, "RFC 3550 section 5.1"
        assert taken.packets_received is not None
        assert taken.header_bytes_received == 12 * taken.packets_received
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.3)
        assert not (await reading()).intentionally_silent
        pair.caller.facts.clear()
        pair.caller.perform(TakeStats(media), ClosePeer(media), TakeStats(media))
        await asyncio.sleep(0.05)
        assert not pair.caller.facts
        await pair.aclose()

    run(main())


def like_freeswitch(text: str) -> str:
    """What a server of this family would have sent instead (SRV-001, SRV-003)."""
    lines = []
    for line in text.split("\r\n"):
        if line.startswith(("a=mid", "a=group", "a=end-of-candidates", "a=extmap", "a=ice-options")):
            continue
        lines.append(line.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"))
        if line.startswith("a=candidate"):
            lines.append(re.sub(r" 1 udp ", " 2 udp ", line))
    return "\r\n".join(lines)


def test_a_server_that_numbers_no_sections_is_called_and_calls() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.connect(alter_offer=like_freeswitch, alter_answer=like_freeswitch)
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        answer = await pair.callee.description(MediaId(1))
        assert "a=mid" not in answer
        assert "m=audio" in answer
        assert " RTP/SAVPF " in answer
        await pair.aclose()

    run(main())


def of_one_codec(text: str) -> str:
    """The offer of a re-attach: the codec of the far leg alone, and no telephone events."""
    lines = []
    for line in like_freeswitch(text).split("\r\n"):
        if line.startswith("m=audio"):
            lines.append(" ".join([*line.split(" ")[:3], "9"]))
        elif not re.match(r"a=(rtpmap|fmtp|rtcp-fb):(?!9 )", line):
            lines.append(line)
    return "\r\n".join(lines)


def test_an_offer_of_one_codec_is_answered_with_that_one() -> None:
    """PS-010."""

    async def main() -> None:
        pair = Pair()
        await pair.connect(alter_offer=of_one_codec, alter_answer=like_freeswitch)
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        answer = await pair.callee.description(MediaId(1))
        (audio,) = (line for line in answer.split("\r\n") if line.startswith("m=audio"))
        assert audio.split(" ")[2:] == ["RTP/SAVPF", "9"]
        assert "telephone-event" not in answer
        await pair.aclose()

    run(main())


def test_a_server_with_an_rsa_certificate_is_understood() -> None:
    """SRV-002: it offers, we are the DTLS client; its serial number 0 makes no parser warn (warnings are errors)."""

    async def main() -> None:
        pair = Pair()
        await pair.connect(opened=lambda: give_rsa_certificate(pair.caller))
        assert ground_of(pair.callee).dtls.cipher_name == "ECDHE-RSA-AES128-GCM-SHA256"
        pair.caller.audio().hum(700)
        assert await pair.callee.audio().hears() == pytest.approx(700, abs=2)
        await pair.aclose()

    run(main())


def test_with_the_ciphers_of_the_library_alone_an_rsa_certificate_ends_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the test above would miss: that it is our list of ciphers which makes the difference."""
    monkeypatch.setattr(dtls, "CIPHERS", b"ECDHE-ECDSA-AES128-GCM-SHA256")
    monkeypatch.setattr(dtls, "_context", dtls._context.__wrapped__)

    async def main() -> None:
        pair = Pair()
        await pair.connect(opened=lambda: give_rsa_certificate(pair.caller), wait=False)
        await pair.caller.state("failed")
        await pair.aclose()

    run(main())


@pytest.mark.parametrize("kept", [False, True], ids=["the only one", "beside a right one"])
def test_a_certificate_that_the_description_does_not_name_ends_the_call(
    caplog: pytest.LogCaptureFixture, kept: bool
) -> None:
    """RFC 8122 section 5: every fingerprint that is named has to be the certificate's."""

    async def main() -> None:
        pair = Pair()
        forged = "a=fingerprint:sha-256 " + ":".join(["00"] * 32)
        if kept:
            forged = r"\g<0>\na=fingerprint:sha-512 " + ":".join(["00"] * 64)
        await pair.connect(alter_answer=lambda text: re.sub(r"a=fingerprint:[^\r\n]*", forged, text), wait=False)
        await pair.caller.state("failed")
        assert pair.caller.states(MediaId(1)) == ["connecting", "failed"]
        await pair.aclose()

    run(main())
    assert "certificate" in caplog.text


@pytest.mark.parametrize("name", [name for name in USABLE if name.startswith("offer")])
def test_an_offer_of_any_make_is_answered(name: str) -> None:
    async def main() -> None:
        side = Side()
        media = side.open(1, "answer")
        side.perform(ApplyRemote(media, "offer", read(name)), CreateAnswer(media))
        answer = sdp.parse(await side.description(media))
        offered = sdp.parse(read(name)).sections
        assert [section.kind for section in answer.sections] == [section.kind for section in offered]
        assert [section.protocol for section in answer.sections] == [section.protocol for section in offered]
        assert [section.port > 0 for section in answer.sections] == [s.kind == "audio" for s in answer.sections]
        (audio,) = (section for section in answer.sections if section.kind == "audio")
        assert audio.first("setup") == "active"
        assert audio.has("sendrecv")
        assert set(audio.formats) <= {fmt for section in offered for fmt in section.formats}
        await side.engine.aclose()

    run(main())


@pytest.mark.parametrize("name", [name for name in USABLE if name.startswith("answer")])
def test_an_answer_of_any_make_completes_an_offer(name: str) -> None:
    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        side.perform(CreateOffer(media))
        await side.description(media)
        side.perform(ApplyRemote(media, "answer", read(name)))
        await side.fact(RemoteApplied, media)
        await side.engine.aclose()

    run(main())


def test_a_description_that_is_refused_leaves_the_peer_as_it_was() -> None:
    """MEDIA-051, MEDIA-052."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        side.perform(CreateOffer(media))
        await side.description(media)
        side.perform(ApplyRemote(media, "answer", read("refuse-plain-rtp")))
        refused = await side.fact(RemoteRefused, media)
        assert "ICE" in refused.reason
        side.perform(ApplyRemote(media, "answer", read("answer-freeswitch")))
        await side.fact(RemoteApplied, media)
        await side.engine.aclose()

    run(main())


def test_only_one_answer_is_applied() -> None:
    """MEDIA-508: the library would raise at the second, and the call must not end for it here."""

    async def main() -> None:
        pair = Pair()
        media = await pair.connect()
        answer = await pair.callee.description(media)
        pair.caller.perform(ApplyRemote(media, "answer", answer))
        assert "already" in (await pair.caller.fact(RemoteRefused, media)).reason
        assert pair.caller.states(media)[-1] == "connected"
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        await pair.aclose()

    run(main())


@pytest.mark.parametrize(
    ("caller", "callee", "expected"),
    [
        ({"send_audio": False}, {}, ("recvonly", "sendonly")),
        ({}, {"send_audio": False}, ("sendrecv", "recvonly")),
        ({"receive_audio": False}, {}, ("sendonly", "recvonly")),
    ],
)
def test_the_direction_follows_from_both_sides(
    caller: dict[str, Any], callee: dict[str, Any], expected: tuple[str, str]
) -> None:
    """MEDIA-033, MEDIA-038."""

    async def main() -> None:
        pair = Pair()
        media = await pair.connect(caller=caller, callee=callee)
        offer, answer = await pair.caller.description(media), await pair.callee.description(media)
        assert f"a={expected[0]}\r\n" in offer
        assert f"a={expected[1]}\r\n" in answer
        await pair.aclose()

    run(main())


def test_the_default_order_of_codecs() -> None:
    """MEDIA-042."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        side.perform(CreateOffer(media))
        (audio,) = sdp.parse(await side.description(media)).sections
        assert [entry.name for entry in sdp.rtp_maps(audio)][:4] == ["opus", "G722", "PCMU", "PCMA"]
        await side.engine.aclose()

    run(main())


def test_preferred_codecs_are_offered_alone_and_unknown_ones_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """MEDIA-040, MEDIA-041."""

    async def main() -> None:
        side = Side()
        wanted = (
            Codec("AUDIO/pcma", 8_000),
            Codec("audio/iLBC", 8_000),
            Codec("audio/CN", 8_000),
            Codec("video/VP8", 90_000),
            OPUS,
        )
        for media, codecs in ((1, wanted), (2, (Codec("audio/opus", 8_000),))):
            side.perform(CreateOffer(side.open(media, "offer", preferred_codecs=codecs)))
        (first,) = sdp.parse(await side.description(MediaId(1))).sections
        assert [entry.name for entry in sdp.rtp_maps(first)][:2] == ["PCMA", "opus"]
        (second,) = sdp.parse(await side.description(MediaId(2))).sections
        assert len(sdp.rtp_maps(second)) == 6
        await side.engine.aclose()

    run(main())
    assert [record.args for record in caplog.records] == [("audio/iLBC", 8_000), ("audio/opus", 8_000)]


def test_a_preference_that_the_caller_does_not_share_is_given_up() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)}, callee={"preferred_codecs": (OPUS,)})
        await pair.aclose()

    run(main())


def test_the_description_sent_carries_what_the_call_asked_for() -> None:
    """MEDIA-043 to MEDIA-045."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer", use_stereo=True, max_kbps=40, trickle=True)
        side.perform(CreateOffer(media))
        text = await side.description(media)
        assert ";stereo=1;sprop-stereo=1;maxaveragebitrate=24000\r\n" in text
        assert "\r\nb=AS:40\r\n" in text
        assert "\r\na=ice-options:trickle\r\n" in text
        await side.engine.aclose()

    run(main())


def without_candidates(text: str) -> str:
    return "\r\n".join(line for line in text.split("\r\n") if not line.startswith(("a=candidate", "a=end-of")))


def trickled(side: Side, media: MediaId) -> list[AddCandidate]:
    found = [fact for fact in side.facts if isinstance(fact, CandidateFound)]
    return [AddCandidate(media, fact.candidate, fact.sdp_mid, fact.sdp_m_line_index) for fact in found]


def test_candidates_may_come_before_and_after_the_description_and_some_may_be_nonsense() -> None:
    """MEDIA-110, MEDIA-111, MEDIA-113, MEDIA-115."""

    async def main() -> None:
        pair = Pair()
        media = pair.caller.open(1, "offer", trickle=True)
        pair.callee.open(1, "answer", trickle=True)
        pair.caller.perform(CreateOffer(media))
        offer = without_candidates(await pair.caller.description(media))
        await pair.caller.fact(CandidateFound, media)
        pair.callee.perform(
            AddCandidate(media, "candidate:nonsense"),
            *trickled(pair.caller, media),
            AddCandidate(media, ""),
            ApplyRemote(media, "offer", offer),
            CreateAnswer(media),
            *trickled(pair.caller, media),
            AddCandidate(media, ""),
        )
        pair.caller.perform(ApplyRemote(media, "answer", without_candidates(await pair.callee.description(media))))
        await pair.callee.fact(CandidateFound, media)
        for candidate in trickled(pair.callee, media):
            pair.caller.perform(
                evolve(candidate, candidate=candidate.candidate.removeprefix("candidate:"), sdp_mid=None)
            )
        pair.caller.perform(AddCandidate(media, "candidate:x 1 udp 1 a.local 9 typ host"), AddCandidate(media, ""))
        await pair.caller.state("connected")
        await pair.callee.state("connected")
        await pair.aclose()

    run(main())


@pytest.mark.parametrize(
    ("trickle", "name", "ended"),
    [
        (False, "answer-freeswitch-pcmu", True),
        (True, "answer-freeswitch-pcmu", False),
        (True, "answer-freeswitch", True),
        (False, "answer-without-candidates", False),
    ],
)
def test_the_end_of_candidates_is_told_when_no_more_can_come(trickle: bool, name: str, ended: bool) -> None:
    """MEDIA-115: without it the library never fails; after it, it takes no candidate any more."""
    answer = without_candidates(read("answer-freeswitch")) if name.endswith("without-candidates") else read(name)

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer", trickle=trickle)
        side.perform(CreateOffer(media))
        await side.description(media)
        side.perform(ApplyRemote(media, "answer", answer))
        await side.fact(RemoteApplied, media)
        await side.fact(LocalDescribed, media, lambda fact: fact.complete)
        await asyncio.sleep(0)
        assert current(ice_of(side).agent).ended is ended
        await side.engine.aclose()

    run(main())


def test_a_later_peer_takes_the_audio_over_when_told_and_not_before() -> None:
    """CALL-532: make before break; the application's readers and writers notice nothing."""

    async def main() -> None:
        pair = Pair()
        old = await pair.connect(1)
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        new = await pair.connect(2)
        # `connect` has switched to it; back again, to see that both ends of a peer not in use are silent.
        pair.callee.perform(UseMedia(old))
        pair.caller.perform(UseMedia(new))
        heard = pair.callee.audio().heard
        heard.clear()
        await until(lambda: len(heard) > 30)
        assert all(silent(frame) for frame in heard[-5:]), "the caller sends on the new peer, the callee hears the old"
        pair.callee.perform(UseMedia(new), ClosePeer(old))
        pair.caller.perform(ClosePeer(old))
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert pair.caller.states(old)[-1] == "connected", "a peer that we closed says nothing more"
        await pair.aclose()

    run(main())


def test_the_last_peer_left_has_the_audio() -> None:
    async def main() -> None:
        pair = Pair()
        old = await pair.connect(1)
        new = await pair.connect(2)
        for side in (pair.caller, pair.callee):
            side.perform(UseMedia(old), ClosePeer(old))
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert pair.caller.engine.snapshot(new) is not None
        await pair.aclose()

    run(main())


def test_a_broken_voice_of_the_application_does_not_end_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    """The library's sender never recovers from a track that has raised once."""

    class Broken(HeardAudio):
        def pull(self, rate: int, due: float | None = None) -> Any:
            self.pulled = getattr(self, "pulled", 0) + 1
            if self.pulled < 10:
                raise RuntimeError("a voice of the application's")
            return super().pull(rate, due)

    async def main() -> None:
        pair = Pair()
        pair.caller.engine._call_audio = lambda call: Broken()
        await pair.connect()
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        await pair.aclose()

    run(main())
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_a_goodbye_in_rtcp_does_not_end_the_track() -> None:
    """The far end may just have changed its SSRC."""

    async def main() -> None:
        pair = Pair()
        await pair.connect()
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        path = peer_of(pair.caller)._path
        assert isinstance(path, DirectRtpPath)
        assert path._leg is not None
        path._leg._send_report(bye=True)
        pair.callee.audio().heard.clear()
        assert await pair.callee.audio().hears(1.0) == pytest.approx(440, abs=2)
        await pair.aclose()

    run(main())


@pytest.mark.parametrize(
    ("answered", "agreed"),
    [
        ("101 110", {101: 8_000, 110: 48_000}),
        ("101", {101: 8_000}),
        ("", {}),
        ("97", {101: 8_000, 97: 8_000}),
    ],
)
def test_digits_are_agreed_at_the_rates_that_both_sides_name(answered: str, agreed: dict[int, int]) -> None:
    """SRV-005; RFC 3264 section 6.1: the answer may number a format in its own way."""

    def answer_with(text: str) -> str:
        text = re.sub(r"a=(rtpmap|fmtp):1[01][01] (telephone-event|0-16).*\r\n", "", text)
        text = re.sub(r"(m=audio .*?) 101 110", rf"\1 {answered}", text)
        rates = {"101": 8_000, "110": 48_000, "97": 8_000}
        return text + "".join(f"a=rtpmap:{each} telephone-event/{rates[each]}\r\n" for each in answered.split())

    async def main() -> None:
        starts: list[AgreedAudio] = []

        class Watched(DirectRtpPath):
            def start(self, agreed: AgreedAudio) -> None:
                starts.append(agreed)
                super().start(agreed)

        pair = Pair(caller=Side(evolve(LOOPBACK, rtp_path=Watched)))
        await pair.connect(alter_answer=answer_with)
        (start,) = starts
        assert start.telephone_events == agreed
        await pair.aclose()

    run(main())


def test_a_codec_that_the_answer_renumbers_is_heard_by_both_numbers() -> None:
    """RFC 3264 section 5.1: we send by the answer's number, and are sent to by ours; not all far ends do."""

    def renumber(text: str) -> str:
        offered = re.search(r"a=rtpmap:(\d+) opus/48000/2", text)
        assert offered is not None
        number = offered[1]
        text = re.sub(rf"(m=audio .*?) {number}\b", r"\1 121", text)
        return re.sub(rf"a=(rtpmap|fmtp|rtcp-fb):{number} ", r"a=\1:121 ", text)

    async def main() -> None:
        starts: list[AgreedAudio] = []

        class Watched(DirectRtpPath):
            def start(self, agreed: AgreedAudio) -> None:
                starts.append(agreed)
                super().start(agreed)

        pair = Pair(caller=Side(evolve(LOOPBACK, rtp_path=Watched)))
        await pair.connect(alter_answer=renumber)
        (start,) = starts
        assert (start.codecs[0].payload_type, start.codecs[0].name.lower()) == (121, "opus")
        # The callee, who knows of no other number, sends by ours.
        ours = next(codec.payload_type for codec in start.codecs[1:] if codec.name.lower() == "opus")
        assert ours != 121
        pair.callee.audio().hum(440)
        assert await pair.caller.audio().hears() == pytest.approx(440, abs=2)
        await pair.aclose()

    run(main())


def test_silence_is_noticed_and_so_is_the_return() -> None:
    """MEDIA-500: the library knows no ``disconnected``; consent that lapses is ``failed`` (MEDIA-501, RFC 7675)."""

    async def main() -> None:
        quick = Timing(consent=0.05, consent_retry=0.05, disconnected=0.3, consent_expires=1.5)
        pair = Pair(caller=Side(evolve(LOOPBACK, timing=quick)))
        media = await pair.connect()
        await until(lambda: peer_of(pair.caller).reading().round_trip_time_source == PAIR_ROUND_TRIP)
        (protocol,) = ice_of(pair.callee).sockets.values()
        sendto = protocol.transport.sendto
        protocol.transport.sendto = lambda *args: None  # type: ignore[method-assign]
        await pair.caller.state("disconnected")
        protocol.transport.sendto = sendto  # type: ignore[method-assign]
        await until(lambda: pair.caller.states(media) == ["connecting", "connected", "disconnected", "connected"])
        protocol.transport.sendto = lambda *args: None  # type: ignore[method-assign]
        await pair.caller.state("failed")
        assert pair.caller.states(media)[-2:] == ["disconnected", "failed"]
        await pair.aclose()

    run(main())


def test_a_loop_that_seldom_comes_round_does_not_fall_behind() -> None:
    """Fifteen turns a second for fifty packets of audio: they do not pile up in front of the consent checks."""
    servers = Servers()
    far: ServerEnd = servers.enter(ServerEnd())

    async def answered(offer: str) -> str:
        return far.answer(offer)

    async def main() -> None:
        quick = Timing(consent=0.3, disconnected=1.0, consent_expires=2.0)
        near = Side(evolve(LOOPBACK, timing=quick))
        media = near.open(1, "offer")
        near.perform(CreateOffer(media))
        answer = servers.run(answered(await near.description(media)))
        near.perform(ApplyRemote(media, "answer", answer), UseMedia(media))
        await near.state("connected")
        await until(lambda: far.heard > 10)
        begun, came = far.heard, peer_of(near).reading().packets_received
        assert came is not None
        for _ in range(90):
            time.sleep(1 / 15)  # noqa: ASYNC251  something else has the loop
            await asyncio.sleep(0)
        now = peer_of(near).reading().packets_received
        assert near.states(media) == ["connecting", "connected"]
        assert now is not None
        assert now - came > 200, "all that was sent, but for what a busy machine did not send"
        assert far.heard - begun > 200
        await near.engine.aclose()

    try:
        run(main())
    finally:
        servers.stop()
        servers.close()


def test_packets_alone_are_a_sign_of_life() -> None:
    """A server that answers no more STUN but keeps sending audio is not ``disconnected`` (SRV-008 asks for calm)."""

    async def main() -> None:
        quick = Timing(consent=0.05, consent_retry=0.05, disconnected=0.3, consent_expires=1.0)
        pair = Pair(caller=Side(evolve(LOOPBACK, timing=quick)))
        media = await pair.connect()
        ice_of(pair.callee).agent._asked = lambda *args: True  # type: ignore[method-assign]
        await pair.caller.state("failed")
        assert pair.caller.states(media) == ["connecting", "connected", "failed"]
        await pair.aclose()

    run(main())


def test_a_far_end_that_closes_is_a_failure_that_we_did_not_cause() -> None:
    """MEDIA-501."""

    async def main() -> None:
        pair = Pair()
        media = await pair.connect()
        pair.callee.perform(ClosePeer(media))
        await pair.caller.state("failed")
        assert pair.caller.states(media) == ["connecting", "connected", "failed"]
        await asyncio.sleep(0.05)
        assert pair.callee.states(media) == ["connecting", "connected"]
        await pair.aclose()

    run(main())
