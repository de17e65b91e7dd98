"""Codecs against FFmpeg's, against each other, and against bytes that no encoder made."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp import libopus, opus_payload
from telnyx_drivers._audio.rtp.av_codec import AvDecoder
from telnyx_drivers._audio.rtp.codecs import Decoder, Encoder, make_decoder, make_encoder
from telnyx_drivers._audio.rtp.g711 import G711, PCMA, PCMU
from telnyx_drivers._audio.rtp.opus_av import AvOpusDecoder, AvOpusEncoder
from telnyx_drivers._webrtc.measure import correlate, dominant_frequency
from telnyx_drivers.asyncio import OpusSettings
from tests.audio.helpers import sine, voiced
from tests.programs import ROOT


def pair(name: str) -> tuple[Encoder, Decoder]:
    if name == "opus by FFmpeg":
        return AvOpusEncoder(OpusSettings()), AvOpusDecoder()
    encoder, decoder = make_encoder(name), make_decoder(name)
    assert encoder is not None
    assert decoder is not None
    return encoder, decoder


def through(encoder: Encoder, decoder: Decoder, samples: Samples) -> Samples:
    size = encoder.sample_rate // 50
    return np.concatenate(
        [decoder.decode(encoder.encode(samples[at : at + size])) for at in range(0, samples.size - size + 1, size)]
    )


@pytest.mark.parametrize("name", ["PCMU", "pcma", "G722", "opus", "opus by FFmpeg"])
def test_a_tone_survives_each_codec(name: str) -> None:
    encoder, decoder = pair(name)
    rate = encoder.sample_rate
    tone = sine(1_000, rate, 1.0)
    # The codec's rates of both ways may differ: an encoder of Opus is given what it keeps.
    heard = Resampler(decoder.sample_rate, rate).process(through(encoder, decoder, tone))
    assert dominant_frequency(heard[rate // 5 :], rate) == pytest.approx(1_000, abs=1)
    _, likeness = correlate(tone[rate // 4 : rate // 2], heard, rate)
    assert abs(likeness) > 0.98
    payload = encoder.encode(tone[: rate // 50])
    assert decoder.describe(payload) == (encoder.clock_rate // 50, False, False)


def test_an_unknown_codec_is_none() -> None:
    assert make_encoder("iLBC") is None
    assert make_decoder("iLBC") is None


@pytest.mark.parametrize(("codec", "name"), [(PCMU, "pcm_mulaw"), (PCMA, "pcm_alaw")])
def test_g711_is_what_ffmpeg_takes_it_for(codec: G711, name: str) -> None:
    codes = bytes(range(256))
    assert np.array_equal(codec.decode(codes), AvDecoder(name, 8_000).decode(codes))


@pytest.mark.parametrize(("codec", "worst"), [(PCMU, 644), (PCMA, 512)])
def test_g711_takes_the_nearest_step_and_is_stable(codec: G711, worst: int) -> None:
    every = np.arange(-32_768, 32_768).astype(np.int16)
    heard = codec.decode(codec.encode(every)).astype(int)
    assert np.abs(heard - every).max() <= worst
    small = np.abs(every.astype(int)) < 256
    assert np.abs(heard - every)[small].max() <= 8
    assert np.all(np.diff(heard) >= 0)
    again = codec.decode(codec.encode(heard.astype(np.int16)))
    assert np.array_equal(again, heard)


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_g711_silence_is_silence(codec: G711) -> None:
    assert codec.encode(silence(160)) == codec.encode(np.zeros(160, dtype=np.int16))
    assert np.abs(codec.decode(codec.encode(silence(160)))).max() <= 8


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["PCMU", "PCMA", "G722", "opus", "opus by FFmpeg"]), st.binary(max_size=200))
def test_no_payload_breaks_a_decoder(name: str, payload: bytes) -> None:
    _, decoder = pair(name)
    samples = decoder.decode(payload)
    assert samples.dtype == np.int16
    assert samples.size <= 5_760
    assert 0 <= decoder.describe(payload)[0] <= 5_760
    assert decoder.decode(b"").size == 0


def library() -> libopus.Library:
    found = libopus.load()
    assert found is not None, "PyAV's wheel brings libopus along; without it losses are repaired less well"
    return found


def wideband(seconds: float) -> Samples:
    """Like a voice, at 16 kHz: whole frames of it."""
    return Resampler(48_000, 16_000).process(voiced(seconds))


def encode_all(encoder: Encoder, samples: Samples) -> list[bytes]:
    size = encoder.sample_rate // 50
    return [encoder.encode(samples[at : at + size]) for at in range(0, samples.size, size)]


@pytest.mark.parametrize(
    ("chosen", "rate", "bandwidth"), [(None, 16_000, "wideband"), (OpusSettings(full_band=True), 48_000, "full band")]
)
def test_opus_sends_what_a_telephone_carries_unless_it_is_told_otherwise(
    chosen: OpusSettings | None, rate: int, bandwidth: str
) -> None:
    """Its clock stays that of RFC 7587; the first byte says what a packet carries (RFC 6716 section 3.1)."""
    encoder = make_encoder("opus", chosen)
    assert encoder is not None
    assert (encoder.sample_rate, encoder.clock_rate) == (rate, 48_000)
    rng = np.random.default_rng(1)
    payloads = encode_all(encoder, (8_000 * rng.standard_normal(rate)).astype(np.int16))
    configs = {payload[0] >> 3 for payload in payloads[10:]}
    wide = {8, 9, 10, 11, 20, 21, 22, 23}
    assert configs <= wide if bandwidth == "wideband" else not configs & wide
    assert {opus_payload.duration(payload) for payload in payloads} == {960}


@pytest.mark.parametrize(("chosen", "complexity"), [(None, 5), (OpusSettings(complexity=9), 9)])
def test_the_complexity_reaches_the_library(chosen: OpusSettings | None, complexity: int) -> None:
    """What it is worth is measured by `bench/quality.py`."""
    encoder, told = libopus.OpusEncoder(library(), chosen), ctypes.c_int32()
    library().encoder_ctl(encoder._state, 4_011, ctypes.byref(told))  # OPUS_GET_COMPLEXITY
    assert told.value == complexity
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match="complexity"):
            OpusSettings(complexity=wrong)


def test_opus_repairs_a_lost_frame_from_the_next_one() -> None:
    """In-band FEC: what was lost is better from its copy than from a guess."""
    encoder = libopus.OpusEncoder(library())
    encoder.expect_loss(0.2)
    payloads = encode_all(encoder, wideband(2.0))
    with_copy = [index for index, payload in enumerate(payloads) if opus_payload.repairs(payload)]
    assert len(with_copy) > 60
    errors: dict[str, float] = {"copy": 0.0, "guess": 0.0}
    for lost in range(20, 90, 7):
        if lost + 1 not in with_copy:
            continue
        for way in errors:
            whole, lossy = libopus.OpusDecoder(library()), libopus.OpusDecoder(library())
            for payload in payloads[:lost]:
                whole.decode(payload)
                lossy.decode(payload)
            true = whole.decode(payloads[lost]).astype(float)
            made = lossy.decode_repair(payloads[lost + 1], 960) if way == "copy" else lossy.conceal(960)
            assert made is not None
            assert made.size == 960
            errors[way] += float(np.sum((made - true) ** 2))
    assert 0 < errors["copy"] < errors["guess"] / 2


def test_opus_carries_no_copies_while_nothing_is_lost() -> None:
    encoder = libopus.OpusEncoder(library())
    assert not any(map(opus_payload.repairs, encode_all(encoder, wideband(0.5))))


def test_copies_go_beside_the_frames_and_not_at_their_cost_but_within_the_limit() -> None:
    """From one percent on. What that is worth in PESQ is measured by `bench/hearing.py`."""
    told = ctypes.c_int32()

    def bit_rate(encoder: libopus.OpusEncoder) -> int:
        library().encoder_ctl(encoder._state, 4_003, ctypes.byref(told))  # OPUS_GET_BITRATE
        return told.value

    encoder = libopus.OpusEncoder(library())
    before = bit_rate(encoder)
    encoder.expect_loss(0.01)
    assert bit_rate(encoder) == before + 16_000
    assert sum(map(opus_payload.repairs, encode_all(encoder, wideband(2.0)))) > 60
    encoder.limit(20_000)
    assert bit_rate(encoder) == 20_000
    encoder.limit(1_000_000)
    encoder.expect_loss(0.0)
    assert bit_rate(encoder) == before


def test_the_bit_rate_of_opus_can_be_limited() -> None:
    """MEDIA-046."""

    def rate(limit: int | None) -> float:
        encoder = libopus.OpusEncoder(library())
        if limit is not None:
            assert encoder.limit(limit)
        return sum(map(len, encode_all(encoder, wideband(2.0)))) * 8 / 2.0

    assert rate(None) < 36_000
    assert rate(12_000) < 14_000
    assert rate(1_000_000) == rate(None)
    for name in ("PCMU", "PCMA", "G722"):
        assert not pair(name)[0].limit(8_000)


def test_opus_payloads_say_how_long_they_are() -> None:
    for config, code, expected in [
        (31, 0, 960),
        (15, 0, 960),
        (3, 0, 2_880),
        (3, 1, 5_760),
        (16, 0, 120),
        (12, 1, 960),
    ]:
        assert opus_payload.duration(bytes([config << 3 | code, 0, 0])) == expected
    assert opus_payload.duration(bytes([31 << 3 | 3, 3, 0])) == 2_880
    assert opus_payload.duration(bytes([3 << 3 | 3, 48])) == 0
    assert opus_payload.duration(bytes([31 << 3 | 3])) == 0
    assert opus_payload.duration(b"") == 0


def test_without_libopus_ffmpeg_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libopus, "load", lambda: None)
    encoder, decoder = pair("opus")
    assert isinstance(encoder, AvOpusEncoder)
    assert isinstance(decoder, AvOpusDecoder)
    assert decoder.conceal(960) is None
    assert decoder.decode_repair(encoder.encode(np.zeros(320, dtype=np.int16)), 960) is None
    assert decoder.describe(b"\x78\xff\xff\xff") == (960, False, False)


def test_a_codec_is_freed_with_its_owner_and_not_at_the_exit_of_the_process() -> None:
    """A thread may be in the middle of a frame then, and libopus aborts the process over a state that is gone."""
    program = (
        "import ctypes; from telnyx_drivers._audio.rtp import libopus\n"
        "class Owner: pass\n"
        "def freed(state): print(state.value)\n"
        "one, other = Owner(), Owner()\n"
        "libopus._free_with(one, freed, ctypes.c_void_p(1))\n"
        "libopus._free_with(other, freed, ctypes.c_void_p(2))\n"
        "del one\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
