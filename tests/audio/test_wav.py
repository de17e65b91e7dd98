"""WAV as the world writes it: sizes that are not true, chunks that are not padded, every plain encoding, any cut."""

import contextlib
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp.g711 import PCMA, PCMU
from telnyx_drivers._audio.wav import NotPlainWav, WavStream, begins_wav
from tests.audio.helpers import sine

TONE = sine(440, 16_000, 0.05)
GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, *, size: int | None = None, pad: bytes = b"\0") -> bytes:
    whole = name + struct.pack("<I", len(body) if size is None else size) + body
    return whole + pad if len(body) % 2 else whole


def form(tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, *, extensible: bool = False) -> bytes:
    align = channels * bits // 8
    plain = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * align, align, bits)
    return plain + (struct.pack("<HHIH", 22, bits, 1, tag) + GUID if extensible else b"")


def wav(*chunks: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def decode(data: bytes, cuts: Iterator[int] | None = None) -> tuple[Samples, set[int]]:
    """All the sound and its rates, fed in one piece or cut."""
    stream, parts, rates, at = WavStream(), [np.zeros(0, np.int16)], set[int](), 0
    while at < len(data):
        size = len(data) if cuts is None else next(cuts)
        for found, piece in stream.feed(data[at : at + size]):
            parts.append(found.to_mono(piece))
            rates.add(found.sample_rate)
        at += size
    return np.concatenate(parts), rates


def pcm16(samples: Samples) -> bytes:
    return samples.astype("<i2").tobytes()


LIST = chunk(b"LIST", b"INFOISFT\x04\0\0\0abc\0")
SOUND = pcm16(TONE)
SIZES = {
    "right": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND)),
    "all ones": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=0xFFFF_FFFF), size=0xFFFF_FFFF),
    "all ones but the sign": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=0x7FFF_FFFF), size=0x7FFF_FFFF),
    "two thousand million": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=2_000_000_000)),
    "zeros": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=0), size=0),
    "of an empty file": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=0), size=36),
    "36 for the sound": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=36), size=72),
    "too small a whole": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND), size=36),
    "a byte too long": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND, size=len(SOUND) + 1)),
    "a list before, a list behind": wav(LIST, chunk(b"fmt ", form()), LIST, chunk(b"data", SOUND), LIST),
    "64 bits": wav(
        chunk(b"ds64", struct.pack("<QQQI", 0, len(SOUND), 0, 0)),
        chunk(b"fmt ", form()),
        chunk(b"data", SOUND, size=0xFFFF_FFFF),
        LIST,
        size=0xFFFF_FFFF,
        magic=b"RF64",
    ),
    "odd, padded": wav(chunk(b"junk", b"abc"), chunk(b"fmt ", form()), chunk(b"data", SOUND)),
    "odd, padded with a letter": wav(chunk(b"junk", b"abc", pad=b"x"), chunk(b"fmt ", form()), chunk(b"data", SOUND)),
    "odd, not padded": wav(chunk(b"junk", b"abc", pad=b""), chunk(b"fmt ", form()), chunk(b"data", SOUND)),
    "odd and unknown, not padded": wav(
        chunk(b"abcd", b"abc", pad=b""), chunk(b"efgh", b"", pad=b""), chunk(b"fmt ", form()), chunk(b"data", SOUND)
    ),
    "text behind": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND)) + b"TAG" + b"Song".ljust(125, b"\0"),
    "zeros behind": wav(chunk(b"fmt ", form()), chunk(b"data", SOUND)) + b"\0" * 100,
    "a longer format chunk": wav(chunk(b"fmt ", form() + b"\0\0"), chunk(b"data", SOUND)),
}


@pytest.mark.parametrize("name", SIZES)
def test_headers_that_are_not_true_lose_no_sound_and_add_none(name: str) -> None:
    samples, rates = decode(SIZES[name])
    assert samples.tolist() == TONE.tolist()
    assert rates == {16_000}


@given(st.sampled_from(sorted(SIZES)), st.lists(st.integers(1, 60), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_however_the_bytes_are_cut_the_sound_is_the_same(name: str, sizes: list[int]) -> None:
    def cuts() -> Iterator[int]:
        while True:
            yield from sizes

    assert decode(SIZES[name], cuts())[0].tolist() == TONE.tolist()


FLOATS = TONE.astype(np.float64) / 32_767
ENCODINGS: dict[str, tuple[bytes, bytes, int]] = {
    "8 bits": (form(bits=8), ((TONE >> 8) + 128).astype(np.uint8).tobytes(), 256),
    "24 bits": (form(bits=24), b"".join(b"\x7f" + pcm16(each) for each in TONE.reshape(-1, 1)), 0),
    "32 bits": (form(bits=32), (TONE.astype("<i4") << 16).tobytes(), 0),
    "20 bits in 24": (
        struct.pack("<HHIIHH", 1, 1, 16_000, 48_000, 3, 20),
        b"".join(b"\0" + pcm16(each) for each in TONE.reshape(-1, 1)),
        0,
    ),
    "float 32": (form(3, bits=32), FLOATS.astype("<f4").tobytes(), 1),
    "float 64": (form(3, bits=64), FLOATS.astype("<f8").tobytes(), 1),
    "A-law": (form(6, bits=8), PCMA.encode(TONE), 512),
    "mu-law": (form(7, bits=8), PCMU.encode(TONE), 512),
    "extensible": (form(extensible=True), SOUND, 0),
    "extensible float": (form(3, bits=32, extensible=True), FLOATS.astype("<f4").tobytes(), 1),
    "stereo": (form(channels=2), pcm16(np.repeat(TONE, 2)), 0),
    "wrong alignment": (struct.pack("<HHIIHH", 1, 2, 16_000, 32_000, 2, 16), pcm16(np.repeat(TONE, 2)), 0),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_plain_encoding_is_read(name: str) -> None:
    header, sound, most = ENCODINGS[name]
    samples, _ = decode(wav(chunk(b"fmt ", header), chunk(b"data", sound)))
    assert samples.size == TONE.size
    assert np.abs(samples.astype(int) - TONE).max() <= most


def test_what_is_no_number_or_beyond_all_is_no_noise() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e300, -2.0], "<f8")
    samples, _ = decode(wav(chunk(b"fmt ", form(3, bits=64)), chunk(b"data", values.tobytes())))
    assert samples.tolist() == [0, 32_767, -32_768, 32_767, -32_768]


def test_a_second_file_behind_the_first_is_read_with_its_own_format() -> None:
    second = wav(chunk(b"fmt ", form(rate=8_000, channels=2)), chunk(b"data", pcm16(np.repeat(TONE, 2))))
    samples, rates = decode(SIZES["right"] + second)
    assert samples.tolist() == [*TONE, *TONE]
    assert rates == {8_000, 16_000}


@pytest.mark.parametrize(
    "data",
    [
        b"ID3\4" + b"\0" * 40,
        wav(chunk(b"fmt ", form(2, bits=4)), chunk(b"data", SOUND)),
        wav(chunk(b"fmt ", form(rate=22_254)), chunk(b"data", SOUND)),
        wav(chunk(b"fmt ", form(channels=0)), chunk(b"data", SOUND)),
        wav(chunk(b"fmt ", form()[:12]), chunk(b"data", SOUND)),
        wav(chunk(b"fmt ", b"\0" * 8, size=0xFFFF_FFFF)),
        wav(chunk(b"data", SOUND)),
        wav(chunk(b"JUNK", b"\0" * (1 << 20)), chunk(b"JUNK", b"\0" * 100)),
    ],
)
def test_what_is_no_plain_wav_is_left_to_ffmpeg(data: bytes) -> None:
    with pytest.raises(NotPlainWav):
        decode(data)


def test_a_beginning_is_told_as_early_as_it_can_be() -> None:
    whole = SIZES["right"]
    assert [begins_wav(whole[:count]) for count in (1, 4, 11, 12, 40)] == [None, None, None, True, True]
    assert begins_wav(b"RIFX") is False
    assert begins_wav(b"RIFF\0\0\0\0AVI ") is False
    assert begins_wav(b"") is False


@given(st.binary(max_size=300), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_it(noise: bytes, at: int) -> None:
    """Damage at any place is sound, no sound, or a case for FFmpeg."""
    whole = SIZES["a list before, a list behind"]
    for data in (whole[:at] + noise + whole[at + len(noise) :], wav(noise)):
        with contextlib.suppress(NotPlainWav):
            decode(data)
