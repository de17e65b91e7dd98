"""A whole leg without a socket: sender to receiver over a made-up network, on a virtual clock."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp.codecs import make_decoder, make_encoder
from telnyx_drivers._audio.rtp.comfort_noise import Pauses
from telnyx_drivers._audio.rtp.g711 import PCMU
from telnyx_drivers._audio.rtp.packet import RtpPacket, parse
from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.rtcp import ReportBlock, ntp_time
from telnyx_drivers._audio.rtp.sender import RtpSender
from telnyx_drivers._audio.rtp.telephone_event import DigitSender, HeardDigit
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import OpusSettings, Tone
from tests.audio.helpers import voiced

TYPES = {0: "PCMU", 8: "PCMA", 9: "G722", 111: "opus"}


def sender(name: str, ssrc: int = 1, opus: OpusSettings | None = None) -> RtpSender:
    encoder = make_encoder(name, opus)
    assert encoder is not None
    payload_type = next(number for number, known in TYPES.items() if known == name)
    digits = DigitSender(encoder.clock_rate)
    return RtpSender(
        encoder,
        payload_type=payload_type,
        ssrc=ssrc,
        sequence=65_500,
        timestamp=2**32 - 20_000,
        digits=digits,
        digits_payload_type=101,
    )


@define
class Ear:
    digits: list[HeardDigit] = field(factory=list[HeardDigit])
    heard: list[Samples] = field(factory=list[Samples])
    rates: list[int] = field(factory=list[int])
    receiver: RtpReceiver = field(init=False)

    def __attrs_post_init__(self) -> None:
        decoders = {number: decoder for number, name in TYPES.items() if (decoder := make_decoder(name)) is not None}
        self.receiver = RtpReceiver(
            decoders, events={101: 8_000}, heard_digit=self.digits.append, rng=np.random.default_rng(3)
        )

    def beat(self, now: float) -> None:
        samples = self.receiver.beat(now)
        if samples is not None:
            self.heard.append(samples)
            self.rates.append(self.receiver.sample_rate)

    @property
    def audio(self) -> Samples:
        return np.concatenate(self.heard)


def network(source: Iterator[tuple[float, bytes]], ear: Ear, *, seconds: float, phase: float = 0.004) -> None:
    """Deliver packets at their arrival times between the beats."""
    pending = sorted(source, key=lambda arrival: arrival[0])
    for beat in range(round(seconds * 50)):
        now = beat * 0.02 + phase
        while pending and pending[0][0] <= now:
            when, data = pending.pop(0)
            packet = parse(data)
            assert packet is not None
            ear.receiver.receive(packet, when)
        ear.beat(now)


def talk(
    one: RtpSender,
    tone: Tone,
    count: int,
    *,
    begin: float = 0.0,
    delay: Callable[[int], float | None] = lambda number: 0.03,
) -> Iterator[tuple[float, bytes]]:
    """``count`` packets; a delay of ``None`` loses one."""
    for number in range(count):
        data = one.next(lambda rate: tone.read(rate) if not tone.ended else silence(rate // 50))  # type: ignore[return-value,arg-type]
        late = delay(number)
        if late is not None:
            yield begin + number * 0.02 + late, data


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "G722", "opus"])
def test_a_clean_network_carries_every_sample(name: str) -> None:
    ear = Ear()
    network(talk(sender(name), Tone(500), 200), ear, seconds=4)
    rate = ear.receiver.sample_rate
    assert {samples.size for samples in ear.heard} == {rate // 50}
    assert len(ear.heard) >= 195
    assert dominant_frequency(ear.audio[rate // 5 :], rate) == pytest.approx(500, abs=0.5)
    stats = ear.receiver.stats
    assert (stats.totals.lost, stats.buffer.concealed_samples, stats.buffer.packets_discarded) == (0, 0, 0)
    assert stats.totals.packets >= 197
    assert stats.totals.jitter < 0.001
    assert ear.receiver.target_delay <= 0.015


@pytest.mark.parametrize("name", ["PCMU", "opus"])
@pytest.mark.parametrize("percent", [1, 5])
def test_losses_leave_no_click_and_no_delay(name: str, percent: int) -> None:
    ear, rng = Ear(), random.Random(percent)
    # Not wideband: libopus lets a pure tone fade there as soon as it is lost, which it does with no voice.
    one = sender(name, opus=OpusSettings(full_band=True))
    arrivals = talk(one, Tone(300), 500, delay=lambda number: None if rng.randrange(100) < percent else 0.03)
    network(arrivals, ear, seconds=10)
    rate = ear.receiver.sample_rate
    audio = ear.audio[rate // 2 :].astype(int)
    assert dominant_frequency(audio, rate) == pytest.approx(300, abs=1)
    natural = 0.3 * 32_767 * 2 * np.pi * 300 / rate
    if name != "opus":
        # Opus conceals by itself, by a model of speech that pure tones do not fit.
        assert np.abs(np.diff(audio)).max() < 2.5 * natural
    # Nothing missing, nothing piled up: as many beats of sound as of time.
    quiet = sum(1 for samples in ear.heard[10:] if np.abs(samples.astype(int)).max() < 1_000)
    assert quiet <= 2
    assert ear.receiver.stats.buffer.concealment_events > 0


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_a_word_that_begins_in_a_lost_packet_is_heard_to_begin(name: str) -> None:
    """Once packets are lost, the one after a hole is there when the hole is filled."""
    ear, one = Ear(), sender(name)
    lost = {50, 100}
    quiet = talk(one, Tone(300, level=1e-6), 150, delay=lambda number: None if number in lost else 0.03)
    word = talk(one, Tone(300), 50, begin=3.0, delay=lambda number: None if number == 0 else 0.03)
    after = talk(one, Tone(300, level=1e-6), 25, begin=4.0)
    network(iter([*quiet, *word, *after]), ear, seconds=4.5)
    loud = np.flatnonzero(np.abs(ear.audio.astype(int)) > 3_000)
    natural = 0.3 * 32_767 * 2 * np.pi * 300 / 8_000
    assert ear.receiver.stats.buffer.concealment_events == 3
    # Of 50 packets the first was lost: it is heard for half of its time, and there is no step where it ends.
    assert (loud[-1] - loud[0]) / 8_000 == pytest.approx(49.5 * 0.02, abs=0.006)
    assert np.abs(np.diff(ear.audio.astype(int))).max() < 1.5 * natural


def test_jitter_of_thirty_milliseconds_is_played_smoothly() -> None:
    ear, rng = Ear(), random.Random(1)
    arrivals = talk(sender("PCMU"), Tone(300), 1_000, delay=lambda number: 0.03 + rng.uniform(0, 0.03))
    network(arrivals, ear, seconds=20)
    assert dominant_frequency(ear.audio[8_000:], 8_000) == pytest.approx(300, abs=1)
    stats = ear.receiver.stats
    assert stats.buffer.concealed_samples < 0.02 * stats.samples_received
    assert stats.totals.jitter == pytest.approx(0.01, abs=0.005)
    assert 0.02 < ear.receiver.target_delay < 0.05


@pytest.mark.parametrize("more", [8, 20, 35])
def test_beats_are_whole_packets_again_after_one_of_another_length(more: int) -> None:
    """What is left of a packet is delay for good, and every beat was put together from two pieces."""
    ear, arrivals, timestamp = Ear(), list[tuple[float, bytes]](), 0
    for number in range(500):
        size = 160 + more * (number == 20)
        quiet = np.full(size, 8 * (number % 16), dtype=np.int16)
        data = RtpPacket(0, False, number, timestamp, 1, PCMU.encode(quiet)).serialize()
        arrivals.append((timestamp / 8_000 + 0.03, data))
        timestamp += size
    network(iter(arrivals), ear, seconds=9.9)
    assert any(np.ptp(beat) for beat in ear.heard[:100])
    assert not any(np.ptp(beat) for beat in ear.heard[-100:])


@pytest.mark.parametrize(("word", "removed"), [(500, 0), (400, 30)])
def test_the_rest_of_a_packet_is_given_back_in_a_pause_and_not_in_a_word(word: int, removed: int) -> None:
    """``word`` is with which packet the word ends."""
    ear, arrivals, tone, timestamp = Ear(), list[tuple[float, bytes]](), Tone(300), 0
    for number in range(500):
        size = 160 + 30 * (number == 20)
        voiced = tone.read(8_000) if number < word else None
        samples = np.resize(silence(size) if voiced is None else voiced, size)
        data = RtpPacket(0, False, number, timestamp, 1, PCMU.encode(samples)).serialize()
        arrivals.append((timestamp / 8_000 + 0.03, data))
        timestamp += size
    network(iter(arrivals), ear, seconds=9.9)
    assert ear.receiver.stats.removed_samples == removed


def test_another_stream_takes_over_without_a_click() -> None:
    """SSRC change: sequence numbers, timestamps and jitter buffer start anew, the ear notices nothing."""
    ear = Ear()
    first, second = sender("PCMU", ssrc=1), sender("PCMU", ssrc=2)
    arrivals = [*talk(first, Tone(300), 100), *talk(second, Tone(300), 100, begin=2.0)]
    # A straggler of the old stream, overtaken by the new one, is no change back.
    straggler = RtpPacket(0, False, 5, 5, 1, b"\0" * 160).serialize()
    network(iter([*arrivals, (2.1, straggler)]), ear, seconds=3.9)
    audio = ear.audio[800:].astype(int)
    assert np.abs(np.diff(audio)).max() < 2.5 * 0.3 * 32_767 * 2 * np.pi * 300 / 8_000
    assert sum(1 for samples in ear.heard[5:] if np.abs(samples.astype(int)).max() < 5_000) <= 2
    assert ear.receiver.stats.totals.packets == 100 + 93, "all that arrived in time, and not the straggler"
    assert ear.receiver.reception is not None
    assert ear.receiver.reception.ssrc == 2


def test_what_a_stream_leaves_behind_ends_with_it() -> None:
    """Digits by half of all timestamps, the noise of pauses, and what the decoder remembers (RFC 3550 5.1)."""
    ear = Ear()

    def press(ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        packet = RtpPacket(101, True, sequence, timestamp, ssrc, b"\x05\x8a\x03\x20")
        assert ear.receiver.receive(packet, now)

    press(1, 40_000, 3_000_000_000, 0.0)
    press(2, 9, 1_200_000_000, 1.0)
    press(3, 8, 2_000_000_000, 2.0)
    assert [each.digit for each in ear.digits] == ["5", "5", "5"]


def test_noise_described_in_one_stream_is_not_heard_in_the_next() -> None:
    ear = Ear()
    arrivals = [*talk(sender("PCMU", ssrc=1), Tone(300), 50)]
    arrivals.append((1.04, RtpPacket(13, False, 14, 2**32 - 12_000, 1, bytes([20])).serialize()))
    arrivals += talk(sender("PCMU", ssrc=2), Tone(300), 50, begin=2.0)
    network(iter(arrivals), ear, seconds=5)
    assert np.abs(np.concatenate(ear.heard[70:90]).astype(int)).max() > 1_000, "noise of the first stream"
    assert not np.concatenate(ear.heard[-40:]).any()


def test_two_streams_at_once_are_not_mixed_frame_by_frame() -> None:
    """A server that swaps streams lets the old one run for a while: the new one is heard until it is silent."""
    ear = Ear()
    arrivals = [*talk(sender("PCMU", ssrc=1), Tone(300), 250), *talk(sender("PCMU", ssrc=2), Tone(700), 100, begin=1.0)]
    network(iter(arrivals), ear, seconds=5)
    assert dominant_frequency(np.concatenate(ear.heard[60:145]), 8_000) == pytest.approx(700, abs=5)
    assert dominant_frequency(np.concatenate(ear.heard[185:240]), 8_000) == pytest.approx(300, abs=5)


@pytest.mark.parametrize(("one", "other"), [("PCMU", "PCMA"), ("PCMU", "G722"), ("PCMU", "opus"), ("opus", "PCMU")])
def test_a_change_of_codec_in_one_stream_is_followed(one: str, other: str) -> None:
    ear = Ear()
    first, second = sender(one), sender(other)
    arrivals = list(talk(first, Tone(300), 100))
    second._sequence = first._sequence
    second._timestamp = first._timestamp
    arrivals += talk(second, Tone(300), 100, begin=2.0)
    network(iter(arrivals), ear, seconds=3.9)
    for part, rate in ((slice(20, 90), None), (slice(115, 185), None)):
        rate = ear.rates[part][0]
        assert dominant_frequency(np.concatenate(ear.heard[part]), rate) == pytest.approx(300, abs=2)
    assert len(set(ear.rates)) == (1 if {one, other} == {"PCMU", "PCMA"} else 2)
    assert len(ear.heard) > 185


def test_digits_go_beside_the_audio() -> None:
    ear, one = Ear(), sender("PCMU")
    assert one.digits is not None
    one.digits.send("42#")
    packets = list(talk(one, Tone(300), 100))
    markers = [parse(data).marker for _, data in packets]  # type: ignore[union-attr]
    assert markers.count(True) == 1 + 3, "the talk spurt and each digit"
    sequences = [parse(data).sequence for _, data in packets]  # type: ignore[union-attr]
    assert sequences == [(65_500 + number) & 0xFFFF for number in range(100)]
    network(iter(packets), ear, seconds=2)
    assert [(each.digit, each.duration) for each in ear.digits] == [("4", 0.1), ("2", 0.1), ("#", 0.1)]
    assert ear.receiver.stats.totals.lost == 0


def test_comfort_noise_fills_a_pause() -> None:
    ear, one = Ear(), sender("PCMU")
    arrivals = list(talk(one, Tone(300), 50))
    last = parse(arrivals[-1][1])
    assert last is not None
    noise = RtpPacket(13, False, (last.sequence + 1) & 0xFFFF, (last.timestamp + 160) & 0xFFFF_FFFF, 1, bytes([40]))
    one._sequence = (one._sequence + 1) & 0xFFFF
    one.skip(50)
    arrivals += [(1.03, noise.serialize()), *talk(one, Tone(300), 50, begin=2.0)]
    network(iter(arrivals), ear, seconds=2.9)
    pause = np.concatenate(ear.heard[60:95]).astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(pause**2)) / 32_768) == pytest.approx(-40, abs=1)
    assert dominant_frequency(np.concatenate(ear.heard[105:]), 8_000) == pytest.approx(300, abs=2)
    assert ear.receiver.stats.buffer.concealed_samples == 0


def test_what_is_not_ours_is_refused_and_counted_nowhere() -> None:
    ear = Ear()
    assert not ear.receiver.receive(RtpPacket(50, False, 1, 1, 1, b"x"), 0.0)
    assert not ear.receiver.receive(RtpPacket(0, False, 1, 1, 1, bytes(1_501)), 0.0)
    assert ear.receiver.reception is None
    assert ear.receiver.beat(0.1) is None


def test_a_pause_of_opus_fades_and_does_not_click() -> None:
    ear, one = Ear(), sender("opus")
    arrivals = list(talk(one, Tone(300), 50))
    one.skip(50)
    arrivals += talk(one, Tone(300), 50, begin=2.0)
    network(iter(arrivals), ear, seconds=2.9)
    pause = np.abs(np.concatenate(ear.heard[75:95]).astype(int))
    assert pause.max() < 1_000
    assert dominant_frequency(np.concatenate(ear.heard[105:]), 48_000) == pytest.approx(300, abs=2)


def pausing(name: str, ssrc: int = 1) -> RtpSender:
    encoder = make_encoder(name)
    assert encoder is not None
    return RtpSender(
        encoder,
        payload_type=next(number for number, known in TYPES.items() if known == name),
        ssrc=ssrc,
        sequence=65_500,
        timestamp=2**32 - 20_000,
        silence_suppression=True,
        noise_taken=True,
    )


@pytest.mark.parametrize("name", ["PCMU", "G722", "opus"])
@pytest.mark.parametrize("percent", [0, 10])
def test_pauses_are_left_out_by_whoever_sends_and_are_no_loss_to_whoever_hears(name: str, percent: int) -> None:
    """RFC 3389, and Opus's own DTX: both ends of it, also over a network that loses."""
    one, ear, rng = pausing(name), Ear(), random.Random(percent)
    rate = one.sample_rate
    # Rooms are not digitally silent: -62 dB.
    room = np.random.default_rng(4).normal(0, 26, rate * 10).astype(np.int16)
    spoken = voiced(10.0)[:: 48_000 // rate].astype(np.int32)
    spoken[2 * rate : 7 * rate] = 0
    whole = (spoken + room).astype(np.int16)
    pieces = iter(whole.reshape(-1, rate // 50))
    arrivals = []
    for number in range(500):
        data = one.next(lambda rate: next(pieces))
        if data is not None and rng.randrange(100) >= percent:
            arrivals.append((number * 0.02 + 0.03, data))
    # Of 195: comfort noise once a second; Opus goes by its own detector, which takes white noise for speech at times.
    assert 3 <= sum(1 for when, _ in arrivals if 3.0 < when < 6.9) <= (60 if name == "opus" else 5)
    network(iter(arrivals), ear, seconds=10)
    stats = ear.receiver.stats
    rate = ear.receiver.sample_rate
    level = 20 * np.log10(np.sqrt(np.mean(ear.audio[3 * rate : 6 * rate].astype(float) ** 2)) / 32_768 + 1e-9)
    assert level < -50
    assert np.abs(ear.audio[int(7.3 * rate) :].astype(int)).max() > 5_000, "heard again"
    if not percent:
        assert (stats.totals.lost, stats.buffer.concealed_samples, stats.buffer.concealment_events) == (0, 0, 0)
        if name != "opus":
            assert level == pytest.approx(-62, abs=2)


def test_a_pause_of_which_nothing_is_told_is_no_loss_either() -> None:
    ear, one = Ear(), sender("PCMU")
    arrivals = list(talk(one, Tone(300), 50))
    one.skip(100)
    arrivals += talk(one, Tone(300), 50, begin=3.0)
    network(iter(arrivals), ear, seconds=3.9)
    stats = ear.receiver.stats
    assert (stats.totals.lost, stats.buffer.concealed_samples, stats.buffer.concealment_events) == (0, 0, 0)


def test_a_loud_room_has_no_pauses_and_one_that_grows_loud_has_them_again() -> None:
    pauses, rng = Pauses(), np.random.default_rng(2)

    def frames(decibels: float, count: int) -> list[bool]:
        level = 32_768 * 10 ** (decibels / 20)
        return [pauses.add(rng.normal(0, level, 160).astype(np.int16)) for _ in range(count)]

    assert not any(frames(-30, 500))
    assert frames(-70, 50).index(True) == 10
    assert not any(frames(-45, 40)), "speech may be as quiet as this"
    assert frames(-45, 600)[-1], "but not for twelve seconds on end"
    assert not frames(-30, 1)[0]


def test_the_copies_of_opus_begin_at_one_percent_and_go_on_between_reports_of_none() -> None:
    one = sender("opus")
    asked: list[float] = []
    one._encoder.expect_loss = asked.append  # type: ignore[method-assign]
    for fraction in (0.0, 1 / 256, 0.0, 0.02, *[0.0] * 8):
        one.hear_report(ReportBlock(1, fraction, 10, 0, 0, 0, 0))
    assert asked[0] == 0
    assert asked[1] == 0.0 or asked[1] >= 0.01
    assert all(each >= 0.01 for each in asked[3:10])
    for _ in range(40):
        one.hear_report(ReportBlock(1, 0.0, 10, 0, 0, 0, 0))
    assert asked[-1] == 0


made_up = st.builds(
    RtpPacket,
    payload_type=st.sampled_from([0, 8, 9, 13, 101, 111, 111, 50]),
    marker=st.booleans(),
    sequence=st.integers(0, 40).map(lambda number: (65_520 + number) & 0xFFFF),
    timestamp=st.integers(0, 40).map(lambda number: (2**32 - 3_200 + 160 * number) & 0xFFFF_FFFF)
    | st.integers(0, 2**32 - 1),
    ssrc=st.sampled_from([1, 1, 1, 2]),
    payload=st.binary(max_size=12) | st.sampled_from([bytes(160), bytes(320), b"\x78" + bytes(20)]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(made_up, max_size=4), max_size=40))
def test_whatever_arrives_every_beat_has_its_twenty_milliseconds(beats: list[list[RtpPacket]]) -> None:
    ear = Ear()
    begun = False
    for number, arriving in enumerate(beats):
        now = number * 0.02
        for packet in arriving:
            ear.receiver.receive(packet, now)
        samples = ear.receiver.beat(now + 0.015)
        assert samples is not None or not begun, "a stream that has begun never stops answering"
        if samples is not None:
            begun = True
            assert samples.size == ear.receiver.sample_rate // 50
            assert samples.dtype == np.int16
    assert all(each.digit in "0123456789*#ABCD" and each.duration >= 0 for each in ear.digits)


def test_empty_and_broken_payloads_pass_by() -> None:
    ear = Ear()
    broken = [
        (number * 0.02, RtpPacket(111, False, number, number * 960, 1, payload).serialize())
        for number, payload in enumerate([b"", b"\x03", b"\xff\xff", b"\x78" + bytes(3)] * 20)
    ]
    network(iter(broken), ear, seconds=2)
    assert {samples.size for samples in ear.heard} <= {960}


def test_after_a_stall_of_our_own_the_far_end_sees_a_pause_and_not_late_packets() -> None:
    one = sender("PCMU")
    before = parse(one.next(silence_of))
    one.skip(25)
    after = parse(one.next(silence_of))
    assert before is not None
    assert after is not None
    assert (after.timestamp - before.timestamp) & 0xFFFF_FFFF == 26 * 160
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert after.marker


def silence_of(rate: int) -> Samples:
    return silence(rate // 50)


def test_a_sender_report_says_what_was_sent() -> None:
    one = sender("PCMU")
    for _ in range(10):
        one.next(silence_of)
    report = one.report(1_700_000_000.0, ())
    assert (report.packets, report.octets, report.ntp) == (10, 1_600, ntp_time(1_700_000_000.0))
    assert report.timestamp == (2**32 - 20_000 + 1_600) & 0xFFFF_FFFF


def test_reported_losses_make_opus_send_copies() -> None:
    one = sender("opus")
    one.hear_report(ReportBlock(1, 0.2, 10, 0, 0, 0, 0))
    decoder = make_decoder("opus")
    assert decoder is not None
    rng = np.random.default_rng(1)
    wave = np.cumsum(rng.normal(0, 800, 16_000)) % 8_000
    payloads = []
    for start in range(0, 16_000, 320):
        piece = (wave[start : start + 320] - 4_000).astype(np.int16)
        packet = parse(one.next(lambda rate, piece=piece: piece))  # type: ignore[misc]
        assert packet is not None
        payloads.append(packet.payload)
    assert sum(decoder.describe(payload)[2] for payload in payloads) > 5


def test_opus_frames_are_repaired_from_their_copies_in_the_next_packet() -> None:
    ear, one = Ear(), sender("opus")
    one.hear_report(ReportBlock(1, 0.2, 10, 0, 0, 0, 0))
    speech = Resampler(48_000, 16_000).process(voiced(8.0))
    pieces = iter([speech[at : at + 320] for at in range(0, speech.size, 320)])
    packets = [(number * 0.02 + 0.03, one.next(lambda rate: next(pieces))) for number in range(400)]
    arrivals = iter([each for number, each in enumerate(packets) if number <= 50 or number % 9 != 4])
    network(arrivals, ear, seconds=8)
    stats = ear.receiver.stats
    assert stats.totals.lost == pytest.approx(38, abs=2)
    assert stats.buffer.fec_packets_received > 25
    assert stats.buffer.concealed_samples < 15 * 960


def test_a_burst_is_played_faster_afterwards_and_keeps_its_pitch() -> None:
    ear = Ear()
    arrivals = talk(
        sender("PCMU"), Tone(250), 400, delay=lambda number: max(0.03, (2.3 - number * 0.02)) if number >= 100 else 0.03
    )
    network(arrivals, ear, seconds=8)
    stats = ear.receiver.stats
    assert stats.removed_samples > 8_000 * 0.15
    assert dominant_frequency(np.concatenate(ear.heard[150:]), 8_000) == pytest.approx(250, abs=1)
    natural = 0.3 * 32_767 * 2 * np.pi * 250 / 8_000
    assert np.abs(np.diff(np.concatenate(ear.heard[150:]).astype(int))).max() < 2 * natural


def test_a_sender_whose_clock_is_slow_is_heard_without_holes() -> None:
    """Half a percent is a hundred times what crystals do; periods are put in before the buffer runs dry."""
    ear = Ear()
    arrivals = talk(sender("PCMU"), Tone(250), 1_000, delay=lambda number: 0.03 + number * 0.02 * 0.005)
    network(arrivals, ear, seconds=20)
    stats = ear.receiver.stats
    assert stats.inserted_samples == pytest.approx(20 * 8_000 * 0.005, rel=0.5)
    assert stats.buffer.concealed_samples < 5 * 160
    assert dominant_frequency(np.concatenate(ear.heard[50:]), 8_000) == pytest.approx(250, abs=1)
